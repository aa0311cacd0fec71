"""What directories of mappings hold before any of it is compiled: YAML trees by their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from adapter.errors import Fault
from adapter.mapping.overlays import Override
from adapter.strictyaml import Node

SCHEMA_FILE = "schema.yml"
NAMES_FILE = "names.yml"
RULES_FILE = "rules.yml"
ALERTS_FILE = "alerts.yml"
TOP_FILES = (SCHEMA_FILE, NAMES_FILE, RULES_FILE, ALERTS_FILE)
PROFILE_FILE = "platform.yml"
TOPICS_FILE = "topics.yml"
FRAGMENTS_FILE = "fragments.yml"
SUFFIXES = (".yml", ".yaml")

Trees = dict[str, Node]


@dataclass(slots=True)
class Sources:
    """The trees of one directory, or of several laid over each other.

    `top` holds the files of the directory itself, `platforms` and `shops` (platform, shop) mapping
    files by name, `registers` the topics of platforms. `texts` has the text of every file, to find
    exact columns in; `overrides` what stands in place of something below it; `releases` for which
    release an overlay's file says that it was written. `directories` are all of them, the lowest
    first, and `base` is what the lowest holds alone, where there are several.
    """

    directory: Path
    top: Trees = field(default_factory=dict)
    platforms: dict[str, Trees] = field(default_factory=dict)
    shops: dict[tuple[str, str], Trees] = field(default_factory=dict)
    registers: Trees = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    overrides: list[Override] = field(default_factory=list)
    releases: Trees = field(default_factory=dict)
    warnings: list[Fault] = field(default_factory=list)
    directories: tuple[Path, ...] = ()
    base: Sources | None = None

    @property
    def schema(self) -> Node | None:
        return self.top.get(SCHEMA_FILE)

    def layer(self, file: str) -> int:
        """In which of the directories a file lies, counted from 0, the lowest."""
        for number in range(len(self.directories) - 1, 0, -1):
            if Path(file).is_relative_to(self.directories[number]):
                return number
        return 0
