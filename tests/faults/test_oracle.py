"""The judge is judged: what is lost, doubled, out of order or wrongly dead does not get past it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests
from redis import Redis

from adapter.sandbox.server import running
from adapter.ulid import event_ulid

from .load import KINDS, Book, Dispatch, Fact, Story, faults_of, plan
from .oracle import MARKS, Break, Seen, Take, judge, look

SEED = 7


def book() -> Book:
    stories = plan(SEED, 300, poison=KINDS)
    return Book(taken=[dispatch for story in stories for dispatch in story])


def as_it_should_be(told: Book) -> Seen:
    """What is there when all went well."""
    seen = Seen(counts=dict(Counter(one.fate for one in told.taken)))
    for one in told.taken:
        for fact in one.facts:
            if one.poison:
                seen.dead.append(fact)
            else:
                seen.arrived.setdefault(one.who, []).append(fact)
                seen.takes[str(fact)] = [Take(1000.0, answered=True)]
        if one.name:
            seen.names[one.who] = one.name
            seen.renamed.setdefault(one.who, []).append(one.name)
        if one.fate == "parked":
            seen.parked.append(one.webhook.id)
    return seen


def busiest(seen: Seen) -> list[Fact]:
    return max(seen.arrived.values(), key=len)


def lost(seen: Seen) -> None:
    busiest(seen).pop()


def doubled(seen: Seen) -> None:
    busiest(seen).append(busiest(seen)[0])


def misplaced(seen: Seen) -> None:
    busiest(seen).reverse()


def never_sent(seen: Seen) -> None:
    busiest(seen).append(Fact(busiest(seen)[0].who, "order_completed", "1"))


def somebody_else(seen: Seen) -> None:
    seen.arrived["somebody else"] = []


def a_counted_one_too_many(seen: Seen) -> None:
    seen.counts["accepted"] += 1


def an_old_name(seen: Seen) -> None:
    seen.names[busiest(seen)[0].who] = "v000000"


def an_old_name_in_between(seen: Seen) -> None:
    max(seen.renamed.values(), key=len).reverse()


def dead_without_poison(seen: Seen) -> None:
    seen.dead.append(busiest(seen)[0])


def a_dead_person(seen: Seen) -> None:
    seen.dead_others.append("identify of 1")


def poison_that_lives(seen: Seen) -> None:
    fact = seen.dead[0]
    seen.arrived.setdefault(fact.who, []).append(fact)


def poison_that_is_gone(seen: Seen) -> None:
    seen.dead.pop()


def parked_for_nothing(seen: Seen) -> None:
    seen.parked.append("1")


def not_parked(seen: Seen) -> None:
    seen.parked.pop()


def taken_twice(seen: Seen) -> None:
    takes = next(iter(seen.takes.values()))
    takes.append(Take(takes[0].at + 1, answered=True))


def something_left(seen: Seen) -> None:
    seen.pending = 1


def something_waiting(seen: Seen) -> None:
    seen.waiting = 1


PLANTED: dict[Callable[[Seen], None], str] = {
    lost: "lost",
    doubled: "doubled",
    misplaced: "misplaced",
    never_sent: "strange",
    somebody_else: "strange",
    a_counted_one_too_many: "strange",
    an_old_name: "stale",
    an_old_name_in_between: "stale",
    dead_without_poison: "wrongly_dead",
    a_dead_person: "wrongly_dead",
    poison_that_lives: "wrongly_alive",
    poison_that_is_gone: "wrongly_alive",
    parked_for_nothing: "wrongly_parked",
    not_parked: "lost",
    taken_twice: "unexplained",
    something_left: "left",
    something_waiting: "left",
}


def test_what_is_as_it_should_be_is_not_wrong() -> None:
    told = book()
    verdict = judge(told, as_it_should_be(told))
    assert verdict.wrong == {}
    assert verdict.events > 50
    assert {one.fate for one in told.taken} == {"accepted", "ignored", "parked"}
    assert Counter(one.poison for one in told.taken if one.poison) == Counter(KINDS)


@pytest.mark.parametrize("plant", PLANTED)
def test_what_was_planted_is_found(plant: Callable[[Seen], None]) -> None:
    told = book()
    seen = as_it_should_be(told)
    plant(seen)
    assert judge(told, seen).wrong.keys() == {PLANTED[plant]}


@pytest.mark.parametrize(
    ("before", "breaks", "explained"),
    [
        (Take(1000.0, answered=True), [], False),
        (Take(1000.0, answered=False), [], True),
        (Take(1000.0, answered=True), [Break(999.0, 1001.0)], True),
        (Take(1000.0, answered=True), [Break(1002.0, 1003.0)], True),
        (Take(1000.0, answered=True), [Break(990.0, 999.0)], False),
        (Take(1000.0, answered=True), [Break(1100.0, 1101.0)], False),
    ],
)
def test_what_is_sent_again_needs_a_cause(
    before: Take, breaks: list[Break], explained: bool
) -> None:
    told = book()
    seen = as_it_should_be(told)
    next(iter(seen.takes.values()))[:] = [before, Take(1200.0, answered=True)]
    verdict = judge(told, seen, breaks)
    assert (not verdict.wrong) is explained
    assert verdict.retaken == int(explained)


@pytest.mark.parametrize(("failed", "explained"), [(999.0, False), (1001.0, True), (1100.0, False)])
def test_another_part_that_had_to_wait_is_a_cause(failed: float, explained: bool) -> None:
    told = book()
    seen = as_it_should_be(told)
    seen.failed.append(failed)
    next(iter(seen.takes.values())).append(Take(1200.0, answered=True))
    assert (not judge(told, seen).wrong) is explained


def test_a_duplicate_at_the_first_try_needs_a_cause() -> None:
    told = book()
    told.doubtful.append((10.0, 10.1, "orders/paid: duplicate, not accepted"))
    seen = as_it_should_be(told)
    assert judge(told, seen).wrong.keys() == {"strange"}
    assert judge(told, seen, [Break(10.05, 10.6)]).wrong == {}
    told.doubtful = [(10.0, 10.5, "orders/paid: duplicate, not accepted")]
    assert judge(told, seen).wrong == {}


def test_a_seed_settles_everything_but_the_times() -> None:
    def facts(seed: int) -> list[Any]:
        stories = plan(seed, 120, poison=KINDS)
        return [
            (one.webhook.id, one.webhook.topic, one.fate, one.facts, one.name, one.poison)
            for story in stories
            for one in story
        ]

    assert facts(SEED) == facts(SEED)
    assert facts(SEED) != facts(SEED + 1)
    ids = [one[0] for one in facts(SEED)]
    assert len(set(ids)) == len(ids)


# --- what is looked at --------------------------------------------------------------------------


def item(fact: Fact, ulid: str | None = None) -> dict[str, Any]:
    mark = MARKS[fact.event]
    return {
        "type": "person",
        "action": "event",
        "identifiers": {"id": fact.who},
        "name": fact.event,
        "id": ulid or event_ulid("shopify", "shop", fact.event, fact.mark),
        "attributes": {mark: fact.mark},
    }


def named(dispatch: Dispatch) -> dict[str, Any]:
    return {
        "type": "person",
        "action": "identify",
        "identifiers": {"id": dispatch.who},
        "attributes": {"first_name": dispatch.name},
    }


def deliver(url: str, *items: dict[str, Any]) -> int:
    answer = requests.post(
        f"{url}/api/v2/batch",
        json={"batch": list(items)},
        auth=("sandbox-site", "sandbox-key"),
        timeout=10,
    )
    return answer.status_code


def some_stories() -> list[Story]:
    return plan(SEED, 30, bystanders=False)


def settle_in_redis(redis: Redis, told: Book) -> None:
    redis.hset("adapter:default:counts", "accepted", len(told.taken))


def test_a_real_sandbox_is_read_right(redis: Redis) -> None:
    """A courier of the test's own delivers by hand: well, then badly."""
    told = Book(taken=[dispatch for story in some_stories() for dispatch in story])
    settle_in_redis(redis, told)
    with running() as url:
        for one in told.taken:
            items = [item(fact) for fact in one.facts]
            assert deliver(url, *items, *([named(one)] if one.name else [])) == 200
        assert judge(told, look(url, redis)).wrong == {}
        facts = [fact for one in told.taken for fact in one.facts]
        # The same event under the same id: the sandbox sees to it, but why was it sent?
        deliver(url, item(facts[0]))
        verdict = judge(told, look(url, redis))
        assert verdict.wrong.keys() == {"unexplained"}
        # Under another id it has its effect twice.
        deliver(url, item(facts[1], "01J8ZQ4T7M0000000000000000"))
        verdict = judge(told, look(url, redis))
        assert verdict.wrong.keys() == {"unexplained", "doubled"}
        redis.xadd("adapter:default:outbox", {"d": "{}"})
        assert "left" in judge(told, look(url, redis)).wrong


