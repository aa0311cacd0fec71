"""Bytes that are no HTTP, or nearly: gunicorn and ours over real sockets.

Whatever comes, it is answered with a status that means something or cut off, nothing is logged as
a fault of ours, and the next good webhook is taken at once. Some in every run, many with
TORTURE=1, from a seed that a failure names.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge.lab import Lab, Shopper, Valkey, Web, Webhook, Workspace
from redis import Redis

from . import wire

TORTURE = os.environ.get("TORTURE") == "1"
SEEDS = range(10_000 if TORTURE else 400)
LIMIT = 64 * 1024
AT_ONCE_SECONDS = 8.0
"""Sooner than any deadline of ours (10 s), on a machine that is busy."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    home = tmp_path_factory.mktemp("http")
    with Valkey(home / "valkey") as valkey, Lab(home, REDIS_URL=valkey.url()) as lab:
        web = lab.web(MAX_BODY_BYTES=str(LIMIT), WEB_CONCURRENCY="1")
        (worker,) = web.process.children
        yield web
        assert web.process.children == [worker], "the worker was replaced"
        web.process.assert_calm()
        assert "webhook failed" not in web.process.said


@pytest.fixture
def workspace(web: Web) -> Iterator[Workspace]:
    """What that web process keeps."""
    variables = Path(f"/proc/{web.process.pid}/environ").read_text().split("\0")
    (url,) = (each.partition("=")[2] for each in variables if each.startswith("REDIS_URL="))
    with Redis.from_url(url) as redis:
        yield Workspace(redis)


def new() -> Webhook:
    return Shopper().webhook("orders/paid", "orders_create.small")


def assert_well(web: Web) -> None:
    """A good webhook is taken, and soon."""
    began = time.monotonic()
    assert new().outcome(web) == "accepted"
    assert time.monotonic() - began < AT_ONCE_SECONDS


def accepted(found: list[wire.Answer]) -> list[str]:
    """The deliveries that answers say were taken in."""
    bodies = [json.loads(answer.body) for answer in found if answer.status == 200]
    return [body["delivery"] for body in bodies if body.get("outcome") == "accepted"]


# --- what must be answered in one way -----------------------------------------------------------

TE = b"Transfer-Encoding: chunked"


