"""What somebody may have meant who wrote a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_ALIKE = 0.65
"""Less alike than this, a hint leads astray: `cancelled_at` is no slip for `created_at`."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'total'?`, or nothing when no known name is close."""
    close = closest(name, known)
    return f", did you mean '{close}'?" if close else ""


def closest(name: str, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """The known name that is most like a name, whatever their case; None when none is close."""
    folded = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=alike)
    return folded[close[0]] if close else None
