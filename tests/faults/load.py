"""A store that never gives up: seeded webhooks of many shoppers, and what must come of each.

`plan` makes stories from a seed: the same seed gives the same shoppers, ids, order of deliveries,
repeats and poison. Only times are of today, and the moments at which lanes overtake each other.
`Load` posts them as Shopify does: what is not answered 200 is sent again under the same delivery
id, and now and then one that was. One story is told in its order, stories run side by side.
"""

from __future__ import annotations

import json
import queue
import random
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import requests
from edge.lab import FIXTURES, SECRET, SHOP, Webhook, iso, until

QUIET_SHOP = "quiet-tea.myshopify.com"
KINDS = ("refused", "rejected", "too_large", "breaks")
"""How Customer.io may fail on one item: refused in a 207; 400 or 413 for all that is with it; 500
for all that is with it, always."""

_STEP_SECONDS = 2
_PATIENCE_SECONDS = 5
_RETRY_SECONDS = (0.02, 0.25)
_QUIET_SECONDS = 0.15
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[-+]\d\d:\d\d|Z)"


class Fact(NamedTuple):
    """One event that must arrive: whose, which, and what tells it from others of its name."""

    who: str
    event: str
    mark: str


@dataclass(slots=True)
class Dispatch:
    """One delivery and what must come of it.

    `fate` is what the adapter must answer. `facts` are the events that must arrive because of it,
    or be among the dead when `poison` says how Customer.io fails on them. `name` is the first name
    that its person has from then on.
    """

    webhook: Webhook
    who: str
    fate: str = "accepted"
    facts: tuple[Fact, ...] = ()
    name: str | None = None
    poison: str | None = None
    repeats: int = 0
    """How often it is sent once more although it was answered."""


Story = list[Dispatch]


@dataclass(slots=True)
class Book:
    """What was taken in, in its order: what the oracle judges by. Filled while the load runs."""

    taken: list[Dispatch] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    """Answers that no store should get, whatever the weather."""
    doubtful: list[tuple[float, float, str]] = field(default_factory=list)
    """(from, to, what): strange unless something was being broken just then."""
    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    """How long each answer took that was one."""
    at: dict[str, float] = field(default_factory=dict)
    """When a delivery was taken (Unix)."""


# --- bodies -------------------------------------------------------------------------------------


class Template:
    """A fixture with holes where its ids, its names and its times stand."""

    def __init__(self, fixture: str, names: dict[str, str]) -> None:
        body = json.loads((FIXTURES / f"{fixture}.json").read_text("utf-8"))
        for lines in ("line_items", "refund_line_items"):
            if lines in body:
                body[lines] = body[lines][:1]
        body["note_attributes"] = []
        for place in (body, body.get("customer") or {}, body.get("shipping_address") or {}):
            for name in ("phone", "first_name"):
                if name in place:
                    place[name] = "{first}" if name == "first_name" else None
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        known = "|".join(re.escape(old) for old in sorted(names, key=len, reverse=True))
        self._names = {**names, "{first}": "first"}
        pieces = re.split(rf"({known}|{{first}}|{_TIME})", text)
        self._texts, self._holes = pieces[0::2], pieces[1::2]

    def body(self, at: float, **values: str) -> bytes:
        """The fixture with these values, every time in it `at` (Unix)."""
        second = iso(int(at))
        parts = [self._texts[0]]
        for hole, text in zip(self._holes, self._texts[1:], strict=True):
            name = self._names.get(hole)
            parts += (second if name is None else values[name], text)
        return "".join(parts).encode()


@lru_cache
def _templates() -> dict[str, Template]:
    order = json.loads((FIXTURES / "orders_create.small.json").read_text("utf-8"))
    checkout = json.loads((FIXTURES / "checkouts_create.json").read_text("utf-8"))
    refund = json.loads((FIXTURES / "refunds_create.json").read_text("utf-8"))
    parcel = json.loads((FIXTURES / "fulfillments_create.json").read_text("utf-8"))
    whom = {str(order["customer"]["id"]): "who", "ada@example.com": "email"}
    tokens = {order["cart_token"]: "cart", order["checkout_token"]: "checkout"}
    others = {checkout["cart_token"]: "cart", checkout["token"]: "checkout"}
    bought = {str(order["id"]): "order", **whom, **tokens}
    return {
        "checkouts/create": Template("checkouts_create", {**whom, **others}),
        "orders/create": Template("orders_create.small", bought),
        "orders/paid": Template("orders_create.small", bought),
        "refunds/create": Template(
            "refunds_create",
            {**whom, str(refund["id"]): "refund", str(refund["order_id"]): "order"},
        ),
        "fulfillments/create": Template(
            "fulfillments_create",
            {**whom, str(parcel["id"]): "parcel", str(parcel["order_id"]): "order"},
        ),
        "customers/update": Template("customers_update", whom),
    }


_NAMES_A_PERSON = frozenset(
    {"checkouts/create", "orders/create", "orders/paid", "customers/update"}
)