def shapes(webhook: Webhook) -> dict[str, tuple[bytes, tuple[int, ...]]]:
    """Name -> request and the statuses that are answered to it; 0 stands for being cut off."""
    body, size = webhook.body, len(webhook.body)
    head = wire.lines(webhook)
    first, rest = head[0], head[1:]

    def of(*extra: bytes, body: bytes = body) -> bytes:
        return wire.joined(*head, *extra) + body

    def lined(line: bytes) -> bytes:
        return wire.joined(line, *rest, b"Content-Length: %d" % size) + body

    sized = b"Content-Length: %d" % size
    return {
        "as it should be": (of(sized), (200,)),
        "chunked": (of(TE, body=wire.chunked(body)), (200,)),
        "chunks of one byte": (of(TE, body=wire.chunked(body[:0] + body, 1)), (200,)),
        "chunk extensions": (
            of(TE, body=wire.chunked(body).replace(b"\r\n", b";a=b\r\n", 1)),
            (200,),
        ),
        "trailers": (of(TE, body=wire.chunked(body, end=b"0\r\nX-A: b\r\n\r\n")), (200,)),
        "trailers that are headers of ours": (
            of(TE, body=wire.chunked(body, end=b"0\r\nX-Shopify-Topic: x/y\r\n\r\n")),
            (200,),
        ),
        "a length as a trailer": (
            of(TE, body=wire.chunked(body, end=b"0\r\nContent-Length: 1\r\n\r\n")),
            (400,),
        ),
        "endless trailers": (
            of(TE, body=wire.chunked(body, end=b"0\r\n" + b"X-A: b\r\n" * 9_000)),
            (400, 0),
        ),
        "no last chunk": (of(TE, body=wire.chunked(body, end=b"")), (400,)),
        "chunk size that is none": (of(TE, body=b"zz\r\n" + body), (400,)),
        "negative chunk size": (of(TE, body=b"-1\r\n" + body), (400,)),
        "chunk size with a sign": (of(TE, body=b"+%x\r\n%b\r\n0\r\n\r\n" % (size, body)), (400,)),
        "chunk size in hex with 0x": (
            of(TE, body=b"0x%x\r\n%b\r\n0\r\n\r\n" % (size, body)),
            (400,),
        ),
        "chunk size too small": (of(TE, body=b"5\r\n%b\r\n0\r\n\r\n" % body), (400,)),
        "chunk size too large": (of(TE, body=b"%x\r\n%b\r\n0\r\n\r\n" % (size + 99, body)), (400,)),
        "huge chunk size": (of(TE, body=b"f" * 40 + b"\r\n" + body), (400,)),
        "endless chunk size": (of(TE, body=b"0" * 100_000), (400, 0)),
        "chunk lines that end with LF": (
            of(TE, body=wire.chunked(body).replace(b"\r\n", b"\n")),
            (400,),
        ),
        "no length at all": (of(), (401,)),
        "too short a length": (of(b"Content-Length: %d" % (size - 1)), (401,)),
        "too long a length": (of(b"Content-Length: %d" % (size + 1)), (400,)),
        "length 0": (of(b"Content-Length: 0"), (401,)),
        "negative length": (of(b"Content-Length: -%d" % size), (400,)),
        "length with a sign": (of(b"Content-Length: +%d" % size), (400,)),
        "length in hex": (of(b"Content-Length: 0x%x" % size), (400,)),
        "length with a blank inside": (of(b"Content-Length: 1 %d" % size), (400,)),
        "length in superscript": (of(b"Content-Length: \xb2"), (400,)),
        "length of 5,000 digits": (of(b"Content-Length: " + b"9" * 5_000), (400, 413)),
        "length of 8,000 zeros": (of(b"Content-Length: " + b"0" * 8_000), (400, 401, 413)),
        "two lengths": (of(sized, b"Content-Length: 5"), (400,)),
        "two lengths that agree": (of(sized, sized), (400,)),
        "two lengths in one line": (of(b"Content-Length: %d, %d" % (size, size)), (400,)),
        "length and chunks": (of(sized, TE, body=wire.chunked(body)), (400,)),
        "chunks and length": (of(TE, sized), (400,)),
        "two transfer encodings": (of(TE, TE, body=wire.chunked(body)), (400,)),
        "an unknown transfer encoding": (of(b"Transfer-Encoding: xchunked"), (400, 501)),
        "chunked with a tab": (of(b"Transfer-Encoding:\tchunked", body=wire.chunked(body)), (200,)),
        "chunked behind a control": (of(b"Transfer-Encoding: \x0bchunked"), (400, 501)),
        "blank before the colon": (of(b"Content-Length : %d" % size), (400,)),
        "a folded header": (of(sized, b"X-A: b\r\n c"), (400,)),
        "a folded signature": (of(sized, b"X-Shopify-Test: fal\r\n\tse"), (400,)),
        "no name": (of(sized, b": b"), (400,)),
        "no colon": (of(sized, b"X-A"), (400,)),
        "null in a value": (of(sized, b"X-A: a\0b"), (400,)),
        "null in a name": (of(sized, b"X\0A: b"), (400,)),
        "a lone CR": (of(sized, b"X-A: a\rb"), (400,)),
        "a lone LF": (of(sized, b"X-A: a\nContent-Length: 1"), (400,)),
        "LF for line ends": (of(sized).replace(b"\r\n", b"\n"), (400,)),
        "UTF-8 in a value": (of(sized, "X-A: ü☃".encode()), (200,)),
        "no UTF-8 in a value": (of(sized, b"X-A: \xff\xfe\x80"), (200,)),
        "no UTF-8 in a header of ours": (of(sized, b"X-Shopify-Test: \xff"), (400,)),
        "UTF-8 in a name": (of(sized, "X-ü: b".encode()), (400,)),
        "a long value": (of(sized, b"X-A: " + b"b" * 9_000), (431,)),
        "a long name": (of(sized, b"X" * 9_000 + b": b"), (431,)),
        "many headers": (of(sized, *[b"X-%d: b" % n for n in range(150)]), (431,)),
        "a megabyte of header": (of(sized, b"X-A: " + b"b" * 1_000_000), (431, 0)),
        "two topics": (of(sized, b"X-Shopify-Topic: orders/create"), (200,)),
        "two shops": (of(sized, b"X-Shopify-Shop-Domain: b.example.com"), (400,)),
        "two signatures": (of(sized, b"X-Shopify-Hmac-Sha256: AAAA"), (401,)),
        "a header with an underscore": (of(sized, b"X_Shopify_Test: true"), (200,)),
        "HTTP/1.0": (lined(first[:-1] + b"0"), (200,)),
        "HTTP/1.0 with chunks": (
            wire.joined(first[:-1] + b"0", *rest, TE) + wire.chunked(body),
            (400,),
        ),
        "HTTP/0.9": (b"GET /\r\n", (400,)),
        "HTTP/2.0": (lined(first[:-3] + b"2.0"), (400, 505)),
        "HTTP/1.9": (lined(first[:-1] + b"9"), (200, 400, 505)),
        "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
        "TLS": (bytes.fromhex("160301020001000100fc0303") + b"\0" * 500, (400, 0)),
        "an absolute target": (
            lined(b"POST http://localhost/webhooks/shopify HTTP/1.1"),
            (200, 404),
        ),
        "an absolute target elsewhere": (
            lined(b"POST http://[::1/webhooks/shopify HTTP/1.1"),
            (400,),
        ),
        "an escaped target": (lined(b"POST /%77ebhooks/shopify HTTP/1.1"), (200,)),
        "a broken escape": (lined(b"POST /webhooks/shopify%zz HTTP/1.1"), (404,)),
        "an escaped null": (lined(b"POST /webhooks/shopify%00 HTTP/1.1"), (404,)),
        "no UTF-8 in the target": (lined(b"POST /webhooks/\xff\xfe HTTP/1.1"), (400,)),
        "no UTF-8, escaped": (lined(b"POST /webhooks/%ff%fe HTTP/1.1"), (404,)),
        "no UTF-8, escaped, elsewhere": (lined(b"POST /%ff%fe/%c3 HTTP/1.1"), (404,)),
        "dots": (lined(b"POST /webhooks/../webhooks/shopify HTTP/1.1"), (404,)),
        "two slashes": (lined(b"POST //webhooks/shopify HTTP/1.1"), (404,)),
        "a query": (lined(b"POST /webhooks/shopify?a=b&%ff HTTP/1.1"), (200,)),
        "a fragment": (lined(b"POST /webhooks/shopify#a HTTP/1.1"), (200, 400, 404)),
        "an asterisk": (lined(b"OPTIONS * HTTP/1.1"), (400, 404)),
        "a long target": (lined(b"POST /" + b"a" * 9_000 + b" HTTP/1.1"), (414,)),
        "an endless target": (b"POST /" + b"a" * 1_000_000, (414, 0)),
        "no method": (lined(b" /webhooks/shopify HTTP/1.1"), (400,)),
        "a method in small letters": (lined(b"post /webhooks/shopify HTTP/1.1"), (400,)),
        "a made-up method": (lined(b"FROBNICATE /webhooks/shopify HTTP/1.1"), (405,)),
        "CONNECT": (lined(b"CONNECT localhost:1 HTTP/1.1"), (400, 404, 405)),
        "TRACE": (lined(b"TRACE /webhooks/shopify HTTP/1.1"), (405,)),
        "OPTIONS": (lined(b"OPTIONS /webhooks/shopify HTTP/1.1"), (405,)),
        "GET with a body": (lined(b"GET /webhooks/shopify HTTP/1.1"), (405,)),
        "a body where none is wanted": (lined(b"POST /healthz HTTP/1.1"), (405,)),
        "no Host": (wire.joined(first, *rest[1:], sized) + body, (200, 400)),
        "two Hosts": (of(sized, b"Host: b"), (400,)),
        "a Host that is none": (
            wire.joined(first, b"Host: a b\xff/<>", *rest[1:], sized) + body,
            (200, 400),
        ),
        "Expect": (of(sized, b"Expect: 100-continue"), (200,)),
        "Expect of something else": (of(sized, b"Expect: the worst"), (417,)),
        "Upgrade": (of(sized, b"Connection: Upgrade", b"Upgrade: h2c"), (200,)),
        "a content encoding": (of(sized, b"Content-Encoding: gzip"), (200,)),
        "nothing": (b"", (0,)),
        "an empty line": (b"\r\n" + of(sized), (200,)),
        "empty lines": (b"\r\n" * 9 + of(sized), (400,)),
        "nulls": (b"\0" * 5_000, (400, 414, 0)),
        "a PROXY line": (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + of(sized), (400,)),
        "a body at the limit, claimed and not sent": (of(b"Content-Length: %d" % LIMIT), (400,)),
        "a body over the limit": (of(b"Content-Length: %d" % (LIMIT + 1)), (413,)),
        "chunks over the limit": (of(TE, body=wire.chunked(b" " * (LIMIT + 1))), (413,)),
        "a terabyte, claimed": (of(b"Content-Length: %d" % 10**12), (413,)),
    }


