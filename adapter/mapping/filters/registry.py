"""What a filter is, how one is registered, and how one is built with its arguments.

A filter is a factory: it gets the arguments once, when the file is loaded, and returns what is
applied to every value. Its signature is its arity; its examples run as tests. None (absent) passes
through all filters but those registered with `absent=True`; each sees to that itself. What does not
fit is None, as with paths; only arithmetic on what is no number raises ValueError, which then is
the field's problem.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapter.mapping.hints import did_you_mean
from adapter.model import Json

Apply = Callable[[Json], Json]
Argument = str | bool | int | Decimal
Make = Callable[..., Apply]

MOST_GROWN = 100_000
"""Characters up to which a filter may lengthen a text: no event may be larger, and a few in a row
would otherwise make more of a line than there is memory for."""


@dataclass(frozen=True, slots=True)
class Example:
    """`value | call` gives `result`."""

    value: Json
    call: str
    result: Json


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; `least` and `most` count its arguments, `most` None means any number.

    `group` is what it works on, a heading of the docs.
    """

    name: str
    group: str
    about: str
    examples: tuple[Example, ...]
    make: Make
    least: int
    most: int | None
    kinds: tuple[Any, ...]
    takes_absent: bool

    @property
    def signature(self) -> str:
        """How it is written, for the docs: `split(sep=",")`."""
        parts = []
        for parameter in inspect.signature(self.make).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                parts.append(f"{parameter.name}, ...")
            elif parameter.default is parameter.empty:
                parts.append(parameter.name)
            elif parameter.default is None:
                parts.append(f"[{parameter.name}]")
            else:
                parts.append(f'{parameter.name}="{parameter.default}"')
        return f"{self.name}({', '.join(parts)})" if parts else self.name


FILTERS: dict[str, Filter] = {}
"""Every filter by its name, in the order of the docs."""


def named(
    group: str, name: str, about: str, *examples: tuple[Json, str, Json], absent: bool = False
) -> Callable[[Make], Make]:
    """Registers the factory below it; each example is (value, call, result)."""

    def register(make: Make) -> Make:
        parameters = list(inspect.signature(make, eval_str=True).parameters.values())
        rest = [each for each in parameters if each.kind is each.VAR_POSITIONAL]
        least = sum(each.default is each.empty for each in parameters) - len(rest)
        FILTERS[name] = Filter(
            name=name,
            group=group,
            about=about,
            examples=tuple(Example(*each) for each in examples),
            make=make,
            least=least,
            most=None if rest else len(parameters),
            kinds=tuple(each.annotation for each in parameters),
            takes_absent=absent,
        )
        return make

    return register


def build(name: str, arguments: tuple[Argument, ...]) -> Apply:
    """The filter `name` with its arguments bound; raises ValueError with what is wrong."""
    filter_ = FILTERS.get(name)
    if filter_ is None:
        raise ValueError(f"no filter '{name}'{did_you_mean(name, FILTERS)}")
    count = len(arguments)
    if count < filter_.least or (filter_.most is not None and count > filter_.most):
        raise ValueError(f"{name} takes {_arity(filter_)}, got {count}: {filter_.signature}")
    for number, argument in enumerate(arguments):
        expected = filter_.kinds[min(number, len(filter_.kinds) - 1)]
        if not isinstance(argument, expected) or (
            isinstance(argument, bool) and expected is not Argument
        ):
            wanted = "a text in double quotes" if expected in (str, str | None) else "a number"
            raise ValueError(f"{name}: argument {number + 1} must be {wanted}")
    return filter_.make(*arguments)


def _arity(filter_: Filter) -> str:
    least, most = filter_.least, filter_.most
    if most == 0:
        return "no arguments"
    if most is None:
        text = f"at least {least}"
    else:
        text = str(most) if least == most else f"{least} to {most}"
    return f"{text} argument{'' if (most or least) == 1 else 's'}"
