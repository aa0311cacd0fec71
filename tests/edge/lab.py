"""What the tests of whole processes are made of: processes, a Valkey to be rough with, a store that
sends signed webhooks, and a look behind the sandbox.

Nothing here waits by guessing: `until` polls for what is awaited, and fails when it does not come.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar

import requests
from ports import free_port
from redis import Redis
from redis.exceptions import RedisError

from adapter.embedded import find_server
from adapter.jobs import flush_job
from adapter.mapping import load, parse_body
from adapter.model import Delivery
from adapter.platforms import load_platforms
from adapter.settings import shipped
from adapter.store.outbox import Outbox

SECRET = "edge-secret"
SHOP = "lovelace-coffee.myshopify.com"
SITE_ID, API_KEY = "sandbox-site", "sandbox-key"
HOOKS = Path(__file__).parent / "hooks"
FIXTURES = shipped("fixtures") / "shopify"
PATIENCE = 60.0
"""As long as anything may take to come true: the machine may have other work."""

PATIENT_WEB = {"PYTHONPATH": str(HOOKS), "WEB_PATIENCE": "4"}
"""A web process waits 0.4 s for Redis and then asks again, so that a Redis (or a machine) that
stalls for so long makes a new delivery a duplicate, and a little longer makes a 503 of it. Both are
right, and shown in test_redis_gone; all other tests are about something else."""

_TAG = "EDGE_LAB"
T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of `condition`; fails when there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.03)
    return found


# --- processes ----------------------------------------------------------------------------------


class Process:
    """A process in a group of its own, whose output goes to a file."""

    def __init__(self, argv: list[str], env: Mapping[str, str], log: Path, cwd: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self.popen = subprocess.Popen(
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")

    @property
    def children(self) -> list[int]:
        """A gunicorn master's workers."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def assert_calm(self) -> None:
        """It told of no error of its own, and of nothing that Python or a library warns of."""
        for sign in ("Traceback", "Warning", '"level": "ERROR"', "[ERROR]", '"level": "CRITICAL"'):
            assert sign not in self.said, self.said

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to the whole group, as a container's end does."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(PATIENCE)
        until(lambda: not self.group(), "the group is gone")

    def end(self, seconds: float = PATIENCE) -> tuple[int, float]:
        """SIGTERM; (exit status, seconds that it took)."""
        began = time.monotonic()
        self.popen.terminate()
        status = self.popen.wait(seconds)
        return status, time.monotonic() - began

    def wait(self, seconds: float = PATIENCE) -> int:
        return self.popen.wait(seconds)

    def group(self) -> list[int]:
        """Processes of its group that still run (zombies do not)."""
        return [pid for pid, group, state in _processes() if group == self.pid and state != "Z"]


def _processes() -> Iterator[tuple[int, int, str]]:
    """(pid, process group, state) of everything that runs here."""
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            with suppress(OSError):
                # The name in brackets may hold anything, brackets and blanks included.
                state, _, group = (
                    Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:3]
                )
                yield int(entry), int(group), state