@pytest.mark.parametrize("name", shapes(new()))
def test_a_shape_is_answered_as_it_is_meant_to_be(web: Web, name: str) -> None:
    webhook = new()
    data, expected = shapes(webhook)[name]
    found = wire.speak(web, data)
    assert (found[0].status if found else 0) in expected, found
    if 200 in expected and found and found[0].status == 200:
        assert json.loads(found[0].body)["delivery"] == webhook.id
    else:
        assert not accepted(found)
        # What was refused left nothing: sent as it should be, it is no duplicate.
        assert webhook.outcome(web) == "accepted"


def test_head_is_answered_with_headers_alone(web: Web) -> None:
    for target in (b"/webhooks/shopify", b"/healthz"):
        with wire.connect(web) as peer:
            peer.sendall(wire.joined(b"HEAD " + target + b" HTTP/1.1", b"Host: localhost"))
            peer.sendall(
                wire.joined(b"GET /nowhere HTTP/1.1", b"Host: localhost", b"Connection: close")
            )
            said = b""
            while piece := peer.recv(65_536):
                said += piece
        head, _, rest = said.partition(b"\r\n\r\n")
        assert head.split()[1] in (b"200", b"405")
        assert rest.startswith(b"HTTP/1.1 404"), said


def test_a_refused_client_is_told_why_though_it_has_not_sent_everything(web: Web) -> None:
    """It hears the 413 while it sends, and at once."""
    webhook = new()
    with wire.connect(web) as peer:
        began = time.monotonic()
        peer.sendall(wire.request(webhook, b"Content-Length: 99000000", body=b"{", sized=False))
        said = peer.recv(65_536)
        assert time.monotonic() - began < AT_ONCE_SECONDS
    assert said.startswith(b"HTTP/1.1 413")


