"""What hypothesis draws: JSON values of any kind, sane or not, and expressions."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from adapter.mapping.syntax import (
    Call,
    Either,
    Every,
    Fact,
    Index,
    Key,
    Literal,
    Match,
    Path,
    Pipe,
    Tree,
)

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=12)
"""With half surrogate pairs, control characters, anything."""

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**1300)
    | st.floats()
    | st.decimals()
    | st.sampled_from(["", " ", "149.85", "-1", "1e5", "x?y=z", "gid://a/B/1", "2026-01-01T00:00Z"])
    | ANY_TEXT
)
KEYS = st.sampled_from(["a", "b", "c", "id", "items", "total", "email", "n"])
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
BODIES = st.dictionaries(KEYS, ANY_JSON, max_size=8)

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,5}", fullmatch=True)
_FIRST_NAMES = NAMES.filter(lambda name: name not in ("true", "false"))
_PARTS = (
    NAMES.map(Key)
    | st.integers(-99, 99).map(Index)
    | st.just(Every())
    | st.builds(Match, NAMES, st.text(max_size=6))
)
_PATHS = st.builds(
    lambda first, rest: Path((Key(first), *rest)), _FIRST_NAMES, st.lists(_PARTS, max_size=4)
)
_LITERALS = st.builds(
    Literal,
    st.text(max_size=6)
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.decimals(-1000, 1000, places=2).map(lambda number: Decimal(f"{number:f}")),
)
_CALLS = st.builds(Call, NAMES, st.lists(_LITERALS, max_size=3).map(tuple))
TREES: st.SearchStrategy[Tree] = st.recursive(
    _PATHS | NAMES.map(Fact) | _LITERALS,
    lambda inner: (
        st.builds(Pipe, inner, st.lists(_CALLS, min_size=1, max_size=3).map(tuple))
        | st.builds(Either, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)
