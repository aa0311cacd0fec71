"""The catalog's records, against a real Valkey: one rule for webhooks and for loads."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from builders import AT, PLATFORM, SHOP, delivery
from redis import Redis
from redis.exceptions import ResponseError

from adapter.errors import StoreError
from adapter.model import Mapped, Product
from adapter.store import catalog
from adapter.store.catalog import Catalog
from adapter.store.connection import connect
from adapter.store.outbox import Outbox

KEY = f"adapter:default:product:{PLATFORM}:{SHOP}:"
TEA = Product("7", AT, fields={"name": "Té"}, variants=({"variant_id": "71", "price": 4.5},))
GONE = Product("7", AT, removed=True)


def ref(id_: str, shop: str = SHOP) -> tuple[str, str, str, str]:
    return "product", PLATFORM, shop, id_


@pytest.fixture
def store(redis_url: str) -> Catalog:
    return Catalog(connect(redis_url, "worker"), "default")


def test_what_is_stored_is_read(store: Catalog, redis: Redis) -> None:
    other = Product("8", AT)
    assert store.store(PLATFORM, SHOP, [TEA, other]) == [True, True]
    wanted = [ref("8"), ref("9"), ref("7"), ref("7", "other.example.com")]
    assert store.read(wanted) == {ref("7"): TEA, ref("8"): other}
    assert 399 * 86400 < redis.ttl(KEY + "7") <= catalog.PRODUCT_SECONDS


def test_nothing_is_asked_for_nothing(redis_url: str) -> None:
    nowhere = Catalog(connect("redis://127.0.0.1:1/0", "web"), "default")
    assert nowhere.read([]) == {}
    assert nowhere.store(PLATFORM, SHOP, []) == []
    with pytest.raises(StoreError):
        nowhere.read([ref("7")])
    with pytest.raises(StoreError):
        nowhere.store(PLATFORM, SHOP, [TEA])


@pytest.mark.parametrize(
    ("known", "comes", "stored"),
    [
        (None, TEA, True),
        (TEA, replace(TEA, as_of=AT + 1, fields={}), True),
        (TEA, replace(TEA, as_of=AT - 1, fields={}), False),
        (TEA, replace(TEA, fields={"name": "Tea"}), True),
        (TEA, GONE, True),
        (GONE, TEA, False),
        (GONE, replace(TEA, as_of=AT + 1), True),
        (GONE, replace(GONE, as_of=AT), True),
        (TEA, replace(GONE, as_of=AT - 1), False),
    ],
    ids=[
        "the first",
        "a newer one",
        "an older one",
        "one of the same second",
        "removed in the same second",
        "one of the second in which it was removed",
        "one that is there again",
        "removed twice",
        "removed before that",
    ],
)
def test_the_newest_stays_whichever_way_it_comes(
    store: Catalog,
    outbox: Outbox,
    redis: Redis,
    known: Product | None,
    comes: Product,
    stored: bool,
) -> None:
    if known:
        store.store(PLATFORM, SHOP, [known])
    before = redis.get(KEY + "7")
    assert store.store(PLATFORM, SHOP, [comes]) == [stored]
    loaded = redis.get(KEY + "7")
    assert store.read([ref("7")])[ref("7")] == (comes if stored else known)

    redis.flushall()
    if before:
        redis.set(KEY + "7", before)
    outbox.accept(Mapped("mapped", delivery("d2", "products/update"), catalog=comes), b"{}")
    assert redis.get(KEY + "7") == loaded


def test_one_list_may_hold_a_product_twice(store: Catalog) -> None:
    newer = replace(TEA, as_of=AT + 1)
    assert store.store(PLATFORM, SHOP, [newer, TEA, newer]) == [True, False, True]
    assert store.read([ref("7")]) == {ref("7"): newer}


def test_large_lists_go_in_calls_of_bounded_size(
    store: Catalog, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "CALL_BYTES", 300)
    products = [Product(str(number), AT, fields={"name": "x" * 100}) for number in range(10)]
    redis.config_resetstat()
    assert store.store(PLATFORM, SHOP, products) == [True] * 10
    calls = redis.info("commandstats")["cmdstat_evalsha"]
    assert calls["calls"] - calls["failed_calls"] == 5
    assert len(store.read([ref(each.id) for each in products])) == 10


def test_a_full_server_refuses_a_load(store: Catalog, redis: Redis) -> None:
    store.store(PLATFORM, SHOP, [TEA])
    before = redis.config_get("maxmemory")["maxmemory"]
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreError) as raised:
            store.store(PLATFORM, SHOP, [replace(TEA, as_of=AT + 1)])
    finally:
        redis.config_set("maxmemory", before)
    assert isinstance(raised.value.__cause__, ResponseError)
    assert json.loads(redis.get(KEY + "7") or "{}")["as_of"] == AT
