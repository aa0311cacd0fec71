"""What an edit of one mapping file would change for one body: in memory, and nothing is kept.

A workbench has read the directories of mappings once. An edited file is laid over them, or stands
in place of the one that the last of them has; of the edit nothing is read but its own text: tests
inside it are compiled, not run, so no file that it names is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adapter.destinations.base import Destination
from adapter.errors import Fault
from adapter.explain import Change, Explanation, changes, explained
from adapter.mapping import Mappings
from adapter.mapping.loader import compile_sources, read, stack
from adapter.mapping.overlays import RELEASE, without
from adapter.mapping.placement import misplaced
from adapter.mapping.sources import TOP_FILES, TOPICS_FILE, Sources
from adapter.model import Delivery, Json
from adapter.resolver import Policy
from adapter.strictyaml import parse

MOST_TEXT = 64 * 1024
"""Characters of an edited file."""

OVERLAY = Path("custom")
"""Where an edited file would lie if there is no overlay yet."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it: `faults` with their places, or explanations before and after, and where
    these differ. `after` is None where there are faults."""

    file: str
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    before: Explanation | None = None
    after: Explanation | None = None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Workbench:
    """Directories of mappings, each read by itself, the lowest first."""

    layers: tuple[Sources, ...]
    live: Mappings

    @classmethod
    def of(cls, directories: Sequence[Path], contract: Path, live: Mappings) -> Workbench:
        """`live` is what all of them come to."""
        faults: list[Fault] = []
        first, *others = directories
        lowest = read(first, faults, contract)
        return cls((lowest, *(read(each, faults, whole=False) for each in others)), live)

    @property
    def overlay(self) -> Path:
        """The directory in which an edited file would lie."""
        return self.layers[-1].directory if len(self.layers) > 1 else OVERLAY

    def files(self, platform: str) -> list[str]:
        """What may be edited for a platform: `shopify/orders.yml`, `names.yml`, ..."""
        found = dict.fromkeys(
            f"{platform}/{name}"
            for each in self.layers
            for name in each.platforms.get(platform, {})
        )
        return [*found, f"{platform}/{TOPICS_FILE}", *TOP_FILES]

    def file_of(self, platform: str, topic: str) -> str:
        """The file that is for a topic."""
        plan = self.live.plan(platform, topic)
        return f"{platform}/{Path(plan.file).name}" if plan else f"{platform}/{TOPICS_FILE}"

    def text(self, name: str) -> str:
        """What the overlay holds under that name now; empty where it has none."""
        if len(self.layers) < 2:
            return ""
        return self.layers[-1].texts.get(str(self.overlay / name), "")

    def below(self, name: str) -> str:
        """What lies below the overlay under that name."""
        lower = self.layers[:-1] if len(self.layers) > 1 else self.layers
        for each in reversed(lower):
            if text := each.texts.get(str(each.directory / name)):
                return text
        return ""

    def edited(self, name: str, text: str) -> tuple[Mappings | None, list[Fault]]:
        """The mappings with one file edited; None and faults where it cannot be used.

        Raises ValueError for a name that is none of `files`, or a text that is too large.
        """
        platform, _, short = name.rpartition("/")
        if name not in (self.files(platform) if platform else TOP_FILES):
            raise ValueError("there is no such file to edit")
        if len(text) > MOST_TEXT:
            raise ValueError(f"the file is longer than {MOST_TEXT:,} characters")
        faults: list[Fault] = []
        upper = self._upper(platform, short, text, faults)
        lowest, *others = self.layers[:-1] if len(self.layers) > 1 else self.layers
        sources = lowest
        for each in (*others, upper):
            # What is misplaced is taken out of them, and they are looked at again next time.
            layer = _copied(each)
            misplaced(layer, sources, faults)
            sources = stack(sources, layer, faults)
        mappings = compile_sources(sources, faults)
        return (None if faults else mappings), sorted(dict.fromkeys(faults))

    def _upper(self, platform: str, short: str, text: str, faults: list[Fault]) -> Sources:
        """The overlay with the edited file in it."""
        if len(self.layers) > 1:
            upper = _copied(self.layers[-1])
        else:
            upper = Sources(OVERLAY, directories=(OVERLAY,))
        file = str(upper.directory / platform / short)
        trees = (
            upper.top if not platform
            else upper.registers if short == TOPICS_FILE
            else upper.platforms.setdefault(platform, {})
        )  # fmt: skip
        name = platform if short == TOPICS_FILE else short
        upper.texts[file] = text
        tree = parse(text, file, faults)
        if tree is None:
            trees.pop(name, None)
        else:
            if platform:
                upper.platforms.setdefault(platform, {})
            trees[name] = without(tree, RELEASE)
        return upper

    def trial(
        self,
        name: str,
        text: str,
        delivery: Delivery,
        body: Json,
        *,
        destination: Destination,
        policy_of: Callable[[Mappings], Policy],
    ) -> Trial:
        """What the edit would change for one body. Raises ValueError as `edited` does."""
        file = str(self.overlay / name)
        before = _explained(self.live, delivery, body, destination, policy_of)
        mappings, faults = self.edited(name, text)
        if mappings is None:
            return Trial(file, tuple(faults), before=before)
        after = _explained(mappings, delivery, body, destination, policy_of)
        different = changes(before.to_json(), after.to_json())
        known = set(self.live.warnings)
        warnings = tuple(each for each in mappings.warnings if each not in known)
        return Trial(file, (), warnings, before, after, tuple(_told_once(different)))


def _explained(
    mappings: Mappings,
    delivery: Delivery,
    body: Json,
    destination: Destination,
    policy_of: Callable[[Mappings], Policy],
) -> Explanation:
    return explained(
        mappings.apply(delivery, body),
        destination,
        policy=policy_of(mappings),
        names=mappings.names,
    )


def _told_once(found: Iterable[Change]) -> list[Change]:
    """Without what requests only repeat of person and events."""
    every = list(found)
    canonical = [each for each in every if not each.path.startswith("requests")]
    return canonical or every


def _copied(sources: Sources) -> Sources:
    """To be changed without a trace in the one that was read."""
    copied: Mapping[str, dict[str, object]] = {
        name: dict(getattr(sources, name))
        for name in ("top", "shops", "registers", "texts", "releases")
    }
    return replace(
        sources,
        **copied,  # type: ignore[arg-type]
        platforms={name: dict(trees) for name, trees in sources.platforms.items()},
        overrides=list(sources.overrides),
        warnings=list(sources.warnings),
    )
