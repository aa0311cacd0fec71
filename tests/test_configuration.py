"""docs/configuration.md holds every decision, with the default that the code has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adapter.settings import VARIABLES, Settings, Variable, shipped

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")


def rows() -> dict[str, list[str]]:
    """The cells behind the name, of every row that begins with a variable."""
    found: dict[str, list[str]] = {}
    for line in PAGE.split("## The store")[1].split("## Decisions in files")[0].splitlines():
        if named := re.match(r"\| `([A-Z<>_]+)` \|", line):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert named[1] not in found, f"{named[1]} is told twice"
            found[named[1]] = cells[1:]
    return found


def test_the_page_lists_the_variables_that_are_read_and_no_others() -> None:
    assert rows().keys() == {variable.name for variable in VARIABLES}


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_a_row_says_the_default_and_what_follows(variable: Variable) -> None:
    default, read_by, reason, later = rows()[variable.name]
    assert default.startswith(f"`{variable.default}`" if variable.default else "none")
    assert read_by
    assert reason
    assert later


def test_the_defaults_that_are_told_are_those_of_the_code() -> None:
    told = {variable.name: variable.default for variable in VARIABLES if variable.default}
    assert Settings.from_env(told) == Settings.from_env({}) == Settings()
    # The other way round: what has no default in the table is empty in the code.
    bare = Settings()
    assert bare.redis_url is bare.customerio_site_id is bare.customerio_api_key is None
    assert bare.mappings_dirs == ()
    for empty in (bare.secrets, bare.shops, bare.placeholder_emails, bare.hash_secret):
        assert not empty
    assert bare.rate_limit is None


def test_needed_is_what_the_commands_refuse_to_start_without() -> None:
    needed = {name for name, cells in rows().items() if "needed" in cells[0]}
    assert needed == {
        "REDIS_URL",
        "<PLATFORM>_WEBHOOK_SECRET",
        "CUSTOMERIO_SITE_ID",
        "CUSTOMERIO_API_KEY",
    }


def test_what_it_prints_for_faulty_settings_is_what_it_says() -> None:
    (block,) = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE, re.S)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    bare = {"PATH": path}
    done = subprocess.run(
        ["bash", "-c", block[0]], env=bare, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr == block[1]


def test_decisions_in_files_are_as_shipped() -> None:
    """What the page says of mapping files, read from them."""
    said = PAGE.split("## Decisions in files")[1]
    files = {path.name: path.read_text("utf-8") for path in shipped("mappings").rglob("*.yml")}
    assert "`preset: none`" in said
    assert re.search("^preset: none$", files["names.yml"], re.M)
    assert "`_cioanonid`" in said
    for name in ("carts.yml", "checkouts.yml", "orders.yml"):
        assert "anonymous_id: note_attributes[name=_cioanonid].value" in files[name]
        assert f"`{name}`" in said
    assert r'`cart_token \| before("?")`' in said
    for name in ("checkouts.yml", "orders.yml"):
        assert 'cart: cart_token | before("?")' in files[name]
    assert "(token ?? id)" in files["carts.yml"]
    assert "`vip_tier` at 0, 500 and 1000" in said
    assert "steps: {bronze: 0, silver: 500, gold: 1000}" in files["rules.yml"]
    for rule in yaml.safe_load(files["rules.yml"]):
        assert f"`{rule}`" in said
    assert "`replenish:30`" in said
    assert 'prefixed("replenish:")' in files["products.yml"]


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md", "docs/identity.md"])
def test_no_page_names_a_variable_that_is_not_read(page: str) -> None:
    known = {variable.name for variable in VARIABLES} | {"SHOPIFY_WEBHOOK_SECRET", "SHOPIFY_SHOPS"}
    text = (ROOT / page).read_text("utf-8")
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", text))
    assert named
    assert named <= known
