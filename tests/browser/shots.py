"""`make screenshots`: docs/console/*.png, of a console with two days behind it.

All that is on them went through the real processes in a few seconds. Then it is moved in time, so
that the charts have something to show; of earlier hours only what is counted is made up.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from adapter.compact import dump, load
from adapter.store.drift import Drift
from adapter.store.streams import millisecond
from tests.edge.lab import SHOP, until

from .chromium import launched
from .pages import EDIT, a_delivery, a_plan_to_replay, playground
from .story import Story
from .visit import PHONE, Visit

TARGET = Path(__file__).parents[2] / "docs" / "console"
PREFIX = "adapter:default:"
SIZE = {"width": 1120, "height": 760}
MOST_BYTES = 150_000
HOUR, SPAN = 3600, 50 * 60
HOURS = range(1, 48)

Shot = Callable[[Visit, Story], object]


def overview(visit: Visit, story: Story) -> None:
    visit.go()


def deliveries(visit: Visit, story: Story) -> None:
    visit.go("deliveries")


def letters(visit: Visit, story: Story) -> None:
    visit.go("letters")


def edit(visit: Visit, story: Story) -> None:
    playground(visit, story)
    visit.see("#overlay").fill(EDIT)
    expect(visit.see("#difference .change")).to_have_count(1)


def contract(visit: Visit, story: Story) -> None:
    visit.go("contract?event=order_completed")


DARK = {"color_scheme": "dark"}
SHOTS: dict[str, tuple[Shot, dict[str, Any]]] = {
    "overview": (overview, {"viewport": {**SIZE, "height": 1130}}),
    "overview-dark": (overview, {"viewport": {**SIZE, "height": 1130}, **DARK}),
    "deliveries": (deliveries, {}),
    "delivery": (a_delivery, {"viewport": {**SIZE, "height": 900}}),
    "letters": (letters, {"viewport": {**SIZE, "height": 560}}),
    "plan": (a_plan_to_replay, {"viewport": {**SIZE, "height": 560}}),
    "playground": (edit, {}),
    "contract": (contract, {}),
    "phone": (overview, {"viewport": PHONE}),
    "phone-dark": (deliveries, {"viewport": PHONE, **DARK}),
}


def move(story: Story) -> None:
    """What came before the troubles is spread over most of an hour, more of it towards the end."""
    redis = story.floor.redis
    redis.config_set("maxmemory", "256mb")
    came = redis.xrange(PREFIX + "kept")
    times = [millisecond(id_.decode()) for id_, _ in came]
    first = times[0]
    end = next(
        at for at, (_, one) in zip(times, came, strict=True)
        if load(one[b"d"])["topic"] == "refunds/create"
    )  # fmt: skip

    def moved(at: int) -> int:
        """The same sequence: nothing overtakes anything."""
        if at >= end:
            return at
        share = (end - at) / max(1, end - first)
        return int(at - SPAN * 1000 * (share + 0.05 * math.sin(share * 7)))

    settled = [
        (id_, fields, load(zlib.decompress(fields[b"j"])))
        for id_, fields in redis.xrange(PREFIX + "journal")
    ]
    came_at = {load(one[b"d"])["id"]: at for at, (_, one) in zip(times, came, strict=True)}
    by: dict[str, int] = {}
    for _, _, account in settled:
        # A batch stays together.
        at = min(came_at[each] for each in account["d"])
        for each in account["d"]:
            by.setdefault(each, at - moved(at))
    redis.delete(PREFIX + "kept", PREFIX + "journal")
    last = 0
    for id_, fields in came:
        told = load(fields[b"d"])
        earlier = by.get(told["id"], 0)
        told["triggered_at"] -= earlier / 1000
        last = max(last + 1, millisecond(id_.decode()) - earlier)
        redis.xadd(PREFIX + "kept", {**fields, b"d": dump(told)}, id=_place(id_, last, earlier))
    last = 0
    for id_, fields, account in settled:
        earlier = min(by[each] for each in account["d"])
        last = max(last + 1, millisecond(id_.decode()) - earlier)
        account["t"] = last / 1000
        packed = {**fields, b"j": zlib.compress(dump(account))}
        redis.xadd(PREFIX + "journal", packed, id=f"{last}-0")


def _place(id_: bytes, at: int, earlier: int) -> str:
    """What was not moved keeps its place: letters point at it."""
    return f"{at}-0" if earlier else id_.decode()


def remember(story: Story) -> None:
    """Earlier hours in which it went as in this one, by day and by night."""
    redis, hour = story.floor.redis, int(time.time()) // HOUR
    counted = until(lambda: redis.hgetall(f"{PREFIX}drift:{hour}"), "the hour is counted")
    topics: dict[str, int] = {}
    for _, one in redis.xrange(PREFIX + "kept"):
        topic = load(one[b"d"])["topic"]
        topics[topic] = topics.get(topic, 0) + 1
    for ago in HOURS:
        clock = (hour - ago) % 24
        busy = 1.6 + 1.2 * math.sin((clock - 9) / 24 * 2 * math.pi) + (ago * 7919 % 13) / 20
        counts = {
            tuple(name.decode().split("|")): round(int(n) * busy) for name, n in counted.items()
        }
        Drift(redis, "default").add({hour - ago: counts})  # type: ignore[dict-item]
        volume = {f"topic shopify {SHOP} {name}": round(n * busy) for name, n in topics.items()}
        redis.hset(f"{PREFIX}volume:{hour - ago}", mapping=volume)


def main() -> int:
    TARGET.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        launched() as browser,
        Story.told(Path(home), shoppers=16) as story,
    ):
        move(story)
        remember(story)
        with Visit.begun(browser, story.console) as visit:
            state = visit.log_in_there()
        for name, (shot, options) in SHOTS.items():
            with Visit.begun(browser, story.console, state, **{"viewport": SIZE, **options}) as one:
                shot(one, story)
                one.page.mouse.move(0, 0)
                file = TARGET / f"{name}.png"
                one.page.screenshot(path=file, animations="disabled")
                print(f"{file.relative_to(Path.cwd())}: {file.stat().st_size:,} bytes")
                if one.complaints or file.stat().st_size > MOST_BYTES:
                    print(f"{name} is too large, or has faults: {one.complaints}")
                    return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
