"""Whatever a body or a header holds, intake gives one of its documented answers, and what it takes
in comes out at the other end as JSON that Customer.io can read.

In process, over a real Valkey: a few examples in every run, many with TORTURE=1.
"""

from __future__ import annotations

import io
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis import Redis

from adapter.courier import encode, pack
from adapter.destinations import DESTINATIONS
from adapter.errors import MalformedError
from adapter.intake import Intake, Receipt
from adapter.jobs import flush_job
from adapter.mapping import Mappings, load, parse_body
from adapter.model import Delivery, Json, Ref
from adapter.platforms import load_platforms
from adapter.resolver import MOST_READS, Policy, references, resolve
from adapter.settings import shipped
from adapter.store.connection import connect
from adapter.store.health import Health
from adapter.store.outbox import Outbox
from adapter.web import create_app

TORTURE = os.environ.get("TORTURE") == "1"
SECRET, AT, MOST = "fuzz-secret", 1_767_225_600, 128 * 1024
PLATFORM = load_platforms(shipped("mappings"))["shopify"]
SIGNATURE = PLATFORM.profile.signature.header
FIXTURES = {path.stem: path.read_bytes() for path in shipped("fixtures").glob("shopify/*.json")}
TRACK = DESTINATIONS["track"]
OUTCOMES = {"accepted", "duplicate", "ignored", "parked"}


def examples(few: int, many: int) -> settings:
    """So many examples: the same ones in every short run, others in every long one."""
    return settings(
        max_examples=many if TORTURE else few,
        derandomize=not TORTURE,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@cache
def mappings() -> Mappings:
    return load(shipped("mappings"))


@cache
def topics() -> dict[str, str]:
    """The topic of each fixture."""
    named = {topic.replace("/", "_"): topic for topic in mappings().topics("shopify")}
    known = {stem: named.get(stem) or named.get(stem.split(".")[0]) for stem in sorted(FIXTURES)}
    return {stem: topic for stem, topic in known.items() if topic}


# --- one webhook's whole way --------------------------------------------------------------------


@dataclass(slots=True)
class Line:
    """Intake and web over one store, and the way from there to the request to Customer.io."""

    intake: Intake
    store: Health
    app: Any
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _last: str = ""

    def headers(self, raw: bytes, topic: str) -> dict[str, str]:
        """Those of a delivery that is not like any before it, from a shop of its own."""
        number = next(self._numbers)
        shop = f"s{number}.example.com"
        facts = Delivery("shopify", topic, f"d-{number}", shop, AT, float(AT), "2026-07")
        return {**PLATFORM.headers_for(facts), **PLATFORM.sign(raw, SECRET)}

    def receive(self, raw: bytes, topic: str) -> Receipt:
        return self.intake.receive(PLATFORM, self.headers(raw, topic), raw, AT)

    def call(self, raw: bytes, **environ: Any) -> tuple[int, Any]:
        """Status and JSON of what the application answers to a WSGI environ."""
        said: list[str] = []
        whole = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/webhooks/shopify",
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "wsgi.errors": io.StringIO(),
            **environ,
        }
        pieces = self.app(whole, lambda status, headers: said.append(status))
        body = b"".join(pieces)
        (status,) = said
        return int(status.split()[0]), json.loads(body) if body.startswith(b"{") else body

    def carry(self) -> list[dict[str, Json]]:
        """What a flush would send of all that was accepted since the last time."""
        entries = self.intake.outbox.read(self._last, 1_000)
        if not entries:
            return []
        self._last = entries[-1].id
        policy = Policy(rules=mappings().rules, flat=mappings().schema.flat)
        memory: dict[Ref, Json] = {}
        for _ in range(MOST_READS):
            for ref in references(entries, memory, policy):
                # Refunds and parcels name nobody but the order, which is somebody's.
                memory[ref] = {"email": "ada@example.com"} if ref[0] == "order" else None
        resolution = resolve(entries, memory, now=AT, policy=policy)
        for value in resolution.taught.values():
            assert_json(value)
        for _, errand in resolution.errands:
            assert_json(errand.to_json())
        parcel = encode(TRACK, resolution.operations)
        assert not [reason for _, reason in parcel.dead if "no JSON" in reason]
        sent: list[dict[str, Json]] = []
        for part in pack(TRACK, parcel.items):
            body = TRACK.request(part).body
            sent += json.loads(body.decode("utf-8"), parse_constant=_no_constant)["batch"]
        assert len(sent) + len(parcel.dead) == len(resolution.operations)
        return sent


