"""How pages write times, numbers and JSON, and links that hold nothing personal."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from flask import Flask
from markupsafe import Markup

from adapter.lookup.texts import utc_text
from adapter.store.visits import Visits
from adapter.web.console import masks

_HARMLESS = re.compile(r"[A-Za-z0-9_.:-]{1,120}")
_SIGN = "~"
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def register(app: Flask) -> None:
    """The filters of templates."""
    app.jinja_env.filters.update(
        when=when,
        ago=ago,
        number=number,
        pretty=pretty,
        seconds=seconds,
        reason=masks.reason,
        ticks=ticks,
        short=short,
        host=host,
    )


def when(at: float | None) -> Markup | str:
    """Unix seconds as a time that machines read, too."""
    if at is None:
        return "never"
    text = utc_text(at)
    return Markup('<time datetime="{}">{}</time>').format(machine(at), text)


def ago(at: float | None) -> Markup | str:
    """How long it is since; the moment itself stands behind it."""
    if at is None:
        return "never"
    text = utc_text(at)
    past = max(0.0, time.time() - at)
    said = f"{seconds(past)} ago" if past >= 1 else "just now"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(machine(at), text, said)


def machine(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def seconds(length: float | None) -> str:
    """A span: 42 s, 5 min, 3 h, 2 d; below one second in milliseconds."""
    if length is None:
        return "-"
    if length < 1:
        return f"{length * 1000:.0f} ms"
    if length < 10:
        return f"{length:.1f} s"
    unit, size = next((each for each in _UNITS if length >= 2 * each[1]), _UNITS[-1])
    return f"{length / size:.0f} {unit}"


def ticks(text: str) -> Markup:
    """A text in which what stands in backticks is code."""
    parts = re.split(r"`([^`]+)`", text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


def short(id_: str) -> str:
    """The first block of a long id, by which people know it again."""
    first, dash, _ = id_.partition("-")
    return f"{first}..." if dash and len(id_) > 24 and 6 <= len(first) <= 24 else id_


def host(name: str) -> Markup:
    """The name of a host, which is broken before its dots if anywhere."""
    return Markup("<wbr>.").join(name.split("."))


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain)


def hidden(visits: Visits, text: str) -> str:
    """A text as it may stand in an address: an id as it is, anything else as a token."""
    return text if _HARMLESS.fullmatch(text) else _SIGN + visits.say(text)


def revealed(visits: Visits, text: str) -> str | None:
    """What an address says; None where its token is too old."""
    return visits.said(text[1:]) if text.startswith(_SIGN) else text


def _plain(value: Any) -> Any:
    number_ = float(value)
    return int(number_) if number_.is_integer() else number_
