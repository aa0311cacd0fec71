"""Lists of which bodies tell only the changes: what somebody's whole list comes to. Pure.

Every element has its own time, so changes that arrive in the wrong order come to the same list, and
a whole list that is older than a change does not undo it. Nothing known is an empty list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adapter.model import Changes, Json

MOST_MARKS = 20
MARK_SECONDS = 3 * 86400

State = Mapping[str, Any]
"""What is remembered of a list: {"whole": Unix seconds of the last whole list or None,
"elements": {element: [whether it is in the list, Unix seconds of the change]}}."""


def elements(state: State | None) -> list[str]:
    """The list itself, in the order in which its elements came."""
    return [] if state is None else [name for name, (there, _) in _known(state).items() if there]


def replaced(state: State | None, values: Iterable[Json], as_of: int) -> State:
    """A body holds the whole list; what changed after it stays as it is."""
    if state is None:
        return {"whole": as_of, "elements": {str(value): [True, as_of] for value in values}}
    whole = state["whole"]
    if whole is not None and as_of < whole:
        return state
    later = {name: one for name, one in _known(state).items() if one[1] > as_of}
    kept = {str(value): later.pop(str(value), [True, as_of]) for value in values}
    return {"whole": as_of, "elements": {**kept, **later}}


def changed(state: State | None, changes: Changes, as_of: int) -> State:
    """A body holds what was added to the list and what was removed from it."""
    whole = None if state is None else state["whole"]
    known = {} if state is None else dict(_known(state))
    for there, values in ((True, changes.get("add", ())), (False, changes.get("remove", ()))):
        for value in values:
            name = str(value)
            since = known[name][1] if name in known else whole
            if since is None or as_of >= since:
                known[name] = [there, as_of]
    return {"whole": whole, "elements": _without_old_marks(known)}


def _without_old_marks(elements: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Marks of what was removed are kept as long as something older may still arrive."""
    removed = [since for there, since in elements.values() if not there]
    if len(removed) <= MOST_MARKS:
        return elements
    newest = max(since for _, since in elements.values())
    return {name: one for name, one in elements.items() if one[0] or one[1] > newest - MARK_SECONDS}


def _known(state: State) -> Mapping[str, list[Any]]:
    found: Mapping[str, list[Any]] = state["elements"]
    return found
