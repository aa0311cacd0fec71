"""Files that lie where nothing reads them, or over nothing: one fault each, with the cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.errors import Fault
from adapter.mapping.loader import compile_sources, read_all

from .conftest import SCHEMA

BASE = {
    "schema.yml": SCHEMA,
    "acme/orders.yml": "topics: [a/b]\norder: id",
    "acme/customers.yml": "topics: [c/d]\nperson: {id: id}",
    "acme/topics.yml": "ignored: {e/f: no use}",
}


def told(home: Path, **layers: dict[str, str]) -> tuple[list[str], list[str]]:
    """Faults and warnings, with files relative to the directory of all layers."""
    for layer, files in layers.items():
        for name, text in files.items():
            file = home / layer / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    faults: list[Fault] = []
    sources = read_all([home / layer for layer in layers], faults)
    mappings = compile_sources(sources, faults)
    assert mappings is not None
    both = faults, mappings.warnings
    faults_told, warnings = ([str(f).replace(f"{home}/", "") for f in each] for each in both)
    return faults_told, warnings


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        # at the top
        ("orders.yml", "nothing reads it, did you mean 'acme/orders.yml'?"),
        ("names.yaml", "nothing reads it, did you mean 'names.yml'?"),
        ("rules.yaml", "nothing reads it, did you mean 'rules.yml'?"),
        ("name.yml", "nothing reads it, did you mean 'names.yml'?"),
        ("topics.yml", "nothing reads it, did you mean 'acme/topics.yml'?"),
        ("quiz.yml", "nothing reads it"),
        ("names.YML", "nothing reads it, did you mean 'names.yml'?"),
        # in a folder
        ("acme/order.yml", "lies over nothing, did you mean 'acme/orders.yml'?"),
        ("acme/orders.yaml", "lies over nothing, did you mean 'acme/orders.yml'?"),
        ("Acme/orders.yml", "lies over nothing, did you mean 'acme/orders.yml'?"),
        ("acne/Order.yml", "lies over nothing, did you mean 'acme/orders.yml'?"),
        ("acme/orders.YAML", "nothing reads it, did you mean 'orders.yml'?"),
        ("acme/names.yml", "lies over nothing, did you mean 'names.yml'?"),
        ("acme/quiz.yml", "lies over nothing; a file of its own needs 'topics'"),
        ("acne/topics.yml", "lies over nothing, did you mean 'acme/topics.yml'?"),
        # of a shop
        ("acme/eu.example/orders.Yml", "nothing reads it, did you mean 'orders.yml'?"),
        ("acme/eu.example/order.yml", "lies over nothing, did you mean 'acme/orders.yml'?"),
        ("acme/eu.example/names.yml", "names.yml holds for all shops: none is read here"),
        ("acme/eu.example/topics.yml", "topics.yml holds for all shops: none is read here"),
    ],
)
def test_a_file_out_of_place(tmp_path: Path, name: str, fault: str) -> None:
    faults, warnings = told(tmp_path, base=BASE, custom={name: "person: {id: nick | gone}"})
    assert faults == [f"custom/{name}:1:1: {fault}"], "and nothing of what it holds"
    assert warnings == []


@pytest.mark.parametrize(
    "files",
    [
        {"acme/orders.yml": "order: nick"},
        {"acme/eu.example/orders.yml": "order: nick"},
        {"acme/more.yml": "topics: [x/y]\norder: id"},
        {"acme/lines.yml": "fragments: {}"},
        {"acme/more.yml": "topics: [x/y]", "acme/eu.example/more.yml": "order: id"},
        {"other/orders.yml": "topics: [x/y]\norder: id", "other/topics.yml": "notes: {x/y: z}"},
        {"acme/topics.yml": "notes: {e/f: z}"},
        {"schema.yml": "person: {nick: text}", "names.yml": "preset: none"},
        {".hidden.yml": "a: b"},
    ],
)
def test_a_file_in_its_place(tmp_path: Path, files: dict[str, str]) -> None:
    assert told(tmp_path, base=BASE, custom=files) == ([], [])


def test_a_file_may_lie_over_another_overlay(tmp_path: Path) -> None:
    first, second = {"acme/more.yml": "topics: [x/y]"}, {"acme/more.yml": "order: id"}
    assert told(tmp_path, base=BASE, first=first, second=second) == ([], [])


def test_a_whole_directory_has_strangers_too(tmp_path: Path) -> None:
    faults, _ = told(tmp_path, base={**BASE, "orders.yml": "x: y"})
    assert faults == ["base/orders.yml:1:1: nothing reads it, did you mean 'acme/orders.yml'?"]


def test_the_folder_of_a_shop_is_called_by_its_domain(tmp_path: Path) -> None:
    _, warnings = told(tmp_path, base=BASE, custom={"acme/EU/orders.yml": "order: nick"})
    assert warnings == ["custom/acme/EU:1:1: 'EU' is no domain of a shop, such as eu.myshopify.com"]