class Lab:
    """Starts processes of the adapter, ends them all, and finds out whether one was left behind.

    `env` is what every process gets beside PATH and HOME: nothing of the caller's.
    """

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.data = home / "data"
        self.tag = uuid.uuid4().hex
        self.env = {"ADAPTER_DATA_DIR": str(self.data), **env}
        self._started: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for process in self._started:
            if process.popen.poll() is None:
                process.popen.terminate()
        for process in self._started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
        left = self.left()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if kind is None:
            assert not left, "processes were left behind"

    def environ(self, **env: str) -> dict[str, str]:
        own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**own, _TAG: self.tag, **self.env, **env}

    def left(self) -> list[int]:
        """Whatever was started here, however indirectly, and still runs."""
        mark = f"{_TAG}={self.tag}".encode()
        found = []
        for pid, _, state in _processes():
            process = Path(f"/proc/{pid}")
            with suppress(OSError):
                # Valkey writes its title over its environment, but it lives in its directory.
                embedded = (process / "cwd").readlink().is_relative_to(self.data)
                marked = mark in (process / "environ").read_bytes().split(b"\0")
                if state != "Z" and (marked or embedded):
                    found.append(pid)
        return found

    def adapter(self, *arguments: str, **env: str) -> Process:
        """`python -m adapter ...`, started and not waited for."""
        argv = [sys.executable, "-m", "adapter", *arguments]
        name = f"{len(self._started)}-{arguments[0]}.log"
        process = Process(argv, self.environ(**env), self.home / name, self.home)
        self._started.append(process)
        return process

    def web(self, *, port: int = 0, ready: str = "readyz", patient: bool = True, **env: str) -> Web:
        """A web process that is ready; with the patience that is shipped unless it is `patient`."""
        port = port or free_port()
        env = {"SHOPIFY_WEBHOOK_SECRET": SECRET, **(PATIENT_WEB if patient else {}), **env}
        web = Web(f"http://127.0.0.1:{port}", self.adapter("web", "--port", str(port), **env))
        web.wait_ready(ready)
        return web

    def worker(self, sandbox: Sandbox | str, **env: str) -> Process:
        """A worker, waited for until it listens on its queue (so Redis must be there)."""
        url = sandbox if isinstance(sandbox, str) else sandbox.url
        process = self.adapter("worker", **{**destination(url), **env})
        with Redis.from_url(env.get("REDIS_URL") or self.env["REDIS_URL"]) as redis:
            until(lambda: _listens(redis, process), f"the worker listens: {process.said}")
        return process

    def sandbox(self) -> Sandbox:
        process = self.adapter("sandbox", "--port", "0")
        said = until(
            lambda: re.search(r"^sandbox (http://\S+)$", process.said, re.MULTILINE),
            "the sandbox says where it is",
        )
        return Sandbox(said[1], process)


def destination(url: str) -> dict[str, str]:
    return {
        "CUSTOMERIO_SITE_ID": SITE_ID,
        "CUSTOMERIO_API_KEY": API_KEY,
        "CUSTOMERIO_TRACK_URL": url,
    }


def _listens(redis: Redis, process: Process) -> bool:
    """RQ writes down its workers, with pid and state."""
    if process.popen.poll() is not None:
        raise AssertionError(f"the worker ended: {process.said}")
    try:
        for key in redis.smembers("rq:workers"):
            pid, state = redis.hmget(key, "pid", "state")
            if pid == str(process.pid).encode() and state in (b"idle", b"busy"):
                return True
    except RedisError:
        pass
    return False


@dataclass(slots=True)
class Web:
    """The web process and its address."""

    url: str
    process: Process

    @property
    def webhooks(self) -> str:
        return f"{self.url}/webhooks/shopify"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.url.rpartition(":")[2])

    def status(self, path: str) -> int:
        """The answer's status, 0 when there is none."""
        try:
            return requests.get(f"{self.url}/{path}", timeout=15).status_code
        except requests.RequestException:
            return 0

    def wait_ready(self, path: str = "readyz") -> None:
        def ready() -> bool:
            assert self.process.popen.poll() is None, self.process.said
            return self.status(path) == 200

        until(ready, f"{path} answers: {self.process.said}")


