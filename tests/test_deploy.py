"""The deployment files: what they name exists, and what can be run of them here is run.

There is no Docker here. So the image's package is built from what .dockerignore lets through, and
the Valkey, the health checks and the units' limits of each file are tried on real processes.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from gunicorn.config import Config
from ports import free_port
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from adapter import worker
from adapter.cli import main
from adapter.doctor import server as doctor
from adapter.embedded import find_server
from adapter.errors import SettingsError
from adapter.processes import LEAVING_SECONDS
from adapter.settings import VARIABLES, Settings
from adapter.store.health import Health
from adapter.supervisor import UNFIT
from adapter.web import health, metrics

ROOT = Path(__file__).parent.parent
UNITS = ("web", "worker")
NEED = {"web": ("redis", "secrets"), "worker": ("redis", "customerio")}
SECRET = re.compile(r"CUSTOMERIO_SITE_ID|CUSTOMERIO_API_KEY|HASH_SECRET|[A-Z_]+_WEBHOOK_SECRET")
# How long a process may take to end, and how much of that must be left over.
ENDS_IN = {"web": 3.4, "worker": worker.END_SECONDS}
SPARE = 2.0
# Where web and worker are given the same.
SHARED = ("fly", "app.json", "compose", "systemd")
# Variables that are Python's or the shell's own.
NOT_OURS = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


DOCKERFILE = text("Dockerfile")
COMPOSE = yaml.safe_load(text("compose.yaml"))["services"]
RENDER = {each["name"]: each for each in yaml.safe_load(text("render.yaml"))["services"]}
FLY = tomllib.loads(text("fly.toml"))
FLY_VALKEY = tomllib.loads(text("deploy/fly-valkey.toml"))
APP = json.loads(text("app.json"))
PROCFILE = dict(line.split(": ", 1) for line in text("Procfile").splitlines())


def unit(name: str) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text(f"deploy/systemd/commerce-adapter-{name}.service"))
    return {section: dict(parser[section]) for section in parser.sections()}


def instructions() -> list[tuple[str, str]]:
    """(instruction, what follows) of the Dockerfile, its continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(" ", 1)) for line in joined.splitlines() if line]  # type: ignore[misc]


def example() -> dict[str, str]:
    lines = (line for line in text("deploy/env.example").splitlines() if line)
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def variables() -> dict[str, dict[str, str | None]]:
    """Variables that each file gives to a process; None is what the platform fills in."""
    render = {
        process: {
            each["key"]: each.get("value") for each in RENDER[f"adapter-{process}"]["envVars"]
        }
        for process in UNITS
    }
    secrets = re.findall(r"([A-Z_]{4,})=", text("fly.toml").partition("\napp =")[0])
    image = " ".join(rest for name, rest in instructions() if name == "ENV")
    found: dict[str, dict[str, str | None]] = {
        "render web": render["web"],
        "render worker": render["worker"],
        "fly": {**FLY["env"], **dict.fromkeys(secrets)},
        "app.json": {
            "REDIS_URL": None,  # of the add-on
            **{name: each.get("value") for name, each in APP["env"].items()},
        },
        "image": dict(part.split("=", 1) for part in shlex.split(image)),
        "compose": {**example(), **COMPOSE["web"]["environment"]},
        "systemd": {**example(), "REDIS_URL": None},
    }
    return found


def commands() -> Iterator[tuple[str, str]]:
    """(where, command line) of every place that starts a process of ours."""
    yield "Dockerfile", shlex.join(json.loads(dict(instructions())["CMD"]))
    for process in UNITS:
        yield f"compose {process}", shlex.join(COMPOSE[process]["command"])
        yield f"render {process}", RENDER[f"adapter-{process}"]["dockerCommand"]
        yield f"fly {process}", FLY["processes"][process]
        yield f"Procfile {process}", PROCFILE[process]
        start = shlex.split(unit(process)["Service"]["ExecStart"])
        assert start[0] == "/opt/commerce-adapter/bin/adapter"
        yield f"systemd {process}", shlex.join(["adapter", *start[1:]])


