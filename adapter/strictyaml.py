"""YAML without surprises, with the place of everything.

YAML 1.2 core scalars (`NO`, `on` and `0123` are what they look like), duplicate keys refused,
anchors allowed, no tags, one document. The result is a tree of `Node`s that remember file, line
and column, so that whoever reads it can name the place of a fault.

Source of the scalar rules: YAML 1.2.2, section 10.3 "Core Schema".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from adapter.errors import Fault

# libyaml's scanner, where the wheel has it: it alone takes `{a: x ?? y}`, and it is fast.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_COLON = re.compile(r":\s")
_TIGHT = re.compile(r"\s*(?:- +)?[\w-]+:(?=\S)")
_COMMENT = re.compile(r"\s#")
_ODD_BLANK = re.compile(r"[\u00a0\u2000-\u200b\u202f\u3000]")
MOST_VALUES = 200_000
"""A few lines of aliases could come to more than any memory holds."""

_YAML_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a YAML file and where it stands.

    `value` is None, bool, int, float or str for a scalar, a tuple of Nodes for a sequence, a dict
    from key text to Node for a mapping. `keys` holds the Node of each key of a mapping. `quoted`
    says that a scalar stood in quotes (or was a block of text), `blank` that nothing stood where a
    value is expected, not even `null` or `~`. `line` and `column` count from 1.
    """

    value: Any
    file: str
    line: int
    column: int
    quoted: bool = False
    keys: dict[str, Node] | None = None
    blank: bool = False

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_sequence(self) -> bool:
        return isinstance(self.value, tuple)

    @property
    def is_text(self) -> bool:
        return isinstance(self.value, str)

    def items(self) -> Iterator[tuple[Node, Node]]:
        """The (key, value) Nodes of a mapping, in the file's order."""
        keys = self.keys or {}
        for name, value in self.value.items():
            yield keys[name], value

    def get(self, name: str) -> Node | None:
        """The value under a key of a mapping; None where it is absent."""
        found: Node | None = self.value.get(name)
        return found

    def fault(self, message: str, *, offset: int = 0) -> Fault:
        """A fault at this place; `offset` counts characters into an unquoted scalar."""
        return Fault(self.file, self.line, self.column + offset, message)

    def plain(self) -> Any:
        """The value as ordinary dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, tuple):
            return [node.plain() for node in self.value]
        return self.value


def parse(text: str, file: str, faults: list[Fault]) -> Node | None:
    """Read one YAML document; None when it is empty or cannot be read at all.

    Every fault found is appended to `faults`; what could be read is returned all the same, so that
    the caller can go on and report more.
    """
    root, found = _read(text, file)
    faults += found
    return root


@lru_cache(maxsize=128)
def _read(text: str, file: str) -> tuple[Node | None, tuple[Fault, ...]]:
    """The same text is asked for again and again: by a check for each directory that is laid over
    it, by the console for each edit that is tried."""
    faults: list[Fault] = []
    return _root(text, file, faults), tuple(faults)


def _root(text: str, file: str, faults: list[Fault]) -> Node | None:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        row, column, problem = _in_words(error, text.splitlines())
        faults.append(Fault(file, row + 1, column + 1, problem))
        return None
    except yaml.YAMLError as error:
        faults.append(Fault(file, 1, 1, f"not YAML: {str(error).splitlines()[0]}"))
        return None
    if root is None:
        return None
    if _size(root, {}) > MOST_VALUES:
        problem = f"aliases of aliases: it would come to more than {MOST_VALUES:,} values"
        faults.append(Fault(file, 1, 1, problem))
        return None
    return _convert(root, file, faults, ())


def _size(raw: yaml.Node, known: dict[int, int]) -> int:
    """How many values there are once every alias stands for what it names."""
    if id(raw) not in known:
        # One that holds itself is told of by `_convert`.
        known[id(raw)] = 1
        inner = raw.value if isinstance(raw, yaml.CollectionNode) else ()
        pairs = isinstance(raw, yaml.MappingNode)
        values = [each for pair in inner for each in pair] if pairs else inner
        known[id(raw)] = 1 + sum(_size(each, known) for each in values)
    return known[id(raw)]


def _in_words(error: yaml.MarkedYAMLError, lines: list[str]) -> tuple[int, int, str]:
    """Row and column from 0, and what is wrong in words that say what to do about it.

    The scanner's own words are left for what is seldom.
    """
    problem = str(error.problem or error.context)
    mark, began = error.problem_mark or error.context_mark, error.context_mark
    row, column = (mark.line, mark.column) if mark else (0, 0)
    line = lines[row] if row < len(lines) else ""
    above = lines[row - 1] if 0 < row <= len(lines) else ""
    before = line[:column].rstrip()
    if "\t" in line[: _indent(line)]:
        return row, line.index("\t"), "a tab: YAML is indented with blanks"
    if "another document" in problem:
        return row, 0, "a second document begins here: a file holds one, take the '---' out"
    if "mapping values are not allowed" in problem:
        if _COLON.search(before):
            return row, column, "a text that holds ': ' stands in quotes"
        if tight := _TIGHT.match(above):
            return row - 1, tight.end(), "a blank must follow the ':' of a key"
        if _indent(line) > _indent(above):
            deeper = "this line is indented deeper, but the one above has a value already"
            return row, _indent(line), deeper
    if began and "end of stream" in problem:
        return began.line, began.column, "this quoted text is never closed"
    if began and "expected ':'" in problem:
        return began.line, began.column, "a key is followed by ':' and a blank"
    if began and "expected ',' or" in problem and row > began.line:
        for number, each in enumerate(lines[began.line : row], began.line):
            comment = _COMMENT.search(each, began.column if number == began.line else 0)
            if comment:
                said = "' #' begins a comment: a text that holds it stands in quotes"
                return number, comment.start() + 1, said
        return began.line, began.column, "this bracket is never closed"
    if "expected key" in problem or "<block end>" in problem:
        if not before:
            return row, column, "the indentation of this line is that of no line above"
        if before[-1] in "\"'":
            said = "more follows a quoted text: put quotes around the whole, such as '\"a\" ?? b'"
            return row, column, said
    if "cannot start any token" in problem and line[column : column + 1].strip():
        return row, column, f"a text that begins with '{line[column]}' stands in quotes"
    return row, column, f"not YAML: {problem}"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _convert(
    raw: yaml.Node, file: str, faults: list[Fault], parents: tuple[yaml.Node, ...]
) -> Node:
    line, column = raw.start_mark.line + 1, raw.start_mark.column + 1
    if any(raw is parent for parent in parents):
        faults.append(Fault(file, line, column, "an anchor that holds itself"))
        return Node(None, file, line, column)
    if not raw.tag.startswith(_YAML_TAG) or "/" in raw.tag:
        faults.append(Fault(file, line, column, "tags are not allowed"))
    inside = (*parents, raw)
    if isinstance(raw, yaml.MappingNode):
        values: dict[str, Node] = {}
        keys: dict[str, Node] = {}
        for raw_key, raw_value in raw.value:
            key = _convert(raw_key, file, faults, inside)
            if not isinstance(raw_key, yaml.ScalarNode):
                faults.append(key.fault("a key must be text"))
                continue
            name = raw_key.value
            if not raw_key.style and (odd := _ODD_BLANK.match(name)):
                code = f"U+{ord(odd[0]):04X}"
                problem = f"a blank that is none ({code}, as web pages have it): type it anew"
                faults.append(key.fault(problem))
                continue
            if name in values:
                first = keys[name]
                faults.append(key.fault(f"duplicate key '{name}', first on line {first.line}"))
                continue
            values[name] = _convert(raw_value, file, faults, inside)
            keys[name] = key
        return Node(values, file, line, column, keys=keys)
    if isinstance(raw, yaml.SequenceNode):
        elements = tuple(_convert(element, file, faults, inside) for element in raw.value)
        return Node(elements, file, line, column)
    if isinstance(raw, yaml.ScalarNode) and raw.style:  # plain is None, or '' of libyaml
        return Node(raw.value, file, line, column, quoted=True)
    return Node(_scalar(raw.value), file, line, column, blank=raw.value == "")


def _scalar(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
