"""Requests are counted for ever and kept within bounds."""

from __future__ import annotations

from adapter.sandbox.journal import Journal, Received


def received(number: int, body: bytes = b"{}") -> Received:
    return Received("POST", f"/{number}", float(number), 1, body)


def paths(journal: Journal) -> list[str]:
    return [entry.path for entry in journal.kept]


def test_the_newest_are_kept_newest_last() -> None:
    journal = Journal(keep=2)
    for number in range(5):
        journal.add(received(number))
    assert paths(journal) == ["/3", "/4"]
    assert journal.total == 5


def test_their_bodies_are_bounded_too() -> None:
    journal = Journal(keep=100, keep_bytes=10)
    for number in range(4):
        journal.add(received(number, b"12345"))
    assert paths(journal) == ["/2", "/3"]
    journal.add(received(4, b"1" * 11))
    assert paths(journal) == []
    journal.add(received(5, b"1" * 10))
    assert paths(journal) == ["/5"]


def test_it_forgets() -> None:
    journal = Journal(keep=100, keep_bytes=10)
    journal.add(received(1, b"1" * 10))
    journal.clear()
    assert (paths(journal), journal.total) == ([], 0)
    journal.add(received(2, b"1" * 10))
    assert paths(journal) == ["/2"]


def test_a_body_that_is_not_json_is_null() -> None:
    data = received(1, b"\xff{").to_json()
    assert (data["json"], data["bytes"], data["status"]) == (None, 2, None)
