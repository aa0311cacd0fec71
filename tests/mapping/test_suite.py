"""The tests inside mapping files: what they hold, and how a failing one reads."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent, indent

import pytest

from adapter.mapping.suite import cases, missing, run, warnings

from .conftest import Workshop
from .test_mapper import BODY, ORDERS

# One test as it stands in a file, and the differences that it is answered with.
TESTS: list[tuple[str, list[str]]] = [
    ("expect: {person: {id: '42', email: ada@x.com}}", []),
    ("expect: {person: {phone: null}, order: '820982911946154508'}", []),
    ("expect: {person: {as_of: 1767312000, attributes: {tags: null}}}", []),
    ("expect: {events: [{name: order_completed, timestamp: 1767225600, properties: {revenue: 19.98, gift: true}}]}", []),
    ("expect: {events: [{key: '820982911946154508'}]}", []),
    ("set: {draft: true}\nexpect: {events: []}", []),
    ("remove: [customer.email]\nexpect: {person: {email: null}}", []),
    ("set: {customer: {email: a@x.com}}\nexpect: {person: {id: null}}", []),
    ("set: {'lines[0].price': free}\nerror: \"order_completed.items[0].price: expected money, got 'free'\"", []),
    ("set: {'lines[1]': {title: Cup, quantity: 1, price: 4.5}}\nexpect: {events: [{properties: {items: [{name: Tea}, {name: Cup, price: 4.5}]}}]}", []),
    ("set: {'new.list[0].deep': 1}\nexpect: {}", []),
    ("set: {test: true}\nignored: test order", []),
    ("set: {country: UK}\nexpect: {}\nleft_out: [\"order_completed.shipping_country: expected country, got 'UK'\"]", []),
    ("remove: [created_at, updated_at]\nset: {cancelled_at: x}\nerror: \"order_canceled.at: expected time, got 'x'\"", []),
    # failing ones
    ("expect: {person: {id: 42}}", ["person.id: expected 42, got '42'"]),
    ("expect: {person: {email: null}}", ["person.email: expected nothing, got 'ada@x.com'"]),
    ("expect: {events: [{name: order_canceled, properties: {revenue: 5, gift: 1}}]}", [
        "events[0].name: expected 'order_canceled', got 'order_completed'",
        "events[0].properties.revenue: expected 5, got 19.98",
        "events[0].properties.gift: expected 1, got True",
    ]),
    ("expect: {events: []}", ["events: expected 0 elements, got 1: order_completed"]),
    ("expect: {events: [{properties: {items: [{name: Tea}, {name: Cup}]}}]}", ["events[0].properties.items: expected 2 elements, got 1: Tea"]),
    ("set: {test: true}\nexpect: {}", ["expected it to be mapped, got ignored: test order"]),
    ("ignored: test order", ["expected ignored: test order, got mapped with order_completed"]),
    ("error: x", ["expected parked: x, got mapped with order_completed"]),
    ("set: {total: free}\nerror: x", ["expected parked: x, got parked: ignore_when.nothing to pay: expected number, got 'free'"]),
    ("set: {country: UK}\nexpect: {}\nleft_out: []", ["left_out: expected [], got [\"order_completed.shipping_country: expected country, got 'UK'\"]"]),
    ("remove: [nobody]\nexpect: {}", ["fixture {fixtures}/acme/order.json: remove: the fixture has no 'nobody'"]),
    ("set: {'lines[5]': 1}\nexpect: {}", ["fixture {fixtures}/acme/order.json: set: the fixture has no place 'lines[5]'"]),
    ("set: {'lines.a': 1}\nexpect: {}", ["fixture {fixtures}/acme/order.json: set: the fixture has no place 'lines.a'"]),
    ("expect: {person: {id: a, email: b, phone: c, as_of: 1, tokens: d, attributes: {first_name: e}}}", [
        "person.id: expected 'a', got '42'",
        "person.email: expected 'b', got 'ada@x.com'",
        "person.phone: expected 'c', got nothing",
        "person.as_of: expected 1, got 1767312000",
        "person.tokens: expected 'd', got {}",
        "and 1 more",
    ]),
]  # fmt: skip


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    folder = tmp_path / "fixtures"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "order.json").write_text(json.dumps(BODY))
    (folder / "acme" / "broken.json").write_text("{")
    return folder


def write(workshop: Workshop, test: str, fixture: str = "acme/order.json") -> int:
    """Adds the test to the mapping file; the line it stands on."""
    text = dedent(ORDERS).lstrip("\n") + "tests:\n  - name: it holds\n"
    workshop.write(text + indent(f"fixture: {fixture}\n{test}\n", "    "))
    return text.count("\n")


@pytest.mark.parametrize(("test", "differences"), TESTS)
def test_each_outcome(
    workshop: Workshop, fixtures: Path, test: str, differences: list[str]
) -> None:
    write(workshop, test)
    (case,) = cases(workshop.load(), fixtures)
    failure = run(case)
    expected = tuple(each.replace("{fixtures}", str(fixtures)) for each in differences)
    assert (failure.differences if failure else ()) == expected


def test_a_failure_names_its_file_line_and_test(workshop: Workshop, fixtures: Path) -> None:
    line = write(workshop, "expect: {person: {id: '43'}}")
    (case,) = cases(workshop.load(), fixtures)
    assert case.name == "acme orders/paid: it holds"
    assert str(run(case)) == (
        f"{workshop.directory}/acme/orders.yml:{line}:5: it holds\n"
        "  person.id: expected '43', got '42'"
    )


@pytest.mark.parametrize(
    ("fixture", "problem"),
    [
        ("acme/none.json", "No such file or directory"),
        (
            "acme/broken.json",
            "the body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2",
        ),
    ],
)
def test_a_fixture_that_cannot_be_read(
    workshop: Workshop, fixtures: Path, fixture: str, problem: str
) -> None:
    write(workshop, "expect: {}", fixture)
    (case,) = cases(workshop.load(), fixtures)
    failure = run(case)
    assert failure
    assert failure.differences == (f"fixture {fixtures / fixture}: {problem}",)


def test_a_fixture_is_not_changed_for_the_next_test(workshop: Workshop, fixtures: Path) -> None:
    write(workshop, "set: {'customer.id': 1}\nexpect: {person: {id: '1'}}")
    (case,) = cases(workshop.load(), fixtures)
    assert run(case) is None
    assert run(case) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("'line[0].price': 1", "line[0].price: the fixture has no 'line', did you mean 'lines'?"),
        ("'new.list[0].deep': 1", "new.list[0].deep: the fixture has no 'new'"),
        ("'lines[0].price': 1", None),
        ("'customer.nick': a", None),
        ("line: 1", None),
        ("line: [], 'line[0]': 1", None),
    ],
)
def test_a_change_inside_what_is_not_there_is_warned_of(
    workshop: Workshop, fixtures: Path, changes: str, said: str | None
) -> None:
    line = write(workshop, f"set: {{{changes}}}\nexpect: {{}}")
    found = [str(each) for each in warnings(cases(workshop.load(), fixtures))]
    place = f"{workshop.directory}/acme/orders.yml:{line + 2}:11: tests: set: "
    assert found == ([] if said is None else [f"{place}{said}"])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ordr", ", did you mean 'acme/order.json'?"),
        ("brken", ", did you mean 'acme/broken.json'?"),
        ("quiz", ""),
    ],
)
def test_a_fixture_that_is_not_there(
    workshop: Workshop, fixtures: Path, name: str, hint: str
) -> None:
    write(workshop, "expect: {}", f"acme/{name}.json")
    (fault,) = missing(cases(workshop.load(), fixtures))
    assert fault.message == f"tests: fixture acme/{name}.json: there is no such file{hint}"