@pytest.mark.parametrize(("where", "command"), list(commands()), ids=str)
def test_every_command_is_one_of_ours(where: str, command: str) -> None:
    program, name, *rest = shlex.split(command)
    assert program == "adapter"
    assert name in main.commands
    assert rest == []
    if where != "Dockerfile":
        assert where.endswith(name)


@pytest.mark.parametrize("where", variables())
def test_every_variable_is_one_that_is_read(where: str) -> None:
    known = {variable.name for variable in VARIABLES}
    for name in variables()[where].keys() - NOT_OURS:
        general = re.sub("^[A-Z]+_(WEBHOOK_SECRET|SHOPS)$", r"<PLATFORM>_\1", name)
        assert general in known, name


@pytest.mark.parametrize(
    ("where", "process"),
    [
        ("render web", "web"),  # its services have what they need themselves, and no more
        ("render worker", "worker"),
        *((where, process) for where in SHARED for process in UNITS),
    ],
)
def test_nothing_is_missing_once_it_is_filled_in(where: str, process: str) -> None:
    given = variables()[where]
    filled = {"REDIS_URL": "redis://h:1/0"}
    environ = {
        name: value or filled.get(name, "" if name.endswith("_SHOPS") else "x")
        for name, value in given.items()
    }
    Settings.from_env(environ, need=NEED[process])
    with pytest.raises(SettingsError):  # so that this asks for something
        Settings.from_env({**environ, "REDIS_URL": ""}, need=NEED[process])


@pytest.mark.parametrize("where", variables())
def test_no_file_holds_a_secret(where: str) -> None:
    for name, value in variables()[where].items():
        if SECRET.fullmatch(name):
            assert not value, name
        assert "@" not in (value or ""), f"{name} has a password in it"


def test_every_place_is_looked_at() -> None:
    assert variables().keys() == {"render web", "render worker", "image", *SHARED}
    assert "HASH_SECRET" in variables()["fly"]


def test_what_the_platform_makes_up_is_only_what_it_may() -> None:
    made = {name for name, each in APP["env"].items() if each.get("generator")}
    made |= {each["key"] for each in RENDER["adapter-worker"]["envVars"] if "generateValue" in each}
    assert made == {"HASH_SECRET"}


def test_health_paths_are_routes() -> None:
    app = Flask("routes")
    app.register_blueprint(health.blueprint(None))  # type: ignore[arg-type]
    app.register_blueprint(metrics.blueprint(Health(Redis()), {}))
    routes = {str(rule) for rule in app.url_map.iter_rules()}
    named = {RENDER["adapter-web"]["healthCheckPath"]}
    named |= {check["path"] for check in FLY["http_service"]["checks"]}
    named |= {each["path"] for each in FLY["metrics"]}
    named |= set(re.findall(r"%s(/\w+)'", DOCKERFILE))
    assert named == {"/healthz", "/readyz", "/metrics"}
    assert named <= routes


