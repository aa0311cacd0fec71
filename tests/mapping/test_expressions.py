"""The language of expressions: what each form finds, and what each mistake is answered."""

# ruff: noqa: E501 - a table has one row a line

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.mapping import parser
from adapter.mapping.expressions import compile_condition, compile_template, compile_text
from adapter.mapping.parser import ExpressionError
from adapter.mapping.syntax import Tree, paths

from .conftest import DELIVERY
from .strategies import BODIES, TREES

BODY: dict[str, Any] = {
    "id": 820982911946154508,
    "name": "",
    "blank": " \n",
    "none": None,
    "zero": 0,
    "no": False,
    "empty": [],
    "object": {},
    "customer": {"email": "ada@x.com", "default_address": {"city": "London"}},
    "lines": [
        {"sku": "A", "tags": [{"t": 1}, {"t": 2}], "codes": ["x", "y"]},
        {"sku": None, "tags": [{"t": 3}], "codes": ["z"]},
        {"sku": "C"},
        "no object",
    ],
    "attributes": [
        {"name": "store", "value": "Berlin"},
        {"name": "store", "value": "second"},
        {"name": 7, "value": "seven"},
        {"name": True, "value": "yes"},
        {"name": Decimal("1.50"), "value": "number"},
        {"name": 'a "b" \\', "value": "quoted"},
    ],
    "cart_token": "c1-abc?key=9",
}

FOUND: list[tuple[str, Any]] = [
    # paths
    ("id", 820982911946154508),
    ("customer.email", "ada@x.com"),
    ("customer.default_address.city", "London"),
    ("lines[0].sku", "A"),
    ("lines[-2].sku", "C"),
    ("lines[2].sku", "C"),
    # what does not fit is absent, never an error
    ("nothing", None),
    ("nothing.at.all", None),
    ("id.a", None),
    ("lines.sku", None),
    ("customer[0]", None),
    ("lines[9].sku", None),
    ("lines[-9]", None),
    ("id[]", None),
    ("name[a=b]", None),
    # projections: absent elements are left out, lists in lists are one list
    ("lines[].sku", ["A", "C"]),
    ("lines[].tags[].t", [1, 2, 3]),
    ("lines[].tags[0].t", [1, 3]),
    ("lines[].codes", [["x", "y"], ["z"]]),
    ("lines[].codes[]", ["x", "y", "z"]),
    ("empty[].a", []),
    # selectors: the first element whose key has that text
    ("attributes[name=store].value", "Berlin"),
    ('attributes[name="store"].value', "Berlin"),
    ("attributes[name=7].value", "seven"),
    ("attributes[name=true].value", "yes"),
    ('attributes[name="1.50"].value', "number"),
    ('attributes[ name = "a \\"b\\" \\\\" ].value', "quoted"),
    ("attributes[name=nobody].value", None),
    # ?? goes on after absent, null, blank text and empty lists; not after 0, false or {}
    ("nothing ?? name ?? blank ?? none ?? empty ?? customer.email", "ada@x.com"),
    ("zero ?? id", 0),
    ("no ?? id", False),
    ("object ?? id", {}),
    ("name ?? blank", " \n"),
    # | binds tighter than ??, parentheses group
    ('cart_token | before("?") ?? id', "c1-abc"),
    ('nothing | upper ?? cart_token | before("?")', "c1-abc"),
    ("(nothing ?? customer.email) | upper", "ADA@X.COM"),
    ("((id))", 820982911946154508),
    # literals
    ('name ?? "none"', "none"),
    ("name ?? 5", 5),
    ("name ?? -1.50", Decimal("-1.50")),
    ("name ?? false", False),
    # facts of the delivery; times in whole seconds
    ("$topic", "orders/paid"),
    ("$shop", "acme.example"),
    ("$platform", "acme"),
    ("$api_version", "2026-07"),
    ("$triggered_at", 1767225600),
    ("$received_at", 1767225609),
    ("name ?? $received_at", 1767225609),
]


