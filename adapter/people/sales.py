"""What became an order, and what was told of it: so that nobody is reminded of what they bought.

Memory holds per cart and checkout token the order that it became, per checkout the cart that it
began as, and per order what was told of it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from adapter.model import CanonicalEvent, Entry, Json, Operation, Ref
from adapter.people.memory import LINK, SOLD, TOLD, View, ref_of
from adapter.people.profile import Profile

ALREADY_ORDERED = "already ordered"
CANCELED_BEFORE = "canceled before it was told"
TOLD_BEFORE = "history: told before"
HISTORY_SECONDS = 20 * 86400
"""Until a business key ends it keeps an event from being told twice; from then on this memory does.
The key's 30 days begin when the event comes in, and these when it is told: after an outage, or when
it has waited or was parked, that is days later. An event whose key was given back before that, as
it was refused, may be told again."""

_ADDED, _STARTED = "added_to_cart", "checkout_started"
_COMPLETED, _CANCELED = "order_completed", "order_canceled"
_JOINED = (_STARTED, _COMPLETED, _CANCELED)
_TOKENS = ("cart", "checkout")
CART_ATTRIBUTES = frozenset(
    {"current_cart_value", "current_cart_updated_at", "current_cart_id", "current_cart_url"}
)


def references(entry: Entry) -> list[Ref]:
    """What must be known before the functions here can be asked about an entry."""
    delivery, tokens = entry.delivery, entry.person.tokens
    found = _marks(entry)
    if "checkout" in tokens:
        found.append(ref_of(LINK, delivery, tokens["checkout"]))
    if entry.order is not None:
        found.append(ref_of(TOLD, delivery, entry.order))
    return found


def with_link(entry: Entry, view: View) -> Entry:
    """The entry with the cart that its checkout began as, where only that was in the body."""
    tokens = entry.person.tokens
    checkout, cart = tokens.get("checkout"), tokens.get("cart")
    if checkout is None:
        return entry
    ref = ref_of(LINK, entry.delivery, checkout)
    if cart is not None:
        view.learn(entry.id, ref, cart)
        return entry
    cart = view.get(ref)
    if cart is None:
        return entry
    events = tuple(
        replace(event, properties={**event.properties, "cart_id": cart})
        if event.name in _JOINED and "cart_id" not in event.properties
        else event
        for event in entry.events
    )
    person = replace(entry.person, tokens={**tokens, "cart": cart})
    return replace(entry, person=person, events=events)


def is_sold(entry: Entry, view: View) -> bool:
    """Whether the cart or checkout that an entry is about is an order by now."""
    return entry.order is None and any(view.get(ref) is not None for ref in _marks(entry))


def cleared(entry: Entry, profile: Profile, view: View) -> Mapping[str, Json] | None:
    """What is to be written where an order is heard of for the first time: their cart is no more.

    None where the cart that they have as far as known is another one, or where it is known that
    they have none, or where it is none of this order's.
    """
    token, cart = entry.person.tokens.get("cart"), profile.cart
    if entry.order is None or token is None or cart not in (None, token):
        return None
    if cart is None and "current_cart_id" in profile.stamps:
        return None
    if view.get(_mark(entry, "cart", token)) is not None:
        return None
    at = min([event.timestamp for event in entry.events], default=entry.person.as_of)
    return {
        "current_cart_value": 0,
        "current_cart_updated_at": at,
        "current_cart_id": "",
        "current_cart_url": "",
    }


def learn(entry: Entry, view: View) -> None:
    """Remember what an order was before it was one."""
    if entry.order is not None:
        for ref in _marks(entry):
            view.learn(entry.id, ref, entry.order)


def _marks(entry: Entry) -> list[Ref]:
    """Where it is kept that the cart or checkout of an entry became an order."""
    tokens = entry.person.tokens
    return [_mark(entry, kind, tokens[kind]) for kind in _TOKENS if kind in tokens]


def _mark(entry: Entry, kind: str, token: str) -> Ref:
    return ref_of(SOLD, entry.delivery, f"{kind}:{token}")


def untold(entry: Entry, event: CanonicalEvent, view: View, now: int, *, sold: bool) -> str | None:
    """Why an event is not to be told; None where it is, and then it counts as told. `sold`: its
    cart or checkout is an order by now."""
    if event.name in (_ADDED, _STARTED):
        return ALREADY_ORDERED if sold else None
    if entry.order is None:
        return None
    ref = ref_of(TOLD, entry.delivery, entry.order)
    told: Mapping[str, int] = view.get(ref) or {}
    name = _name(entry, event)
    if event.name == _COMPLETED and _CANCELED in told:
        return CANCELED_BEFORE
    if name not in told:
        view.keep(entry.id, ref, {**told, name: now})
    elif told[name] < now - HISTORY_SECONDS:
        return TOLD_BEFORE
    return None


def told_again(entry: Entry, operation: Operation, view: View, now: int) -> None:
    """An event that was refused goes out once more, and counts as told from now on."""
    if entry.order is not None and operation.name is not None:
        ref = ref_of(TOLD, entry.delivery, entry.order)
        view.learn(entry.id, ref, {**(view.get(ref) or {}), _name(entry, operation): now})


def is_told(entry: Entry, operation: Operation, view: View) -> bool:
    """Whether a refused event was told by another delivery since: it was taken back when it was
    refused, unless it is a cancellation."""
    if entry.order is None or operation.name in (None, _CANCELED):
        return False
    told: Mapping[str, int] = view.get(ref_of(TOLD, entry.delivery, entry.order)) or {}
    return _name(entry, operation) in told


def take_back(entry: Entry, refused: Operation, learned: dict[Ref, Json]) -> None:
    """An event of an order that was refused does not count as told. A cancellation does: it is
    true, whoever heard of it."""
    if entry.order is None or refused.name in (None, _CANCELED):
        return
    ref = ref_of(TOLD, entry.delivery, entry.order)
    if told := learned.get(ref):
        name = _name(entry, refused)
        learned[ref] = {each: at for each, at in told.items() if each != name}


def _name(entry: Entry, event: CanonicalEvent | Operation) -> str:
    """What an event is called among all that was told of its order."""
    return str(event.name) if event.key == entry.order else f"{event.name}:{event.key}"
