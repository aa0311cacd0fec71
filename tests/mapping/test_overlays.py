"""Directories laid over each other: what an overlay changes, adds, switches off, and its faults."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from adapter.errors import MappingFileError
from adapter.mapping import Mappings, load, suite
from adapter.mapping.loader import is_overlay, read_all
from adapter.model import Mapped

from .conftest import DELIVERY, SCHEMA, Workshop

BASE = """
topics: [orders/create, orders/paid]
ignore_when: {test order: test}
person:
  id: customer.id
  email: customer.email ?? email
  attributes: {first_name: customer.first_name, tags: {value: [a]}}
fragments:
  line: {name: title, quantity: quantity, price: price}
events:
  order_completed:
    when: [cancelled_at | absent]
    once: id
    at: created_at
    properties:
      order_id: id
      revenue: total
      currency: currency
      discount_codes: codes
      items: {each: lines, use: line}
tests:
  - {name: base, fixture: acme/order.json, expect: {events: [{properties: {revenue: 10}}]}}
"""
BODY: dict[str, Any] = {
    "id": 1,
    "customer": {"id": 42, "email": "ada@example.com", "first_name": "Ada"},
    "created_at": "2026-01-01T00:00:00Z",
    "total": "10.00",
    "net": "8.00",
    "currency": "USD",
    "codes": ["A"],
    "lines": [{"title": "Tea", "sub": "Green", "quantity": 1, "price": "10.00", "sku": "T1"}],
    "note": "for Bob",
    "nick": "Countess",
}


class Layers:
    """A base directory and overlays of it."""

    def __init__(self, base: Workshop) -> None:
        self.base = base
        self.directories = [base.directory]
        base.write(BASE)

    def over(self, text: str, name: str = "acme/orders.yml", layer: str = "custom") -> Layers:
        directory = self.base.directory.parent / f"{self.base.directory.name}-{layer}"
        if directory not in self.directories:
            self.directories.append(directory)
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), "utf-8")
        return self

    def load(self) -> Mappings:
        return load(*self.directories)

    def apply(self, shop: str = "acme.example", **body: Any) -> Mapped:
        return self.load().apply(replace(DELIVERY, shop=shop), {**BODY, **body})

    def faults(self) -> list[str]:
        with pytest.raises(MappingFileError) as error:
            self.load()
        text = str(error.value)
        for directory in self.directories:
            text = text.replace(f"{directory}/", directory.name.rpartition("-")[2] + "/")
        return text.splitlines()


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    directory = tmp_path / "base"
    directory.mkdir()
    return Layers(Workshop(directory))


def revenue(mapped: Mapped) -> Any:
    return mapped.events[0].properties["revenue"]


def test_only_what_differs_is_written(layers: Layers) -> None:
    layers.over("events: {order_completed: {properties: {revenue: net}}}")
    mapped = layers.apply()
    assert revenue(mapped) == 8
    assert mapped.events[0].properties["items"] == [{"name": "Tea", "quantity": 1, "price": 10.0}]
    assert mapped.person is not None
    assert mapped.person.email == "ada@example.com"


@pytest.mark.parametrize(
    ("overlay", "body", "seen"),
    [
        # a value in place of another
        ("person: {attributes: {first_name: nick}}", {}, {"first_name": "Countess"}),
        ("person: {attributes: {first_name: {value: You}}}", {}, {"first_name": "You"}),
        ('person: {attributes: {first_name: {text: "{customer.first_name} ({nick})"}}}', {}, {"first_name": "Ada (Countess)"}),
        # lists and literals replace, they are not merged
        ("person: {attributes: {tags: {value: [b]}}}", {}, {"tags": ["b"]}),
        ("events: {order_completed: {when: [paid]}}", {"paid": False}, {"events": []}),
        # off and null take away
        ("person: {attributes: {first_name: off}}", {}, {"first_name": None}),
        ("person: {attributes: {first_name: null}}", {}, {"first_name": None}),
        ("events: {order_completed: off}", {}, {"events": []}),
        ("events: {order_completed: {properties: {discount_codes: off}}}", {}, {"discount_codes": None}),
        ("ignore_when: {test order: off}", {"test": True}, {"events": ["order_completed"]}),
        # more of it
        ("ignore_when: {staff: staff}", {"staff": True}, {"reason": "staff"}),
        ("ignore_when: {staff: staff}", {"test": True}, {"reason": "test order"}),
        ("events: {order_completed: {properties: {gift: note | present}}}", {}, {"gift": True}),
        ("fragments: {line: {sku: sku}}", {}, {"skus": ["T1"]}),
        ("fragments: {line: {name: sub}}", {}, {"product_names": ["Green"]}),
        ("fragments: {mine: {name: sub, quantity: quantity, price: price}}\nevents: {order_completed: {properties: {items: {use: mine}}}}", {}, {"product_names": ["Green"]}),
    ],
)  # fmt: skip
def test_an_overlay(
    layers: Layers, overlay: str, body: dict[str, Any], seen: dict[str, Any]
) -> None:
    mapped = layers.over(overlay).apply(**body)
    facts: dict[str, Any] = {"reason": mapped.reason, "events": [e.name for e in mapped.events]}
    facts.update(mapped.events[0].properties if mapped.events else {})
    facts.update(mapped.person.attributes if mapped.person else {})
    assert {name: facts.get(name) for name in seen} == seen


def test_a_fragment_of_the_base_that_nothing_uses_any_more_is_a_warning(layers: Layers) -> None:
    layers.over(
        """
        fragments: {mine: {name: sub, quantity: quantity, price: price}}
        events: {order_completed: {properties: {items: {use: mine}}}}
        """
    )
    assert [each.message for each in layers.load().warnings] == ["fragments.line: nothing uses it"]


def test_a_file_of_its_own_is_simply_added(layers: Layers) -> None:
    layers.over(
        """
        topics: [refunds/create]
        order: order_id
        events: {order_refunded: {once: id, at: created_at, properties: {order_id: order_id}}}
        """,
        "acme/refunds.yml",
    )
    assert layers.load().events_of("acme", "refunds/create") == ("order_refunded",)
    assert layers.load().events_of("acme", "orders/paid") == ("order_completed",)


def test_a_third_layer_lies_over_the_second(layers: Layers) -> None:
    layers.over("person: {attributes: {first_name: nick}}")
    layers.over("person: {attributes: {first_name: {value: last}}}", layer="later")
    mapped = layers.apply()
    assert mapped.person is not None
    assert mapped.person.attributes["first_name"] == "last"


def test_the_contract_is_added_to(layers: Layers) -> None:
    layers.over(
        """
        person: {loyalty_points: integer}
        events:
          order_completed: {gift_message: text?}
          quiz_taken: {score: integer}
        """,
        "schema.yml",
    )
    layers.over(
        """
        person: {attributes: {loyalty_points: points}}
        events: {order_completed: {properties: {gift_message: note}}}
        """
    )
    mapped = layers.apply(points="12")
    assert mapped.events[0].properties["gift_message"] == "for Bob"
    assert mapped.person is not None
    assert mapped.person.attributes["loyalty_points"] == 12
    schema = layers.load().schema
    assert schema.version == 3
    assert "quiz_taken" in schema.to_json_schema()["$defs"]


def test_a_field_may_be_called_value(layers: Layers) -> None:
    """`{value: x}` is a literal where an expression stands, and a section of one field elsewhere."""
    layers.over("person: {text: text}\nevents: {order_completed: {value: money?}}", "schema.yml")
    layers.over(
        """
        person: {attributes: {text: nick}}
        events: {order_completed: {properties: {value: net}}}
        """
    )
    mapped = layers.apply()
    properties = mapped.events[0].properties
    assert (properties["value"], properties["revenue"], properties["order_id"]) == (8, 10, "1")
    assert mapped.person is not None
    assert mapped.person.attributes["text"] == "Countess"
    assert mapped.person.attributes["first_name"] == "Ada"


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ("person: {unsubscribed: boolean}", "1:10: unsubscribed: Customer.io reserves this name"),
        ("person: {cio_plan: text}", "1:10: cio_plan: Customer.io reserves this name"),
        ("person: {id: text}", "1:10: id: Customer.io reserves this name"),
        ("events: {order_completed: {reply_to: email?}}", "1:28: reply_to: Customer.io would send the message there"),
        ("events: {person: {score: integer}}", "1:10: person: this name stands for something else here"),
        ("events: {order_completed: {a|b: text?}}", "1:28: a|b: a name is of small letters, digits and _, and begins with a letter"),
        ("item: {Gift Wrap: text?}", "1:8: Gift Wrap: a name is of small letters, digits and _, and begins with a letter"),
    ],
)  # fmt: skip
def test_names_that_nothing_of_ones_own_may_have(layers: Layers, schema: str, fault: str) -> None:
    assert layers.over(schema, "schema.yml").faults() == [f"custom/schema.yml:{fault}"]


def test_one_shop_differs(layers: Layers) -> None:
    layers.over(
        """
        events: {order_completed: {properties: {revenue: net}}}
        tests:
          - name: net of taxes
            fixture: acme/order.json
            expect: {events: [{properties: {revenue: 8, shop: eu.acme.example}}]}
        """,
        "acme/EU.acme.example/orders.yml",
    )
    assert revenue(layers.apply(shop="eu.acme.example")) == 8
    assert revenue(layers.apply(shop="us.acme.example")) == 10
    (sample,) = layers.load().samples
    assert (sample.name, sample.shop) == ("net of taxes", "eu.acme.example")


def test_a_shop_can_do_without_a_topic_that_others_have(layers: Layers) -> None:
    layers.over("topics: [orders/create]", "acme/eu.acme.example/orders.yml")
    assert layers.apply(shop="eu.acme.example").reason == "unknown topic: orders/paid"
    assert layers.apply().outcome == "mapped"


def test_the_tests_of_a_layer_are_those_of_its_own_files(layers: Layers, tmp_path: Path) -> None:
    """What shipped files promise is held against them alone: an overlay is there to change it."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "order.json").write_text(
        '{"id": 1, "customer": {"id": 42}, "created_at": "2026-01-01T00:00:00Z", "total": 10,'
        ' "net": 8, "currency": "USD", "lines": []}'
    )
    layers.over(
        """
        events: {order_completed: {properties: {revenue: net}}}
        tests:
          - {name: mine, fixture: acme/order.json, expect: {events: [{properties: {revenue: 8}}]}}
        """
    )
    base = suite.cases(load(layers.base.directory), tmp_path)
    custom = suite.cases(layers.load(), tmp_path)
    assert [case.sample.name for case in base] == ["base"]
    assert [case.sample.name for case in custom] == ["mine"]
    assert [suite.run(case) for case in base + custom] == [None, None]


