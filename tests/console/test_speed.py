"""Quick on many deliveries: what a page asks of Redis does not grow with what is kept."""

from __future__ import annotations

import json
import time
import zlib

import pytest
from backroom import PREFIX, SHOP
from redis import Redis

from tests.console.conftest import Page, Visitor

MANY = 20_000
KEPT = PREFIX + "kept"


@pytest.fixture
def many(redis: Redis) -> None:
    """Deliveries of two hours, the oldest of which is about another order than all others."""
    began = int(time.time() * 1000) - 7_200_000
    body = zlib.compress(
        json.dumps({"id": 1, "email": "ada@example.com", "x": "y" * 2000}).encode()
    )
    pipe = redis.pipeline(transaction=False)
    for number in range(MANY):
        delivery = {
            "platform": "shopify", "topic": "orders/create" if number % 10 else "orders/paid",
            "id": f"d{number}", "shop": SHOP, "received_at": began // 1000,
        }  # fmt: skip
        pipe.xadd(
            KEPT,
            {"d": json.dumps(delivery), "w": "accepted", "o": str(min(number, 1)), "b": body},
            id=f"{began + number * 360}-0",
        )
        if number % 1_000 == 999:
            pipe.execute()
    assert redis.xlen(KEPT) == MANY


def commands(redis: Redis) -> int:
    return int(redis.info("stats")["total_commands_processed"])


def cost(visitor: Visitor, redis: Redis, path: str) -> tuple[Page, int]:
    """A page, and how many commands it took."""
    before = commands(redis)
    page = visitor.page(path)
    return page, commands(redis) - before


@pytest.mark.usefixtures("many")
def test_what_pages_ask_of_redis_has_an_end(operator: Visitor, redis: Redis) -> None:
    began = time.process_time()
    page, asked = cost(operator, redis, "/deliveries")
    assert page.text.count("data-place") == 50
    assert asked < 25
    (older,) = [link for link in page.links() if "before=" in link]
    page, again = cost(operator, redis, older)
    assert page.text.count("data-place") == 50
    assert again < 25
    # What is not found is looked for in a part of it, and the page says in how much.
    page, asked = cost(operator, redis, "/deliveries?order=0")
    assert "2,000 that were looked through" in page.words("empty")
    assert asked < 45
    page, asked = cost(operator, redis, "/deliveries?topic=orders/paid")
    assert page.text.count("data-place") == 50
    assert asked < 45
    page, asked = cost(operator, redis, "/")
    assert asked < 360, "nine days of drift by the hour, most of them in one pipeline"
    page, asked = cost(operator, redis, "/")
    assert asked < 140, "what was read before is not read again"
    assert time.process_time() - began < 6, "1 s of work was measured"


@pytest.mark.usefixtures("many")
def test_a_search_goes_on_where_it_ended(operator: Visitor) -> None:
    path, pages = "/deliveries?order=0", 0
    while True:
        page = operator.page(path)
        pages += 1
        if "data-place" in page.text:
            break
        (path,) = [link for link in page.links() if "before=" in link]
        assert "order=0" in path
    assert pages == MANY // 2_000
    assert "d0" in page.words("rows")
    (path,) = [link for link in page.links() if "before=" in link]
    page = operator.page(path)
    assert "empty" in page.ids
    assert "further" not in page.ids, "there is nothing before it"


@pytest.mark.usefixtures("many")
def test_a_person_in_bodies(operator: Visitor, redis: Redis) -> None:
    page = operator.follow("/deliveries/find", {"who": "ada@example.com"})
    assert page.text.count("data-place") == 50
    answer = operator.post("/deliveries/find", {"who": "nobody@example.com"})
    page, asked = cost(operator, redis, answer.location.removeprefix("/console"))
    assert "looked through" in page.words("empty")
    assert asked < 45
