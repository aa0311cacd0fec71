"""What every destination offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from adapter.model import Operation


@dataclass(frozen=True, slots=True)
class Item:
    """An operation as bytes of a request. `shortened` names what had to be left out or cut."""

    operation: Operation
    data: bytes
    shortened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsendable:
    """An operation that no request may hold, and why."""

    operation: Operation
    reason: str


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; the transport adds host and credentials."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means: `refused` gives the reason of each item that was not taken, by its
    place in the request; all others were taken."""

    refused: Mapping[int, str] = field(default_factory=dict)


class Destination(Protocol):
    """Pure. `contract tests` in tests/destinations hold for each implementation."""

    max_request_bytes: int

    def encode(self, operation: Operation) -> Item | Unsendable:
        """The operation as the bytes of one item, cut to what the destination takes."""

    def request(self, items: Sequence[Item]) -> Request:
        """One request that holds the items; the caller keeps it below `max_request_bytes`."""

    def size(self, items: int, data_bytes: int) -> int:
        """Bytes of a request's body that holds so many items of so many bytes in all."""

    def verdict(self, response: Response, items: int) -> Verdict:
        """Read an answer to a request of so many items.

        Raises RetryLater, Refused (the whole request, for what it holds) or Misconfigured.
        """

    def probe(self) -> Request | None:
        """A harmless request that tells wrong credentials from a refused batch, if there is one."""