def test_an_answer_that_nobody_gets_is_a_cause(redis: Redis) -> None:
    told = Book(taken=[dispatch for story in some_stories() for dispatch in story])
    settle_in_redis(redis, told)
    often = Counter(fact[:2] for one in told.taken for fact in one.facts)
    poisoned = next(one for one in told.taken for fact in one.facts if often[fact[:2]] == 1)
    with running() as url:
        for one in told.taken:
            items = [item(fact) for fact in one.facts]
            batch = [*items, *([named(one)] if one.name else [])]
            requests.post(
                f"{url}/_sandbox/faults", json=[{"body": "<html>"}] if items else [], timeout=10
            )
            deliver(url, *batch)
            deliver(url, *batch)
        verdict = judge(told, look(url, redis))
        assert verdict.wrong == {}
        assert verdict.retaken == verdict.events
        # What Customer.io refused was not taken, and is lost unless it is among the dead.
        requests.delete(f"{url}/_sandbox", timeout=10)
        poisoned.poison = "refused"
        requests.post(f"{url}/_sandbox/faults", json=faults_of([told.taken]), timeout=10)
        for one in told.taken:
            items = [item(fact) for fact in one.facts]
            deliver(url, *items, *([named(one)] if one.name else []))
        # It must be among the dead, and is not.
        assert judge(told, look(url, redis)).wrong == {
            "wrongly_alive": [f"not dead: {poisoned.facts[0]}"]
        }
        (fact,) = poisoned.facts
        operation = {
            "action": "event",
            "identifiers": {"id": fact.who},
            "name": fact.event,
            "attributes": {MARKS[fact.event]: fact.mark},
        }
        record = json.dumps({"operation": operation, "reason": "refused", "deliveries": []})
        redis.xadd("adapter:default:dead", {"r": record})
        assert judge(told, look(url, redis)).wrong == {}
