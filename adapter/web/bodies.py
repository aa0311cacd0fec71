"""Reading bodies: no longer than is allowed, and not too much of them at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from adapter.errors import MalformedError, StoreError, TooLargeError

SMALL = 64 * 1024
"""Bodies up to this are always read: there are no more of them than connections."""

PIECE = 256 * 1024
"""The rest of larger ones is read in such pieces, each of which must find room first."""

LARGE_AT_ONCE = 4
"""There is room for so many bodies of the largest size."""

_MOST_DIGITS = 18


class Bodies:
    """The bodies that one process reads at a time; none is longer than `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._room = LARGE_AT_ONCE * most

    @property
    def room(self) -> int:
        """Bytes that are left for what large bodies hold beyond SMALL bytes."""
        return self._room

    @contextmanager
    def read(self, environ: dict[str, Any]) -> Iterator[bytes]:
        """The raw bytes of a request's body, as long as they are needed.

        Room is taken by what has arrived and the piece that is awaited, not by what is announced.
        Raises TooLargeError, before anything is read where the length is known, MalformedError for
        a body that does not arrive whole, and StoreError where there is no room for it now.
        """
        length = _length(environ)
        if length is not None and length > self._most:
            raise TooLargeError("the body is too large")
        source = environ["wsgi.input"]
        wanted = self._most + 1 if length is None else length
        taken = 0
        try:
            pieces = [_read(source, min(SMALL, wanted))]
            size = len(pieces[0])
            while size == SMALL + taken < wanted:
                step = min(PIECE, wanted - size)
                if step > self._room:
                    raise StoreError("too many large bodies at a time")
                self._room -= step
                taken += step
                pieces.append(_read(source, step))
                size += len(pieces[-1])
            if size > self._most:
                raise TooLargeError("the body is too large")
            if length is not None and size < length:
                raise MalformedError("the body did not arrive whole")
            raw = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            yield raw
        finally:
            self._room += taken


def _length(environ: dict[str, Any]) -> int | None:
    """The length that is announced; None for a body that ends where its chunks do."""
    text = environ.get("CONTENT_LENGTH")
    if text:
        if not (text.isascii() and text.isdigit()):
            raise MalformedError("Content-Length is no number")
        if len(text) > _MOST_DIGITS:
            raise TooLargeError("the body is too large")
        return int(text)
    return None if environ.get("wsgi.input_terminated") else 0


def _read(source: Any, size: int) -> bytes:
    """So many bytes, fewer only at the end."""
    try:
        data: bytes = source.read(size)
    except (OSError, ValueError, ParseException):
        # What gunicorn raises for bad chunks and for a connection that broke or was too slow.
        raise MalformedError("the body did not arrive whole") from None
    return data