class Valkey:
    """A server of our own to kill and to stop; what it took survives it (append-only, fsync)."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> Redis:
        return Redis.from_url(self.url(database), socket_timeout=20)

    def start(self) -> Self:
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self._home, "save": ""}
        options |= {"appendonly": "yes", "appendfsync": "always", "databases": 64}
        argv = [str(find_server(os.environ))]
        for name, value in options.items():
            argv += [f"--{name}", str(value)]
        with (self._home / "log").open("ab") as log:
            self._popen = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        until(self._answers, "Valkey answers")
        return self

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self._popen is not None:
            self._popen.wait(PATIENCE)

    def hang(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self._popen.send_signal(number)

    def _answers(self) -> bool:
        assert self._popen is not None
        assert self._popen.poll() is None, (self._home / "log").read_text()
        try:
            with self.client() as redis:
                return redis.info("server")["process_id"] == self._popen.pid
        except RedisError:
            return False


# --- what the store sends -----------------------------------------------------------------------

_SHOPIFY = load_platforms(shipped("mappings"))["shopify"]
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([-+]\d\d:\d\d|Z)"')
_ADA = "8274950138263"
_PHONE = "+17185550142"
_COOKIE = "7c1f0c52-4e0b-4b52-9a5e-d0c9b0a3f7e1"
_MOMENTS = ("created_at", "updated_at", "processed_at", "happened_at")


@dataclass(slots=True)
class Webhook:
    """One delivery: the same id every time that it is posted."""

    topic: str
    body: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    shop: str = SHOP
    triggered_at: float | None = None
    """When the store says that it happened; None: now."""

    def headers(self, secret: str = SECRET) -> dict[str, str]:
        now = time.time()
        triggered = now if self.triggered_at is None else self.triggered_at
        facts = Delivery("shopify", self.topic, self.id, self.shop, int(now), triggered)
        return {
            "Content-Type": "application/json",
            **_SHOPIFY.headers_for(facts),
            **_SHOPIFY.sign(self.body, secret),
        }

    def post(self, web: Web, timeout: float = 30) -> requests.Response:
        return requests.post(web.webhooks, data=self.body, headers=self.headers(), timeout=timeout)

    def outcome(self, web: Web) -> str:
        answer = self.post(web)
        assert answer.status_code == 200, answer.text
        return answer.json()["outcome"]

    def insist(self, web: Web, seconds: float = 60) -> str:
        """Post it as a store does: again and again, until somebody answers 200."""

        def taken() -> str | None:
            try:
                answer = self.post(web, timeout=15)
            except requests.RequestException:
                return None
            return answer.json()["outcome"] if answer.status_code == 200 else None

        return until(taken, f"{self.topic} is taken", seconds)


@dataclass(slots=True)
class Shopper:
    """Somebody new, with a cart, a checkout, an order and a refund of their own, minutes ago."""

    id: str = field(default_factory=lambda: str(uuid.uuid4().int % 10**13))
    order: str = field(default_factory=lambda: str(uuid.uuid4().int % 10**18))
    refund: str = field(default_factory=lambda: str(uuid.uuid4().int % 10**18))
    cart: str = field(default_factory=lambda: f"cart-{uuid.uuid4().hex}")
    checkout: str = field(default_factory=lambda: uuid.uuid4().hex)
    cookie: str = field(default_factory=lambda: str(uuid.uuid4()))
    phone: str = _PHONE
    email: str = ""

    def __post_init__(self) -> None:
        self.email = self.email or f"shopper{self.id}@example.com"

    def body(self, fixture: str, moved: timedelta | None = None) -> bytes:
        """A fixture as their own, created now, or `moved` in time as all others of one story."""
        text = (FIXTURES / f"{fixture}.json").read_text("utf-8")
        origin = json.loads((FIXTURES / "orders_create.json").read_text("utf-8"))
        refund = json.loads((FIXTURES / "refunds_create.json").read_text("utf-8"))
        for old, new in (
            (str(origin["id"]), self.order),
            (str(refund["id"]), self.refund),
            (origin["cart_token"], self.cart),
            (origin["checkout_token"], self.checkout),
            (_ADA, self.id),
            ("ada@example.com", self.email),
            (_PHONE, self.phone),
            (_COOKIE, self.cookie),
        ):
            text = text.replace(old, new)
        if moved is None:
            created = json.loads(text).get("created_at")
            moved = datetime.now(UTC) - datetime.fromisoformat(created) if created else timedelta()

        def move(match: re.Match[str]) -> str:
            then = datetime.fromisoformat(match[1] + match[2]) + moved
            return f'"{then.isoformat("T", "seconds")}"'

        return _TIME.sub(move, text).encode()

    def webhook(self, topic: str, fixture: str | None = None) -> Webhook:
        return Webhook(topic, self.body(fixture or topic.replace("/", "_")))

    def tells(
        self, topic: str, fixture: str | None = None, *, at: float | None = None, **changes: Any
    ) -> Webhook:
        """A body as it was `at` a second, with other values; objects are changed in part."""
        body = json.loads(self.body(fixture or topic.replace("/", "_")))
        if at is not None:
            second = iso(at)
            body |= {name: second for name in _MOMENTS if name in body}
        for name, value in changes.items():
            known = body.get(name)
            partly = isinstance(known, dict) and isinstance(value, dict)
            body[name] = {**known, **value} if partly else value
        return Webhook(topic, json.dumps(body).encode(), triggered_at=at)

    def guest(self, topic: str, fixture: str | None = None, **changes: Any) -> Webhook:
        """The same of somebody without an account: an email and nothing else."""
        alone = {"customer": None, "phone": None, "email": self.email, "contact_email": self.email}
        return self.tells(topic, fixture, **{**alone, **changes})


def iso(second: float) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


# --- what arrived -------------------------------------------------------------------------------


@dataclass(slots=True)
class Sandbox:
    """A look behind the sandbox."""

    url: str
    process: Process

    def person(self, shopper: Shopper) -> dict[str, Any] | None:
        people = self._look("people", id=shopper.id)["people"]
        return people[0] if people else None

    def events(self, shopper: Shopper) -> list[dict[str, Any]]:
        person = self.person(shopper)
        activity = person["activity"] if person else []
        return [entry for entry in activity if entry["type"] == "event"]

    def names(self, shopper: Shopper) -> list[str]:
        return sorted(event["name"] for event in self.events(shopper))

    def everybody(self) -> list[dict[str, Any]]:
        return self._look("people")["people"]

    def find(self, **identifiers: str) -> dict[str, Any] | None:
        """The person with an id or an email; with both, one who has them both."""
        people = self._look("people", **identifiers)["people"]
        return people[0] if people else None

    def suppressed(self) -> list[dict[str, str]]:
        return self._look("people", id="nobody")["suppressed"]

    def refused(self) -> list[dict[str, Any]]:
        return self._look("people", id="nobody")["refused"]

    def requests(self) -> list[dict[str, Any]]:
        return self._look("requests")["requests"]

    def requests_for(self, shopper: Shopper) -> list[dict[str, Any]]:
        """The requests that spoke of a person."""
        return [one for one in self.requests() if f'"{shopper.id}"' in json.dumps(one["json"])]

    def fail(self, *faults: dict[str, Any]) -> None:
        answer = requests.post(f"{self.url}/_sandbox/faults", json=list(faults), timeout=30)
        assert answer.status_code == 200, answer.text

    def await_events(self, shopper: Shopper, *names: str, seconds: float = PATIENCE) -> None:
        wanted = sorted(names)
        until(lambda: self.names(shopper) == wanted, f"{wanted}", seconds)

    def _look(self, what: str, **params: str) -> Any:
        answer = requests.get(f"{self.url}/_sandbox/{what}", params=params, timeout=60)
        assert answer.status_code == 200
        return answer.json()


class Workspace:
    """What the adapter keeps in Redis, as far as the tests look at it."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._prefix = "adapter:default:"

    def counts(self) -> dict[str, int]:
        found = self.redis.hgetall(f"{self._prefix}counts")
        return {name.decode(): int(value) for name, value in found.items()}

    def pending(self) -> int:
        return self.redis.xlen(f"{self._prefix}outbox")

    def dead(self) -> int:
        return self.redis.xlen(f"{self._prefix}dead")

    def parked(self) -> list[dict[bytes, bytes]]:
        return [fields for _, fields in self.redis.xrange(f"{self._prefix}parked")]

    def lease(self) -> str:
        return (self.redis.get(f"{self._prefix}lease") or b"").decode()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is delivered meanwhile; then all of it at once."""
        lease = f"{self._prefix}lease"
        until(lambda: self.redis.set(lease, "wait:until all is in", nx=True), "the lease is free")
        try:
            yield
        finally:
            self.redis.delete(lease)
            self.sweep()

    def sweep(self) -> None:
        """What the worker does every second."""
        Outbox(self.redis, "default", flush_job("default")).sweep()

    def knows_since_ever(self, shop: str = SHOP) -> None:
        """As if the adapter had been here before any of its customers: histories are whole."""
        self.redis.set(f"{self._prefix}since:shopify:{shop}:", 1)

    def waiting(self) -> dict[str, float]:
        """Lists of entries without a person, and until when (Unix) they wait."""
        found = self.redis.zrange(f"{self._prefix}waiting", 0, -1, withscores=True)
        return {name.decode(): score for name, score in found}

    def expire(self, name: str) -> None:
        """The last deadline of a waiting list has passed."""
        assert self.redis.zadd(f"{self._prefix}waiting", {name: 1}, xx=True, ch=True) == 1
        until(lambda: name not in self.waiting(), "the sweep has seen it")

    def at_rest(self) -> dict[bytes, bytes | None]:
        """All that is kept once nothing moves, less RQ's own and what is written by the clock:
        figures, signs of life."""
        self.drained()
        counted = ("counts", "figures", "volume", "alerts", "drift", "mode")
        names = tuple(f"{self._prefix}{each}".encode() for each in counted)
        keys = (key for key in self.redis.scan_iter(f"{self._prefix}*"))
        return {key: self.redis.dump(key) for key in keys if not key.startswith(names)}

    def drained(self, seconds: float = PATIENCE) -> None:
        until(lambda: self.pending() == 0 and not self.lease(), "the outbox is empty", seconds)


@dataclass(slots=True)
class Floor:
    """Web, worker and sandbox over a Valkey, for tests of who somebody is and what is known."""

    lab: Lab
    valkey: Valkey
    redis: Redis
    web: Web
    worker: Process
    sandbox: Sandbox
    workspace: Workspace

    @classmethod
    @contextmanager
    def open(cls, home: Path, **env: str) -> Iterator[Self]:
        """`env` is for the web process and the worker."""
        with shop(home) as (lab, valkey), valkey.client() as redis:
            sandbox = lab.sandbox()
            web = lab.web(**env)
            worker = lab.worker(sandbox, **env)
            workspace = Workspace(redis)
            yield cls(lab, valkey, redis, web, worker, sandbox, workspace)

    def post(self, *webhooks: Webhook) -> None:
        """Taken in, and whatever is not waiting for its person is delivered."""
        for webhook in webhooks:
            assert webhook.outcome(self.web) == "accepted", webhook.topic
        self.workspace.drained()

    def one_by_one(self, *webhooks: Webhook) -> None:
        """Each in a batch of its own."""
        for webhook in webhooks:
            self.post(webhook)

    def in_one_batch(self, *webhooks: Webhook) -> None:
        """None of them is delivered before the last is in."""
        with self.workspace.held():
            for webhook in webhooks:
                assert webhook.outcome(self.web) == "accepted", webhook.topic
        self.workspace.drained()

    def post_all(self, webhooks: Iterable[Webhook], at_once: int = 8) -> list[str]:
        """What becomes of many, posted over a few connections."""
        sessions = [requests.Session() for _ in range(at_once)]
        free = list(sessions)

        def post(webhook: Webhook) -> str:
            session = free.pop()
            try:
                answer = session.post(
                    self.web.webhooks, data=webhook.body, headers=webhook.headers(), timeout=30
                )
            finally:
                free.append(session)
            assert answer.status_code == 200, answer.text
            return answer.json()["outcome"]

        try:
            with ThreadPoolExecutor(at_once) as pool:
                return list(pool.map(post, webhooks))
        finally:
            for session in sessions:
                session.close()

    def events(self, **identifiers: str) -> list[dict[str, Any]]:
        """What somebody did, in the order of their times."""
        person = self.sandbox.find(**identifiers)
        activity = person["activity"] if person else []
        found = [one for one in activity if one["type"] == "event"]
        return sorted(found, key=lambda one: (one["timestamp"], one["name"]))

    def names(self, **identifiers: str) -> list[str]:
        return [one["name"] for one in self.events(**identifiers)]

    def attributes(self, **identifiers: str) -> dict[str, Any]:
        person = self.sandbox.find(**identifiers)
        assert person is not None, identifiers
        return person["attributes"]

    def profiles(self, *shoppers: Shopper) -> list[tuple[str | None, str | None]]:
        """(id, email) of everybody who goes by an id or the email of one of these."""
        ids, emails = {one.id for one in shoppers}, {one.email for one in shoppers}
        return sorted(
            ((one["id"], one["email"]) for one in self.sandbox.everybody()
             if one["id"] in ids or one["email"] in emails),
            key=str,
        )  # fmt: skip

    def counted(self, since: Mapping[str, int]) -> dict[str, int]:
        """What was counted since `workspace.counts()` said that."""
        now = self.workspace.counts()
        return {name: n - since.get(name, 0) for name, n in now.items() if n != since.get(name, 0)}


# --- many at once -------------------------------------------------------------------------------


@contextmanager
def shop(home: Path) -> Iterator[tuple[Lab, Valkey]]:
    """Processes over a Valkey of their own."""
    valkey = Valkey(home / "valkey")
    with valkey, Lab(home, REDIS_URL=valkey.url(), WEB_CONCURRENCY="1") as lab:
        yield lab, valkey


class Scenes:
    """Scenarios that mostly wait: they run side by side, and each test asks for its own."""

    def __init__(self) -> None:
        self.all: dict[str, Callable[[Path], None]] = {}

    def add(self, *arguments: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Decorator: a scenario, called with a directory of its own and these arguments."""

        def added(scene: Callable[..., None]) -> Callable[..., None]:
            told = [str(getattr(argument, "name", argument)) for argument in arguments]
            module = scene.__module__.rpartition(".test_")[2]
            name = " ".join([module, scene.__name__, *told])
            assert name not in self.all
            self.all[name] = lambda home: scene(home, *arguments)
            return scene

        return added

    def of(self, module: str) -> list[str]:
        """The names of a test module's own scenarios."""
        prefix = module.rpartition(".test_")[2] + " "
        return [name for name in self.all if name.startswith(prefix)]

    @contextmanager
    def running(
        self, home: Path, names: Iterable[str], at_once: int
    ) -> Iterator[dict[str, Future[None]]]:
        with ThreadPoolExecutor(at_once) as pool:
            futures = {}
            for number, name in enumerate(names):
                place = home / str(number)
                place.mkdir()
                futures[name] = pool.submit(self.all[name], place)
            yield futures


SCENES = Scenes()


_MAPPINGS = load(shipped("mappings"))


def accept(redis: Redis, *webhooks: Webhook) -> None:
    """Take webhooks in as the web process does, where it is the worker that is looked at."""
    outbox = Outbox(redis, "default", flush_job("default"))
    for webhook in webhooks:
        delivery = _SHOPIFY.deliver(webhook.headers(), int(time.time()))
        mapped = _MAPPINGS.apply(delivery, parse_body(webhook.body))
        assert outbox.accept(mapped, webhook.body).outcome == "accepted"


@contextmanager
def armed(directory: Path, *steps: str) -> Iterator[None]:
    """Steps at which a process with the hook dies, each once; every one must have been reached."""
    for step in steps:
        (directory / step).touch()
    yield
    assert not [step for step in steps if (directory / step).exists()], "nobody died there"


def crashing(directory: Path) -> dict[str, str]:
    """The variables with which a process dies at armed steps."""
    directory.mkdir(exist_ok=True)
    return {"PYTHONPATH": str(HOOKS), "CRASH_DIR": str(directory)}