def test_the_tests_of_every_overlay_are_kept(layers: Layers) -> None:
    """Each is run with everything laid over, those of one file as well as those of two."""
    test = "{{name: {0}, fixture: acme/order.json, expect: {{}}}}"
    layers.over(f"tests: [{test.format('a')}]")
    layers.over(f"topics: [x/y]\norder: id\ntests: [{test.format('b')}]", "acme/more.yml")
    layers.over(f"tests: [{test.format('c')}]", layer="later")
    layers.over(f"order: nick\ntests: [{test.format('d')}]", "acme/more.yml", layer="last")
    samples = layers.load().samples
    assert [(each.name, Path(each.file).name) for each in samples] == [
        ("a", "orders.yml"),
        ("c", "orders.yml"),
        ("b", "more.yml"),
        ("d", "more.yml"),
    ]
    assert len({Path(each.file).parent for each in samples}) == 3


@pytest.mark.parametrize(
    ("overlay", "faults"),
    [
        # a near miss of `off` is told how it is written
        *[
            (f"events: {{order_completed: {text}}}", [f"custom/acme/orders.yml:1:27: order_completed: expected an event{switch}"])
            for text, switch in [
                ("OFF", "; to switch it off write off"),
                ("no", "; to switch it off write off"),
                ("false", "; to switch it off write off"),
                ("0", "; to switch it off write off"),
                ("[]", "; to switch it off write off"),
                ('"off"', "; to switch it off write off"),
                ("true", ""),
                ("gone", ""),
                ("[a]", ""),
            ]
        ],
        ("events: OFF", ["custom/acme/orders.yml:1:9: events: expected a mapping of names to values; to switch it off write off"]),
        ("ignore_when: test", ["custom/acme/orders.yml:1:14: ignore_when: expected {reason: condition}"]),
        # a fault names the file that set what is wrong
        ("events: {order_completed: {properties: {revenue: net |}}}", ["custom/acme/orders.yml:1:55: properties.revenue: expected the name of a filter after '|', found the end"]),
        ("events: {order_completed: {properties: {revenu: net}}}", ["custom/acme/orders.yml:1:41: properties.revenu: not a field of order_completed, did you mean 'revenue'?"]),
        ("events: {order_completed: {properties: {revenue: off}}}", ["custom/acme/orders.yml:1:40: properties.revenue: is missing, order_completed requires it"]),
        ("events: {order_complete: off}", ["custom/acme/orders.yml:1:10: events.order_complete: there is nothing to switch off, did you mean 'order_completed'?"]),
        ("person: {attributes: {nick: off}}", ["custom/acme/orders.yml:1:23: person.attributes.nick: there is nothing to switch off"]),
        ("evnts: {}", ["custom/acme/orders.yml:1:1: evnts: not a part of a mapping file, did you mean 'events'?"]),
    ],
)  # fmt: skip
def test_a_fault_in_an_overlay(layers: Layers, overlay: str, faults: list[str]) -> None:
    assert layers.over(overlay).faults() == faults


