"""A directory of mappings for a test, and bodies as the adapter parses them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapter.errors import MappingFileError
from adapter.mapping import Mappings, load
from adapter.model import Delivery, Mapped

ROOT = Path(__file__).parents[2]
DELIVERY = Delivery(
    platform="acme",
    topic="orders/paid",
    id="d1",
    shop="acme.example",
    received_at=1767225609,
    triggered_at=1767225600.75,
    api_version="2026-07",
)


class Workshop:
    """Writes mapping files under a directory with the shipped schema, and loads them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        shutil.copy(ROOT / "mappings" / "schema.yml", directory / "schema.yml")

    def write(self, text: str, name: str = "acme/orders.yml") -> None:
        file = self.directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), "utf-8")

    def load(self, text: str | None = None) -> Mappings:
        if text is not None:
            self.write(text)
        return load(self.directory)

    def faults(self, text: str | None = None) -> list[str]:
        """The lines of the error, with files relative to the directory."""
        with pytest.raises(MappingFileError) as error:
            self.load(text)
        return str(error.value).replace(f"{self.directory}/", "").splitlines()

    def warnings(self, text: str) -> list[str]:
        return [str(each).replace(f"{self.directory}/", "") for each in self.load(text).warnings]


Apply = Callable[[str, dict[str, Any]], Mapped]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture
def apply(workshop: Workshop) -> Apply:
    """What a mapping file makes of a body."""

    def apply(text: str, body: dict[str, Any]) -> Mapped:
        return workshop.load(text).apply(DELIVERY, body)

    return apply