@pytest.mark.parametrize(("text", "value"), FOUND)
def test_found(text: str, value: Any) -> None:
    assert compile_text(text).evaluate(BODY, DELIVERY) == value


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("id", True),
        ("not id", False),
        ("nothing", False),
        ("none", False),
        ("name", False),
        ("blank", False),
        ("zero", False),
        ("no", False),
        ("empty", False),
        ("object", False),
        ("not(nothing ?? name)", True),
        ("not nothing | present", True),
        ("notes", False),  # a path, not a negated "es"
        ("true", True),
    ],
)
def test_conditions(text: str, truth: bool) -> None:
    assert compile_condition(text)(BODY, DELIVERY) is truth


SLIP = "expected '|', '??' or the end, found"
CLOSED = "; YAML takes ' #' for the beginning of a comment, so an expression with one stands in single quotes"
MISTAKES: list[tuple[str, int, str]] = [
    ("", 0, "expected a path, a $fact, a text or a number, found the end"),
    ("a.", 2, "expected a name after '.', found the end"),
    ("a..b", 2, "expected a name after '.', found '.'"),
    ("a[0] b.c", 5, f"{SLIP} 'b.c'"),
    ("a[", 2, "expected a number, name=value or ']', found the end"),
    ("a[0", 3, "expected ']' to close the bracket, found the end"),
    ("a[b]", 3, "expected '=' after 'b', found ']'"),
    ("a[b=]", 4, "expected a word or a text in double quotes, found ']'"),
    ("a ??", 4, "expected a path, a $fact, a text or a number, found the end"),
    ("a ?? | lower", 5, "expected a path, a $fact, a text or a number, found '|'"),
    ("a |", 3, "expected the name of a filter after '|', found the end"),
    ("(a", 2, "expected ')' to close the parenthesis, found the end"),
    ("a)", 1, "expected '|', '??' or the end, found ')'"),
    ("'pos'", 0, "texts stand in double quotes"),
    ('"pos', 0, f"this text is never closed{CLOSED}"),
    ('a | before("', 11, f"this text is never closed{CLOSED}"),
    ('"a\\n"', 2, 'a backslash stands only before " and \\'),
    ("$", 1, "expected the name of a fact after '$', found the end"),
    ("a ?? $topc", 5, "no fact '$topc', did you mean 'topic'?"),
    ('a | befor("?")', 4, "no filter 'befor', did you mean 'before'?"),
    ("a | xyzzy", 4, "no filter 'xyzzy'"),
    ("a | before", 4, "before takes 1 argument, got 0: before(sep)"),
    ('a | split(",", ";")', 4, 'split takes 0 to 1 argument, got 2: split(sep=",")'),
    ("a | lower | one_of", 12, "one_of takes at least 1 argument, got 0: one_of(x, more, ...)"),
    ("a | lower()", 10, "expected a text in double quotes, a number, true or false, found ')'"),
    ("a | before(?)", 11, "expected a text in double quotes, a number, true or false, found '?'"),
    ("a | before(5)", 4, "before: argument 1 must be a text in double quotes"),
    ('a | gt("5")', 4, "gt: argument 1 must be a number"),
    ("a | gt(true)", 4, "gt: argument 1 must be a number"),
    ('a | before("")', 4, "the separator is empty"),
    ('a | lookup("web")', 4, "lookup: 'web' is not written from=to"),
    ('a | lookup("a=b", "a=c")', 4, "lookup: 'a' stands there twice"),
    ('a | before("?"', 14, "expected ')' to close the arguments, found the end"),
    ("(" * 25 + "a", 20, "more than 20 parentheses inside each other"),
]
SLIPS: list[tuple[str, int, str]] = [
    # as other languages have it
    ('state == "paid"', 6, f"{SLIP} '=='; compare with a filter: state | eq(\"paid\")"),
    ("state == 'paid'", 6, f"{SLIP} '=='; compare with a filter: state | eq(\"paid\")"),
    ("state = paid", 6, f"{SLIP} '='; compare with a filter: state | eq(\"paid\")"),
    ('a.b != "c"', 4, f"{SLIP} '!='; compare with a filter: not a.b | eq(\"c\")"),
    ("total > 5", 6, f"{SLIP} '>'; compare with a filter: total | gt(5)"),
    ("total <= limit", 6, f"{SLIP} '<='; compare with a filter: not total | gt(...)"),
    (
        '(a ?? b == "c")',
        8,
        "expected ')' to close the parenthesis, found '=='; compare with a filter: b | eq(\"c\")",
    ),
    ('a | lower == "c"', 10, f"{SLIP} '=='; compare with a filter: | eq(\"c\")"),
    ('not a == "c"', 4, f"{SLIP} 'a'; only a condition begins with 'not'"),
    ("total ==", 6, f"{SLIP} '=='; compare with a filter: total | eq(...)"),
    ("total * 2", 6, f"{SLIP} '*'; there is no arithmetic: values are taken as the body has them"),
    (
        "a and b",
        2,
        f"{SLIP} 'and'; there is no 'and': `when` takes a list of conditions that all must hold",
    ),
    (
        "a && b",
        2,
        f"{SLIP} '&&'; there is no '&&': `when` takes a list of conditions that all must hold",
    ),
    (
        "a or b",
        2,
        f"{SLIP} 'or'; there is no 'or': what to take where it is absent stands behind '??'",
    ),
    ("a || b", 2, "there is no '||'; what to take where it is absent stands behind '??'"),
    (
        "a ? b",
        2,
        f"{SLIP} '?'; `a ?? b` is b where a is absent; one value for another: `| lookup(...)`",
    ),
    ("not a", 4, f"{SLIP} 'a'; only a condition begins with 'not'"),
    ("(a b)", 3, "expected ')' to close the parenthesis, found 'b'"),
    # what YAML has taken the quotes of
    ("Web Shop", 4, f"{SLIP} 'Shop'; a text that stands for itself is written {{value: Web Shop}}"),
    (
        "a[name=gift message].b",
        12,
        "expected ']' to close the bracket, found 'message'; several words stand in double quotes: [name=\"gift message\"]",
    ),
    ("a[name=gift message", 12, "expected ']' to close the bracket, found 'message'"),
    ("a[name='gift']", 7, "texts stand in double quotes"),
    ("a | before('?')", 11, "texts stand in double quotes"),
]


