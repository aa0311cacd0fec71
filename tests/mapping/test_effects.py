"""Products for the catalog, actions, changes of lists, texts of several values, the register."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

import pytest

from adapter.model import Action, LeftOut, Product

from .conftest import DELIVERY, SCHEMA, Apply, Workshop

CATALOG_SCHEMA = SCHEMA + dedent(
    """
    product: {name: text?, image_url: url?, tags: list of text?}
    variant: {variant_id: id, price: money?, in_stock: boolean?}
    """
)
PRODUCTS = """
    topics: [products/update, products/delete, orders/paid]
    catalog:
      id: id
      as_of: updated_at
      removed: $topic | eq("products/delete")
      product: {name: title, image_url: image, tags: tags}
      variants: {each: variants, use: variant}
    fragments:
      variant: {variant_id: id, price: price, in_stock: stock | gt(0)}
"""


@pytest.fixture
def products(workshop: Workshop) -> Workshop:
    (workshop.directory / "schema.yml").write_text(CATALOG_SCHEMA)
    workshop.write(PRODUCTS)
    return workshop


def product(workshop: Workshop, body: dict[str, Any], topic: str = "products/update") -> Any:
    return workshop.load().apply(replace(DELIVERY, topic=topic), body)


def test_a_product_feeds_the_catalog_and_is_about_nobody(products: Workshop) -> None:
    body = {
        "id": 7,
        "title": " Tea ",
        "image": "https://cdn.example/tea.png",
        "tags": "a, b",
        "updated_at": "2026-01-01T00:00:00Z",
        "variants": [{"id": 71, "price": "4.50", "stock": 0}, {"id": 72, "stock": 3}],
    }
    mapped = product(products, body)
    assert (mapped.outcome, mapped.person, mapped.events) == ("mapped", None, ())
    assert mapped.catalog == Product(
        id="7",
        as_of=1767225600,
        fields={"name": "Tea", "image_url": "https://cdn.example/tea.png", "tags": ["a", "b"]},
        variants=(
            {"variant_id": "71", "price": 4.5, "in_stock": False},
            {"variant_id": "72", "in_stock": True},
        ),
    )
    assert Product.from_json(mapped.catalog.to_json()) == mapped.catalog


def test_a_deleted_product_is_known_by_its_id_and_when(products: Workshop) -> None:
    mapped = product(products, {"id": "gid://x/Product/7"}, "products/delete")
    assert mapped.catalog == Product("7", as_of=1767225600, removed=True)


@pytest.mark.parametrize(
    ("body", "reason", "left_out"),
    [
        ({"title": "Tea"}, "catalog.id: required, but absent", ()),
        ({"id": 7, "image": "no url"}, None, (LeftOut("catalog.product.image_url", "expected url, got text"),)),
        ({"id": 7, "variants": [{"price": 1}]}, None, (LeftOut("catalog.variants[0].variant_id", "required, but absent"),)),
    ],
)  # fmt: skip
def test_a_product_that_is_not_as_it_should_be(
    products: Workshop, body: dict[str, Any], reason: str | None, left_out: tuple[LeftOut, ...]
) -> None:
    mapped = product(products, body)
    assert mapped.reason == reason
    assert mapped.left_out == left_out


MERGE = """
    topics: [orders/paid]
    action:
      kind: merge_people
      when: status | eq("completed")
      with: {kept: kept, gone: gone}