def test_ports_agree() -> None:
    port = Settings().port
    assert COMPOSE["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert COMPOSE["web"]["environment"]["PORT"] == str(port)
    assert FLY["http_service"]["internal_port"] == int(FLY["env"]["PORT"]) == port
    assert [each["port"] for each in FLY["metrics"]] == [port]
    assert dict(instructions())["EXPOSE"] == str(port)


def test_processes_are_given_the_time_to_end() -> None:
    conf = runpy.run_path(str(ROOT / "adapter" / "web" / "gunicorn_conf.py"))
    assert conf["graceful_timeout"] < ENDS_IN["web"]
    assert conf["graceful_timeout"] < LEAVING_SECONDS  # before its successor gives up on the port
    assert conf["control_socket_disable"] is True  # it would lie where these may not write
    for process, seconds in ENDS_IN.items():
        least = seconds + SPARE
        assert float(COMPOSE[process]["stop_grace_period"].removesuffix("s")) >= least
        assert float(unit(process)["Service"]["TimeoutStopSec"]) >= least
        assert FLY["kill_timeout"] >= least
        assert RENDER[f"adapter-{process}"].get("maxShutdownDelaySeconds", 30) >= least
    assert FLY["kill_signal"] == FLY_VALKEY["kill_signal"] == "SIGTERM"


def test_gunicorn_says_which_address_it_could_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    conf = runpy.run_path(str(ROOT / "adapter" / "web" / "gunicorn_conf.py"))
    log = conf["_Log"](Config())
    log.error("Can't connect to %s", "('0.0.0.0', 8000)")
    log.error("Error handling request %s", "/webhooks/shopify?email=ada@example.com")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["event"] == "Can't connect to ('0.0.0.0', 8000)"
    assert "ada" not in json.dumps(second)


class TestImage:
    def test_python_is_the_one_that_is_tested(self) -> None:
        bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
        assert set(bases) == {f"python:{text('.python-version').strip()}-slim"}

    def test_it_runs_as_nobody_in_particular(self) -> None:
        user = dict(instructions())["USER"]
        assert user.isdecimal()
        assert int(user) > 0
        assert f"--uid {user} " in DOCKERFILE

    def test_all_pins_but_the_adapter_itself_are_installed_first(self, tmp_path: Path) -> None:
        (run,) = [rest for name, rest in instructions() if "grep" in rest and name == "RUN"]
        pins, install = run.split(" && ")
        target = tmp_path / "pins.txt"
        done = pins.replace("/tmp/pins.txt", str(target))
        subprocess.run(["sh", "-c", done], cwd=ROOT, check=True)
        assert target.read_text() == text("requirements.txt").removesuffix(".\n")
        assert "-r /tmp/pins.txt" in install

    def test_nothing_private_gets_in(self) -> None:
        rules = [line for line in text(".dockerignore").splitlines() if line[:1] not in ("#", "")]
        assert rules[0] == "*"
        let = {rule[1:] for rule in rules if rule.startswith("!")}
        assert not any("*" in name or name.startswith(".") for name in let)
        assert not let & {"tests", "bench", "docs", "deploy", "data"}
        copied = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
        assert [each for each in copied if not each[0].startswith("--from")] == [
            ["requirements.txt", "./"],
            [".", "."],
        ]

    def test_the_package_in_it_is_whole(self, package: Path) -> None:
        """Works without the checkout: mappings, fixtures, scripts and editor schemas are inside."""
        inside = {path.relative_to(package).as_posix() for path in package.rglob("*")}
        expected = {
            f"adapter/{path.relative_to(ROOT / 'adapter').as_posix()}"
            for path in (ROOT / "adapter").rglob("*")
            if path.suffix in (".py", ".lua", ".html", ".css", ".js")
            and "_shipped" not in path.parts
        }
        for kind in ("mappings", "fixtures"):
            expected |= {
                f"adapter/_shipped/{path.relative_to(ROOT).as_posix()}"
                for path in (ROOT / kind).rglob("*.*")
            }
        assert sum(name.endswith(".lua") for name in expected) > 5
        assert sum(name.endswith(".html") for name in expected) > 15
        assert sum(name.endswith(".schema.json") for name in expected) == 6
        assert expected <= inside, expected - inside
        assert not [name for name in inside if name.split("/")[0] in ("tests", "bench", "docs")]

    def test_the_package_in_it_checks_its_own_mappings(self, package: Path, tmp_path: Path) -> None:
        (tmp_path / "custom").mkdir()  # as the image has it: empty
        done = subprocess.run(
            [sys.executable, "-m", "adapter", "check"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(package)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"custom over the shipped mappings: [1-9]\d* topics", done.stdout)

    def test_the_health_check_tells_well_from_ill(self) -> None:
        (check,) = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
        argv = json.loads(check.partition(" CMD ")[2])
        assert argv[0] == "python"
        with answering({"/healthz": 200}) as port:
            assert run(argv, {"PORT": str(port)}) == 0
        with answering({"/healthz": 500}) as port:
            assert run(argv, {"PORT": str(port)}) != 0
        assert run(argv, {"PORT": str(free_port())}) != 0


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install --no-deps .` puts into the image, from what .dockerignore lets through."""
    work = tmp_path_factory.mktemp("image")
    source = work / "src"
    source.mkdir()
    for rule in text(".dockerignore").splitlines():
        path = ROOT / rule[1:]
        if rule.startswith("!") and path.is_dir():
            left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
            shutil.copytree(path, source / path.name, ignore=left_out)
        elif rule.startswith("!") and path.is_file():
            shutil.copy(path, source / path.name)
    assert (source / "adapter").is_dir()
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", work, source],
        check=True,
        timeout=120,
    )
    (wheel,) = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work / "package")
    return work / "package"


class TestValkey:
    """Started with the arguments that the files give it, apart from where and at which port."""

    @pytest.mark.parametrize(
        "argv",
        [COMPOSE["valkey"]["command"], FLY_VALKEY["experimental"]["cmd"]],
        ids=["compose", "fly"],
    )
    def test_the_doctor_has_nothing_to_say(self, argv: Sequence[str], tmp_path: Path) -> None:
        assert argv[0] == "valkey-server"
        own = [str(tmp_path) if part == "/data" else part for part in argv[1:]]
        port = free_port()
        where = ["--port", str(port), "--dir", str(tmp_path)]
        with running([str(find_server(os.environ)), *own, *where]) as server:
            redis = Redis(port=port)
            until(lambda: answers(redis), server)
            # How quick it is on this machine is not for the files to say.
            found = doctor.redis(replace(Health(redis).server(), seconds=0.0, ahead=0.0))
            assert [each.name for each in found] == ["redis-ok"]
            config: Any = redis.config_get("*")
            assert config["appendfsync"] == "everysec"
            assert config["save"] == ""
            assert int(config["maxmemory"]) == 512 * 1024 * 1024
            redis.close()

    def test_what_it_keeps_is_on_a_volume_with_room_to_rewrite_it(self) -> None:
        assert COMPOSE["valkey"]["volumes"] == ["valkey:/data"]
        assert FLY_VALKEY["mounts"][0]["destination"] == "/data"
        assert "ports" not in COMPOSE["valkey"]  # it has no password
        assert COMPOSE["valkey"]["mem_limit"] == f"{512 * 3 // 2}m"
        assert FLY_VALKEY["vm"][0]["memory"] == "1gb"

    def test_render_keeps_everything(self) -> None:
        valkey = RENDER["adapter-valkey"]
        assert valkey["type"] == "keyvalue"
        assert valkey["maxmemoryPolicy"] == "noeviction"
        assert valkey["plan"] != "free"  # the free one is not written to disk
        assert valkey["ipAllowList"] == []
        for process in UNITS:
            (url,) = [
                each["fromService"]
                for each in RENDER[f"adapter-{process}"]["envVars"]
                if each["key"] == "REDIS_URL"
            ]
            assert url == {
                "type": "keyvalue",
                "name": valkey["name"],
                "property": "connectionString",
            }

    def test_the_addresses_name_it(self) -> None:
        assert COMPOSE["worker"]["environment"]["REDIS_URL"] == "redis://valkey:6379/0"
        assert f"redis://{FLY_VALKEY['app']}.internal:6379/0" in text("fly.toml")


class TestCompose:
    def test_everything_is_started_again_and_in_order(self) -> None:
        assert set(COMPOSE) == {"valkey", "web", "worker"}
        for service in COMPOSE.values():
            assert service["restart"] == "unless-stopped"
        for process in UNITS:
            service = COMPOSE[process]
            assert service["depends_on"] == {"valkey": {"condition": "service_healthy"}}
            assert service["env_file"] == ".env"
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]

    def test_the_workers_check_tells_whether_it_lives(self, redis_url: str, tmp_path: Path) -> None:
        kind, *argv = COMPOSE["worker"]["healthcheck"]["test"]
        assert kind == "CMD"
        assert run(argv, {"REDIS_URL": redis_url}) != 0  # nobody there
        environ = {
            **os.environ,
            "REDIS_URL": redis_url,
            "CUSTOMERIO_SITE_ID": "x",
            "CUSTOMERIO_API_KEY": "x",
            "CUSTOMERIO_TRACK_URL": f"http://127.0.0.1:{free_port()}",
        }
        log = (tmp_path / "worker.log").open("wb")
        own = [sys.executable, "-m", "adapter", "worker"]
        with log, running(own, env=environ, stderr=log) as process, Redis.from_url(redis_url) as r:
            until(lambda: bool(r.smembers("rq:workers")), process)
            assert run(argv, {"REDIS_URL": redis_url}) == 0
        assert run(argv, {"REDIS_URL": redis_url}) != 0  # it has taken its leave


class TestSystemd:
    @pytest.mark.parametrize("name", UNITS)
    def test_it_is_kept_alive_and_kept_in(self, name: str) -> None:
        service = unit(name)["Service"]
        assert service["Restart"] == "always"
        assert service["RestartPreventExitStatus"] == str(UNFIT)
        assert service["EnvironmentFile"] == "/etc/commerce-adapter/env"
        for switch in ("NoNewPrivileges", "DynamicUser", "PrivateTmp", "ProtectHome"):
            assert service[switch] == "yes"
        assert service["ProtectSystem"] == "strict"
        assert unit(name)["Install"]["WantedBy"] == "multi-user.target"

    def test_only_what_says_that_it_is_ready_is_waited_for(self) -> None:
        assert unit("web")["Service"]["Type"] == "notify"  # gunicorn does, RQ does not
        assert unit("worker")["Service"]["Type"] == "exec"

    @pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
    @pytest.mark.parametrize("name", UNITS)
    def test_systemd_takes_it_and_finds_it_closed(self, name: str, tmp_path: Path) -> None:
        path = tmp_path / f"commerce-adapter-{name}.service"
        own = str(Path(sys.executable).parent) + "/"
        # It looks whether the program is there.
        path.write_text(text(f"deploy/systemd/{path.name}").replace(PREFIX, own), "utf-8")
        for argv in (["verify"], ["security", "--offline=true", "--threshold=20"]):
            done = subprocess.run(
                ["systemd-analyze", "--no-pager", *argv, str(path)],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            if argv == ["verify"]:
                assert path.name not in done.stderr, done.stderr  # what it does not know it skips


PREFIX = "/opt/commerce-adapter/bin/"


def test_procfile_and_app_json_stay_with_the_others() -> None:
    assert set(PROCFILE) == set(APP["formation"]) == set(FLY["processes"])
    (addon,) = APP["addons"]
    assert addon["as"] == "REDIS"  # which makes it REDIS_URL
    assert ":premium-" in addon["plan"]  # those of less are not written to disk


def test_a_store_waits_for_no_machine_to_start() -> None:
    service = FLY["http_service"]
    assert service["processes"] == ["web"]
    assert service["auto_stop_machines"] is service["auto_start_machines"] is False
    assert service["force_https"] is True


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """The exit status of a health check, with this interpreter as its `python`."""
    own = [sys.executable if part == "python" else part for part in argv]
    done = subprocess.run(
        own, env={**os.environ, **environ}, capture_output=True, timeout=120, check=False
    )
    return done.returncode


@contextmanager
def answering(statuses: Mapping[str, int]) -> Iterator[int]:
    """A server on a free port that answers paths with a status, others with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as the block takes, ended as a platform ends it."""
    with subprocess.Popen(list(argv), stdout=subprocess.DEVNULL, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisConnectionError:
        return False


def until(condition: Any, process: subprocess.Popen[bytes]) -> None:
    """Polls what cannot be awaited, as long as the process lives."""
    deadline = time.monotonic() + 30
    while not condition():
        assert process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
