"""The mapping playground: what an edit would change. It never saves anything."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, g, jsonify, render_template, request
from werkzeug.wrappers import Response

from adapter.errors import MalformedError
from adapter.explain import Explanation
from adapter.mapping import parse_body
from adapter.model import Delivery, Json
from adapter.store.browse import Browse, Wish
from adapter.store.kept import Kept
from adapter.trial import MOST_TEXT, Trial, Workbench
from adapter.web.console import masks
from adapter.web.console.acts import audited
from adapter.web.console.backstage import Backstage
from adapter.web.console.deadline import TooLongError, within
from adapter.web.console.deliveries import PLACE
from adapter.web.console.tracing import body_of
from adapter.web.console.words import pretty, seconds

WORK_SECONDS = 1.0
RECENT = 10
MOST_BODY = 1024 * 1024
SHOP = "example.myshopify.com"
_looked: deque[tuple[str, str]] = deque(maxlen=1_000)
_EVENT, _OPERATION = re.compile(r"events\[[^\]]*\]"), re.compile(r"requests.*\.batch\[[^\]]*\]")
"""Where in a difference an event, or an operation of a request, stands."""
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,100}\.json")


@dataclass(frozen=True, slots=True)
class Sample:
    """A body to try it on: a fixture or a delivery. `value` names it in the form."""

    value: str
    label: str


def blueprint(backstage: Backstage) -> Blueprint:
    pages = Blueprint("playground", __name__)
    kept = Kept(backstage.redis, backstage.workspace)
    browse = Browse(backstage.redis, backstage.workspace)
    benches: list[Workbench] = []

    def bench() -> Workbench:
        """Read when it is first needed: the files of today are the ones that are live."""
        if not benches:
            benches.append(Workbench.of(backstage.layers, backstage.contract, backstage.mappings))
        return benches[0]

    @pages.route("/playground", methods=["GET", "POST"])
    def show() -> str:
        given = request.form if request.method == "POST" else request.args
        platform, topic = _topic(backstage, given)
        recent = browse.page(Wish(topic=topic), RECENT).rows if topic else ()
        samples = [
            *(
                Sample(f"delivery:{one.id}", f"{one.delivery.id} ({one.outcome})")
                for one in recent
                if one.delivery.platform == platform
            ),
            *_fixtures(backstage, platform, topic),
        ]
        sample = given.get("sample", "")
        if sample not in [each.value for each in samples]:
            place = sample.removeprefix("delivery:")
            if PLACE.fullmatch(place):
                samples.insert(0, Sample(sample, f"the delivery at {place}"))
            else:
                sample = samples[0].value if samples else ""
        files = bench().files(platform)
        file = given.get("file", "")
        file = file if file in files else bench().file_of(platform, topic)
        text = given.get("overlay") if request.method == "POST" else None
        if text is None:
            text = bench().text(file) or _begin(bench(), file)
        result = None
        if request.method == "POST":
            result = _tried(backstage, bench(), kept, given)
        return render_template(
            "playground.html", platform=platform, topic=topic, samples=samples, sample=sample,
            topics=_topics(backstage), files=files, file=file, overlay=text,
            below=bench().below(file), result=result, most=MOST_TEXT,
            place=str(bench().overlay / file), unmasked=given.get("unmask") == "1",
        )  # fmt: skip

    @pages.post("/playground/try")
    def try_() -> Response:
        """The same for who types: as parts of the page."""
        result = _tried(backstage, bench(), kept, request.form)
        return jsonify(
            html=render_template("tried.html", result=result),
            sound=result["sound"],
            faults=[
                {"line": each.line, "column": each.column, "message": each.message}
                for each in result["faults"]
            ],
        )

    return pages


def _topics(backstage: Backstage) -> list[str]:
    mappings = backstage.mappings
    return [
        f"{platform} {topic}"
        for platform in mappings.platforms()
        for topic in mappings.topics(platform)
    ]


def _topic(backstage: Backstage, given: Mapping[str, str]) -> tuple[str, str]:
    """Platform and topic of a form; the first of all where it names none that there is."""
    asked = given.get("topic", "")
    known = _topics(backstage)
    if asked not in known:
        orders = [each for each in known if each.endswith("orders/create")]
        asked = (orders or known or [" "])[0]
    platform, _, topic = asked.partition(" ")
    return platform, topic


def _fixtures(backstage: Backstage, platform: str, topic: str) -> list[Sample]:
    """The fixtures that are named after a topic."""
    folder = backstage.fixtures / platform
    if not folder.is_dir():
        return []
    start = topic.replace("/", "_")
    names = [each.name for each in folder.iterdir() if each.suffix == ".json"]
    # The plain one first, then its variants (orders_create.json, orders_create.guest.json).
    names.sort(key=lambda name: (name.count("."), name))
    return [
        Sample(f"fixture:{name}", f"{name} (fixture)")
        for name in names
        if name.partition(".")[0] == start or name.removesuffix(".json") == start
    ]


def _begin(bench: Workbench, file: str) -> str:
    """What an overlay that there is not yet begins with."""
    return (
        f"# {bench.overlay / file}: laid over the file below it.\n"
        "# Mappings merge by key; null or off removes; lists and single values replace.\n"
    )


def _body(
    backstage: Backstage, kept: Kept, platform: str, topic: str, sample: str
) -> tuple[Delivery, bytes]:
    """What it is tried on. Raises ValueError where it is there no more."""
    kind, _, name = sample.partition(":")
    if kind == "fixture":
        # Of names that were read from the directory: none leads out of it.
        file = backstage.fixtures / platform / name
        if not _NAME.fullmatch(name) or not _is_in(file, backstage.fixtures / platform):
            raise ValueError("there is no such fixture")
        delivery = Delivery(platform, topic, "playground", SHOP, int(time.time()))
        return delivery, file.read_bytes()
    if kind == "delivery" and PLACE.fullmatch(name):
        found = kept.get(name)
        raw = body_of(Browse(backstage.redis, backstage.workspace), found) if found else None
        if found is None or raw is None:
            raise ValueError("the body of that delivery is kept no more")
        return found.delivery, raw
    raise ValueError("choose a fixture or a delivery to try it on")


def _is_in(file: Path, folder: Path) -> bool:
    return file.is_file() and file.resolve().parent == folder.resolve()


def _tried(
    backstage: Backstage, bench: Workbench, kept: Kept, given: Mapping[str, str]
) -> dict[str, Any]:
    """What the page shows of a try; what is personal is masked unless it is of a fixture, or asked
    for."""
    platform, topic = _topic(backstage, given)
    sample, file = given.get("sample", ""), given.get("file", "")
    text = given.get("overlay", "").replace("\r\n", "\n")
    result: dict[str, Any] = {"faults": (), "problem": None, "trial": None, "sound": False}
    try:
        delivery, raw = _body(backstage, kept, platform, topic, sample)
        if len(raw) > MOST_BODY:
            raise ValueError("its body is too large to be tried here")
        body = parse_body(raw)
    except (ValueError, MalformedError) as error:
        return {**result, "problem": str(error)}
    personal = sample.startswith("delivery:")
    if personal and given.get("unmask") == "1" and (g.session.name, sample) not in _looked:
        # Once for a session, not with every key that is struck.
        audited("unmask", place="playground", id=sample.partition(":")[2], delivery=delivery.id)
        _looked.append((g.session.name, sample))
    veiled = personal and given.get("unmask") != "1"
    began = time.perf_counter()
    try:
        with within(WORK_SECONDS):
            trial = bench.trial(
                file, text, delivery, body,
                destination=backstage.destination,
                policy_of=lambda mappings: backstage.policy_of(backstage.settings, mappings),
            )  # fmt: skip
    except ValueError as error:
        return {**result, "problem": str(error)}
    except TooLongError:
        return {**result, "problem": f"it was ended: it took more than {WORK_SECONDS:g} seconds"}
    except (RecursionError, MemoryError):
        return {**result, "problem": "it is nested too deeply"}
    took = seconds(time.perf_counter() - began)
    return {**result, **_shown(trial, veiled=veiled), "took": took, "veiled": veiled,
            "body": pretty(masks.body(body) if veiled else body)}  # fmt: skip


def _shown(trial: Trial, *, veiled: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"trial": trial, "faults": trial.faults, "sound": not trial.faults}
    told = trial.after or trial.before
    if told is not None:
        found["after"] = _parts(told, veiled=veiled)
    found["changes"] = [
        (each.path, _value(each.path, each.before, veiled), _value(each.path, each.after, veiled))
        for each in trial.changes
    ]
    return found


def _value(path: str, value: Json, veiled: bool) -> str | None:
    """One side of a difference."""
    if value is None:
        return None
    if not veiled:
        return pretty(value)
    if path == "reason":
        return pretty(masks.reason(str(value)))
    # What an event is called, and which it is, is nobody's.
    event, operation = _EVENT.fullmatch(path), _OPERATION.fullmatch(path)
    if isinstance(value, dict) and (event or operation):
        return pretty(masks.event(value) if event else masks.operation(value))
    above, _, name = path.rpartition(".")
    if name == "name" and (_EVENT.fullmatch(above) or _OPERATION.fullmatch(above)):
        return pretty(value)
    name = name.partition("[")[0]
    if path.startswith("person.attributes"):
        return masks.HIDDEN
    if path.startswith("person") and isinstance(value, dict):
        return pretty(masks.person(value))
    return pretty(masks.body({name: value})[name])


def _parts(told: Explanation, *, veiled: bool) -> dict[str, Any]:
    data = told.to_json()
    if veiled:
        if data["person"] is not None:
            data["person"] = masks.person(data["person"])
        data["events"] = [masks.event(each) for each in data["events"]]
        data["requests"] = [masks.request(each) for each in data["requests"]]
        data["reason"] = masks.reason(data["reason"]) or None
    return {
        "outcome": data["outcome"],
        "reason": data["reason"],
        "person": data["person"],
        "events": data["events"],
        "requests": data["requests"],
        "left_out": data.get("left_out", []) if not veiled else [
            {**each, "problem": masks.reason(each["problem"])} for each in data.get("left_out", [])
        ],
    }  # fmt: skip
