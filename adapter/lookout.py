"""Looks once a minute whether somebody must be told: reads the facts, holds the rules against them,
tells what is new and remembers what was told.

One worker looks for all of them. The state is written after the message: who is killed in between
tells twice rather than never.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from adapter.alerts import ALERTS_FILE, News, Rule, Turn, judge, read_rules, turn
from adapter.alerts.judge import HELD_SECONDS
from adapter.alerts.message import line, text
from adapter.errors import Fault, MappingFileError
from adapter.herald import Herald
from adapter.mapping.loader import SCHEMA_FILE, Sources, compile_sources, read, read_all
from adapter.settings import shipped
from adapter.store.alerts import Ground, States

EVERY_SECONDS = 60.0
_EVENTS = {"fires": "alert", "reminder": "alert still on", "over": "alert over"}

_log = logging.getLogger(__name__)


def rules_in(sources: Sources, events: Iterable[str], faults: list[Fault]) -> tuple[Rule, ...]:
    """The rules of mapping directories; `events` are the names of the contract. Without any of
    their own it is the shipped ones, less those about events that the contract lacks."""
    own = sources.top.get(ALERTS_FILE)
    if own is None:
        return read_rules(read(shipped("mappings"), []).top[ALERTS_FILE], events, [])
    return read_rules(own, events, faults)


def load_rules(layers: Sequence[Path]) -> tuple[Rule, ...]:
    """Raises MappingFileError with every fault in alerts.yml, or in what it is held against."""
    faults: list[Fault] = []
    sources = read_all(layers, faults, shipped("mappings") / SCHEMA_FILE)
    mappings = compile_sources(sources, faults)
    rules = rules_in(sources, mappings.schema.events, faults) if mappings else ()
    if faults:
        raise MappingFileError(faults)
    return rules


AGAIN_SECONDS, LONGEST_SECONDS = 60.0, 3600.0
"""When alerts that did not get through are told again: later and later, an hour at the most."""


class Lookout:
    """The alerts of one workspace; without a `herald` they go to the log alone."""

    def __init__(
        self, ground: Ground, states: States, rules: Sequence[Rule], herald: Herald | None = None
    ) -> None:
        self._ground = ground
        self._states = states
        self._rules = rules
        self._herald = herald
        self._workspace = ground.workspace
        self._name = secrets.token_hex(8)
        self._failures = 0
        self._again_at = 0.0

    def look(self, now: float | None = None) -> tuple[News, ...]:
        """Look if it is our turn; what was told. Raises StoreError."""
        return self.look_now(now) if self._states.take_turn(self._name) else ()

    def look_now(self, now: float | None = None) -> tuple[News, ...]:
        """Look whosever turn it is."""
        at = time.time() if now is None else now
        status = self._ground.status()
        age = status["oldest_pending_seconds"] or 0.0
        self._ground.volume.record(at, held=status["paused"] or age > HELD_SECONDS)
        before = self._states.read()
        found = turn(self._rules, before, judge(self._rules, self._ground.facts(at)), at)
        self._log(found)
        passed = self._tell(found, at)
        self._states.write(before, found.told(at) if passed else found.states)
        return found.news

    def _log(self, found: Turn) -> None:
        kinds = {rule.name: rule.kind for rule in self._rules}
        for one in found.news:
            if not one.fresh:
                continue
            level = logging.ERROR if one.state.level == "error" else logging.WARNING
            _log.log(
                level if one.kind != "over" else logging.WARNING,
                _EVENTS[one.kind],
                extra={
                    "workspace": self._workspace,
                    "rule": one.rule,
                    "subject": one.subject,
                    "alert": line(one, kinds.get(one.rule, "")),
                },
            )

    def _tell(self, found: Turn, at: float) -> bool:
        if not found.news or self._herald is None:
            return True
        if at < self._again_at:
            return False
        word = self._herald.tell(text(self._workspace, self._rules, found.news))
        if not word.passed:
            # One that takes it and answers too late has told somebody: not again every minute.
            self._again_at = at + min(AGAIN_SECONDS * 2**self._failures, LONGEST_SECONDS)
            self._failures += 1
            _log.warning("alerts not delivered, tried again", extra={"reason": word.said})
        else:
            self._failures, self._again_at = 0, 0.0
        return word.passed
