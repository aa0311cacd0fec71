"""Paths that no fixture holds: absent values and misspelt paths look alike until one looks here.

A path is held when some body of its file's topics has the key that it ends in, be it null. Bodies
are the fixtures that the file's tests name, with what those tests set, and the fixtures that are
called by one of its topics. Keys that filters name (`sum("amount")`) count as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from adapter.errors import Fault, MalformedError
from adapter.mapping.body import parse_body
from adapter.mapping.hints import did_you_mean
from adapter.mapping.loader import Sources
from adapter.mapping.outline import Outline, Outlines, Role, Written, outlines
from adapter.mapping.presence import HERE, NO_DELIVERY, Miss, Question, questions
from adapter.mapping.reader import is_quoted_word
from adapter.mapping.samples import Sample
from adapter.mapping.schema import Schema
from adapter.mapping.trees import place_in
from adapter.mapping.values import is_blank
from adapter.model import Json
from adapter.strictyaml import Node

Users = Sequence[tuple[Outline, Written | None]]
"""The files that an expression is for and, of a fragment's, the lists that it is used on."""


class Fixtures:
    """Bodies by name, each read once; those of earlier directories come first."""

    def __init__(self, *directories: Path) -> None:
        self._directories = directories
        self._read: dict[Path, Json] = {}

    def get(self, name: str) -> Json:
        """The body of a fixture; None where there is none, or none that can be read."""
        for directory in self._directories:
            if (directory / name).is_file():
                return self._body(directory / name)
        return None

    def of_topic(self, platform: str, topic: str) -> list[Json]:
        """The bodies of the files that are called by a topic: `orders_paid.json`, with a variant
        between the name and the ending or without."""
        name = topic.replace("/", "_")
        files = [
            file
            for directory in self._directories
            for pattern in (f"{name}.json", f"{name}.*.json")
            for file in sorted((directory / platform).glob(pattern))
        ]
        return [body for file in files if (body := self._body(file)) is not None]

    def _body(self, file: Path) -> Json:
        if file not in self._read:
            try:
                self._read[file] = parse_body(file.read_bytes())
            except (OSError, MalformedError):
                self._read[file] = None
        return self._read[file]


def warnings(
    sources: Sources,
    samples: Iterable[Sample],
    fixtures: Fixtures,
    *,
    schema: Schema | None = None,
    faults: list[Fault] | None = None,
) -> list[Fault]:
    """What of the files no fixture shows, sorted by place; where overlays are, of theirs alone.

    With a `schema` and `faults`, what an overlay says of a required property goes to the faults
    where it finds nothing in any fixture: with it every body would be parked.
    """
    samples = tuple(samples)
    found: list[Fault] = []
    lowest = sources.directory
    for platform, shop in [*((name, "") for name in sources.platforms), *sources.shops]:

        def is_own(node: Node, shop: str = shop) -> bool:
            file = Path(node.file)
            of_shop = not shop or file.parent.name.lower() == shop
            own = sources.layer(node.file) if sources.base else file.is_relative_to(lowest)
            return of_shop and bool(own)

        of_shop = [each for each in samples if (each.platform, each.shop or "") == (platform, shop)]
        lint = _Lint(sources.texts, fixtures, of_shop, is_own)
        if sources.base and schema and faults is not None:
            lint.required, lint.faults = partial(_is_required, schema), faults
        found += lint.run(platform, outlines(sources, platform, shop))
    return sorted(dict.fromkeys(found))


