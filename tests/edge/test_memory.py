"""What is remembered survives the worker, whenever it dies, and adds up in the end."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from unittest.mock import patch

import pytest
from delivery import test_ledger_simulation as simulation

from adapter.settings import shipped

from .lab import Floor, Scenes, Shopper, Webhook, crashing, iso, until
from .test_worker_killed import noticed

pytestmark = pytest.mark.slow

PLAYS = Scenes()
RULES = "vip_tier:\n  steps: {bronze: 0, silver: 300}\n  event: vip_tier_changed\n"
CUSTOMERS = 200


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """Each over a Valkey of its own, three at once."""
    with PLAYS.running(tmp_path_factory.mktemp("memory"), PLAYS.all, at_once=3) as running:
        yield running


def mappings(home: Path) -> dict[str, str]:
    """The shipped ones, and a tier whose change is an event."""
    custom = home / "custom"
    custom.mkdir()
    (custom / "rules.yml").write_text(RULES)
    return {"MAPPINGS_DIR": f"{shipped('mappings')}:{custom}"}


def line(variant: int) -> dict[str, object]:
    price = {"price": "5.00", "line_price": "5.00"}
    return {"variant_id": variant, "title": f"Tea {variant}", "quantity": 1, **price}


def dies_at(home: Path, step: str) -> None:
    """All that a batch comes to depends on what was remembered before, and teaches something."""
    env = {**mappings(home), **crashing(home / "crashes"), "HASH_SECRET": "pepper"}
    with Floor.open(home, **env) as floor:
        floor.workspace.knows_since_ever()
        now = int(time.time())
        first = Shopper()
        ada = replace(
            Shopper(), id=first.id, email=first.email, cookie=first.cookie, phone=first.phone
        )
        born = {"created_at": iso(now - 9_000)}
        floor.one_by_one(
            first.tells("orders/create", at=now - 900, customer=born),
            ada.tells("checkouts/create", at=now - 800, customer=born),
            ada.tells("carts/update", at=now - 700, line_items=[line(1)]),
            ada.tells("refunds/create", at=now - 100),  # its order is not known yet
        )
        assert len(floor.workspace.waiting()) == 1
        (home / "crashes" / step).touch()
        changed = replace(ada, email=f"new-{ada.email}")
        with floor.workspace.held():
            for webhook in (
                ada.tells("carts/update", at=now - 600, line_items=[line(1), line(2)]),
                # A sale beside the cart, so that the cart goes on.
                ada.tells(
                    "orders/create",
                    at=now - 500,
                    customer=born,
                    cart_token=None,
                    checkout_token=None,
                ),
                changed.tells("customers/update", at=now - 400, **born),
            ):
                assert webhook.outcome(floor.web) == "accepted"
        assert floor.worker.wait() == -signal.SIGKILL
        # Not the 10 s of its lease: that it ends by itself is shown elsewhere.
        floor.redis.delete("adapter:default:lease")
        floor.worker = floor.lab.worker(floor.sandbox, **env)
        floor.workspace.drained()
        until(lambda: not floor.workspace.waiting(), "the refund was let go")
        floor.workspace.drained()

        events = floor.events(id=ada.id)
        assert [(one["name"], one["timestamp"] - now) for one in events] == [
            ("order_completed", -900),
            ("checkout_started", -800),
            ("added_to_cart", -700),
            ("added_to_cart", -600),
            ("order_completed", -500),
            ("vip_tier_changed", -500),
            ("order_refunded", -100),
        ]
        added = events[3]["attributes"]
        assert [one["variant_id"] for one in added["added_items"]] == ["2"]
        assert added["first_in_cart"] is False
        tier = events[5]["attributes"]
        assert (tier["old"], tier["new"]) == ("bronze", "silver")
        assert floor.profiles(ada, changed) == [(ada.id, changed.email)]
        wanted = {
            "orders_count": 2,
            "lifetime_value": 374.75,  # 202.29 twice, less the 29.83 that went back
            "average_order_value": 187.38,
            "first_time_buyer": False,
            "first_order_at": now - 900,
            "last_order_at": now - 500,
            "vip_tier": "silver",
            "current_cart_value": 10,
        }
        attributes = floor.attributes(id=ada.id)
        assert {name: attributes.get(name) for name in wanted} == wanted
        counts = floor.workspace.counts()
        assert counts["accepted"] == 7
        assert counts["events"] == 7, "each is settled once"
        assert floor.workspace.dead() == 0
        assert floor.sandbox.refused() == []
        # What followed is compared with what was remembered in the end.
        floor.post(ada.tells("carts/update", at=now - 50, line_items=[line(2), line(3)]))
        last = floor.events(id=ada.id)[-1]
        assert [one["variant_id"] for one in last["attributes"]["added_items"]] == ["3"]


for _step in ("resolve.after", "Outbox.settle.before"):
    PLAYS.add(_step)(dies_at)


@PLAYS.add()
def two_owners(home: Path) -> None:
    """One hangs until its lease is over and another one has gone on: it writes nothing."""
    with Floor.open(home) as floor:
        floor.workspace.knows_since_ever()
        now, ada = int(time.time()), Shopper()
        born = {"created_at": iso(now - 9_000)}
        floor.post(ada.tells("checkouts/create", at=now - 900, customer=born))
        floor.sandbox.fail({"delay": 6})
        done = len(floor.sandbox.requests())
        body = ada.tells("carts/update", at=now - 800, line_items=[line(1)])
        assert body.outcome(floor.web) == "accepted"
        until(lambda: len(floor.sandbox.requests()) > done, "the request is under way")
        frozen = floor.worker
        frozen.signal(signal.SIGSTOP)
        try:
            floor.redis.delete("adapter:default:lease")
            floor.lab.worker(floor.sandbox)
            floor.workspace.drained()
            floor.one_by_one(
                ada.tells("carts/update", at=now - 700, line_items=[line(1), line(2)]),
                ada.tells("orders/create", at=now - 600, customer=born, cart_token=None),
            )
            before = floor.workspace.at_rest()
        finally:
            frozen.signal(signal.SIGCONT)
        until(lambda: noticed(frozen), "it notices")
        assert floor.workspace.at_rest() == before
        assert floor.names(id=ada.id) == [
            "checkout_started",
            "added_to_cart",
            "added_to_cart",
            "order_completed",
        ]


@PLAYS.add()
def many_customers(home: Path) -> None:
    """Shuffled, doubled, and against books that know nothing of the adapter."""
    with patch.object(simulation, "CUSTOMERS", CUSTOMERS + 20):
        simulator = simulation.Simulator(11)
    people = dict(list(simulator.orders.items())[:CUSTOMERS])
    theirs = {str(order.id) for orders in people.values() for order in orders}
    deliveries = [
        (delivery, body) for delivery, body in simulator.deliveries if order_of(body) in theirs
    ]
    chance = random.Random(12)
    again = chance.choices(deliveries, k=len(deliveries) // 4)
    bodies = [as_webhook(*each) for each in deliveries]
    bodies += [as_webhook(*each) for each in again]
    # A quarter of what comes again is told anew, as by hand: under another id of its delivery.
    bodies += [replace(as_webhook(*each), id=f"anew-{n}") for n, each in enumerate(again[::4])]
    chance.shuffle(bodies)
    assert len(people) == CUSTOMERS
    assert len(bodies) >= 1_500
    print(f"{len(bodies)} deliveries of {len(people)} customers")
    with Floor.open(home) as floor:
        for shop in simulation.SHOPS:
            floor.workspace.knows_since_ever(shop)
        outcomes = floor.post_all(bodies)
        floor.workspace.drained(150)
        assert outcomes.count("duplicate") > 200
        assert floor.workspace.waiting() == {}
        assert floor.workspace.parked() == []
        assert floor.workspace.dead() == 0
        found = {one["id"]: one["attributes"] for one in floor.sandbox.everybody()}
        assert found.keys() == {customer for _, customer in people}
        for person, orders in people.items():
            attributes = found[person[1]]
            expected, tolerance = simulation.truth_of(orders)
            plain = {name: attributes.get(name) for name in expected["plain"]}
            assert (plain, person) == (expected["plain"], person)
            unit = Fraction(1, 10 ** simulation.EXPONENTS[expected["plain"]["currency"]])
            value = Fraction(str(attributes["lifetime_value"]))
            assert abs(value - expected["value"] * unit) <= tolerance * unit, person
        floor.worker.assert_calm()


def order_of(body: simulation.Json) -> str:
    """Of an order itself, of a refund, of an edit."""
    about = body.get("order_edit", body)
    return str(about.get("order_id") or about["id"])


def as_webhook(delivery: simulation.Delivery, body: simulation.Json) -> Webhook:
    """A delivery of the simulator as the store would send it."""
    if "customer" in body:
        born = {**body["customer"], "created_at": iso(simulation.START - 86_400)}
        body = {**body, "customer": born}
    raw = json.dumps(body).encode()
    return Webhook(delivery.topic, raw, delivery.id, delivery.shop, delivery.triggered_at)


@pytest.mark.parametrize("play", PLAYS.all)
def test_memory(plays: dict[str, Future[None]], play: str) -> None:
    plays[play].result(220)
