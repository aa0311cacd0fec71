"""The expressions of mapping files: text -> syntax tree, with the exact place of every mistake.

condition := ['not'] expr
expr      := piped ('??' piped)*
piped     := operand ('|' filter)*
operand   := path | '$' name | '(' expr ')' | "text" | number | true | false
filter    := name [ '(' literal (',' literal)* ')' ]
path      := name part*
part      := '.' name | '[' int ']' | '[]' | '[' name '=' value ']'
"""

from __future__ import annotations

import re
from decimal import Decimal

from adapter.mapping import slips
from adapter.mapping.syntax import (
    WORD,
    Call,
    Either,
    Every,
    Fact,
    Index,
    Key,
    Literal,
    Match,
    Part,
    Path,
    Pipe,
    Tree,
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_INDEX = re.compile(r"-?[0-9]{1,9}")
_SPACE = re.compile(r"\s*")
_NOT = re.compile(r"not(?=[\s(])\s*")
_DEEPEST = 20


class ExpressionError(ValueError):
    """A mistake in an expression, `offset` characters into it."""

    def __init__(self, offset: int, problem: str) -> None:
        self.offset = offset
        self.problem = problem
        super().__init__(f"{problem} (at character {offset + 1})")


def parse(text: str) -> Tree:
    """The tree of an expression; raises ExpressionError."""
    return _whole(_Reader(text, 0))


def parse_condition(text: str) -> tuple[bool, Tree]:
    """Whether a condition is negated by `not`, and its expression; raises ExpressionError."""
    reader = _Reader(text, 0)
    negated = _NOT.match(text, reader.at)
    if negated:
        reader.at = negated.end()
    return negated is not None, _whole(reader)


def parse_template(text: str) -> tuple[str | Tree, ...]:
    """The literal texts and the trees of a template in their order; raises ExpressionError."""
    pieces: list[str | Tree] = []
    literal = ""
    at = 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            literal += text[at]
            at += 2
        elif text[at] == "}":
            raise ExpressionError(at, "'}' closes nothing; a brace of the text is written '}}'")
        elif text[at] == "{":
            reader = _Reader(text, at + 1)
            tree = _expr(reader)
            if reader.at >= len(text) or text[reader.at] != "}":
                raise reader.slip("'}' to close the brace")
            pieces += [literal, tree] if literal else [tree]
            literal, at = "", reader.at + 1
        else:
            literal += text[at]
            at += 1
    return (*pieces, literal) if literal else tuple(pieces)


class _Reader:
    """A text and how far it was read."""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at
        self.depth = 0
        self.skip()

    def skip(self) -> None:
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        self.skip()
        return True

    def match(self, pattern: re.Pattern[str], *, skip: bool = True) -> str | None:
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        if skip:
            self.skip()
        return found[0]

    def need(self, token: str, closes: str) -> None:
        if not self.take(token):
            raise self.slip(f"'{token}' to close {closes}")

    def found(self) -> str:
        return slips.word(self.text, self.at)

    def slip(self, expected: str) -> ExpressionError:
        """An expression went on where it should have ended."""
        hint = slips.taught(self.text, self.at)
        return self.error(f"expected {expected}, found {self.found()}{hint}")

    def error(self, problem: str) -> ExpressionError:
        return ExpressionError(self.at, problem)


def _whole(reader: _Reader) -> Tree:
    tree = _expr(reader)
    if reader.at < len(reader.text):
        raise reader.slip("'|', '??' or the end")
    return tree


def _expr(reader: _Reader) -> Tree:
    choices = [_piped(reader)]
    while reader.take("??"):
        choices.append(_piped(reader))
    return choices[0] if len(choices) == 1 else Either(tuple(choices))


def _piped(reader: _Reader) -> Tree:
    operand = _operand(reader)
    calls = []
    while reader.take("|"):
        if reader.text.startswith("|", reader.at):
            raise ExpressionError(reader.at - 1, slips.NO_ALTERNATIVE)
        calls.append(_call(reader))
    return Pipe(operand, tuple(calls)) if calls else operand


def _operand(reader: _Reader) -> Tree:
    start = reader.at
    if reader.take("("):
        reader.depth += 1
        if reader.depth > _DEEPEST:
            problem = f"more than {_DEEPEST} parentheses inside each other"
            raise ExpressionError(start, problem)
        inner = _expr(reader)
        reader.need(")", "the parenthesis")
        reader.depth -= 1
        return inner
    if reader.take("$"):
        name = reader.match(_NAME)
        if name is None:
            raise reader.error(f"expected the name of a fact after '$', found {reader.found()}")
        return Fact(name, start)
    literal = _literal(reader)
    if literal is not None:
        return literal
    name = reader.match(_NAME, skip=False)
    if name is not None:
        return _path(reader, name)
    _refuse_single_quotes(reader)
    raise reader.error(f"expected a path, a $fact, a text or a number, found {reader.found()}")


def _path(reader: _Reader, name: str) -> Path:
    parts: list[Part] = [Key(name)]
    while True:
        if reader.text.startswith(".", reader.at):
            reader.at += 1
            key = reader.match(_NAME, skip=False)
            if key is None:
                raise reader.error(f"expected a name after '.', found {reader.found()}")
            parts.append(Key(key))
        elif reader.text.startswith("[", reader.at):
            reader.at += 1
            reader.skip()
            part = _bracket(reader)
            if not reader.text.startswith("]", reader.at):
                problem = f"expected ']' to close the bracket, found {reader.found()}"
                if isinstance(part, Match):
                    problem += slips.of_selector(part.name, part.value, reader.text, reader.at)
                raise reader.error(problem)
            parts.append(part)
            reader.at += 1
        else:
            reader.skip()
            return Path(tuple(parts))


def _bracket(reader: _Reader) -> Part:
    if reader.text.startswith("]", reader.at):
        return Every()
    name = reader.match(_NAME)
    if name is None:
        number = reader.match(_INDEX)
        if number is None:
            raise reader.error(f"expected a number, name=value or ']', found {reader.found()}")
        return Index(int(number))
    if not reader.take("="):
        raise reader.error(f"expected '=' after '{name}', found {reader.found()}")
    value = _text(reader)
    if value is None:
        value = reader.match(WORD)
    if value is None:
        _refuse_single_quotes(reader)
        raise reader.error(f"expected a word or a text in double quotes, found {reader.found()}")
    return Match(name, value)


def _call(reader: _Reader) -> Call:
    start = reader.at
    name = reader.match(_NAME)
    if name is None:
        raise reader.error(f"expected the name of a filter after '|', found {reader.found()}")
    arguments: list[Literal] = []
    if reader.take("("):
        while True:
            literal = _literal(reader)
            if literal is None:
                _refuse_single_quotes(reader)
                raise reader.error(
                    f"expected a text in double quotes, a number, true or false, "
                    f"found {reader.found()}"
                )
            arguments.append(literal)
            if not reader.take(","):
                break
        reader.need(")", "the arguments")
    return Call(name, tuple(arguments), start)


def _refuse_single_quotes(reader: _Reader) -> None:
    if reader.text.startswith("'", reader.at):
        raise reader.error(slips.QUOTES)


def _literal(reader: _Reader) -> Literal | None:
    text = _text(reader)
    if text is not None:
        return Literal(text)
    number = reader.match(_NUMBER)
    if number is not None:
        return Literal(Decimal(number) if "." in number else int(number))
    word = _NAME.match(reader.text, reader.at)
    after = reader.text[word.end() : word.end() + 1] if word else ""
    if word and word[0] in ("true", "false") and after not in (".", "["):
        reader.at = word.end()
        reader.skip()
        return Literal(word[0] == "true")
    return None


def _text(reader: _Reader) -> str | None:
    if not reader.text.startswith('"', reader.at):
        return None
    start = reader.at
    characters: list[str] = []
    at = start + 1
    while at < len(reader.text):
        character = reader.text[at]
        if character == '"':
            reader.at = at + 1
            reader.skip()
            return "".join(characters)
        if character == "\\":
            at += 1
            character = reader.text[at : at + 1]
            if character not in ('"', "\\"):
                raise ExpressionError(at - 1, 'a backslash stands only before " and \\')
        characters.append(character)
        at += 1
    raise ExpressionError(start, slips.NEVER_CLOSED)
