"""What is erased is gone: from Customer.io and from the whole of Redis, whatever comes late."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from servers import naming

from .lab import Floor, Shopper, Webhook, armed, crashing, destination, iso, until

pytestmark = pytest.mark.slow

SECRET = {"HASH_SECRET": "pepper"}
FAMILY = "+4915112345678"
OTHER_SHOP = "babbage-tea.myshopify.com"


STEPS = ("Purger._bury.after", "Purger._remove_some.after")


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[None]]:
    """It waits more than it works: the other tests run meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(purges_are_cut_short, tmp_path_factory.mktemp("cut"))


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory, cut_short: Future[None]) -> Iterator[Floor]:
    """Every test brings its own shoppers."""
    with Floor.open(tmp_path_factory.mktemp("privacy"), **SECRET) as floor:
        yield floor
        floor.web.process.assert_calm()
        floor.worker.assert_calm()
        assert floor.workspace.dead() == 0
        assert floor.sandbox.refused() == [], "nothing was sent of whoever is blocked"


def names_of(ada: Shopper) -> tuple[str, ...]:
    return ada.id, ada.email, ada.order, ada.cart, ada.checkout, ada.cookie


# --- a life ---------------------------------------------------------------------------------------


def lives(floor: Floor, ada: Shopper, shop: str = "") -> None:
    """All that can be kept of somebody, in every place: sent, waiting, parked."""
    now = int(time.time())
    born = {"created_at": iso(now - 9_000)}
    unknown = replace(ada.webhook("orders/create"), topic="orders/praised")
    other = replace(ada, cart=f"other-{ada.cart}")
    bodies = [
        ada.tells("carts/create", at=now - 900),
        ada.tells("checkouts/create", at=now - 800, customer=born),
        ada.tells("orders/create", at=now - 700, customer=born),
        ada.tells("customers/create", at=now - 600),
        ada.tells("refunds/create", at=now - 500),
        unknown,
        other.tells("checkouts/update", "checkouts_create", at=now - 400, token=f"x{ada.checkout}"),
        other.tells("carts/update", at=now - 300),
    ]
    for body in bodies:
        told = replace(body, shop=shop or body.shop)
        outcome = "parked" if body is unknown else "accepted"
        assert told.outcome(floor.web) == outcome
    floor.workspace.drained()
    until(lambda: len(floor.names(id=ada.id)) >= 5, "all of it is there")
    floor.workspace.drained()
    for name in (*names_of(ada), ada.phone):
        assert naming(floor.redis, name), "it is kept, so it can be missed"


def redaction(ada: Shopper, topic: str = "customers/redact") -> Webhook:
    orders = "orders_to_redact" if topic == "customers/redact" else "orders_requested"
    customer = {"id": int(ada.id), "email": ada.email, "phone": ada.phone}
    return ada.tells(topic, **{"customer": customer, orders: [int(ada.order)]})


def errands(floor: Floor) -> int:
    return floor.redis.hlen("adapter:default:errands")


def await_errands(floor: Floor) -> None:
    until(lambda: errands(floor) == 0, "the errands are done")


def blocked(floor: Floor) -> set[tuple[str, str]]:
    return {pair for one in floor.sandbox.suppressed() for pair in one.items()}


# --- the scenes -----------------------------------------------------------------------------------


def test_nothing_is_left_of_who_is_redacted(floor: Floor) -> None:
    """Ada's wish comes among bodies of hers that were under way, Eve's alone; Bob lives on."""
    ada, eve, bob = (Shopper(phone=FAMILY) for _ in range(3))
    for one in (ada, eve, bob):
        lives(floor, one)
    of_bob = naming(floor.redis, *names_of(bob))
    floor.in_one_batch(*late(ada), redaction(ada), *late(ada))
    floor.post(redaction(eve))
    await_errands(floor)
    for one in (ada, eve):
        assert naming(floor.redis, *names_of(one)) == []
        assert floor.sandbox.find(id=one.id) is None
        assert {("id", one.id), ("email", one.email)} <= blocked(floor)

        before = floor.workspace.counts()
        bodies = late(one)
        floor.in_one_batch(*bodies)
        assert floor.counted(before)["ignored:redacted"] == len(bodies)
        assert naming(floor.redis, *names_of(one)) == [], "what comes late leaves nothing behind"
        assert floor.profiles(one) == []
    assert floor.profiles(bob) == [(bob.id, bob.email)]
    assert naming(floor.redis, *names_of(bob)) == of_bob
    assert naming(floor.redis, FAMILY), "the family's phone is Bob's as well"


