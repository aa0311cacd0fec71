"""`adapter check`: every fault at its place, what no fixture shows, and how terminals see it."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge.lab import Lab, Process, until

from adapter.cli.faults import caret
from adapter.cli.watch import snapshot
from adapter.errors import Fault
from adapter.settings import shipped

from .conftest import Adapter, broken_mappings

SUMMARY = re.compile(
    r"(\d+) topics?, (\d+) events?, (\d+) tests?, (\d+) failed(?:, (\d+) not run)?, "
    r"(\d+) faults?, (\d+) warnings?, \d+\.\d s\n"
)
NAMES = ("topics", "events", "tests", "failed", "not run", "faults", "warnings")


def summary(text: str) -> dict[str, int]:
    found = SUMMARY.search(text)
    assert found, text
    return {name: int(count or 0) for name, count in zip(NAMES, found.groups(), strict=True)}


def copied(home: Path) -> Path:
    return Path(shutil.copytree(shipped("mappings"), home / "mappings"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_shipped_mappings_are_sound(adapter: Adapter) -> None:
    before = os.times()
    done = adapter("check")
    after = os.times()
    # Its own work, whatever else the machine does.
    seconds = sum(after[2:4]) - sum(before[2:4])
    assert (done.returncode, done.stderr) == (0, "")
    found = summary(done.stdout)
    assert found["tests"] > found["topics"] > found["events"] > 0
    assert [found[name] for name in ("failed", "not run", "faults", "warnings")] == [0, 0, 0, 0]
    # Under a second on a quiet machine; twice the promise is for one whose cores are shared.
    assert seconds < 4


def test_a_fault_has_file_line_and_column(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    done = adapter("check", mappings)
    assert done.returncode == 1
    text = (mappings / "shopify" / "orders.yml").read_text("utf-8").splitlines()
    line = next(n for n, each in enumerate(text, 1) if each.startswith("      revenu:"))
    assert f"{mappings}/shopify/orders.yml:{line}:7: " in done.stderr
    assert "did you mean 'revenue'?" in done.stderr
    # By MAPPINGS_DIR it is the same.
    assert adapter("check", MAPPINGS_DIR=str(mappings)).stderr == done.stderr


def test_all_faults_of_all_files_are_told_in_order(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    edit(mappings / "shopify" / "platform.yml", "hmac-sha256", "hmac-sha255")
    refunds = mappings / "shopify" / "refunds.yml"
    refunds.write_text(refunds.read_text() + "topics: [x]\n")
    done = adapter("check", mappings)
    assert done.returncode == 1
    faults = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    files = [Path(line.partition(":")[0]).name for line in faults]
    assert set(files) == {"orders.yml", "platform.yml", "refunds.yml"}
    assert files == sorted(files)


def test_tests_of_sound_files_run_beside_faulty_ones(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    edit(mappings / "shopify" / "refunds.yml", "refund_amount: 29.83", "refund_amount: 29.84")
    done = adapter("check", mappings)
    assert done.returncode == 1
    found = summary(done.stdout)
    assert found["faults"] > 0
    assert found["failed"] == 1, "of orders.yml none, though none of its tests could hold"
    assert 0 < found["not run"] < found["tests"]
    assert "expected 29.84, got 29.83" in done.stderr


def test_a_test_that_fails_has_its_place_too(adapter: Adapter, tmp_path: Path) -> None:
    mappings = copied(tmp_path)
    refunds = mappings / "shopify" / "refunds.yml"
    edit(refunds, "refund_amount: 29.83", "refund_amount: 29.84")
    done = adapter("check", mappings)
    assert done.returncode == 1
    assert re.search(rf"^{re.escape(str(refunds))}:\d+:5: ", done.stderr, re.M)
    assert summary(done.stdout)["failed"] == 1


def test_a_fixture_that_is_not_there_is_a_fault(adapter: Adapter, tmp_path: Path) -> None:
    mappings = copied(tmp_path)
    edit(
        mappings / "shopify" / "refunds.yml",
        "fixture: shopify/refunds_create.json",
        "fixture: shopify/refunds_creat.json",
    )
    done = adapter("check", mappings)
    assert done.returncode == 1
    assert re.search(r"refunds\.yml:\d+:14: tests: fixture .*, did you mean", done.stderr)
    assert summary(done.stdout)["faults"] == 1


def test_a_path_that_no_fixture_holds_is_a_warning(adapter: Adapter, tmp_path: Path) -> None:
    mappings = copied(tmp_path)
    refunds = mappings / "shopify" / "refunds.yml"
    edit(refunds, "      note: note\n", "      note: noet\n")
    done = adapter("check", mappings)
    line = refunds.read_text().splitlines().index("      note: noet") + 1
    assert (
        f"warning: {refunds}:{line}:13: properties.note: no fixture holds 'noet', "
        "did you mean 'note'?"
    ) in done.stderr.splitlines()
    assert summary(done.stdout)["warnings"] == 1


@pytest.fixture
def custom(tmp_path: Path) -> Path:
    """An overlay with one sound edit, as `./custom`."""
    file = tmp_path / "custom" / "shopify" / "refunds.yml"
    file.parent.mkdir(parents=True)
    file.write_text(
        "events:\n  order_refunded:\n    properties:\n      note: null\n"
        "tests:\n  - name: no note\n    fixture: shopify/refunds_create.json\n"
        "    expect: {events: [{name: order_refunded, properties: {note: null}}]}\n"
    )
    return file


def test_an_overlay_is_checked_over_the_shipped_ones(adapter: Adapter, custom: Path) -> None:
    for arguments in ((), (custom.parent.parent,)):
        done = adapter("check", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        found = summary(done.stdout)
        assert found["tests"] == 1, "its own"
        assert found["topics"] > 1, "of all"


OVERLAYS = {
    "differs": {"shopify/orders.yml": "events: {order_fulfilled: off}"},
    "adds topics": {"shopify/mine.yml": "topics: [orders/create]\norder: id"},
    "fragments": {"shopify/fragments.yml": "fragments: {order_line: {sku: barcode}}"},
    "a register": {"shopify/topics.yml": "notes: {orders/create: ours}"},
    "a contract with a version": {"schema.yml": "version: 1\nperson: {nick: text}"},
    "no YAML": {"shopify/orders.yml": "events: {"},
    "misplaced": {"orders.yml": "person: {id: email}"},
    "a near miss of off": {"shopify/orders.yml": "events: {order_fulfilled: OFF}"},
}


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_the_same_by_name_and_by_its_place(
    adapter: Adapter, tmp_path: Path, name: str
) -> None:
    for file, text in OVERLAYS[name].items():
        (tmp_path / "custom" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "custom" / file).write_text(text)
    named, found = (adapter("check", *arguments) for arguments in (["custom"], []))
    seconds = re.compile(r"\d+\.\d s")
    assert (named.returncode, named.stderr) == (found.returncode, found.stderr)
    assert seconds.sub("", named.stdout) == seconds.sub("", found.stdout)
    assert "custom over the shipped mappings: " in found.stdout
    assert summary(found.stdout)["topics"] > 1


def test_an_overlay_in_place_of_what_it_lies_over(adapter: Adapter, custom: Path) -> None:
    """Its faults say what it lacks; that it was not meant to have it is asked."""
    asked = f"custom:1:1: this is not whole; is it an overlay? MAPPINGS_DIR={shipped('mappings')}:"
    fixture = shipped("fixtures") / "shopify" / "refunds_create.json"
    (custom.parent.parent / "schema.yml").write_text("person: {nick: text}")
    for command in (["check"], ["explain", "shopify", "refunds/create", fixture]):
        done = adapter(*command, MAPPINGS_DIR="custom")
        assert done.returncode != 0
        assert f"{asked}custom\n" in done.stderr
        assert "schema.yml:1:1: 'common' is missing" in done.stderr
    custom.parent.parent.with_name("later").mkdir()
    assert f"{asked}custom:later\n" in adapter("check", MAPPINGS_DIR="custom:later").stderr
    sound = adapter("check", MAPPINGS_DIR=f"{shipped('mappings')}:custom")
    faulty = adapter("check", MAPPINGS_DIR=str(broken_mappings(custom.parent.parent.parent)))
    assert (sound.returncode, faulty.returncode) == (0, 1)
    assert "is it an overlay" not in sound.stderr + faulty.stderr


def test_what_is_whole_is_checked_alone(adapter: Adapter, tmp_path: Path) -> None:
    copied(tmp_path)
    assert "\nmappings alone: " in f"\n{adapter('check', 'mappings').stdout}"
    assert "the shipped mappings alone: " in adapter("check").stdout


def test_fixtures_lie_inside_an_overlay_or_beside_it(adapter: Adapter, custom: Path) -> None:
    custom.write_text(
        custom.read_text()
        + "  - {name: mine, fixture: shopify/mine.json, ignored: no money moved yet}\n"
    )
    missing = adapter("check")
    assert missing.returncode == 1
    assert "fixture shopify/mine.json: there is no such file\n" in missing.stderr
    layer = custom.parent.parent
    for folder in (layer.parent / "fixtures", layer / "fixtures"):
        (folder / "shopify").mkdir(parents=True)
        (folder / "shopify" / "mine.json").write_text("{}")
        done = adapter("check")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (layer.parent / "fixtures" / "shopify" / "mine.json").write_text("{")
    assert adapter("check").returncode == 0, "the overlay's own come first"


def test_the_tests_of_all_overlays_are_run(adapter: Adapter, custom: Path, tmp_path: Path) -> None:
    later = tmp_path / "later" / "shopify" / "refunds.yml"
    later.parent.mkdir(parents=True)
    later.write_text("events:\n  order_refunded:\n    properties:\n      note: id\n")
    layers = f"{shipped('mappings')}:custom:later"
    done = adapter("check", MAPPINGS_DIR=layers)
    assert done.returncode == 1
    assert "later over custom over the shipped mappings: " in done.stdout
    assert summary(done.stdout)["tests"] == 1
    assert "no note\n  events[0].properties.note: expected nothing, got " in done.stderr


def test_an_overlay_that_parks_orders_is_warned_of(adapter: Adapter, tmp_path: Path) -> None:
    file = tmp_path / "custom" / "shopify" / "orders.yml"
    file.parent.mkdir(parents=True)
    for text, said in {
        "events: {order_completed: {properties: {revenue: customer.first_name}}}": (
            r"orders.yml:1:50: with this, \d+ of \d+ fixtures become parked: .*expected money"
        ),
        "ignore_when: {big: total_price | gt(1)}": (
            r"orders.yml:1:20: with this, (\d+) of \1 fixtures become ignored: big"
        ),
    }.items():
        file.write_text(text)
        done = adapter("check")
        assert done.returncode == 0
        assert re.search(f"warning: .*{said}", done.stderr), done.stderr
        assert summary(done.stdout)["warnings"] == 1


def test_of_a_half_written_alert_that_alone_is_told(adapter: Adapter, tmp_path: Path) -> None:
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom" / "alerts.yml").write_text("mine:\n  kind:\n")
    done = adapter("check")
    said = "kind is empty: write what it is to be, or indent what belongs to it"
    assert done.stderr == f"custom/alerts.yml:2:3: {said}\n"


def test_strict_lets_no_warning_pass(adapter: Adapter, custom: Path) -> None:
    assert adapter("check", "--strict").returncode == 0, "a hint is no warning"
    custom.with_name("orders.yml").write_text("ignore_when: {big: total_price | gt(1)}")
    lenient, strict = adapter("check"), adapter("check", "--strict")
    assert (lenient.returncode, strict.returncode) == (0, 1)
    assert lenient.stderr == strict.stderr
    assert strict.stderr.startswith("warning: ")


def test_an_event_that_no_order_brings_any_more_is_warned_of(
    adapter: Adapter, tmp_path: Path
) -> None:
    file = tmp_path / "custom" / "shopify" / "orders.yml"
    file.parent.mkdir(parents=True)
    for status, warned in (("payed", True), ("paid", False)):
        when = f'when: financial_status | eq("{status}")'
        file.write_text(f"events:\n  order_completed:\n    {when}\n")
        done = adapter("check")
        said = f"warning: {file.relative_to(tmp_path)}:3:11: order_completed: comes of no fixture"
        assert done.stderr.startswith(said) is warned
        assert summary(done.stdout)["warnings"] == warned
        assert done.returncode == 0


def test_one_is_not_said_to_be_several(adapter: Adapter, tmp_path: Path) -> None:
    folder = tmp_path / "whole" / "acme"
    folder.mkdir(parents=True)
    (folder / "orders.yml").write_text(
        "topics: [orders/create]\nperson: {id: id}\n"
        "events: {customer_created: {once: id, at: created_at}}\n"
    )
    done = adapter("check", "whole")
    assert "whole alone: 1 topic, 1 event, 0 tests, 0 failed, " in done.stdout, done


def test_an_overlay_without_a_release_is_told_what_one_is_for(
    adapter: Adapter, custom: Path
) -> None:
    newest = max(each.stem for each in (shipped("mappings") / "releases").glob("*.json"))
    hint = (
        "hint: custom/shopify/refunds.yml says for no release that it was written; with `release: "
    )
    assert f"{hint}{newest}`" in adapter("check").stdout
    custom.write_text(f"release: {newest}\n" + custom.read_text())
    assert "hint: " not in adapter("check").stdout


def test_a_fault_hides_no_other(adapter: Adapter, custom: Path) -> None:
    """One in the contract not those of mapping files, and one in a test not the other tests."""
    sound = custom.read_text()
    custom.write_text(f"{sound}  - {{name: second, fixtur: x}}\n")
    done = adapter("check")
    found = summary(done.stdout)
    assert (found["tests"], found["not run"], found["failed"]) == (1, 0, 0)
    assert "a test has no 'fixtur'" in done.stderr
    (custom.parent.parent / "schema.yml").write_text("person: {nick: txt}")
    custom.write_text(sound.replace("note: null", "noet: note", 1))
    done = adapter("check")
    assert "nick: no type 'txt'" in done.stderr
    assert "properties.noet: not a field" in done.stderr
    found = summary(done.stdout)
    assert found["tests"] == found["not run"] == 1, "it could fail for the contract's fault"


def test_an_overlay_for_a_release_that_is_not_known(adapter: Adapter, custom: Path) -> None:
    custom.write_text("release: 99.9.9\n" + custom.read_text())
    done = adapter("check")
    assert done.returncode == 0
    assert re.search(r"refunds\.yml:1:10: release: '99.9.9' is no release", done.stderr)


def test_check_of_nothing(adapter: Adapter, tmp_path: Path) -> None:
    assert adapter("check", tmp_path / "nowhere").returncode == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    done = adapter("check", empty)
    assert done.returncode == 1
    assert f"{empty}:1:1: no mapping files" in done.stderr


# --- on a terminal ------------------------------------------------------------------------------


def test_on_a_terminal_a_fault_shows_its_line(adapter: Adapter, tmp_path: Path) -> None:
    mappings = broken_mappings(tmp_path)
    for env in ({"FORCE_COLOR": "1"}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        done = adapter("check", mappings, **env)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
        assert (plain == done.stderr) is ("NO_COLOR" in env)
        lines = plain.splitlines()
        at = next(n for n, line in enumerate(lines) if "properties.revenu:" in line)
        number = lines[at].split(":")[1]
        assert lines[at + 1] == f"  {number} |       revenu: total_price"
        assert lines[at + 2] == f"  {' ' * len(number)} |       ^^^^^^"
    assert " | " not in adapter("check", mappings).stderr, "for a pipe the line alone"


def test_on_a_terminal_a_failing_test_shows_its_line(adapter: Adapter, custom: Path) -> None:
    custom.write_text(custom.read_text().replace("{note: null}", "{note: mine}"))
    done = adapter("check", FORCE_COLOR="1", NO_COLOR="1")
    assert done.stderr.splitlines() == [
        "custom/shopify/refunds.yml:6:5: no note",
        "  6 |   - name: no note",
        "    |     ^^^^",
        "  events[0].properties.note: expected 'mine', got nothing",
    ]
    assert "1 test, 1 failed, 0 faults, 0 warnings" in done.stdout


@pytest.mark.parametrize(
    ("text", "line", "column", "lines"),
    [
        ("a: bc\n", 1, 4, ["  1 | a: bc", "    |    ^^"]),
        ("a\n\tb: c.d\n", 2, 5, ["  2 | \tb: c.d", "    | \t   ^^^"]),
        ("a: |\n", 1, 4, ["  1 | a: |", "    |    ^"]),
        ("a:\n", 1, 3, ["  1 | a:", "    |   ^"]),
        ("a:\n", 2, 1, []),
        ("a:\n", 1, 9, []),
        (f"{'x' * 150} y", 1, 152, [f"  1 | {'x' * 98} y", f"    | {' ' * 99}^"]),
    ],
)
def test_the_caret(tmp_path: Path, text: str, line: int, column: int, lines: list[str]) -> None:
    file = tmp_path / f"{abs(hash((text, line, column)))}.yml"
    file.write_text(text)
    assert caret(Fault(str(file), line, column, "")) == lines


def test_no_caret_into_a_file_that_is_gone(tmp_path: Path) -> None:
    assert caret(Fault(str(tmp_path / "gone.yml"), 1, 1, "")) == []


# --- --watch ------------------------------------------------------------------------------------


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[tuple[Process, Path]]:
    mappings = copied(tmp_path)
    with Lab(tmp_path) as lab:
        process = lab.adapter("check", str(mappings), "--watch")
        until(lambda: process.said.count(" faults, ") == 1, "the first check")
        yield process, mappings
        process.assert_calm()


def test_watch_checks_again_on_save(watching: tuple[Process, Path]) -> None:
    process, mappings = watching
    refunds = mappings / "shopify" / "refunds.yml"
    edit(refunds, "      note: note\n", "      noet: note\n")
    until(lambda: "did you mean 'note'?" in process.said, "the fault is told")
    edit(refunds, "      noet: note\n", "      note: note\n")
    until(lambda: process.said.count(" 0 failed, 0 faults, ") == 2, "it is sound again")
    (mappings / "shopify" / "more.yml").write_text("topcs: [a]\n")
    until(lambda: "did you mean 'topics'?" in process.said, "a new file counts")
    assert len(re.findall(r"^\d\d:\d\d:\d\d  watching", process.said, re.M)) == 4
    assert "\x1b" not in process.said, "a log is not cleared"
    process.signal(signal.SIGINT)
    assert process.wait() == 0


def test_watch_on_a_terminal_clears_it(tmp_path: Path) -> None:
    mappings = copied(tmp_path)
    ours, theirs = pty.openpty()
    lab = Lab(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "adapter", "check", str(mappings), "--watch"],
        env=lab.environ(TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        said = b""
        while b" faults, " not in said:
            said += os.read(ours, 4096)
        assert said.startswith(b"\x1b[2J"), said
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        os.close(ours)


def test_a_snapshot_sees_what_is_saved(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.yml"
    file.parent.mkdir()
    file.write_text("a: 1")
    first = snapshot([tmp_path])
    assert snapshot([tmp_path]) == first
    file.write_text("a: 11")
    assert snapshot([tmp_path]) != first
    file.unlink()
    assert file not in snapshot([tmp_path])
    assert snapshot([tmp_path / "nowhere"]) == {}