def assert_json(value: Json) -> None:
    """It can be written as JSON that everybody reads."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


@pytest.fixture(scope="module")
def line(redis_server: str) -> Iterator[Line]:
    with Redis.from_url(redis_server) as redis:
        redis.flushall()
    client = connect(redis_server, "worker", max_connections=4)
    outbox = Outbox(client, "default", flush_job("default"))
    intake = Intake({"shopify": PLATFORM}, mappings(), outbox, {"shopify": (SECRET,)}, {})
    store = Health(client)
    app = create_app(intake, store, max_body_bytes=MOST)
    yield Line(intake, store, app)
    client.connection_pool.disconnect()
    with Redis.from_url(redis_server) as redis:
        redis.flushall()


def as_environ(headers: dict[str, str]) -> dict[str, str]:
    return {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers.items()}


# --- bodies -------------------------------------------------------------------------------------

NINES = "9" * 4_200
ODD = (
    *("null", "true", "false", "{}", "[]", "[null]", "[[]]", "[{}]", '[{"id": null}]', '{"": 0}'),
    *('""', '" "', '"x"', '"null"', '"NaN"', '"Infinity"', '"-0"', '"1e999"', '"0x10"', '"1_000"'),
    *("0", "-0.0", "-1", "1.5", "0.1e-7", "1e400", "-1e400", "1e-400", "1e999999", "-1e999999"),
    *("1e999999999", "1e-999999999", "1e999999999999999999", "9" * 400, NINES, "-" + NINES),
    *("0." + "1" * 3_000, "9" * 5_000, "9" * 30 + "." + "9" * 30, f'"{NINES}"', f'"{NINES}.5"'),
    *("NaN", "Infinity", "-Infinity", "18446744073709551616", "253402300800", "1e18"),
    *('"\\ud800"', '"\\udfff x"', '"\\ud83d\\ude00"', '"\\u0000"', '"a\\u0000b@example.com"'),
    *('"\N{FULLWIDTH DIGIT ONE}"', '"\N{ARABIC-INDIC DIGIT THREE}"', '"\N{PILE OF POO}"'),
    *('"0001-01-01T00:00:00+14:00"', '"9999-12-31T23:59:59-14:00"', '"2026-02-30T00:00:00Z"'),
    *('"99999-01-01T00:00:00Z"', '"2026-01-01"', '"2026-01-01T00:00:00.999999999999Z"'),
    *('"gid://shopify/Customer/"', '"gid://"', '"@"', '"a@b@c"', '"+"', '"http://["', '"//"'),
    *('"' + "x" * 40_000 + '"', '"' + "\N{PILE OF POO}" * 9_000 + '"', "[" * 300 + "]" * 300),
    *('{"a":' * 300 + "1" + "}" * 300, "[" * 990 + "]" * 990, "[" * 9_000 + "]" * 9_000),
    "[" + ",".join(["{}"] * 2_000) + "]",
    "[" + ",".join(["1"] * 9_000) + "]",
    '{"amount": "1e999", "currency_code": 5}',
)
"""JSON as it stands in a body, or nearly."""


def _places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in a body something stands."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(each, (*path, name))


@cache
def _places_of(stem: str) -> tuple[tuple[Any, ...], ...]:
    return tuple(_places(json.loads(FIXTURES[stem])))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """Topic and body of a fixture in which other things stand, names twice, or bytes are wrong."""
    stem = draw(st.sampled_from(sorted(topics())))
    body = json.loads(FIXTURES[stem])
    places = _places_of(stem)
    spliced: dict[str, str] = {}
    for number in range(draw(st.integers(1, 6))):
        place = draw(st.sampled_from(places))
        odd = draw(st.sampled_from(ODD))
        holder = body
        for step in place[:-1]:
            holder = holder[step] if _has(holder, step) else None
        if not _has(holder, place[-1]):
            continue  # something else has taken its place
        token = f"\x01{number}\x01"
        if isinstance(holder, dict) and draw(st.booleans()):
            holder[token] = 0
            name = json.dumps(place[-1])
            spliced[f"{json.dumps(token)}: 0"] = f"{name}: {odd}"
        else:
            holder[place[-1]] = token
            spliced[json.dumps(token)] = odd
    text = json.dumps(body, ensure_ascii=False)
    for old, new in spliced.items():
        text = text.replace(old, new)
    return topics()[stem], text.encode("utf-8", "surrogatepass")


def _has(holder: Json, step: Any) -> bool:
    if isinstance(holder, list):
        return isinstance(step, int) and step < len(holder)
    return isinstance(holder, dict) and step in holder


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """A fixture in which some bytes are others, or which ends too early."""
    body = bytearray(FIXTURES[draw(st.sampled_from(sorted(FIXTURES)))])
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(body) - 1))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body[: draw(st.integers(0, len(body)) | st.just(len(body)))])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
).map(lambda value: json.dumps(value).encode())
BYTES = st.binary(max_size=300) | JSON | spoilt() | st.sampled_from(ODD).map(str.encode)
TOPICS = st.sampled_from(
    [*mappings().topics("shopify"), "orders/exploded", "Order/create", "x" * 100]
)


@examples(120, 10_000)
@given(mutated())
def test_no_value_anywhere_is_an_error_of_ours(line: Line, case: tuple[str, bytes]) -> None:
    topic, raw = case
    try:
        body = parse_body(raw)
    except MalformedError:
        with pytest.raises(MalformedError):
            line.receive(raw, topic)
        return
    pure = mappings().apply(Delivery("shopify", topic, "d", "s.example.com", AT, float(AT)), body)
    receipt = line.receive(raw, topic)
    assert receipt.outcome == {"mapped": "accepted"}.get(pure.outcome, pure.outcome)
    assert receipt.reason == pure.reason
    line.carry()


def test_the_way_is_walked_to_its_end(line: Line) -> None:
    """So that the test above can see something: every fixture as it is, and what is sent of it."""
    line.carry()
    for stem, topic in topics().items():
        assert line.receive(FIXTURES[stem], topic).outcome in ("accepted", "ignored"), stem
    names = {item.get("name") for item in line.carry()}
    assert {"order_completed", "checkout_started", "order_refunded"} <= names


@examples(120, 10_000)
@given(BYTES, TOPICS)
def test_any_bytes_with_a_right_signature(line: Line, raw: bytes, topic: str) -> None:
    headers = as_environ(line.headers(raw, topic))
    status, answer = line.call(raw, **headers)
    if status == 200:
        assert answer["outcome"] in OUTCOMES
    else:
        assert status == (413 if len(raw) > MOST else 400)
        assert list(answer) == ["error"]
    wrong = {**headers, "HTTP_X_SHOPIFY_HMAC_SHA256": PLATFORM.sign(raw, "x")[SIGNATURE]}
    assert line.call(raw, **wrong)[0] == (413 if len(raw) > MOST else 401)
    line.carry()


def test_parse_and_apply_stop_at_the_same_depth_for_all(line: Line) -> None:
    """There is no depth at which a body can be read and then breaks what comes behind it."""
    for depth in (*range(100, 1_100, 50), *range(960, 1_010)):
        for opened, closed in (("[", "]"), ('{"a":', "}")):
            inner = opened * depth + ("1" if closed == "}" else "") + closed * depth
            for place in ("note", "customer", "line_items", "note_attributes"):
                raw = f'{{"id": 1, "email": "\\ud800@x.com", "{place}": {inner}}}'.encode()
                status, _ = line.call(raw, **as_environ(line.headers(raw, "orders/paid")))
                assert status in (200, 400)
    line.carry()


# --- headers ------------------------------------------------------------------------------------

NAMES = sorted(as_environ(dict.fromkeys([*PLATFORM.profile.delivery.values(), SIGNATURE], "")))
LATIN = st.text(st.characters(max_codepoint=255))
VALUES = (
    LATIN
    | st.sampled_from(["", " ", ",", "a,a", "\x00", "\xff" * 9, "true,false", "x" * 100_000])
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "a." * 127 + "a"])
    | st.text(st.characters(codec=None), max_size=9)
)


@examples(150, 20_000)
@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES | st.none(), min_size=1, max_size=4),
    st.booleans(),
)
@example({"HTTP_X_SHOPIFY_TRIGGERED_AT": "0001-01-01T00:00:00+14:00"}, False)
def test_any_headers(line: Line, changes: dict[str, str | None], events: bool) -> None:
    """`events`: the headers of Shopify's other form stand beside them."""
    raw = FIXTURES["orders_paid"]
    right = as_environ(line.headers(raw, "orders/paid"))
    headers = {**right, **changes}
    if events:
        headers |= {
            name.replace("HTTP_X_", "HTTP_"): value for name, value in headers.items() if value
        }
    status, answer = line.call(raw, **{name: value for name, value in headers.items() if value})
    signed = "HTTP_X_SHOPIFY_HMAC_SHA256"
    if (headers.get(signed) or "").strip() != right[signed] and not events:
        assert status == 401
    assert status in (200, 400, 401)
    assert list(answer) == (["outcome", "delivery", "reason"] if status == 200 else ["error"])