def late(ada: Shopper) -> list[Webhook]:
    """Bodies of hers that were under way, in all the ways in which they can name her."""
    return [
        ada.tells("orders/updated", "orders_create"),
        ada.guest("checkouts/update", "checkouts_create"),
        ada.tells("customers/update"),
        replace(ada, refund=Shopper().refund).tells("refunds/create"),
        ada.tells("carts/update"),
    ]


def test_nothing_is_left_of_a_shop_that_is_redacted(floor: Floor) -> None:
    ada, bob = Shopper(), Shopper()
    lives(floor, ada, OTHER_SHOP)
    lives(floor, bob)
    of_bob = naming(floor.redis, *names_of(bob))
    erased = ada.tells("shop/redact", shop_domain=OTHER_SHOP)
    floor.post(replace(erased, shop=OTHER_SHOP))
    await_errands(floor)
    assert naming(floor.redis, *names_of(ada)) == []
    assert naming(floor.redis, OTHER_SHOP) == []
    assert naming(floor.redis, *names_of(bob)) == of_bob


def test_who_asks_is_told_what_is_held(floor: Floor) -> None:
    ada, bob = Shopper(), Shopper()
    lives(floor, ada)
    lives(floor, bob)
    before = floor.sandbox.find(id=ada.id)
    asked = redaction(ada, "customers/data_request")
    floor.post(asked)
    await_errands(floor)
    ((_, fields),) = floor.redis.xrange("adapter:default:reports")
    report = json.loads(fields[b"r"])
    assert report["delivery"] == asked.id
    assert report["complete"] is True
    assert report["person"] == {"ids": [ada.id], "emails": [ada.email], "phones": [ada.phone]}
    told = json.dumps(report)
    assert all(name in told for name in names_of(ada)), "all that is held of her"
    assert not any(name in told for name in names_of(bob)), "nothing of anybody else"
    places = {one["where"].split(":")[0].split()[0] for one in report["held"]}
    assert {"person", "thing", "key", "parked"} <= places
    assert "report written" in floor.worker.said
    assert not any(name in floor.worker.said for name in names_of(ada)), "no name in the log"
    assert floor.sandbox.find(id=ada.id) == before
    # The report is kept of her as well.
    floor.post(redaction(ada))
    await_errands(floor)
    assert naming(floor.redis, *names_of(ada)) == []


def purges_are_cut_short(home: Path) -> None:
    """Two workers die on it, each at another step; the third gets to its end."""
    env = {**SECRET, **crashing(home / "crashes")}
    with Floor.open(home, **env) as floor:
        ada, bob = Shopper(), Shopper()
        for one in (ada, bob):
            lives(floor, one)
        of_bob = naming(floor.redis, *names_of(bob))
        with armed(home / "crashes", *STEPS):
            assert redaction(ada).outcome(floor.web) == "accepted"
            for _ in STEPS:
                assert floor.worker.wait(30) == -signal.SIGKILL
                assert errands(floor) == 1
                floor.worker = floor.lab.adapter("worker", **destination(floor.sandbox.url), **env)
        await_errands(floor)
        assert naming(floor.redis, *names_of(ada)) == []
        assert naming(floor.redis, *names_of(bob)) == of_bob
        assert floor.sandbox.find(id=ada.id) is None
        assert {("id", ada.id), ("email", ada.email)} <= blocked(floor)


def test_a_purge_whose_worker_is_killed_is_finished_by_the_next(cut_short: Future[None]) -> None:
    cut_short.result(220)