def test_what_belongs_under_a_part_of_the_file(layers: Layers) -> None:
    layers.base.write("fragments: {gift: {name: t, quantity: q, price: p}}", "acme/fragments.yml")
    layers.over("gift:\n  sku: barcode\nmine: {name: t}\n", "acme/fragments.yml")
    layers.over("line: {sku: sku}\norder_completed: {once: id}\nordr: id")
    assert layers.faults() == [
        "custom/acme/fragments.yml:1:1: `gift` belongs under `fragments:`",
        "custom/acme/fragments.yml:3:1: `mine` belongs under `fragments:`",
        "custom/acme/orders.yml:1:1: `line` belongs under `fragments:`",
        "custom/acme/orders.yml:2:1: `order_completed` belongs under `events:`",
        "custom/acme/orders.yml:3:1: ordr: not a part of a mapping file, did you mean 'order'?",
    ]


def test_a_topic_that_is_ignored_below_and_mapped_here(layers: Layers) -> None:
    """It is told at the line that can be mended, with how."""
    layers.base.write("ignored: {drafts/create: no order yet}", "acme/topics.yml")
    layers.over("topics: [drafts/create]\norder: id", "acme/drafts.yml")
    (fault,) = layers.faults()
    assert fault == (
        "custom/acme/drafts.yml:1:10: topics: drafts/create: is ignored in base/acme/topics.yml:1:11; "
        "write `ignored: {drafts/create: off}` in custom/acme/topics.yml"
    )
    layers.over("ignored: {drafts/create: off}", "acme/topics.yml")
    assert "drafts/create" in layers.load().topics("acme")
    # What is ignored here and mapped below stands here as well.
    layers.over("ignored: {drafts/create: off, orders/paid: noise}", "acme/topics.yml")
    assert [each.partition(": ")[0] for each in layers.faults()] == ["custom/acme/topics.yml:1:31"]