class Shopper:
    """Somebody whose every body is a step newer than the one before."""

    def __init__(self, number: int, chance: random.Random, shop: str, since: float) -> None:
        self.id = str(8_000_000_000_000 + number)
        self._number = number
        self._chance = chance
        self._shop = shop
        self._since = since
        self._steps = 0
        self._orders = 0

    def customer(self) -> Dispatch:
        return self._dispatch("customers/update")

    def purchase(self, *, poison: str | None = None) -> Story:
        """A checkout, its order, perhaps told again as paid, shipped, and perhaps refunded."""
        chance = self._chance
        self._orders += 1
        n = f"{self._number:07d}{self._orders:05d}"
        ids = {
            "order": f"61{n}",
            "refund": f"91{n}",
            "parcel": f"55{n}",
            "cart": f"hWN1{n}",
            "checkout": f"{n:0>32}",
        }
        story: Story = []
        if chance.random() < 0.4:
            story.append(self._dispatch("checkouts/create", "checkout_started", "checkout", ids))
        first, second = "orders/create", "orders/paid"
        if chance.random() < 0.2:
            first, second = second, first
        story.append(self._dispatch(first, "order_completed", "order", ids, poison=poison))
        # A dead event gives its key back: another body of its order would try again.
        if poison is None and chance.random() < 0.5:
            story.append(self._dispatch(second, None, None, ids))
        if chance.random() < 0.3:
            story.append(self._dispatch("fulfillments/create", "order_shipped", "parcel", ids))
        if chance.random() < 0.3:
            story.append(self._dispatch("refunds/create", "order_refunded", "refund", ids))
        return story

    def test_order(self) -> Dispatch:
        """Ignored on purpose."""
        (dispatch,) = self._only_order()
        dispatch.webhook.body = dispatch.webhook.body.replace(b'"test":false', b'"test":true')
        assert b'"test":true' in dispatch.webhook.body
        return self._comes_to_nothing(dispatch, "ignored")

    def mangled(self) -> Dispatch:
        """Genuine, but the price is none: parked."""
        (dispatch,) = self._only_order()
        body = json.loads(dispatch.webhook.body)
        body["line_items"][0]["price"] = "free"
        dispatch.webhook.body = json.dumps(body).encode()
        return self._comes_to_nothing(dispatch, "parked")

    def _only_order(self) -> Story:
        return [
            one for one in self.purchase() if one.facts and one.facts[0].event == "order_completed"
        ]

    def _comes_to_nothing(self, dispatch: Dispatch, fate: str) -> Dispatch:
        dispatch.fate, dispatch.facts, dispatch.name = fate, (), None
        return dispatch

    def _dispatch(
        self,
        topic: str,
        event: str | None = None,
        mark: str | None = None,
        ids: dict[str, str] | None = None,
        poison: str | None = None,
    ) -> Dispatch:
        self._steps += 1
        at = self._since + self._steps * _STEP_SECONDS
        name = f"v{self._steps:06d}"
        email = f"ada.{self._number}@example.com"
        values = {"who": self.id, "email": email, "first": name, **(ids or {})}
        body = _templates()[topic].body(at, **values)
        id_ = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        facts: tuple[Fact, ...] = ()
        if event is not None and mark is not None:
            facts = (Fact(self.id, event, values[mark]),)
        return Dispatch(
            Webhook(topic, body, id_, self._shop, triggered_at=at),
            self.id,
            facts=facts,
            name=name if topic in _NAMES_A_PERSON else None,
            poison=poison,
            repeats=int(self._chance.random() < 0.08),
        )


# --- stories ------------------------------------------------------------------------------------


def plan(
    seed: int,
    deliveries: int,
    *,
    poison: Iterable[str] = (),
    shop: str = SHOP,
    first: int = 1,
    bystanders: bool = True,
) -> list[Story]:
    """About so many deliveries of several shoppers; one more shopper for each kind of poison.

    `first` numbers the first shopper. With `bystanders` some deliveries are ignored or parked.
    """
    chance = random.Random(seed)
    since = time.time() - 2 * 86_400
    stories: list[Story] = []
    count, number = 0, first
    poisons = list(poison)
    while count < deliveries or poisons:
        shopper = Shopper(number, chance, shop, since)
        number += 1
        story: Story = []
        if chance.random() < 0.5:
            story.append(shopper.customer())
        kind = poisons.pop() if poisons and chance.random() < 0.2 + (count >= deliveries) else None
        # What is poison is told by person and event: those have one order.
        for _ in range(1 if kind else chance.choice((1, 1, 2))):
            story += shopper.purchase(poison=kind)
            if chance.random() < 0.3:
                story.append(shopper.customer())
        if bystanders and chance.random() < 0.06:
            story.append(shopper.test_order())
        if bystanders and chance.random() < 0.06:
            story.append(shopper.mangled())
        count += len(story)
        stories.append(story)
    return stories


def about_one_person(seed: int, deliveries: int) -> list[Story]:
    """One story, of somebody who never stops."""
    chance = random.Random(seed)
    shopper = Shopper(1, chance, SHOP, time.time() - 3 * 86_400)
    story: Story = []
    while len(story) < deliveries:
        story += shopper.purchase() if chance.random() < 0.5 else [shopper.customer()]
    return [story]


