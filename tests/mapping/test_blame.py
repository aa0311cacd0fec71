"""Faults that an overlay of the contract makes in files below it stand at the overlay's line."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

import pytest

from .test_overlays import Layers, layers

__all__ = ["layers"]


@pytest.mark.parametrize(
    ("schema", "faults"),
    [
        ("events: {order_completed: {wish: text}}", ["custom/schema.yml:1:28: properties.wish: is missing, order_completed requires it; see base/acme/orders.yml:15"]),
        ("item: {wish: text}", ["custom/schema.yml:1:8: fragments.line.wish: is missing, an item requires it; see base/acme/orders.yml:8"]),
        ("events: {order_completed: {revenue: off}}", ["custom/schema.yml:1:37: properties.revenue: not a field of order_completed; see base/acme/orders.yml:16"]),
        ("person: {first_name: off}", ["custom/schema.yml:1:22: attributes.first_name: not an attribute of person; see base/acme/orders.yml:6"]),
        ("events: {order_completed: {items: list of text?}}", ["custom/schema.yml:1:35: properties.items: expected an expression, {value: literal} or {text: \"a {path}\"}; see base/acme/orders.yml:19"]),
        ("events: {order_completed: x}", ["custom/schema.yml:1:27: order_completed: expected a mapping of properties"]),
        ("events: {order_completed: off}", ["custom/schema.yml:1:27: events.order_completed: not an event of the contract; see base/acme/orders.yml:10"]),
    ],
)  # fmt: skip
def test_a_fault_of_the_contract(layers: Layers, schema: str, faults: list[str]) -> None:
    assert layers.over(schema, "schema.yml").faults() == faults


def test_what_the_same_layer_or_a_higher_one_maps_is_its_own_fault(layers: Layers) -> None:
    layers.over("events: {order_completed: {wish: text?}}", "schema.yml")
    layers.over("events: {order_completed: {properties: {wihs: note}}}")
    layers.over("events: {order_completed: {properties: {wisch: note}}}", layer="later")
    assert layers.faults() == [
        "custom/acme/orders.yml:1:41: properties.wihs: not a field of order_completed, did you mean 'wish'?",
        "later/acme/orders.yml:1:41: properties.wisch: not a field of order_completed, did you mean 'wish'?",
    ]


def test_faults_of_the_contract_and_of_mapping_files_are_told_at_once(layers: Layers) -> None:
    layers.over("person: {nick: txt}\nevents: {order_completed: {revenue: mony}}", "schema.yml")
    layers.over("person: {attributes: {nick: nick |, fist_name: nick}}\ntests: [{nam: a}]")
    told = [each.partition(":")[0].removeprefix("custom/") for each in layers.faults()]
    assert told.count("schema.yml") == 2
    assert told.count("acme/orders.yml") > 2
    assert set(told) == {"schema.yml", "acme/orders.yml"}
