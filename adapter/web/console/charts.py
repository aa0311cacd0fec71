"""Charts as inline SVG, drawn here: no script, and nothing that a strict policy forbids.

Colours come from the stylesheet (`.s0` to `.s7`). Whoever does not see the chart has its table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 150
LEFT, BOTTOM, TOP = 40, 20, 8
COLOURS = 8
SPARK_WIDTH, SPARK_HEIGHT = 96, 20

Column = tuple[str, Mapping[str, float]]
"""What stands below a column, and the parts that it is made of."""


def bars(title: str, columns: Sequence[Column], names: Sequence[str]) -> Markup:
    """Columns beside each other, each stacked of its parts in the order of `names`."""
    most = max((sum(parts.values()) for _, parts in columns), default=0)
    top = nice(most)
    wide = (WIDTH - LEFT) / max(1, len(columns))
    high = HEIGHT - BOTTOM - TOP
    drawn = [_grid(top, high)]
    for place, (label, parts) in enumerate(columns):
        x, y = LEFT + place * wide, float(HEIGHT - BOTTOM)
        for part, name in enumerate(names):
            value = parts.get(name, 0)
            if not value:
                continue
            height = value / top * high
            y -= height
            drawn.append(
                Markup(
                    '<rect class="s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                    "<title>{}: {} {:g}</title></rect>"
                ).format(part % COLOURS, x + wide * 0.1, y, wide * 0.8, height, label, name, value)
            )
        every = max(1, -(-len(columns) // 6))
        if place % every == 0:
            # On a phone letters are larger, and there is room for every other one.
            kind = "label below between" if place // every % 2 else "label below"
            drawn.append(
                Markup('<text x="{:.1f}" y="{}" class="{}">{}</text>').format(
                    x + wide * 0.1, HEIGHT - 5, kind, label
                )
            )
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="chart">{}</svg>'
    ).format(WIDTH, HEIGHT, title, Markup("").join(drawn))


def spark(title: str, shares: Sequence[float | None]) -> Markup:
    """Shares from 0 to 1 as small columns; None is a day of which nothing is known."""
    wide = SPARK_WIDTH / max(1, len(shares))
    drawn = []
    for place, share in enumerate(shares):
        if share is None:
            continue
        height = max(1.0, share * SPARK_HEIGHT)
        drawn.append(
            Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"></rect>').format(
                place * wide, SPARK_HEIGHT - height, max(1.0, wide - 2), height
            )
        )
    return Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="spark">{}</svg>'
    ).format(SPARK_WIDTH, SPARK_HEIGHT, escape(title), Markup("").join(drawn))


def nice(most: float) -> float:
    """A round number that is not below `most`."""
    if most <= 0:
        return 1.0
    step = 1.0
    while step * 10 <= most:
        step *= 10
    return next(step * times for times in (1, 2, 5, 10) if step * times >= most)


def _grid(top: float, high: float) -> Markup:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = HEIGHT - BOTTOM - share * high
        lines.append(
            Markup(
                '<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" class="grid"></line>'
                '<text x="{}" y="{:.1f}" class="label end">{:g}</text>'
            ).format(LEFT, WIDTH, y, y, LEFT - 4, y + 3, top * share)
        )
    return Markup("").join(lines)
