"""`python -m bench.chart FIGURES.json ... > chart.svg`: what `python -m bench --json` has measured.

Bars are medians, the line over each goes from the lowest to the highest round; curves are what
grows. A panel whose figures are in none of the files is left out.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from bench.tables import Write, ms, rate, us

WIDTH, LABELS, VALUES = 860, 290, 150
ROW, HEAD, GAP, PLOT = 24, 34, 18, 190
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; } .note { fill: #57606a; font-size: 12px; }
.bar { fill: #8fb3d9; } .own { fill: #1f6fb2; } .spread { stroke: #24292f; }
.axis { stroke: #d0d7de; } .curve { fill: none; stroke-width: 2; }
.c0 { stroke: #1f6fb2; } .c1 { stroke: #b2571f; } .k0 { fill: #1f6fb2; } .k1 { fill: #b2571f; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .note { fill: #9198a1; } .spread { stroke: #e6edf3; }
  .axis { stroke: #3d444d; }
}
"""
Figures = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Bars:
    """Figures whose names fit `pattern`; its first group is what stands beside the bar."""

    title: str
    pattern: str
    write: Write
    better: str


@dataclass(frozen=True, slots=True)
class Curves:
    """Figures whose rounds are a series: over the numbers that their names begin with."""

    title: str
    pattern: str
    write: Write


PANELS: tuple[Bars | Curves, ...] = (
    Bars("Intake, 3 kB orders", r"3 kB orders: (.+): webhooks a second", rate, "more"),
    Bars("Intake, 13 kB orders", r"13 kB orders: (.+): webhooks a second", rate, "more"),
    Bars("Acknowledgement, p99", r"((?:idle|draining)): p99", ms, "less"),
    Bars(
        "Mapping a 13 kB order, JSON parse included",
        r"orders_paid\.json: (parse and map|by hand, parse included|json\.loads .+)",
        us,
        "less",
    ),
    Bars(
        "Draining, operations a second",
        r"((?:adapter|loop|naive).+, \d+ ms): operations a second",
        rate,
        "more",
    ),
    Bars(
        "From webhook to API request, idle",
        r"(direct POST.*|adapter: web.*|naive: .*SimpleWorker)",
        ms,
        "less",
    ),
    Curves(
        "What one entry costs while others are pending", r"pending (.+): (take one in|send one)", us
    ),
    Bars(
        "Workspaces and workers", r"(\d workspaces, \d workers): operations a second", rate, "more"
    ),
)


def svg(figures: Figures) -> str:
    """All panels that there are figures for, one under the other."""
    parts: list[str] = []
    y = GAP
    for panel in PANELS:
        found = [
            (match, figure)
            for name, figure in figures.items()
            if (match := re.fullmatch(panel.pattern, name))
        ]
        if found:
            drawn, height = (
                _bars(panel, found) if isinstance(panel, Bars) else _curves(panel, found)
            )
            parts.append(f'<g transform="translate(0 {y})">{drawn}</g>')
            y += height + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        f'height="{y}" role="img" aria-label="What was measured"><style>{_STYLE}</style>'
        f"{''.join(parts)}</svg>\n"
    )


_Found = Sequence[tuple[re.Match[str], dict[str, Any]]]


def _bars(panel: Bars, found: _Found) -> tuple[str, int]:
    most = max(figure["max"] for _, figure in found) or 1.0
    room = WIDTH - LABELS - VALUES
    parts = [_title(panel.title, f"{panel.better} is better")]
    for number, (match, figure) in enumerate(found):
        top = HEAD + number * ROW
        middle = top + ROW / 2 - 2
        low, at, high = (room * figure[name] / most for name in ("min", "median", "max"))
        own = " own" if match[1].startswith(("adapter", "parse and map", "draining")) else ""
        parts.append(
            _text(LABELS - 8, middle + 4, match[1], ' text-anchor="end"')
            + f'<rect class="bar{own}" x="{LABELS}" y="{top}" width="{at:.1f}" height="{ROW - 6}"/>'
            + (
                f'<path class="spread" d="M{LABELS + low:.1f} {middle:.1f}H{LABELS + high:.1f}"/>'
                if high > low
                else ""
            )
            + _text(LABELS + max(at, high) + 8, middle + 4, panel.write(figure["median"]))
        )
    return "".join(parts), HEAD + len(found) * ROW


def _curves(panel: Curves, found: _Found) -> tuple[str, int]:
    sizes = [int(each.replace(",", "")) for each in found[0][0][1].split(", ")]
    most = max(figure["max"] for _, figure in found) or 1.0
    left, right, bottom = 90, WIDTH - 40, HEAD + PLOT - 30
    span = math.log10(sizes[-1] / sizes[0]) or 1.0

    def across(size: int) -> float:
        return left + (right - left) * math.log10(size / sizes[0]) / span

    def up(value: float) -> float:
        return bottom - (bottom - HEAD - 10) * value / most

    parts = [_title(panel.title, "flat is what is wanted")]
    for value in (0.0, most / 2, most):
        parts.append(f'<path class="axis" d="M{left} {up(value):.1f}H{right}"/>')
        parts.append(_text(left - 8, up(value) + 4, panel.write(value), ' text-anchor="end"'))
    for size in sizes:
        parts.append(_text(across(size), bottom + 18, f"{size:,}", ' text-anchor="middle"'))
    for number, (match, figure) in enumerate(found):
        points = [
            (across(size), up(value)) for size, value in zip(sizes, figure["rounds"], strict=True)
        ]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="curve c{number % 2}" points="{line}"/>')
        parts += [
            f'<circle class="k{number % 2}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points
        ]
        parts.append(_text(right, points[-1][1] - 8, match[2], ' text-anchor="end"'))
    return "".join(parts), HEAD + PLOT


def _title(title: str, note: str) -> str:
    beside = f'<tspan class="note" dx="10">{note}</tspan>'
    return f'<text class="title" x="16" y="16">{escape(title)}{beside}</text>'


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escape(text)}</text>'


def read(paths: Sequence[Path]) -> Figures:
    """The figures of all results of all files; of two with one name the later counts."""
    found: Figures = {}
    for path in paths:
        for result in json.loads(path.read_text("utf-8"))["results"]:
            found |= result["figures"]
    return found


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    sys.stdout.write(svg(read([Path(each) for each in arguments])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