"""


@pytest.mark.parametrize(
    ("body", "outcome", "reason", "values"),
    [
        ({"status": "completed", "kept": "gid://x/C/1", "gone": 2}, "mapped", None, {"kept": "1", "gone": "2"}),
        ({"status": "failed", "kept": 1, "gone": 2}, "ignored", "merge_people: nothing to do", None),
        ({"status": "completed", "kept": 1, "gone": None}, "mapped", None, {"kept": "1"}),
    ],
)  # fmt: skip
def test_an_action(
    apply: Apply, body: dict[str, Any], outcome: str, reason: str | None, values: Any
) -> None:
    mapped = apply(MERGE, body)
    assert (mapped.outcome, mapped.reason) == (outcome, reason)
    assert mapped.action == (None if values is None else Action("merge_people", values))


def test_an_action_may_be_about_several_orders(apply: Apply) -> None:
    text = """
        topics: [orders/paid]
        action: {kind: redact_person, with: {id: customer.id, email: customer.email, orders: orders}}
    """
    mapped = apply(text, {"customer": {"id": 1, "email": " Ada@X.com"}, "orders": [8, 9]})
    assert mapped.action is not None
    assert mapped.action.values == {"id": "1", "email": "ada@x.com", "orders": ["8", "9"]}


def test_a_change_of_a_list(apply: Apply) -> None:
    text = """
        topics: [orders/paid]
        person: {id: id, changes: {tags: {add: tags}}}
    """
    person = apply(text, {"id": 1, "tags": ["vip", " b2b "]}).person
    assert person is not None
    assert person.changes == {"tags": {"add": ["vip", "b2b"]}}
    assert type(person).from_json(person.to_json()) == person
    unchanged = apply(
        text.replace("changes: {tags: {add: tags}}", "email: email"), {"id": 1}
    ).person
    assert unchanged is not None
    assert "changes" not in unchanged.to_json()


@pytest.mark.parametrize(
    ("template", "body", "value"),
    [
        ("https://{$shop}/c/{id}", {"id": 7}, "https://acme.example/c/7"),
        ('{a | upper} and {b ?? "none"}', {"a": "x"}, "X and none"),
        ("{a}-{b}", {"a": "x"}, None),
        ("{a}-{b}", {"a": "x", "b": "  "}, None),
        ("{{{a}}}", {"a": "x"}, "{x}"),
        ("plain", {}, "plain"),
    ],
)
def test_a_text_of_several_values(
    apply: Apply, template: str, body: dict[str, Any], value: str | None
) -> None:
    text = f"""
        topics: [orders/paid]
        person:
          id: {{value: p}}
          attributes:
            first_name: {{text: '{template}'}}
    """
    person = apply(text, body).person
    assert person is not None
    assert person.attributes.get("first_name") == value


CONTACTS = """
    topics: [orders/paid]
    person: {id: id, email: a ?? b, phone: a ?? b | only("+15550100")}
"""


@pytest.mark.parametrize(
    ("body", "email", "phone", "left_out"),
    [
        ({"a": "ada@x.com", "b": "bob@x.com"}, "ada@x.com", None, ["person.phone"]),
        ({"a": "ada@", "b": "bob@x.com"}, "bob@x.com", None, ["person.email", "person.phone"]),
        ({"a": " ", "b": "bob@x.com"}, "bob@x.com", None, []),
        ({"a": "555-1", "b": "+15550100"}, None, "+15550100", ["person.email", "person.email", "person.phone"]),
        ({}, None, None, []),
    ],
)  # fmt: skip
def test_of_several_contacts_the_first_good_one_counts(
    apply: Apply, body: dict[str, Any], email: str | None, phone: str | None, left_out: list[str]
) -> None:
    mapped = apply(CONTACTS, {"id": 1, **body})
    assert mapped.person is not None
    assert (mapped.person.email, mapped.person.phone) == (email, phone)
    assert [each.path for each in mapped.left_out] == left_out


REGISTER = """
    admin: [orders/paid, drafts/create]
    ignored: {drafts/create: a draft is no order}
    notes: {orders/paid: "said  twice"}