LENGTHS = (
    st.sampled_from(
        ["", "0", "-1", "+5", "5 ", "1e3", "0x5", "5,5", "\xb2", "\xb3\xb2", "9" * 5_000]
    )
    | st.integers(-10, 10**20).map(str)
    | LATIN
)
PATHS = st.sampled_from(
    ["shopify", "", "unknown", "shopify/", "\x00", "..", "Shopify", "a" * 9_000]
)


@examples(150, 20_000)
@given(
    length=LENGTHS | st.none(),
    chunked=st.booleans(),
    method=st.sampled_from(["POST", "POST", "GET", "HEAD", "OPTIONS", "TRACE", "\x00", "PRI"]),
    path=PATHS.map("/webhooks/{}".format) | LATIN,
    host=st.none() | LATIN,
)
def test_any_request(
    line: Line, length: str | None, chunked: bool, method: str, path: str, host: str | None
) -> None:
    raw = b'{"id": 1}'
    environ = as_environ(line.headers(raw, "orders/paid"))
    environ |= {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_LENGTH": length or ""}
    if host is not None:
        environ["HTTP_HOST"] = host
    status, answer = line.call(raw, **environ, **{"wsgi.input_terminated": chunked})
    # What health and metrics answer is told elsewhere; here they are only not to break.
    assert status in (200, 400, 401, 404, 405, 413), answer
    if status == 200 and path == "/webhooks/shopify":
        assert method == "POST"
        assert (length or "").strip() in ("", "9")
        assert answer["outcome"] in OUTCOMES