# --- one connection, several requests -----------------------------------------------------------


def test_requests_in_one_breath_are_answered_in_their_order(web: Web) -> None:
    webhooks = [new() for _ in range(20)]
    requests = [
        wire.request(one)
        if number % 2
        else wire.request(one, TE, body=wire.chunked(one.body), sized=False)
        for number, one in enumerate(webhooks)
    ]
    found = wire.speak(web, b"".join(requests))
    assert accepted(found) == [one.id for one in webhooks]


@pytest.mark.parametrize(
    "how",
    ["length and chunks", "chunks and length", "two lengths", "HTTP/1.0 with chunks"],
)
def test_no_request_is_smuggled_in_a_body(web: Web, workspace: Workspace, how: str) -> None:
    """Where two could read a message's end differently, nothing behind it is read as a request."""
    outer, inner = new(), new()
    before = workspace.counts().get("accepted", 0)
    data, _ = shapes(outer)[how]
    found = wire.speak(web, data + wire.request(inner))
    assert [answer.status for answer in found] == [400]
    for end in (b"0\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n"):
        smuggled = end + wire.request(inner)
        head = [*wire.lines(outer), b"Content-Length: %d" % len(smuggled), TE]
        found = wire.speak(web, wire.joined(*head) + smuggled)
        assert [answer.status for answer in found] == [400]
    assert workspace.counts().get("accepted", 0) == before
    assert inner.outcome(web) == "accepted"


def test_what_a_short_length_leaves_over_is_no_second_delivery(web: Web) -> None:
    """The rest of a body is not taken for a request, even if it is one word for word."""
    inner = new()
    outer = new()
    outer.body += b" " * 10 + wire.request(inner)
    data = wire.request(outer, b"Content-Length: %d" % 2, sized=False)
    found = wire.speak(web, data)
    assert found[0].status == 401
    assert inner.id not in accepted(found)
    assert_well(web)


