"""Verdicts over facts, states over verdicts, and the words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.alerts import Facts, History, News, Rule, State, Verdict, judge, turn
from adapter.alerts.facts import HISTORY_HOURS
from adapter.alerts.message import MOST_CHARACTERS, MOST_SUBJECTS, TO_DO, escaped, text
from adapter.alerts.states import CALM_SECONDS, Key, Turn
from adapter.drift import Finding, Share
from adapter.lookout import load_rules
from adapter.settings import shipped

HOUR0 = 168 * 2900
NOW = (HOUR0 + HISTORY_HOURS) * 3600.0 + 120
RULES = load_rules([shipped("mappings")])
NONE = [0] * (HISTORY_HOURS + 1)


def history(**latest: list[int]) -> History:
    """Series by name with _ for blanks, of 40 an hour up to the latest ones."""
    series = {"letters dead": tuple(NONE), "letters parked": tuple(NONE)}
    for name, counts in latest.items():
        filled = [40] * (HISTORY_HOURS + 1 - len(counts)) + counts
        series[name.replace("__", " ")] = tuple(filled)
    return History(HOUR0, HOUR0, series)


def verdict(name: str, facts: Facts, subject: str = "") -> Verdict:
    (found,) = [
        each
        for each in judge(RULES, facts)
        if each.rule == name and (not subject or each.subject == subject)
    ]
    return found


CALM = Facts(NOW, history(event__order_completed=[40, 1], event__checkout_started=[40, 1]))


def test_nothing_is_wrong() -> None:
    found = judge(RULES, CALM)
    assert not any(each.bad for each in found)
    assert {each.rule for each in found} == {
        rule.name for rule in RULES if rule.kind not in ("silence", "presence")
    }, "the others have no subjects here"


def test_fewer_events_than_in_past_weeks() -> None:
    facts = replace(CALM, history=history(event__order_completed=[0, 1]))
    found = verdict("orders_dropped", facts)
    assert (found.bad, found.subject) == (True, "order_completed")
    assert found.measure == "0 in the last hour, about 40 in the same hours before"
    assert found.since == (HOUR0 + HISTORY_HOURS - 1) * 3600
    # While delivery stands still, that is what is told.
    assert verdict("orders_dropped", replace(facts, paused=True)).bad is None
    assert verdict("orders_dropped", replace(facts, pending=1, pending_seconds=700)).bad is None


def test_what_grows_is_seen_over_the_change_of_the_hour() -> None:
    for latest in ([11, 0], [0, 11], [6, 5]):
        facts = replace(CALM, dead=99, history=replace(CALM.history, series={}))
        series = {"letters dead": (*NONE[:-2], *latest), "letters parked": tuple(NONE)}
        found = verdict("dead_letters", replace(facts, history=History(HOUR0, HOUR0, series)))
        assert found.bad
        assert found.measure == "11 more lately, 99 lie there"
    assert verdict("parked_deliveries", CALM).bad is False


def test_a_topic_that_is_silent() -> None:
    name = "topic__shopify__shop.example__orders/paid"
    facts = replace(CALM, history=history(**{name: [0] * 7}))
    found = verdict("topic_silent", facts)
    assert (found.subject, found.bad) == ("shopify shop.example orders/paid", True)
    assert found.measure == "silent for 7 hours, never longer than 0 in the weeks before"
    assert verdict("topic_silent", replace(CALM, history=history(**{name: [1]}))).bad is False
    rules = [Rule("quiet", "silence", wants={"except": ("orders/paid",)})]
    assert judge(rules, facts) == []


def finding(why: str | None, *, judged: bool = True) -> Finding:
    share = Share(400, 390, 0)
    return Finding("order_completed", "shopify orders/paid", "locale", share, share, why, judged)


@pytest.mark.parametrize(
    ("one", "bad"),
    [
        (finding("present in 40 %, was 98 %"), True),
        (finding(None), False),
        (finding(None, judged=False), None),
    ],
)
def test_a_property_that_changed(one: Finding, bad: bool | None) -> None:
    found = verdict("property_changed", replace(CALM, findings=(one,)))
    assert found.subject == "order_completed.locale (shopify orders/paid)"
    assert found.bad is bad
    for wants in ({"events": ("other",), "except": ()}, {"events": (), "except": ("locale",)}):
        rules = [Rule("p", "presence", wants=wants)]
        assert judge(rules, replace(CALM, findings=(one,))) == []


@pytest.mark.parametrize(
    ("rule", "facts", "measure"),
    [
        (
            "deliveries_wait",
            replace(CALM, pending=12, pending_seconds=1000.0, reason="answered 503"),
            "12 wait, the oldest for 17 min; last answer: answered 503",
        ),
        (
            "delivery_paused",
            replace(CALM, paused=True, pending=3, reason="answered 401"),
            "answered 401; 3 wait",
        ),
        ("redis_fills", replace(CALM, memory=0.8), "80 % of maxmemory in use"),
        ("dry_run_mixed", replace(CALM, mixed=True), "both kinds are alive"),
    ],
)
def test_what_stands_wrong(rule: str, facts: Facts, measure: str) -> None:
    assert verdict(rule, CALM).bad is False
    found = verdict(rule, facts)
    assert (found.bad, found.measure) == (True, measure)


# States: one rule, looked at once a minute.

RULE = Rule("r", "dead", "error", wants={"more_than": 10})
KEY: Key = ("r", "")


class Clock:
    """Looks again and again; `told` is what somebody would have read."""

    def __init__(self, rule: Rule = RULE, *, passes: bool = True) -> None:
        self.rule = rule
        self.passes = passes
        self.states: dict[Key, State] = {}
        self.now = 1_000_000.0
        self.told: list[str] = []
        self.fresh = 0

    def look(self, *verdicts: bool | None, every: float = 60, subject: str = "") -> None:
        for bad in verdicts:
            one = Verdict("r", subject, bad, "11 more")
            self.step(turn([self.rule], self.states, [one], self.now))
            self.now += every

    def step(self, found: Turn) -> None:
        self.states = dict(found.told(self.now) if self.passes else found.states)
        self.fresh += sum(one.fresh for one in found.news)
        if self.passes:
            self.told += [one.kind for one in found.news]


def test_each_change_is_told_once() -> None:
    clock = Clock()
    clock.look(False, True, True, True, None, True)
    assert clock.told == ["fires"]
    clock.look(*[False] * (CALM_SECONDS // 60))
    assert clock.told == ["fires"], "not yet calm for long enough"
    clock.look(False, False, False)
    assert clock.told == ["fires", "over"]
    assert clock.states == {}
    clock.look(True)
    assert clock.told == ["fires", "over", "fires"]


def test_what_comes_and_goes_is_told_once() -> None:
    clock = Clock()
    clock.look(*[True, False, False] * 50)
    assert clock.told == ["fires"]


def test_what_cannot_be_told_changes_nothing() -> None:
    clock = Clock()
    clock.look(*[None] * 5)
    assert clock.states == {}
    clock.look(True, *[None] * 50)
    assert clock.told == ["fires"]


def test_it_must_be_so_for_a_while() -> None:
    clock = Clock(replace(RULE, after_minutes=5))
    clock.look(*[True] * 5)
    assert clock.told == []
    clock.look(True)
    assert clock.told == ["fires"]
    clock = Clock(replace(RULE, after_minutes=5))
    clock.look(*[True] * 4, False, *[True] * 4)
    assert clock.told == [], "it was not so in between"


def test_it_is_told_again_once_a_day() -> None:
    clock = Clock()
    clock.look(*[True] * 50, every=3600)
    assert clock.told == ["fires", "reminder", "reminder"]
    clock = Clock(replace(RULE, remind_hours=0))
    clock.look(*[True] * 50, every=3600)
    assert clock.told == ["fires"]


def test_a_message_that_did_not_get_through_is_due_again() -> None:
    clock = Clock(passes=False)
    clock.look(True, True, True)
    assert clock.fresh == 1, "it is logged once"
    clock.passes = True
    clock.look(True)
    assert clock.told == ["fires"]
    clock.passes = False
    clock.look(*[False] * 20)
    assert clock.fresh == 2
    clock.passes = True
    clock.look(False)
    assert clock.told == ["fires", "over"]
    assert clock.states == {}


def test_who_was_never_told_of_it_is_not_told_that_it_is_over() -> None:
    clock = Clock(passes=False)
    clock.look(True, *[False] * 12)
    assert clock.states == {}


def test_bad_again_before_anybody_knew_that_it_was_over() -> None:
    clock = Clock()
    clock.look(True)
    clock.passes = False
    clock.look(*[False] * 12)
    clock.passes = True
    clock.look(True, True)
    assert clock.told == ["fires"]


def test_a_rule_that_was_taken_away_is_over_at_once() -> None:
    clock = Clock()
    clock.look(True)
    clock.step(turn([], clock.states, [], clock.now))
    assert clock.told == ["fires", "over"]
    assert clock.states == {}


def test_states_can_be_kept() -> None:
    state = State(1.5, 2.5, "11 more", "error", 3.5, 4.5, 5.5, 6.5)
    assert State.from_json(state.to_json()) == state
    assert State.from_json({**State(1.0, 2.0).to_json(), "later": 1}) == State(1.0, 2.0)


# Words.


def news(rule: str, subject: str = "", kind: str = "fires", level: str = "error") -> News:
    state = State(1768471200.0, 1768471200.0, "0 in the last hour, about 40", level, over=None)
    if kind == "over":
        state = replace(state, over=state.since + 5 * 3600)
    return News(kind, rule, subject, state)  # type: ignore[arg-type]


def test_a_message_says_what_since_when_how_much_and_what_to_do() -> None:
    found = text("default", RULES, [news("orders_dropped", "order_completed")])
    assert found == (
        "commerce adapter, workspace default\n"
        "ALERT orders_dropped: fewer order_completed than usual: 0 in the last hour, about 40 "
        "(since 2026-01-15 10:00 UTC)\n"
        f"  {TO_DO['volume']} (docs/alerts.md#volume)"
    )


def test_several_are_one_message_the_gravest_first() -> None:
    found = text(
        "default",
        RULES,
        [
            news("delivery_paused", kind="over"),
            news("dead_letters", level="warning"),
            news("orders_dropped", "order_completed"),
            news("redis_fills", kind="reminder"),
        ],
    )
    heads = [line.split(":")[0] for line in found.splitlines() if line[0] in "AOS"]
    assert heads == [
        "ALERT orders_dropped",
        "ALERT dead_letters",
        "STILL redis_fills",
        "OVER delivery_paused",
    ]
    assert found.endswith("delivery is paused: no more, after 5 h")


def test_a_storm_is_cut_short() -> None:
    many = [news("property_changed", f"order_completed.p{each}") for each in range(60)]
    found = text("default", RULES, many)
    assert found.count("ALERT") == MOST_SUBJECTS
    assert "... and 50 more like that" in found
    long = [news(f"rule{each}", "x" * 200) for each in range(60)]
    found = text("default", (), long)
    assert len(found) <= MOST_CHARACTERS + 60
    assert found.endswith("... `adapter alerts list` shows all")


def test_names_from_outside_wake_nobody() -> None:
    assert escaped("<!channel> & more") == "&lt;!channel&gt; &amp; more"


@pytest.mark.parametrize(
    ("seconds", "said"), [(600, "10 min"), (3 * 3600, "3 h"), (4 * 86400, "4 days")]
)
def test_how_long_it_lasted(seconds: int, said: str) -> None:
    one = news("redis_fills", kind="over")
    state = replace(one.state, over=one.state.since + seconds)
    assert text("w", RULES, [replace(one, state=state)]).endswith(f"after {said}")
