"""Small helpers over YAML trees. Overlays will merge trees here, before anything is compiled."""

from __future__ import annotations

from collections.abc import Iterator

from adapter.strictyaml import Node


def entries(node: Node) -> Iterator[tuple[str, Node, Node]]:
    """(name, key, value) of a mapping in the file's order; the name is the key as written."""
    for name, value in node.value.items():
        yield name, (node.keys or {})[name], value


def place_in(text: str, node: Node, offset: int) -> tuple[int, int]:
    """The line and column in a file's text of one character of a scalar.

    Quotes, escapes and folded lines make a scalar longer in the file than its value is: the two
    are walked side by side.
    """
    at = 0
    for _ in range(node.line - 1):
        at = text.find("\n", at) + 1
    at += node.column - 1
    single = text.startswith("'", at)
    if node.quoted:
        block = text[at : at + 1] in "|>"
        at = text.find("\n", at) if block else at + 1
    for character in node.value[:offset]:
        at = _skip_space(text, at)
        if not character.isspace():
            escaped = text.startswith("\\", at) and character != "\\"
            doubled = single and character == "'"
            at += 2 if escaped or doubled else 1
    if offset < len(node.value) and not node.value[offset].isspace():
        at = _skip_space(text, at)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