"""


def test_topics_of_the_register_that_nothing_knows(workshop: Workshop) -> None:
    workshop.write(
        "admin: [Orders/Paid, orders/paid]\nnotes: {order/paid: hi, x/y: hi}", "acme/topics.yml"
    )
    assert workshop.warnings("topics: [orders/paid]\norder: id") == [
        "acme/topics.yml:1:9: admin: Orders/Paid is neither mapped nor ignored anywhere, did you mean 'orders/paid'?",
        "acme/topics.yml:2:9: notes: order/paid is neither mapped nor ignored anywhere, did you mean 'orders/paid'?",
        "acme/topics.yml:2:25: notes: x/y is neither mapped nor ignored anywhere",
    ]


def test_the_register_of_topics(workshop: Workshop) -> None:
    workshop.write(REGISTER, "acme/topics.yml")
    mappings = workshop.load("topics: [orders/paid]\nperson: {id: id}\n")
    register = mappings.register("acme")
    assert register.admin == {"orders/paid", "drafts/create"}
    assert register.notes == {"orders/paid": "said twice"}
    mapped = mappings.apply(replace(DELIVERY, topic="drafts/create"), {})
    assert (mapped.outcome, mapped.reason) == ("ignored", "a draft is no order")
    assert mappings.topics("acme") == ("orders/paid",)
    assert mappings.register("nobody").topics() == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("drafts/create: a draft", "orders/paid: a draft", "acme/topics.yml:2:11: ignored.orders/paid: is mapped in acme/orders.yml:1:10"),
        ("admin: [orders/paid, drafts/create]", "admin: all", "acme/topics.yml:1:8: admin: expected a list of topics"),
        ("a draft is no order", "5", "acme/topics.yml:2:26: ignored.drafts/create: expected a text"),
        ("a draft is no order", "", "acme/topics.yml:2:11: drafts/create is empty: write what it is to be, or indent what belongs to it"),
        ("notes:", "note:", "acme/topics.yml:3:1: note: not a part of a register, did you mean 'notes'?"),
        ('{orders/paid: "said  twice"}', "x", "acme/topics.yml:3:8: notes: expected a mapping of topics to texts"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_register(workshop: Workshop, old: str, new: str, fault: str) -> None:
    text = dedent(REGISTER).lstrip("\n")
    assert old in text
    workshop.write(text.replace(old, new), "acme/topics.yml")
    assert workshop.faults("topics: [orders/paid]\nperson: {id: id}\n") == [fault]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("action: {with: {}}", "2:9: action.kind: is missing; there is merge_people, delete_person, redact_person, redact_shop, report_person"),
        ("action: {kind: merge}", "2:16: action.kind: no 'merge'; there is merge_people, delete_person, redact_person, redact_shop, report_person"),
        ("action: {kind: delete_person, with: {ids: a}}", "2:38: action.with.ids: not asked for by delete_person, did you mean 'id'?"),
        ("action: {kind: delete_person}\nperson: {id: id}", "2:1: action: a file with person has none, and the reverse"),
        ("catalog: {as_of: a}", "2:10: catalog: 'id' is missing: which product is it?"),
        ("catalog: {id: a, product: {nme: a}}", "2:28: catalog.product.nme: not a field of product, did you mean 'name'?"),
        ("catalog: {id: a, variants: {each: a, use: b}}", "2:43: catalog.variants: no fragment 'b'"),
        ("person: {changes: {first_name: {add: a}}}", "2:20: changes.first_name: not a list attribute of person"),
        ("person: {changes: {tags: {ad: a}}}", "2:27: changes.tags.ad: not a change: add or remove, did you mean 'add'?"),
        ("person: {id: {text: 'a {b'}}", "2:26: person.id: expected '}' to close the brace, found the end"),
        ("person: {id: {text: 'a }b'}}", "2:24: person.id: '}' closes nothing; a brace of the text is written '}}'"),
        ("person: {id: {text: '{b | x}'}}", "2:27: person.id: no filter 'x'"),
    ],
)  # fmt: skip
def test_a_mistake_in_these_parts(products: Workshop, text: str, fault: str) -> None:
    assert products.faults(f"topics: [orders/paid]\n{text}\n") == [f"acme/orders.yml:{fault}"]


@pytest.mark.parametrize(
    ("field", "written", "problem"),
    [
        ("lifetime_value", "a | present", "expected money, got a boolean"),
        ("lifetime_value", "{value: free}", "expected money, got 'free'"),
        ("lifetime_value", 'a ?? "free"', "expected money, got 'free'"),
        ("lifetime_value", "a[].b", "expected money, got a list; `| first` takes one of them"),
        ("lifetime_value", "{value: [1]}", "expected money, got a list"),
        ("first_name", "a | split", "expected text, got a list; `| first` takes one of them"),
        ("first_name", "a | eq(1) ?? b", "expected text, got a boolean"),
        ("tags", "a | count", "expected list of text, got a number"),
        ("tags", "{value: 5}", "expected list of text, got a number"),
        ("currency", "a[].b | sum", "expected currency, got a number"),
        ("created_at", "{value: 2026-01-01}", "expected time, got '2026-01-01', which has no offset"),
        ("lifetime_value", "a[].b | sum", None),
        ("lifetime_value", "a[].b | first ?? 0", None),
        ("first_name", "a | count", None),
        ("first_name", "a[].b | join(\", \")", None),
        ("tags", "a | lower", None),
        ("tags", "a[].b", None),
        ("tags", "{value: 'a, b'}", None),
    ],
)  # fmt: skip
def test_types_that_can_never_fit_are_seen_at_load(
    workshop: Workshop, field: str, written: str, problem: str | None
) -> None:
    text = f"topics: [orders/paid]\nperson:\n  id: id\n  attributes:\n    {field}: {written}\n"
    if problem is None:
        assert workshop.load(text).warnings == ()
    else:
        column = len(field) + 7
        assert workshop.faults(text) == [
            f"acme/orders.yml:5:{column}: attributes.{field}: {problem}"
        ]
