"""Alerts: when somebody must be told that something is wrong, and in which words. Pure.

    facts    what there is to go by, as the store has read it
    rules    what is watched, from alerts.yml
    volume   whether there is less of something than there used to be
    judge    each rule held against the facts: a verdict
    states   verdicts over time: what fires, what is over, what is worth a message
    message  the text of it

What asks Redis, sends and keeps the state is `adapter.lookout`.
"""

from adapter.alerts.facts import Facts, History, Verdict
from adapter.alerts.judge import judge
from adapter.alerts.rules import Rule, read_rules
from adapter.alerts.states import News, State, Turn, turn
from adapter.mapping.sources import ALERTS_FILE

__all__ = [
    "ALERTS_FILE",
    "Facts",
    "History",
    "News",
    "Rule",
    "State",
    "Turn",
    "Verdict",
    "judge",
    "read_rules",
    "turn",
]
