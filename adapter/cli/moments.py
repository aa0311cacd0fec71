"""Moments as they are named on the command line: a date, a time, or how long ago."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_AGO = re.compile(r"([0-9]{1,9})\s*(s|m|min|h|d|w)")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def moment(text: str, *, end: bool = False) -> float:
    """Unix seconds of `2h`, `2026-01-31`, `2026-01-31T08:00`, with `Z` or `+01:00`; UTC unless it
    says so. A bare date is its first moment, or with `end` the first of the next day.

    Raises ValueError.
    """
    found = _moment(text.strip(), end)
    if found <= 0:
        raise ValueError(f"'{text}' is before 1970")
    return found


def _moment(text: str, end: bool) -> float:
    if ago := _AGO.fullmatch(text):
        return time.time() - int(ago[1]) * _UNITS[ago[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text}' is no time; expected one such as 2h, 3d, 2026-01-31 or 2026-01-31T08:00"
        ) from None
    if end and re.fullmatch(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}", text):
        found += timedelta(days=1)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


class Moment(click.ParamType[float]):
    """A click type; with `end` a bare date means all of its day."""

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, int | float):
            return value
        try:
            return moment(str(value), end=self._end)
        except (ValueError, OverflowError) as error:
            self.fail(str(error), param, ctx)


def _begun(ctx: click.Context, _param: Any, until: float | None) -> float | None:
    """Refuses an end before the beginning, of which nothing could be found."""
    since = ctx.params.get("since")
    if since is not None and until is not None and until <= since:
        raise click.BadParameter("it is not after --since", param_hint="--until")
    return until


def span(command: Any) -> Any:
    """The options --since and --until."""
    until = "Only before then; a bare date includes its day."
    since = "Only from then on: 2h, 3d, 2026-01-31, 2026-01-31T08:00 (UTC)."
    end, begin = Moment(end=True), Moment()
    command = click.option("--until", type=end, metavar="TIME", callback=_begun, help=until)(
        command
    )
    # Eager, as --until is held against it.
    return click.option("--since", type=begin, metavar="TIME", is_eager=True, help=since)(command)
