"""Reading what is remembered under Refs, in one question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from adapter.compact import load
from adapter.model import Json, Ref
from adapter.store import refs, things
from adapter.store.connection import store_errors

Texts = Callable[[Sequence[str]], Any]
"""Says what stands under names, in their order; None where nothing does."""


def recall(texts: Texts, prefix: str, secret: str, wanted: Iterable[Ref]) -> dict[Ref, Json]:
    """What is kept under each; what is unknown is left out. Raises StoreError."""
    asked: dict[Ref, list[tuple[Ref, str | None]]] = {}
    for ref in wanted:
        record, part = things.place(ref)
        asked.setdefault(record, []).append((ref, part))
    if not asked:
        return {}
    names = [prefix + refs.memory(*record, secret) for record in asked]
    with store_errors():
        answers = texts(names)
    found: dict[Ref, Json] = {}
    for parts, text in zip(asked.values(), answers, strict=True):
        if text is None:
            continue
        value = load(text)
        for ref, part in parts:
            fact = value if part is None else value.get(part)
            if fact is not None:
                found[ref] = fact
    return found