def test_after_a_broken_body_nothing_is_read_any_more(web: Web) -> None:
    webhook, next_one = new(), new()
    broken = wire.request(webhook, TE, body=b"5\r\nabcdeXX", sized=False)
    found = wire.speak(web, broken + wire.request(next_one))
    assert [answer.status for answer in found] == [400]


def test_the_length_alone_says_which_bytes_are_the_body(web: Web) -> None:
    """A signature over other bytes than those is none, whatever else stands behind them."""
    for cut in (1, 10, 100):
        webhook = new()
        webhook_body = webhook.body
        webhook.body = webhook_body[:-cut]
        signed_short = wire.lines(webhook)
        data = wire.joined(*signed_short, b"Content-Length: %d" % len(webhook_body)) + webhook_body
        assert [answer.status for answer in wire.speak(web, data)] == [401]


# --- noise --------------------------------------------------------------------------------------

SCRAPS = (
    *(
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b":",
        b"\xff",
        b"\xc3\xa9",
        b"%",
        b"0",
    ),
    *(b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n"),
    *(
        b"Upgrade: h2c\r\n",
        b"X-Shopify-Topic: a/b\r\n",
        b"X-Shopify-Hmac-Sha256: A\r\n",
        b" folded\r\n",
    ),
    *(b"HTTP/1.0", b"HTTP/9.9", b"GET ", b"HEAD ", b"/", b"//", b"http://", b"[", b"?", b"#", b";"),
    *(b"x" * 5_000, b"\x80" * 300, b"ffffffff\r\n", b"-1\r\n", b"0\r\n\r\n"),
)


def mutated(chance: random.Random, webhook: Webhook) -> bytes:
    """A valid request with some of its bytes changed, lost, doubled, moved or replaced."""
    if chance.random() < 0.4:
        body = wire.chunked(webhook.body, chance.choice((1, 7, 100, 5_000)))
        data = bytearray(wire.request(webhook, TE, body=body, sized=False))
    else:
        data = bytearray(wire.request(webhook))
    head = data.index(b"\r\n\r\n") + 4
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        # Most of what can go wrong stands in the head.
        end = min(len(data), head + 40) if chance.random() < 0.8 else len(data)
        at = chance.randrange(max(1, end))
        upto = min(len(data), at + chance.choice((1, 1, 2, 9, 60)))
        change = chance.randrange(6)
        if change == 0:
            data[at:upto] = bytes(chance.randrange(256) for _ in range(upto - at))
        elif change == 1:
            del data[at:upto]
        elif change == 2:
            data[at:at] = chance.choice(SCRAPS)
        elif change == 3:
            data[at:upto] = chance.choice(SCRAPS)
        elif change == 4:
            whole = bytes(data[:head]).split(b"\r\n")
            one = chance.randrange(len(whole))
            whole.insert(chance.randrange(len(whole)), whole[one])
            data[:head] = b"\r\n".join(whole)
        else:
            del data[chance.randrange(1, len(data) + 1) :]
        if not data:
            data += b"\r\n"
    if chance.random() < 0.2:
        data += wire.request(new())
    return bytes(data)


def test_noise_is_answered_or_cut_off(web: Web) -> None:
    for seed in SEEDS:
        chance = random.Random(seed)
        webhook = new()
        data = mutated(chance, webhook)
        try:
            found = wire.speak(web, data)
        except (OSError, ValueError, StopIteration) as error:
            raise AssertionError(f"seed {seed}: {data!r}") from error
        for answer in found:
            assert answer.status == 200 or answer.status in wire.REFUSALS, (seed, data, answer)
        if seed % 100 == 0:
            assert_well(web)
    web.process.assert_calm()


def test_what_is_no_http_is_told_in_the_log_without_a_word_of_it(web: Web) -> None:
    secret = b"ada-lovelace-at-example"
    for line in (secret, secret + b" : b", b"X-A: " + secret + b"\0", b"X_" + secret):
        wire.speak(web, wire.request(new(), line))
    wire.speak(web, wire.joined(b"GET /" + secret + b"\xff HTTP/1.1"))
    wire.speak(web, wire.joined(secret))
    wire.speak(web, wire.request(new(), TE, body=secret + b"\r\n", sized=False))
    assert_well(web)
    assert secret.decode() not in web.process.said
    assert "it is no HTTP" in web.process.said
