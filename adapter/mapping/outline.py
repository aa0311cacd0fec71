"""What mapping files write, expression by expression and with its place: to explain and to lint.

Plans are made to be evaluated, an outline to be talked about. Both come from the same trees, so an
outline holds what overlays changed, at the place that changed it. What does not parse is left out:
that is a fault, and the compiler tells of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from adapter.mapping import parser, syntax
from adapter.mapping.compile_event import PARTS as EVENT_PARTS
from adapter.mapping.compiler import PARTS
from adapter.mapping.expressions import Evaluate, compile_template, compile_tree, literal
from adapter.mapping.loader import Sources
from adapter.mapping.overlays import lay_over
from adapter.mapping.parser import ExpressionError
from adapter.mapping.syntax import Either, Path, Tree
from adapter.mapping.trees import entries
from adapter.strictyaml import Node

Role = tuple[str, ...]
"""What an expression is for: `("events", "order_completed", "at")`."""

_NO_EXPRESSIONS = frozenset({"topics", "tests", "release", "fragments"})
_SEVERAL = frozenset({"when", "once"})  # one expression, or a list of them
_LITERAL, _TEXT, _LIST = {"value"}, {"text"}, {"each", "use"}
_SECTIONS = ("properties", "attributes", "gaps", "times", "tokens", "with", "product")
"""Where `{value: ...}` is no literal, but something that is called so."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative of `a ?? b`."""

    text: str
    evaluate: Evaluate
    is_literal: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """One expression as its file writes it.

    `trees` are what it reads the body by: one of an expression, several of a text with braces, none
    of a literal. A `negated` condition begins with `not`. `uses` names the fragment that every
    element becomes an item by.
    """

    node: Node
    text: str
    choices: tuple[Choice, ...]
    trees: tuple[Tree, ...] = ()
    negated: bool = False
    uses: str | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every path of the body, or of an element of a list, that it reads."""
        return tuple(path for tree in self.trees for path in syntax.paths(tree))


@dataclass(slots=True)
class Outline:
    """One mapping file: its topics, and every expression by its role."""

    root: Node
    topics: tuple[Node, ...] = ()
    written: dict[Role, Written] = field(default_factory=dict)

    def get(self, *role: str) -> Written | None:
        return self.written.get(role)

    def below(self, *role: str) -> dict[str, Written]:
        """What stands right below a part of the file, by the last word of its role."""
        size = len(role)
        return {
            each[size]: written
            for each, written in self.written.items()
            if each[:size] == role and len(each) == size + 1
        }


Fragments = dict[str, dict[str, Written]]
"""The fields of each fragment, as their expressions."""


@dataclass(slots=True)
class Outlines:
    """The mapping files of a platform, or of one shop of it, and the fragments that they share."""

    files: tuple[Outline, ...]
    fragments: Fragments

    def of(self, topic: str) -> Outline | None:
        """The file that is for a topic."""
        for outline in self.files:
            if any(node.value == topic for node in outline.topics):
                return outline
        return None


def outlines(sources: Sources, platform: str, shop: str = "") -> Outlines:
    """The files that hold for a platform's shop, its own laid over those for all shops."""
    trees = dict(sources.platforms.get(platform, {}))
    for name, own in sources.shops.get((platform, shop), {}).items():
        base = trees.get(name)
        trees[name] = lay_over(base, own, name, [], []) if base else own
    roots = [root for root in trees.values() if root.is_mapping]
    fragments = {
        name: {each: written for each, _, value in _entries(node) if (written := _read(value))}
        for root in roots
        for name, _, node in _entries(root.get("fragments"))
    }
    return Outlines(tuple(_outline(root) for root in roots), fragments)


def _outline(root: Node) -> Outline:
    topics = root.get("topics")
    several = topics.value if topics is not None and topics.is_sequence else ()
    found = tuple(each for each in several if each.is_text)
    outline = Outline(root, found)
    for name, _, node in entries(root):
        if name in PARTS and name not in _NO_EXPRESSIONS:
            for role, written in _walk((name,), node):
                if _is_known(role):
                    outline.written[role] = written
    return outline


def _is_known(role: Role) -> bool:
    """Below a name that is misspelt nothing counts: that name is the fault."""
    return role[0] != "events" or (len(role) > 2 and role[2] in EVENT_PARTS)


def _walk(role: Role, node: Node) -> Iterator[tuple[Role, Written]]:
    if role[-1] in _SEVERAL:
        several = node.value if node.is_sequence else (node,)
        for number, each in enumerate(several):
            yield from _walk((*role, str(number)), each)
    elif not node.is_mapping or (
        set(node.value) in (_LITERAL, _TEXT) and role[-1] not in _SECTIONS
    ):
        if role != ("action", "kind") and (written := _read(node, condition=_is_condition(role))):
            yield role, written
    elif set(node.value) == _LIST:
        use = node.value["use"]
        if written := _read(node.value["each"], uses=str(use.value)):
            yield role, written
    else:
        for name, _, inner in entries(node):
            yield from _walk((*role, name), inner)


def _is_condition(role: Role) -> bool:
    return role[0] == "ignore_when" or "when" in role or role == ("catalog", "removed")


def _read(node: Node, *, condition: bool = False, uses: str | None = None) -> Written | None:
    try:
        if node.is_text:
            text = " ".join(node.value.split())
            negated, tree = parser.parse_condition(node.value) if condition else (False, None)
            tree = parser.parse(node.value) if tree is None else tree
            choices = tuple(_choice(each) for each in _alternatives(tree))
            return Written(node, text, choices, (tree,), negated, uses)
        if node.is_mapping and set(node.value) == _TEXT:
            inner = node.value["text"]
            template = compile_template(inner.value)
            pieces = parser.parse_template(inner.value)
            trees = tuple(each for each in pieces if not isinstance(each, str))
            return Written(inner, inner.value, (Choice(inner.value, template.evaluate),), trees)
    except (ExpressionError, TypeError):
        return None
    if node.is_sequence or node.value is None:
        return None
    value = node.value["value"].plain() if node.is_mapping else node.value
    constant = literal(value)
    return Written(node, constant.text, (Choice(constant.text, constant.evaluate, True),))


def _choice(tree: Tree) -> Choice:
    return Choice(str(tree), compile_tree(tree).evaluate, isinstance(tree, syntax.Literal))


def _alternatives(tree: Tree) -> Iterable[Tree]:
    if not isinstance(tree, Either):
        return (tree,)
    return tuple(inner for choice in tree.choices for inner in _alternatives(choice))


def _entries(node: Node | None) -> list[tuple[str, Node, Node]]:
    return list(entries(node)) if node is not None and node.is_mapping else []
