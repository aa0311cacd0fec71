"""All that the pages work with: what is configured, what is mapped, and the Redis of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapter.destinations.base import Destination
from adapter.mapping import Mappings
from adapter.resolver import Policy
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.lookup.desk import Desk
    from adapter.replay import Replayer
    from adapter.store.outbox import Outbox

MOST_KEYS, MOST_ITEMS = 50_000, 1_000
"""Keys, and items of each stream, that a page looks through; commands look further."""


@dataclass(frozen=True, slots=True)
class Backstage:
    """One workspace. `layers` are the directories of its mappings, the lowest first, and `contract`
    the schema where these have none; `policy_of` is what settings and a set of mappings decide;
    `outbox` makes one that knows how identifiers are hashed."""

    settings: Settings
    redis: Any
    workspace: str
    mappings: Mappings
    layers: tuple[Path, ...]
    contract: Path
    fixtures: Path
    destination: Destination
    policy_of: Callable[[Settings, Mappings], Policy]
    outbox: Callable[[], Outbox]

    @property
    def policy(self) -> Policy:
        return self.policy_of(self.settings, self.mappings)

    def shops(self) -> list[tuple[str, str]]:
        """Platform and shop of all that ever came. Raises StoreError."""
        from adapter.store.topics import Topics  # noqa: PLC0415

        return sorted(
            {(one.platform, one.shop) for one in Topics(self.redis, self.workspace).seen()}
        )

    def desk(self) -> Desk:
        """For looking somebody up. Raises StoreError."""
        from adapter.lookup.desk import Desk  # noqa: PLC0415

        return Desk.of(
            self.settings,
            self.redis,
            self.workspace,
            most_keys=MOST_KEYS,
            most_items=MOST_ITEMS,
        )

    def replayer(self) -> Replayer:
        """For taking things in once more."""
        from adapter.replay import Replayer  # noqa: PLC0415
        from adapter.store.kept import Kept  # noqa: PLC0415
        from adapter.store.letters import Letters  # noqa: PLC0415
        from adapter.store.people import People  # noqa: PLC0415

        return Replayer(
            mappings=self.mappings,
            outbox=self.outbox(),
            kept=Kept(self.redis, self.workspace),
            letters=Letters(self.redis, self.workspace),
            people=People(self.redis, self.workspace, secret=self.settings.hash_secret),
            destination=self.destination,
            policy=self.policy,
        )

    def feeding(self) -> Mapping[str, list[str]]:
        """By platform the topics that events are made of, of those that have a secret."""
        mappings = self.mappings
        return {
            platform: [
                topic for topic in mappings.topics(platform) if mappings.events_of(platform, topic)
            ]
            for platform in mappings.platforms()
            if platform in self.settings.secrets
        }
