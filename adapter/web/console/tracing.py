"""One delivery, from the door to Customer.io's answer: all that is still known of it.

What was found in Redis is looked for where it must be, by its time; what is made of its body is
made anew, by today's mappings and as if nothing were known of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adapter.account import Account, Fate
from adapter.errors import MalformedError
from adapter.explain import Explanation, explained
from adapter.lookup.texts import utc_text
from adapter.mapping import parse_body
from adapter.model import Json, Mapped
from adapter.store.browse import Browse
from adapter.store.kept import Kept, KeptDelivery
from adapter.store.letters import DeadLetter, ParkedDelivery
from adapter.store.people import People, Thing
from adapter.web.console import masks
from adapter.web.console.backstage import Backstage
from adapter.web.console.words import pretty


@dataclass(frozen=True, slots=True)
class Step:
    """One state on its way: `at` is when (Unix seconds), `kind` how it is coloured."""

    name: str
    at: float | None
    said: str = ""
    kind: str = ""
    link: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All of it; what is personal is masked already, unless it was asked for. `whose` is not: it
    is for a link."""

    kept: KeptDelivery
    steps: list[Step]
    timings: list[tuple[str, float]]
    batches: list[tuple[Account, Fate]]
    body: str | None
    body_is: str
    person: Json = None
    events: list[Json] = field(default_factory=list)
    requests: list[Json] = field(default_factory=list)
    outcome: str = ""
    reason: str | None = None
    left_out: list[str] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    whole: bool = True
    whose: str | None = None


def traced(backstage: Backstage, place: str, *, unmask: bool) -> Trace | None:
    """None where nothing lies there any more. Raises StoreError."""
    redis, workspace = backstage.redis, backstage.workspace
    one = Kept(redis, workspace).get(place)
    if one is None:
        return None
    browse = Browse(redis, workspace)
    parked = _parked(browse, one)
    raw = one.body if one.body is not None else parked.body if parked else None
    body_is = "kept" if one.body is not None else "parked" if raw is not None else "given up"
    accounts, whole = browse.batches(one)
    batches = [(each, each.fates[one.delivery.id]) for each in accounts]
    found = _explained(backstage, one, raw)
    waiting = _waiting(backstage, one, found)
    steps = [_received(one), _mapped(one, parked)]
    for account, fate in batches:
        steps += _settled(browse, one, account, fate)
    if _is_pending(browse, one):
        steps.append(Step("pending", None, "waits in the outbox to be sent", "waits"))
    for thing in waiting:
        until = f" until {utc_text(thing.until)} at the latest" if thing.until else ""
        said = f"until {thing.ref[0]} {thing.ref[3]} says whose it is{until}"
        steps.append(Step("waits for its person", None, said, "waits"))
    told = found.to_json() if found else {}
    person = told.get("person")
    return Trace(
        one,
        steps,
        _timings(one, batches),
        batches,
        readable(raw, unmask=unmask),
        body_is,
        person if person is None or unmask else masks.person(person),
        [each if unmask else masks.event(each) for each in told.get("events", [])],
        [each if unmask else masks.request(each) for each in told.get("requests", [])],
        found.outcome if found else "",
        (found.reason if unmask else masks.reason(found.reason)) if found else None,
        [f"{each['path']}: {each['problem'] if unmask else masks.reason(each['problem'])}"
         for each in told.get("left_out", [])],
        [(event.name, why) for event, why in found.dropped] if found else [],
        whole,
        next((person[name] for name in ("id", "email", "phone") if person and person[name]), None),
    )  # fmt: skip


def _explained(backstage: Backstage, one: KeptDelivery, raw: bytes | None) -> Explanation | None:
    """What the body would become today."""
    if raw is None:
        return None
    try:
        body = parse_body(raw)
    except MalformedError as error:
        mapped = Mapped("parked", one.delivery, str(error))
        return explained(mapped, backstage.destination)
    mappings = backstage.mappings
    mapped = mappings.apply(one.delivery, body)
    return explained(mapped, backstage.destination, policy=backstage.policy, names=mappings.names)


def readable(raw: bytes | None, *, unmask: bool) -> str | None:
    """A body to read; one that is no JSON is shown only to who asks for it."""
    if raw is None:
        return None
    try:
        body = parse_body(raw)
    except MalformedError:
        return raw.decode("utf-8", "replace") if unmask else masks.HIDDEN
    return pretty(body if unmask else masks.body(body))


