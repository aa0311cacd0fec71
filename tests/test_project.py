"""What must stay in step with the code: the README's tables, pinned versions, links."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from adapter.cli import main
from adapter.mapping.expressions import FACTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = [
    line
    for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_is_documented(name: str) -> None:
    told = README + (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    told += "".join(path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md")))
    told += (ROOT / "Procfile").read_text("utf-8")
    assert re.search(rf"adapter {name}\b", told)


def test_every_dependency_is_pinned_within_its_range() -> None:
    assert PINS[-1] == "."
    pins = {canonicalize_name(r.name): r for r in map(Requirement, PINS[:-1])}
    for text in PROJECT["dependencies"]:
        wanted = Requirement(text)
        pin = pins[canonicalize_name(wanted.name)]
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert wanted.specifier.contains(exact.version), f"{pin} is outside {wanted}"
        assert str(pin.marker) == str(wanted.marker)


def test_every_dependency_has_its_reason_in_the_readme() -> None:
    reasons = README.split("## What it stands on")[1].lower()
    for text in PROJECT["dependencies"]:
        assert Requirement(text).name.lower() in reasons


def test_no_file_names_a_registry() -> None:
    for path in ("requirements.txt", "pyproject.toml", "Makefile", ".ci/run", "app.json"):
        text = (ROOT / path).read_text("utf-8")
        assert not re.search(r"pypi\.|index-url|find-links|registry\.", text), path


def test_procfile_and_app_json_run_the_same_processes() -> None:
    procfile = dict(
        line.split(": ", 1) for line in (ROOT / "Procfile").read_text("utf-8").splitlines()
    )
    app = json.loads((ROOT / "app.json").read_text("utf-8"))
    assert procfile == {"web": "adapter web", "worker": "adapter worker"}
    assert set(app["formation"]) == set(procfile)
    assert {"SHOPIFY_WEBHOOK_SECRET", "CUSTOMERIO_SITE_ID", "CUSTOMERIO_API_KEY"} <= set(app["env"])


def test_python_versions_agree() -> None:
    wanted = (ROOT / ".python-version").read_text("utf-8").strip()
    assert PROJECT["requires-python"] == f">={wanted}"


def test_the_language_on_a_page_names_every_fact() -> None:
    page = (ROOT / "docs" / "mapping.md").read_text("utf-8")
    assert " ".join(f"${name}" for name in FACTS) in page


def test_every_link_in_the_docs_leads_somewhere() -> None:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"