def faults_of(stories: Sequence[Story]) -> list[dict[str, Any]]:
    """What the sandbox is to be told, so that the poison is poison. Breaking comes first: a request
    has one fault, and whoever only refuses must not hide it."""
    ways: dict[str, dict[str, Any]] = {
        "breaks": {"status": 500},
        "rejected": {"status": 400},
        "too_large": {"status": 413},
        "refused": {"refuse": True},
    }
    dispatches = [one for story in stories for one in story]
    return [
        {**fault, "times": -1, "match": {"id": fact.who, "name": fact.event}}
        for kind, fault in ways.items()
        for one in dispatches
        if one.poison == kind
        for fact in one.facts
    ]


# --- sending ------------------------------------------------------------------------------------


class Load:
    """Tells the stories over a few lanes. `let` allows so many deliveries more, `rest` all.

    Those of the quiet shop have a lane of their own, which takes its time and needs no leave.
    """

    def __init__(self, url: str, stories: Sequence[Story], seed: int, *, lanes: int = 6) -> None:
        self.book = Book()
        self.total = sum(map(len, stories))
        self._url = url
        self._stories: queue.SimpleQueue[Story] = queue.SimpleQueue()
        self._quiet: queue.SimpleQueue[Story] = queue.SimpleQueue()
        for story in stories:
            is_quiet = story[0].webhook.shop == QUIET_SHOP
            (self._quiet if is_quiet else self._stories).put(story)
        self._allowed = threading.Semaphore(0)
        self._free = threading.Event()
        self._stop = threading.Event()
        self._lanes = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {n}"),), daemon=True)
            for n in range(lanes)
        ]
        self._lanes.append(threading.Thread(target=self._murmur, daemon=True))

    def __enter__(self) -> Load:
        for lane in self._lanes:
            lane.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.rest()
        for lane in self._lanes:
            lane.join(2 * _PATIENCE_SECONDS)

    @property
    def done(self) -> int:
        return len(self.book.taken)

    @property
    def over(self) -> bool:
        return not any(lane.is_alive() for lane in self._lanes)

    def let(self, count: int) -> None:
        self._allowed.release(count)

    def rest(self) -> None:
        """No more waiting: all that is left."""
        self._free.set()
        self._allowed.release(len(self._lanes))

    def reach(self, count: int, seconds: float = 900) -> None:
        """Wait until so many were taken in."""
        until(lambda: self.done >= count or self.over, f"{count} deliveries are taken", seconds)

    def finish(self, seconds: float = 1800) -> Book:
        self.rest()
        until(lambda: self.over, "all deliveries are taken", seconds)
        assert self.book.strange or self.done == self.total, "a lane gave up"
        return self.book

    def _murmur(self) -> None:
        chance = random.Random(0)
        with requests.Session() as session:
            while not self._quiet.empty() and not self._stop.is_set():
                for dispatch in self._quiet.get():
                    if not self._take(session, dispatch, chance):
                        return
                    self._stop.wait(_QUIET_SECONDS)

    def _run(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while not self._stop.is_set():
                try:
                    story = self._stories.get_nowait()
                except queue.Empty:
                    return
                for dispatch in story:
                    if not self._free.is_set():
                        self._allowed.acquire()
                    if self._stop.is_set() or not self._take(session, dispatch, chance):
                        return

    def _take(self, session: requests.Session, dispatch: Dispatch, chance: random.Random) -> bool:
        """Post it until it is answered 200, and note what was said."""
        unanswered, book = 0, self.book
        while not self._stop.is_set():
            began = time.time()
            said = self._post(session, dispatch.webhook)
            if said is None:
                unanswered += 1
                self._stop.wait(chance.uniform(*_RETRY_SECONDS))
                continue
            # Unanswered may mean stored; answered for the first time, it must be new.
            if said != dispatch.fate and not (said == "duplicate" and unanswered):
                line = f"{dispatch.webhook.topic}: {said}, not {dispatch.fate}"
                if said == "duplicate":
                    book.doubtful.append((began, time.time(), line))
                else:
                    book.strange.append(line)
            book.at[dispatch.webhook.id] = time.time()
            book.taken.append(dispatch)
            for _ in range(dispatch.repeats):
                again = self._post(session, dispatch.webhook)
                if again not in (None, "duplicate"):
                    book.strange.append(f"{dispatch.webhook.topic}: {again} when sent again")
            return True
        return False

    def _post(self, session: requests.Session, webhook: Webhook) -> str | None:
        """The outcome, None when it must be sent again."""
        began = time.monotonic()
        try:
            answer = session.post(
                f"{self._url}/webhooks/shopify",
                data=webhook.body,
                headers=webhook.headers(SECRET),
                timeout=_PATIENCE_SECONDS,
            )
        except requests.RequestException as error:
            self.book.answers[type(error).__name__] += 1
            return None
        self.book.seconds.append(time.monotonic() - began)
        self.book.answers[str(answer.status_code)] += 1
        if answer.status_code == 200:
            outcome: str = answer.json()["outcome"]
            return outcome
        if answer.status_code != 503:
            self.book.strange.append(f"{webhook.topic}: answered {answer.status_code}")
        return None