def _received(one: KeptDelivery) -> Step:
    delivery = one.delivery
    said = f"from {delivery.platform} {delivery.shop}; its signature was right"
    return Step("received", one.at, said)


def _mapped(one: KeptDelivery, parked: ParkedDelivery | None) -> Step:
    reason = masks.reason(one.reason)
    if one.outcome == "accepted":
        told = f"{len(one.told)} of its events were told by other deliveries" if one.told else ""
        return Step("mapped", one.at, told, "good")
    if one.outcome == "ignored":
        return Step("ignored", one.at, reason)
    link = ("parked", parked.id) if parked else None
    said = reason if parked else f"{reason}; it was replayed or dropped since"
    return Step("parked", one.at, said, "bad" if parked else "", link)


def _settled(browse: Browse, one: KeptDelivery, account: Account, fate: Fate) -> list[Step]:
    """What one batch made of it."""
    sent = [each.name for each in fate.events if each.why is None]
    sent += [action for action, why in fate.did if why is None]
    dead = [(each.name, each.why) for each in fate.events
            if each.why and each.why.startswith("dead: ")]  # fmt: skip
    dead += [(action, why) for action, why in fate.did if why]
    steps = []
    if sent:
        name = "rehearsed" if account.rehearsal else "sent"
        steps.append(Step(name, account.at, ", ".join(dict.fromkeys(sent)), "good"))
    for name, why in dead:
        link = _letter(browse, one, account.at)
        said = f"{name}: {masks.reason(why.removeprefix('dead: '))}"
        steps.append(Step("dead" if link else "was dead", account.at, said, "bad", link))
    for each in fate.events:
        if each.why and not each.why.startswith("dead: "):
            steps.append(Step("not sent", account.at, f"{each.name}: {each.why}"))
    if fate.note:
        waits = fate.note.startswith("waits")
        steps.append(
            Step("waits" if waits else "not sent", account.at, fate.note, "waits" if waits else "")
        )
    return steps or [Step("settled", account.at, "there was nothing to send")]


def _letter(browse: Browse, one: KeptDelivery, at: float) -> tuple[str, str] | None:
    """Its dead letter, if it still lies where it must."""
    for id_, fields in browse.near("dead", at - 2):
        letter = DeadLetter.read(id_, fields)
        if one.delivery.id in [each.id for each in letter.deliveries]:
            return "dead", letter.id
    return None


def body_of(browse: Browse, one: KeptDelivery) -> bytes | None:
    """A delivery's body, wherever it still is. Raises StoreError."""
    if one.body is not None:
        return one.body
    parked = _parked(browse, one)
    return parked.body if parked else None


def _parked(browse: Browse, one: KeptDelivery) -> ParkedDelivery | None:
    if one.outcome != "parked":
        return None
    for id_, fields in browse.near("parked", one.at):
        found = ParkedDelivery.read(id_, fields)
        if found.kept == one.id:
            return found
    return None


def _is_pending(browse: Browse, one: KeptDelivery) -> bool:
    """Whether it waits where it was put when it came; one that was replayed since lies later."""
    return any(fields.get(b"k") == one.id.encode() for _, fields in browse.near("outbox", one.at))


def _waiting(backstage: Backstage, one: KeptDelivery, found: Explanation | None) -> list[Thing]:
    """The orders and tokens of its own under which it waits."""
    if found is None:
        return []
    shop = (one.delivery.platform, one.delivery.shop)
    person = found.mapped.person
    tokens = dict(person.tokens) if person else {}
    wanted = [(kind, *shop, value) for kind, value in tokens.items()]
    if one.order:
        wanted.append(("order", *shop, one.order))
    people = People(backstage.redis, backstage.workspace, secret=backstage.settings.hash_secret)
    return [
        thing
        for thing in people.things(wanted)
        if any(one.delivery.id == each["id"] for item in thing.waiting for each in item.deliveries)
    ]


def _timings(one: KeptDelivery, batches: list[tuple[Account, Fate]]) -> list[tuple[str, float]]:
    found = []
    if one.delivery.triggered_at:
        found.append(
            ("from the change in the store to the door", one.at - one.delivery.triggered_at)
        )
    if batches:
        account = batches[0][0]
        found.append(("from the door to its first batch settled", account.at - one.at))
        took = sum(seconds for _, seconds, _ in account.answers)
        if account.answers:
            found.append(("of which Customer.io took", took))
    return [(name, max(0.0, length)) for name, length in found]