@pytest.mark.parametrize(("text", "offset", "problem"), MISTAKES + SLIPS)
def test_mistakes(text: str, offset: int, problem: str) -> None:
    with pytest.raises(ExpressionError) as error:
        compile_text(text)
    assert (error.value.offset, error.value.problem) == (offset, problem)


def test_a_brace_is_closed_behind_its_expression() -> None:
    with pytest.raises(ExpressionError) as error:
        compile_template("https://{$shop == 5}")
    assert (error.value.offset, error.value.problem) == (
        15, "expected '}' to close the brace, found '=='; compare with a filter: $shop | eq(5)",
    )  # fmt: skip


def test_which_paths_it_reads() -> None:
    tree = parser.parse('a.b[0].c ?? (d[x=y].e | lower) ?? $topic ?? "f"')
    assert [path.names for path in paths(tree)] == [("a", "b", "c"), ("d", "e")]


@given(TREES)
def test_a_tree_can_be_written_and_read_again(tree: Tree) -> None:
    assert parser.parse(str(tree)) == tree


@given(st.text() | st.text(alphabet='a.[]=?|$()" \\1-,'))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parser.parse_condition(text)
    except ExpressionError as mistake:
        offset = mistake.offset
        assert 0 <= offset <= len(text)


SOME = [compile_text(text) for text, _ in FOUND] + [
    compile_text(text)
    for text in (
        "a.b[].c[0].id | join(\",\") | split | first | upper",
        'items[a=b].total ?? items[].n | where("a", "b") | last',
        'a | where("id", 0) | count',
        'email | query("a") ?? total | lookup("a=b", "*=c") | after("c") | trim',
        "a ?? b | present | only(true)",
        "items | eq(0) ?? n | one_of(1, 2.5, \"a\")",
    )
]  # fmt: skip
CALCULATING = [
    compile_text(text)
    for text in ("total | gt(0)", "n | lt(1.5)", "items[].total | sum", 'a | sum("n")', "a | cents")
]


@given(BODIES)
def test_no_body_breaks_an_expression(body: dict[str, Any]) -> None:
    for expression in SOME:
        expression.evaluate(body, DELIVERY)


@given(BODIES)
def test_calculating_filters_only_ever_say_what_is_no_number(body: dict[str, Any]) -> None:
    for expression in CALCULATING:
        try:
            expression.evaluate(body, DELIVERY)
        except ValueError as problem:
            text = str(problem)
            assert text.startswith("expected number, got ")
