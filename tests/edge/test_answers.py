"""What the web process answers to whatever is sent to it, over real sockets."""

from __future__ import annotations

import json
import random
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests

from .conftest import Stack
from .lab import SECRET, Lab, Shopper, Web, Webhook

OLD_SECRET = "the-one-before"
LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def web(stack: Stack) -> Iterator[Web]:
    """A web process with two secrets and a small limit, over the shared Valkey."""
    with Lab(stack.lab.home, **stack.lab.env) as lab:
        web = lab.web(
            SHOPIFY_WEBHOOK_SECRET=f"{SECRET}, {OLD_SECRET}",
            MAX_BODY_BYTES=str(LIMIT),
            WEB_CONCURRENCY="1",
        )
        yield web
        web.process.assert_calm()


def post(web: Web, webhook: Webhook, **headers: str | bytes | None) -> requests.Response:
    """Signed as it should be; `headers` change or (None) remove some, `_` standing for `-`."""
    sent: dict[str, str | bytes] = dict(webhook.headers())
    for argument, value in headers.items():
        name = argument.replace("_", "-")
        if value is None:
            del sent[name]
        else:
            sent[name] = value
    return requests.post(web.webhooks, data=webhook.body, headers=sent, timeout=30)


def speak(web: Web, request: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes as they are; everything that is answered until the server hangs up."""
    answer = b""
    # A server that hangs up before it has read everything resets the connection.
    with suppress(OSError), socket.create_connection(web.address, timeout=30) as peer:
        peer.sendall(request)
        if half_close:
            peer.shutdown(socket.SHUT_WR)
        while piece := peer.recv(65536):
            answer += piece
    return answer


def raw(webhook: Webhook, *extra: str, length: int | None = -1, body: bytes | None = None) -> bytes:
    """A request as bytes; `length` -1 is the true one, None no Content-Length at all."""
    lines = ["POST /webhooks/shopify HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in webhook.headers().items()]
    if length is not None:
        lines.append(f"Content-Length: {len(webhook.body) if length == -1 else length}")
    head = "\r\n".join([*lines, *extra]).encode("latin-1") + b"\r\n\r\n"
    return head + (webhook.body if body is None else body)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


# --- 200 ----------------------------------------------------------------------------------------


def test_accepted_and_duplicate_have_exactly_this_shape(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    answer = webhook.post(web)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json() == {"outcome": "accepted", "delivery": webhook.id, "reason": None}
    answer = webhook.post(web)
    assert answer.status_code == 200
    assert answer.json() == {"outcome": "duplicate", "delivery": webhook.id, "reason": None}


def test_a_test_order_is_ignored_with_its_reason(stack: Stack, web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    webhook.body = webhook.body.replace(b'"test": false', b'"test": true')
    before = stack.workspace.at_rest().keys()
    answer = webhook.post(web)
    expected = {"outcome": "ignored", "delivery": webhook.id, "reason": "test order"}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert webhook.post(web).json()["outcome"] == "duplicate"
    dedupe, order = sorted(stack.workspace.at_rest().keys() - before)
    assert webhook.id.encode() in dedupe, "nothing is kept of it but its id"
    # and that its order is nobody's: a refund of it need not wait for anybody
    assert b":thing:order:" in order


def test_an_unknown_topic_is_parked_with_its_body(stack: Stack, web: Web) -> None:
    webhook = Webhook("orders/exploded", Shopper().body("orders_paid"))
    answer = webhook.post(web)
    reason = "unknown topic: orders/exploded"
    expected = {"outcome": "parked", "delivery": webhook.id, "reason": reason}
    assert (answer.status_code, answer.json()) == (200, expected)
    assert webhook.post(web).json()["outcome"] == "duplicate"
    (kept,) = parked(stack, webhook)
    assert kept[b"r"].decode() == reason
    assert zlib.decompress(kept[b"b"]) == webhook.body


def test_a_bad_required_field_is_parked_with_path_and_body(stack: Stack, web: Web) -> None:
    shopper = Shopper()
    webhook = shopper.webhook("orders/paid")
    body = json.loads(webhook.body)
    body["line_items"][1]["price"] = "free"
    webhook.body = json.dumps(body).encode()
    answer = webhook.post(web)
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "parked"
    assert answer.json()["reason"].startswith("order_completed.items[1].price: expected money")
    (kept,) = parked(stack, webhook)
    assert kept[b"r"].decode() == answer.json()["reason"]
    assert zlib.decompress(kept[b"b"]) == webhook.body
    # Its business key is free: the next body of the order, a whole one, completes it.
    assert shopper.webhook("orders/updated").outcome(web) == "accepted"
    stack.sandbox.await_events(shopper, "order_completed")


def parked(stack: Stack, webhook: Webhook) -> list[dict[bytes, bytes]]:
    return [one for one in stack.workspace.parked() if webhook.id.encode() in one[b"d"]]


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_any_of_several_secrets_is_good(web: Web, secret: str) -> None:
    webhook = Shopper().webhook("orders/paid")
    answer = requests.post(
        web.webhooks, data=webhook.body, headers=webhook.headers(secret), timeout=30
    )
    assert answer.json()["outcome"] == "accepted"
    # A retry may come signed with the other one.
    assert webhook.post(web).json()["outcome"] == "duplicate"


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title, str.swapcase])
def test_header_names_come_in_any_case(web: Web, case: object) -> None:
    webhook = Shopper().webhook("orders/paid")
    assert callable(case)
    headers = {case(name): value for name, value in webhook.headers().items()}
    answer = requests.post(web.webhooks, data=webhook.body, headers=headers, timeout=30)
    assert answer.json()["outcome"] == "accepted"


def test_a_chunked_body_is_a_body(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    pieces = (webhook.body[at : at + 1000] for at in range(0, len(webhook.body), 1000))
    answer = requests.post(web.webhooks, data=pieces, headers=webhook.headers(), timeout=30)
    assert answer.json()["outcome"] == "accepted"


def test_the_content_type_does_not_matter(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    answer = post(web, webhook, Content_Type="application/x-www-form-urlencoded")
    assert answer.json()["outcome"] == "accepted"


# --- 400 ----------------------------------------------------------------------------------------

MALFORMED = {
    "empty": b"",
    "blank": b" \n ",
    "text": b"hello",
    "cut": b'{"id": 1, "email": "a@exam',
    "two objects": b'{"id": 1} {"id": 2}',
    "array": b'[{"id": 1}]',
    "null": b"null",
    "number": b"42",
    "NaN": b'{"id": 1, "total_price": NaN}',
    "infinity": b'{"id": 1, "total_price": -Infinity}',
    "deep": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "deep arrays": b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "huge integer": b'{"id": ' + b"9" * 10_000 + b"}",
    "huge exponent": b'{"id": 1e' + b"9" * 10_000 + b"}",
    "no UTF-8": b'{"id": 1, "note": "\xff\xfe"}',
    "UTF-16": '{"id": 1}'.encode("utf-16"),
    "surrogate bytes": b'{"id": 1, "note": "\xed\xa0\x80"}',
    "byte order mark": b'\xef\xbb\xbf{"id": 1}',
    "control character": b'{"id": 1, "note": "a\x00b"}',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_body_is_400_and_leaves_nothing(stack: Stack, web: Web, name: str) -> None:
    webhook = Webhook("orders/paid", MALFORMED[name])
    before = stack.workspace.at_rest()
    answer = post(web, webhook)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"]
    assert "body" in answer.json()["error"]
    assert stack.workspace.at_rest() == before


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"id": 1e400, "total_price": 1e-400}',
        b'{"id": true, "line_items": {"a": 1}, "customer": []}',
        b'{"id": "\\ud800", "email": "\\udfff@example.com", "line_items": [null, 1, "x"]}',
        b'{"id": 1, "id": 2}',
        b'{"id": -0.0, "customer": {"id": 1.5}, "cart_token": "\\u0000"}',
        '{"id": 5, "email": "\N{ZERO WIDTH SPACE}", "cart_token": "\N{PILE OF POO}"}'.encode(),
    ],
)
def test_odd_json_is_never_an_error_of_ours(web: Web, body: bytes) -> None:
    for topic in ("orders/paid", "checkouts/create", "refunds/create"):
        answer = post(web, Webhook(topic, body))
        assert answer.status_code == 200, answer.text
        assert answer.json()["outcome"] in ("accepted", "ignored", "parked")


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("X-Shopify-Topic", [None, "", "orders/päid".encode("latin-1"), "x" * 101]),
        ("X-Shopify-Webhook-Id", [None, "", "bücher".encode("latin-1"), "x" * 201]),
        ("X-Shopify-Shop-Domain", [None, "not a host", "-.myshopify.com", "x" * 256]),
        ("X-Shopify-Triggered-At", ["yesterday", "2026-13-45T00:00:00Z", "1767225600"]),
        ("X-Shopify-Test", ["maybe"]),
    ],
)
def test_a_missing_or_malformed_header_is_400_and_named(
    web: Web, header: str, values: list[str | bytes | None]
) -> None:
    for value in values:
        answer = post(web, Shopper().webhook("orders/paid"), **{header.replace("-", "_"): value})
        assert answer.status_code == 400, (value, answer.text)
        assert header in answer.json()["error"]


def test_all_bad_headers_are_named_at_once(web: Web) -> None:
    answer = post(
        web,
        Shopper().webhook("orders/paid"),
        X_Shopify_Topic=None,
        X_Shopify_Webhook_Id=None,
        X_Shopify_Shop_Domain="?",
    )
    assert answer.status_code == 400
    for header in ("X-Shopify-Topic", "X-Shopify-Webhook-Id", "X-Shopify-Shop-Domain"):
        assert header in answer.json()["error"]


# --- 401, 404, 405, 413 -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "x",
        "=" * 44,
        "A" * 43 + "=",
        "ünïcode".encode("latin-1"),
        "\N{SNOWMAN}".encode(),
        b"\xff\xfe\xfd",
        "x" * 4000,
    ],
)
def test_a_bad_signature_is_401(stack: Stack, web: Web, signature: str | bytes | None) -> None:
    webhook = Shopper().webhook("orders/paid")
    before = stack.workspace.at_rest()
    answer = post(web, webhook, X_Shopify_Hmac_Sha256=signature)
    assert answer.status_code == 401, answer.text
    error = answer.json()["error"]
    if signature:
        assert "matches none of 2 secrets" in error
        assert "admin secret or app secret?" in error
    else:
        assert error == "no X-Shopify-Hmac-Sha256 header"
    assert SECRET not in answer.text
    assert stack.workspace.at_rest() == before


def test_another_secret_is_401_and_the_body_is_not_looked_at(web: Web) -> None:
    webhook = Webhook("orders/paid", b"not even JSON")
    headers = webhook.headers("somebody else's")
    answer = requests.post(web.webhooks, data=webhook.body, headers=headers, timeout=30)
    assert answer.status_code == 401


def test_a_changed_byte_is_401(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    headers = webhook.headers()
    answer = requests.post(web.webhooks, data=webhook.body + b" ", headers=headers, timeout=30)
    assert answer.status_code == 401


@pytest.mark.parametrize("platform", ["unknown", "Shopify", "..", "%00", "shopify%2f"])
def test_an_unknown_platform_is_404(web: Web, platform: str) -> None:
    webhook = Shopper().webhook("orders/paid")
    answer = requests.post(
        f"{web.url}/webhooks/{platform}", data=webhook.body, headers=webhook.headers(), timeout=30
    )
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_allowed(web: Web, method: str) -> None:
    answer = requests.request(method, web.webhooks, timeout=30)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert list(answer.json()) == ["error"]


def big(size: int) -> Webhook:
    return Webhook("orders/paid", b'{"id": 1, "note": "' + b"x" * (size - 21) + b'"}')


@pytest.mark.parametrize("size", [LIMIT + 1, 40 * LIMIT])
def test_a_body_over_the_limit_is_413(web: Web, size: int) -> None:
    assert len(big(size).body) == size
    answer = post(web, big(size))
    assert answer.status_code == 413
    assert answer.json() == {"error": "the body is too large"}


def test_a_body_at_the_limit_is_taken(web: Web) -> None:
    assert post(web, big(LIMIT)).status_code == 200


def test_a_chunked_body_over_the_limit_is_413(web: Web) -> None:
    webhook = big(LIMIT + 1)
    pieces = iter([webhook.body[:1000], webhook.body[1000:]])
    answer = requests.post(web.webhooks, data=pieces, headers=webhook.headers(), timeout=30)
    assert answer.status_code == 413


def test_a_body_that_only_claims_to_be_huge_is_413_at_once(web: Web) -> None:
    answer = speak(web, raw(big(100), length=10**12))
    assert status_of(answer) == 413


# --- raw sockets --------------------------------------------------------------------------------


def test_a_truncated_body_is_400_and_leaves_nothing(stack: Stack, web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    before = stack.workspace.at_rest()
    answer = speak(web, raw(webhook, body=webhook.body[:-100]), half_close=True)
    assert status_of(answer) == 400, answer
    assert stack.workspace.at_rest() == before


def test_a_content_length_that_is_too_short_is_401(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    answer = speak(web, raw(webhook, length=len(webhook.body) - 1))
    assert status_of(answer) == 401, answer


@pytest.mark.parametrize(
    "extra",
    [
        ["Content-Length: 5"],
        ["Content-Length: x"],
        ["Content-Length: -1"],
        ["Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip, chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: \x0bchunked"],
        ["X-Shopify-Topic: orders/create", "X-Shopify-Webhook-Id: another"],
        ["X-Shopify-Hmac-Sha256: another"],
        ["X-Shopify-Test: true", "X-Shopify-Test: false"],
        ["X-Shopify_Topic: orders/create"],
        [": no name"],
        ["No colon"],
        [" continued: line"],
        ["X-Null: a\x00b"],
        ["X-Long: " + "x" * 10_000],
        [f"X-{n}: {n}" for n in range(200)],
        ["Expect: 100-continue"],
        ["Expect: something-else"],
        ["Content-Encoding: gzip"],
    ],
    ids=lambda extra: extra[0][:40],
)
def test_conflicting_headers_are_never_an_error_of_ours(web: Web, extra: list[str]) -> None:
    answer = speak(web, raw(Shopper().webhook("orders/paid"), *extra))
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert status_of(answer) in (200, 400, 401, 413, 417, 431, 501), answer[:300]
    assert web.status("healthz") == 200


def test_a_second_signature_header_does_not_pass(web: Web) -> None:
    answer = speak(web, raw(Shopper().webhook("orders/paid"), "X-Shopify-Hmac-Sha256: another"))
    assert status_of(answer) == 401


def test_a_second_delivery_id_does_not_make_it_another_delivery(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    assert webhook.outcome(web) == "accepted"
    answer = speak(web, raw(webhook, f"X-Shopify-Shop-Domain: {webhook.shop}"))
    assert status_of(answer) == 400, answer


def test_underscores_do_not_pass_for_hyphens(web: Web) -> None:
    """WSGI writes both the same way: a header that we did not ask for must not become ours."""
    webhook = Shopper().webhook("orders/paid")
    headers = webhook.headers()
    topic = headers.pop("X-Shopify-Topic")
    lines = ["POST /webhooks/shopify HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"X_Shopify_Topic: {topic}", f"Content-Length: {len(webhook.body)}"]
    answer = speak(web, "\r\n".join(lines).encode() + b"\r\n\r\n" + webhook.body)
    assert status_of(answer) == 400, answer


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\nabc\r\n0\r\n\r\n",
        b"5\r\nab",
        b"-5\r\nabcde\r\n0\r\n\r\n",
        b"5;x=y\r\nabcdeXX0\r\n\r\n",
        b"ffffffffffffffffffffff\r\n",
        b"",
    ],
)
def test_bad_chunks_are_400(web: Web, chunks: bytes) -> None:
    webhook = Shopper().webhook("orders/paid")
    request = raw(webhook, "Transfer-Encoding: chunked", length=None, body=chunks)
    answer = speak(web, request, half_close=True)
    # Where not even the first chunk comes there may be nobody left to answer.
    assert status_of(answer) in (400, 413), answer
    assert web.status("healthz") == 200


def test_noise_is_never_an_error_of_ours(web: Web) -> None:
    chance = random.Random(20261122)
    good = raw(Shopper().webhook("orders/paid"))
    head = good.index(b"\r\n\r\n")
    for _ in range(150):
        spoilt = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(head)] = chance.randrange(256)
        answer = speak(web, bytes(spoilt), half_close=True)
        assert status_of(answer) < 500 or status_of(answer) in (501, 505), (bytes(spoilt), answer)


def test_a_client_that_stalls_holds_up_nobody(web: Web) -> None:
    webhook = Shopper().webhook("orders/paid")
    stalled = [socket.create_connection(web.address, timeout=30) for _ in range(20)]
    try:
        for connection in stalled:
            connection.sendall(raw(webhook, body=b"")[:-2])
        # Sooner than the stalled are cut off, which is after 10 s.
        assert Shopper().webhook("orders/paid").post(web, timeout=8).status_code == 200
    finally:
        for connection in stalled:
            connection.close()


def test_one_connection_carries_many_deliveries(web: Web) -> None:
    with requests.Session() as session:
        for _ in range(5):
            webhook = Shopper().webhook("orders/paid")
            answer = session.post(
                web.webhooks, data=webhook.body, headers=webhook.headers(), timeout=30
            )
            assert answer.json()["outcome"] == "accepted"
            assert answer.headers.get("Connection", "keep-alive").lower() == "keep-alive"


def test_a_refused_body_does_not_spoil_the_next_request(web: Web) -> None:
    """What was not read of a refused body must not be taken for a request."""
    webhook = Shopper().webhook("orders/paid")
    smuggled = raw(Shopper().webhook("orders/paid"))
    refused = raw(Webhook("orders/paid", b"x" * (LIMIT + 5) + smuggled))
    refused = refused.replace(b"Connection: close", b"Connection: keep-alive")
    answer = speak(web, refused + raw(webhook))
    assert status_of(answer) == 413
    assert b"accepted" not in answer.partition(b"413")[2].partition(b"HTTP/1.1 200")[0]
    assert answer.count(b"HTTP/1.1 200") <= 1
    assert webhook.outcome(web) in ("accepted", "duplicate")


# --- health -------------------------------------------------------------------------------------


def test_health(web: Web) -> None:
    alive = requests.get(f"{web.url}/healthz", timeout=30)
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    ready = requests.get(f"{web.url}/readyz", timeout=30)
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_anything_else_is_a_404_in_json(web: Web) -> None:
    answer = requests.get(f"{web.url}/nothing/here", timeout=30)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])
