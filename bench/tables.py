"""Figures of several rounds, and how they are printed: medians, spread, goals reached or missed."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Write = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of every round. The median is what is compared; min and max show the spread."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure:
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def ratio(self, other: Figure) -> Figure:
        """Round by round, so that a slow minute of the machine touches both sides."""
        return Figure.of(a / b for a, b in zip(self.values, other.values, strict=True))

    def shown(self, write: Write) -> str:
        if len(self.values) == 1:
            return write(self.median)
        return f"{write(self.median)}  ({write(min(self.values))} to {write(max(self.values))})"

    def to_json(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "rounds": list(self.values),
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure is to reach; a goal decides about nothing, it is printed beside the figure."""

    what: str
    figure: Figure
    bound: float
    at_most: bool
    write: Write
    later: bool = False

    @property
    def reached(self) -> bool:
        return self._holds(self.figure.median)

    def _holds(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    def line(self) -> str:
        sign = "at most" if self.at_most else "at least"
        later = " (a later goal)" if self.later else ""
        verdict = "reached" if self.reached else "missed"
        same = sum(self._holds(value) == self.reached for value in self.figure.values)
        rounds = len(self.figure.values)
        doubt = "" if same == rounds else f", in {same} of {rounds} rounds"
        return (
            f"{verdict:7}  {self.what}: {self.figure.shown(self.write)}, "
            f"goal {sign} {self.write(self.bound)}{later}{doubt}"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "figure": self.figure.to_json(),
            "bound": self.bound,
            "at_most": self.at_most,
            "later": self.later,
            "reached": self.reached,
        }


@dataclass(slots=True)
class Table:
    """Rows under a title. The first column is text, all others stand at the right."""

    title: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        self.rows.append(cells)

    def lines(self) -> list[str]:
        widths = [
            max(len(row[column]) for row in (self.head, *self.rows))
            for column in range(len(self.head))
        ]
        rule = "  ".join("-" * width for width in widths)
        rows = [_row(row, widths) for row in self.rows]
        notes = [f"  {note}" for note in self.notes]
        return [self.title, "", _row(self.head, widths), rule, *rows, *notes]

    def to_json(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "head": list(self.head),
            "rows": [list(row) for row in self.rows],
            "notes": self.notes,
        }


@dataclass(slots=True)
class Result:
    """What one subject has to say."""

    subject: str
    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    figures: dict[str, Figure] = field(default_factory=dict)

    def show(self) -> None:
        print(f"\n== {self.subject}")
        for table in self.tables:
            print("\n" + "\n".join(table.lines()))
        if self.goals:
            print("\n" + "\n".join(goal.line() for goal in self.goals))
        sys.stdout.flush()

    def to_json(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "tables": [table.to_json() for table in self.tables],
            "goals": [goal.to_json() for goal in self.goals],
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
        }


def header() -> str:
    """When and where; without it no figure means anything."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{now} | {os.cpu_count()} CPUs | Python {platform.python_version()} | "
        f"{platform.system()} {platform.machine()} | load {load}\n"
        "The machine is shared: trust ratios of one run, not figures of two. "
        "Shown: median (min to max) of the rounds."
    )


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    row = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return "  ".join(row).rstrip()


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us"


def ns(seconds: float) -> str:
    return f"{seconds * 1e9:.0f} ns"


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def rate(per_second: float) -> str:
    return f"{per_second:,.0f}/s" if per_second >= 100 else f"{per_second:.1f}/s"


def times(ratio: float) -> str:
    return f"{ratio:.2f}x"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
