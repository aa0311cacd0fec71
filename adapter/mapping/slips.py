"""What somebody meant who wrote an expression as another language has it, in a few words.

The parser says what it expected and found; what stands here is added, so that a fault teaches the
way to say it.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[=!<>]=?|&&|\|\||[A-Za-z0-9_$][\w.$-]{0,59}|.", re.S)
_COMPARES = re.compile(r"(==?|!=|[<>]=?)\s*('[^']*'|\"[^\"]*\"|-?[0-9.]+|[\w-]+)?")
_PLAIN = re.compile(r"[A-Za-z][\w'&-]*(?: +[\w'&-]+)+")
_OPERAND = re.compile(r"(?:^|[({?]|\bnot) *([$A-Za-z_][\w.$-]*) *$")
_FILTERS = {"=": "eq", "==": "eq", "!=": "eq", ">": "gt", ">=": "lt", "<": "lt", "<=": "gt"}
_NEGATED = ("!=", ">=", "<=")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

NO_ALTERNATIVE = "there is no '||'; what to take where it is absent stands behind '??'"
QUOTES = "texts stand in double quotes"
NEVER_CLOSED = (
    "this text is never closed; YAML takes ' #' for the beginning of a comment, "
    "so an expression with one stands in single quotes"
)


def word(text: str, at: int) -> str:
    """What stands at a place, as a whole: a word, an operator or one sign."""
    found = _WORD.match(text, at)
    return f"'{found[0]}'" if found else "the end"


def taught(text: str, at: int) -> str:
    """What follows a message about an expression that should have ended at a place, or nothing."""
    rest = text[at:]
    compared = _COMPARES.match(rest)
    if compared:
        return f"; {_comparison(text[:at], compared[1], compared[2] or '')}"
    found = word(text, at)[1:-1]
    if found in ("+", "-", "*", "/", "%"):
        return "; there is no arithmetic: values are taken as the body has them"
    if found in ("and", "&&"):
        return f"; there is no '{found}': `when` takes a list of conditions that all must hold"
    if found == "or":
        return "; there is no 'or': what to take where it is absent stands behind '??'"
    if found == "?":
        return "; `a ?? b` is b where a is absent; one value for another: `| lookup(...)`"
    before = text[:at].split()
    if before[-1:] == ["not"]:
        return "; only a condition begins with 'not'"
    if _PLAIN.fullmatch(text.strip()):
        return f"; a text that stands for itself is written {{value: {text.strip()}}}"
    return ""


def of_selector(name: str, value: str, text: str, at: int) -> str:
    """What follows a message about `[name=value` that is not closed where it should be."""
    end = text.find("]", at)
    if end < 0:
        return ""
    return f'; several words stand in double quotes: [{name}="{value} {text[at:end].strip()}"]'


def _comparison(left: str, operator: str, right: str) -> str:
    name = _FILTERS[operator]
    if right[:1] in ("'", '"'):
        right = f'"{right[1:-1]}"'
    elif not _NUMBER.fullmatch(right) and right not in ("true", "false"):
        right = f'"{right}"' if right and name == "eq" else "..."
    operand = _OPERAND.search(left)
    asked = f"{operand[1]} | " if operand else "| "
    negated = "not " if operator in _NEGATED and operand else ""
    return f"compare with a filter: {negated}{asked}{name}({right})"