class _Lint:
    """The files of one platform, or of one shop of it."""

    def __init__(
        self,
        texts: Mapping[str, str],
        fixtures: Fixtures,
        samples: list[Sample],
        is_own: Callable[[Node], bool],
    ) -> None:
        self.texts = texts
        self.fixtures = fixtures
        self.samples = samples
        self.is_own = is_own
        self.found: list[Fault] = []
        self.faults = self.found
        self.required: Callable[[Role], bool] = lambda _role: False
        self._changed: dict[int, Json] = {}

    def run(self, platform: str, files: Outlines) -> list[Fault]:
        users: dict[str, list[tuple[Outline, Written | None]]] = {}
        for outline in files.files:
            shown = self._topics(platform, outline)
            for role, written in outline.written.items():
                if written.uses is not None:
                    users.setdefault(written.uses, []).append((outline, written))
                if shown and self.is_own(written.node):
                    self._ask(platform, role, written, [(outline, None)])
        for name, fields in files.fragments.items():
            for field, written in fields.items():
                if name in users and self.is_own(written.node):
                    self._ask(platform, ("fragments", name, field), written, users[name])
        return self.found

    def _topics(self, platform: str, outline: Outline) -> bool:
        """Whether there is any body of the file's topics; warns of topics that nothing shows."""
        tested = {each.topic for each in self.samples}
        shown = False
        for node in outline.topics:
            bodies = self.fixtures.of_topic(platform, node.value)
            shown = shown or bool(bodies) or node.value in tested
            if self.is_own(node) and node.value not in tested:
                lacks = "no test" if bodies else "neither a test nor a fixture"
                self.found.append(node.fault(f"topics: {node.value} has {lacks}"))
        return shown

    def _ask(
        self,
        platform: str,
        role: Role,
        written: Written,
        users: Users,
    ) -> None:
        if is_quoted_word(written.node):
            return  # that it is a path at all is told already
        missed: set[str] = set()
        found: list[Fault] = []
        for question in questions(written):
            if not missed.isdisjoint(question.needs):
                continue
            misses = list(self._misses(platform, users, question))
            if None not in misses:
                deepest = max(misses, key=lambda miss: miss.depth if miss else 0, default=HERE)
                near = [miss for miss in misses if miss and deepest and miss.depth == deepest.depth]
                others = {name for miss in near for name in miss.others}
                hint = did_you_mean(near[0].name, others) if near else ""
                missed.add(question.text)
                what = _called(role)
                line, column = self._place(written.node, question.text)
                message = f"{what}: no fixture holds '{question.text}'{hint}"
                found.append(Fault(written.node.file, line, column, message))
        if found and self.required(role) and not self._finds(platform, users, written):
            self.faults += found
        else:
            self.found += found

    def _finds(self, platform: str, users: Users, written: Written) -> bool:
        """Whether it comes to anything in any body."""
        first = {path.names[0] for path in written.paths}
        return any(
            not is_blank(value)
            for outline, _ in users
            for body in self._bodies(platform, outline, first)
            if isinstance(body, dict)
            for value in _values(written, body)
        )

    def _misses(self, platform: str, users: Users, question: Question) -> Iterator[Miss | None]:
        """What each body lacks; ends with None as soon as one lacks nothing."""
        for outline, each in users:
            first = {question.first} if each is None else {path.names[0] for path in each.paths}
            for body in self._bodies(platform, outline, first):
                for root in [body] if each is None else _elements(each, body):
                    miss = question.find(root)
                    yield miss
                    if miss is None:
                        return

    def _bodies(self, platform: str, outline: Outline, first: set[str]) -> Iterator[Json]:
        """Plain fixtures, then those that tests changed at one of the keys `first`."""
        topics = {node.value for node in outline.topics}
        tests = [each for each in self.samples if each.topic in topics]
        for name in dict.fromkeys(test.fixture for test in tests):
            if (body := self.fixtures.get(name)) is not None:
                yield body
        for topic in sorted(topics):
            yield from self.fixtures.of_topic(platform, topic)
        for test in tests:
            if any(place[0] in first for place, _ in test.changes):
                if id(test) not in self._changed:
                    self._changed[id(test)] = changed(test, self.fixtures)
                if self._changed[id(test)] is not None:
                    yield self._changed[id(test)]

    def _place(self, node: Node, text: str) -> tuple[int, int]:
        if not node.is_text:
            return node.line, node.column
        spelt = re.search(rf"(?<![\w.\]]){re.escape(text)}(?![\w])", node.value)
        return place_in(self.texts[node.file], node, spelt.start() if spelt else 0)


def _called(role: Role) -> str:
    """What faults of the compiler call it."""
    if role[0] == "events":
        role = role[2:] if role[2] == "properties" else role[1:]
    return ".".join(each for each in role if not each.isdigit())


def _is_required(schema: Schema, role: Role) -> bool:
    """Whether a body without what a role is for is parked."""
    if role[0] != "events" or role[2] != "properties" or role[1] not in schema.events:
        return False
    field = schema.events[role[1]].field(role[3])
    return field is not None and not field.optional


def _elements(each: Written, body: Json) -> Iterator[Json]:
    for value in _values(each, body):
        if isinstance(value, list):
            yield from (element for element in value if isinstance(element, dict))


def _values(written: Written, body: Json) -> Iterator[Json]:
    """What each of its alternatives finds."""
    for choice in written.choices:
        try:
            yield choice.evaluate(body, NO_DELIVERY)
        except ValueError:
            continue


def changed(sample: Sample, fixtures: Fixtures) -> Json:
    """The body of a test; None where its fixture cannot be read, or not changed so."""
    body = fixtures.get(sample.fixture)
    try:
        return None if body is None else sample.change(body)
    except ValueError:
        return None