@pytest.mark.parametrize(
    ("topic", "close"),
    [
        ("orders/paids", "orders/paid"),
        ("order/create", "orders/create"),
        ("Orders/Paid", "orders/paid"),
        ("drafts/creat", "drafts/create"),
        ("drafts/create", ""),
        ("orders/risk", ""),
        ("drafts/update", ""),
    ],
)
def test_a_topic_that_is_ignored_by_a_slip(layers: Layers, topic: str, close: str) -> None:
    layers.base.write("ignored: {drafts/create: no order yet}", "acme/topics.yml")
    layers.over(f"ignored: {{{topic}: noise}}", "acme/topics.yml")
    said = [f"ignored: {topic} is no topic that is known, did you mean '{close}'?"] if close else []
    assert [each.message for each in layers.load().warnings] == said


OFF_OR = "is empty: write `off` to take it away, or"


@pytest.mark.parametrize(
    ("overlay", "faults"),
    [
        # a key with nothing behind it takes nothing away
        ("events:\n  order_completed:", [f"2:3: order_completed {OFF_OR} indent what belongs to it"]),
        ("person:", [f"1:1: person {OFF_OR} indent what belongs to it"]),
        ("person:\n  attributes:", [f"2:3: attributes {OFF_OR} indent what belongs to it"]),
        ("person:\n  email:  # later", [f"2:3: email {OFF_OR} what it is to be"]),
        ("events:\n  order_completed:\n    when:\n    properties:\n      discount_codes:", [f"3:5: when {OFF_OR} what it is to be", f"5:7: discount_codes {OFF_OR} what it is to be"]),
        ("events:\n  order_canceled:", ["2:3: order_canceled is empty: write what it is to be, or indent what belongs to it"]),
        # what belongs to it stands beside it, and the files below are not to blame
        ("fragments:\n  line:\n  sku: barcode", [f"2:3: line {OFF_OR} indent what belongs to it", "3:8: fragments.sku: expected a mapping of names to values; indent it under `line:`"]),
        ("events:\n  order_completed:\n    properties:\n    revenue: net\n    gift: note", [f"3:5: properties {OFF_OR} indent what belongs to it", "4:5: order_completed.revenue: not a part of an event; indent it under `properties:`", "5:5: order_completed.gift: not a part of an event; indent it under `properties:`"]),
        ("events:\n  order_completed:\n\n  # ours\n  properties:\n    revenue: net", [f"2:3: order_completed {OFF_OR} indent what belongs to it", "5:3: events.properties: not an event of the contract; indent it under `order_completed:`"]),
        ("person:\nemail: nick", [f"1:1: person {OFF_OR} indent what belongs to it", "2:1: email: not a part of a mapping file; indent it under `person:`"]),
        # without anything empty it is told as well where it belongs
        ("events: {order_completed: {revenue: net}}", ["1:28: order_completed.revenue: not a part of an event; indent it under `properties:`"]),
        ("person: {first_name: nick}", ["1:10: person.first_name: not a part of person; indent it under `attributes:`"]),
        # what has nothing to do with it is told as ever
        ("events:\n  order_completed:\n  order_cancelled: {once: id}", [f"2:3: order_completed {OFF_OR} indent what belongs to it", "3:3: events.order_cancelled: not an event of the contract, did you mean 'order_canceled'?"]),
        ("release:\nperson: {id: customer.id}", ["1:9: release: expected the name of a release"]),
        ("events:\n  order_completed:\nevnts: {}", [f"2:3: order_completed {OFF_OR} indent what belongs to it", "3:1: evnts: not a part of a mapping file, did you mean 'events'?"]),
    ],
)  # fmt: skip
def test_what_is_empty_is_a_fault_of_its_own(
    layers: Layers, overlay: str, faults: list[str]
) -> None:
    assert layers.over(overlay).faults() == [f"custom/acme/orders.yml:{each}" for each in faults]


