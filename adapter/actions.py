"""What a body asks for that is no event (`action:` of a mapping file), and who carries it out."""

from __future__ import annotations

from dataclasses import replace

from adapter.model import ACTIONS, Mapped

CARRIED_OUT = frozenset(ACTIONS)
"""Kinds of actions that this version carries out."""


def settled(mapped: Mapped) -> Mapped:
    """The same, but parked where it asks for what this version does not do.

    Parked and not ignored: it must happen, so it stays in sight until somebody has done it.
    """
    action = mapped.action
    if action is None or mapped.outcome != "mapped" or action.kind in CARRIED_OUT:
        return mapped
    reason = f"{action.kind}: not carried out by this version; do it by hand, then drop it"
    return replace(mapped, outcome="parked", reason=reason, events=(), catalog=None)