def test_what_is_empty_is_a_fault_in_every_file(layers: Layers) -> None:
    layers.over("events:", "acme/eu.example/orders.yml")
    layers.over("person:\n", "schema.yml")
    layers.over("attributes:", "names.yml")
    layers.over("vip_tier:", "rules.yml")
    layers.over("orders_dropped:", "alerts.yml")
    layers.over("notes:", "acme/topics.yml")
    nothing = "is empty: write what it is to be, or indent what belongs to it"
    assert layers.faults() == [
        f"custom/acme/eu.example/orders.yml:1:1: events {OFF_OR} indent what belongs to it",
        f"custom/acme/topics.yml:1:1: notes {nothing}",
        f"custom/alerts.yml:1:1: orders_dropped {nothing}",
        f"custom/names.yml:1:1: attributes {nothing}",
        f"custom/rules.yml:1:1: vip_tier {nothing}",
        f"custom/schema.yml:1:1: person {OFF_OR} indent what belongs to it",
    ]


@pytest.mark.parametrize("text", ["null", "~", "off", "Null"])
def test_what_is_written_takes_it_away(layers: Layers, text: str) -> None:
    assert layers.over(f"events: {{order_completed: {text}}}").apply().events == ()


def test_what_stands_in_place_of_what_is_known(layers: Layers) -> None:
    layers.over(
        """
        release: 0.1.0
        person: {attributes: {first_name: customer.first_name, tags: off}}
        events: {order_completed: {when: [paid], properties: {gift: note | present}}}
        """
    )
    sources = read_all(layers.directories, [])
    assert [(each.file, each.path) for each in sources.overrides] == [
        ("acme/orders.yml", ("person", "attributes", "tags")),
        ("acme/orders.yml", ("events", "order_completed", "when")),
    ]
    assert [node.value for node in sources.releases.values()] == ["0.1.0"]
    assert layers.apply(paid=True).outcome == "mapped"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"acme/orders.yml": "person: {id: nick}"}, True),
        ({"acme/eu.example/orders.yml": "person: {id: nick}"}, True),
        ({"schema.yml": "person: {points: integer}"}, True),
        ({"names.yml": "preset: none"}, True),
        ({"rules.yml": "a: {}", "schema.yml": "version: 2"}, True),
        ({"acme/orders.yml": BASE}, True),
        ({"acme/other.yml": "topics: [a]"}, True),
        ({"acme/lines.yml": "fragments: {}"}, True),
        ({"acme/topics.yml": "notes: {}"}, True),
        ({"acme/orders.yml": "events: {a"}, True),
        ({"acmee/orders.yml": "person: {id: nick}"}, True),
        ({"orders.yml": "person: {id: nick}"}, True),
        ({"acme/orders.yml": "person: {id: nick}", "acme/platform.yml": "x: y"}, False),
        ({"acme/orders.yml": "person: {id: nick}", "schema.yml": SCHEMA}, False),
        ({"other/orders.yml": BASE}, False),
        ({}, False),
    ],
)
def test_what_cannot_stand_alone_is_an_overlay(
    layers: Layers, tmp_path: Path, files: dict[str, str], expected: bool
) -> None:
    directory = tmp_path / "some"
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    directory.mkdir(exist_ok=True)
    assert is_overlay(directory, layers.base.directory) is expected
