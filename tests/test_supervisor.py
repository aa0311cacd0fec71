"""Real processes; what they do is heard through pipes, so nothing here waits by guessing."""

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from adapter import supervisor
from adapter.errors import SettingsError
from adapter.supervisor import Command, Supervisor, supervise

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 30.0

# A child: `say` writes a line into the pipe that the test listens to.
CHILD = """
import os, signal, sys, time
def say(*words):
    os.write(int(sys.argv[1]), (" ".join(map(str, words)) + "\\n").encode())
def end_on_term(*_):
    say(sys.argv[2], "ends")
    os._exit(0)
signal.signal(signal.SIGTERM, end_on_term)
"""
IDLE = "say(sys.argv[2], 'up')\nwhile True: signal.pause()"
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + IDLE


class Pipe:
    """Lines that children write; at the end once none of them lives and the test's own is shut."""

    def __init__(self):
        self.read_end, self.write_end = os.pipe()
        self._rest = b""

    def command(self, name, body, **kwargs):
        argv = (sys.executable, "-I", "-S", "-c", CHILD + body, str(self.write_end), name)
        return Command(name, argv, pass_fds=(self.write_end,), **kwargs)

    def line(self):
        """The next line without its end; "" at the end."""
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._rest:
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.read_end], [], [], left)[0], "nothing was said"
            if not (piece := os.read(self.read_end, 4096)):
                return ""
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def shut(self):
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def rest(self):
        """Every line until all children are gone."""
        self.shut()
        return list(iter(self.line, ""))


@pytest.fixture
def pipe():
    pipe = Pipe()
    yield pipe
    pipe.shut()
    os.close(pipe.read_end)


def test_processes_end_in_the_order_given(pipe):
    names = ["web", "worker", "third"]
    with Supervisor([pipe.command(name, IDLE) for name in names]) as running:
        assert sorted(pipe.lines(3)) == sorted(f"{name} up" for name in names)
        assert all(running.pid(name) for name in names)
    assert pipe.rest() == [f"{name} ends" for name in names]
    assert running.pid("web") is None
    assert running.deaths("web") == 0


def test_each_process_leads_a_session_of_its_own(pipe):
    body = "say(os.getpid(), os.getsid(0), os.getpgid(0))\n" + IDLE
    with Supervisor([pipe.command("web", body)]):
        assert len(set(pipe.line().split())) == 1


@pytest.mark.parametrize(
    ("steady", "expected"), [(60.0, [0.01, 0.02, 0.04, 0.04]), (0.0, [0.01, 0.01, 0.01, 0.01])]
)
def test_a_process_that_dies_comes_back_later_and_later(pipe, caplog, steady, expected):
    command = pipe.command("web", "say('up'); os._exit(7)")
    with Supervisor([command], delays=(0.01, 0.02, 0.04), steady=steady) as running:
        pipe.lines(5)
        assert running.deaths("web") >= 4
    died = [r for r in caplog.records if r.message == "process died"][:4]
    assert [r.restart_in_seconds for r in died] == expected
    assert {(r.command, r.status) for r in died} == {("web", 7)}


def test_the_other_processes_are_left_alone_by_a_restart(pipe):
    commands = [pipe.command("web", IDLE), pipe.command("worker", IDLE)]
    with Supervisor(commands, delays=(0.01,)) as running:
        pipe.lines(2)
        worker = running.pid("worker")
        os.kill(running.pid("web"), signal.SIGKILL)
        assert pipe.line() == "web up"
        assert running.pid("worker") == worker


def test_a_stubborn_process_is_killed_with_its_whole_group(pipe):
    with Supervisor([pipe.command("web", "os.fork()\n" + STUBBORN)], grace=0.05):
        pipe.lines(2)
    assert pipe.rest() == []  # the end: the forked one is gone as well


def test_what_a_dead_process_left_behind_is_gone_before_it_comes_back(pipe):
    body = "say('forks')\nif os.fork(): os._exit(7)\n" + STUBBORN
    with Supervisor([pipe.command("web", body)], delays=(60.0,)) as running:
        assert pipe.line() == "forks"
        assert set(pipe.rest()) <= {"web up"}  # and then the end, long before the restart
        assert running.pid("web") is None


def test_a_process_that_cannot_run_ends_all(pipe):
    commands = [
        pipe.command("web", IDLE),
        pipe.command("worker", "say('no settings'); os._exit(2)"),
    ]
    assert supervise(commands) == supervisor.UNFIT
    assert "no settings" in pipe.rest()


def test_a_process_that_cannot_run_is_not_tried_again(pipe):
    with Supervisor([pipe.command("unfit", "say('up'); os._exit(2)")], delays=(60.0,)) as running:
        (keeper,) = [thread for thread in threading.enumerate() if thread.name == "unfit"]
        keeper.join(PATIENCE)
        assert not keeper.is_alive()
        assert running.wait() == supervisor.UNFIT


def test_programs_that_are_not_there_are_all_named():
    with pytest.raises(SettingsError) as caught:
        supervise([Command("web", ("no-such-program",)), Command("worker", ("/no/such",))])
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["web", "worker"]


def test_a_start_that_the_system_refuses_is_tried_again(pipe, tmp_path):
    output = tmp_path / "later" / "out.txt"
    command = pipe.command("web", "print('printed', flush=True)\n" + IDLE, output=output)
    with Supervisor([command], delays=(0.01,)) as running:
        deadline = time.monotonic() + PATIENCE
        while running.deaths("web") == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        output.parent.mkdir()
        assert pipe.line() == "web up"
    assert output.read_text() == "printed\n"


def test_the_environment_is_the_commands_own(pipe):
    body = "say(os.environ['COLOUR'], 'HOME' in os.environ)\n" + IDLE
    command = pipe.command("web", body, env={"COLOUR": "red"})
    assert "red" not in repr(command)
    with Supervisor([command]):
        assert pipe.line() == "red False"


@pytest.mark.parametrize("way", ["event", "stop"])
def test_waiting_ends_when_another_thread_says_so(pipe, way):
    stop = threading.Event()
    running = Supervisor([pipe.command("web", IDLE)])

    def say_so():
        pipe.line()
        stop.set() if way == "event" else running.stop()

    thread = threading.Thread(target=say_so)
    thread.start()
    assert running.wait(stop) == 0
    thread.join()
    assert pipe.rest() == ["web ends"]


# The supervisor as a process of its own, for signals and for its sudden death.
OUTER = """
import sys
from adapter.supervisor import *
fd, bodies = int(sys.argv[1]), sys.argv[2:]
sys.exit(supervise([
    Command(name, (sys.executable, "-I", "-S", "-c", body, str(fd), name), pass_fds=(fd,))
    for name, body in zip(("web", "worker"), bodies)
]))
"""


def outer(pipe, *bodies):
    process = subprocess.Popen(
        [sys.executable, "-c", OUTER, str(pipe.write_end), *(CHILD + body for body in bodies)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        pass_fds=(pipe.write_end,),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    pipe.lines(len(bodies))
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(pipe, number):
    with outer(pipe, IDLE, IDLE) as process:
        os.killpg(process.pid, number)  # as a terminal does: to the foreground group
        assert process.wait(PATIENCE) == 0
    assert pipe.rest() == ["web ends", "worker ends"]


def test_the_second_signal_does_not_wait(pipe):
    body = "signal.signal(signal.SIGTERM, lambda *_: say('asked'))\n" + IDLE
    with outer(pipe, body) as process:
        process.send_signal(signal.SIGINT)
        assert pipe.line() == "asked"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert pipe.rest() == []


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a child")
def test_the_children_of_a_killed_supervisor_end(pipe):
    with outer(pipe, IDLE, IDLE) as process:
        process.kill()
    assert sorted(pipe.rest()) == ["web ends", "worker ends"]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells a child")
def test_a_child_whose_parent_was_gone_too_soon_does_not_begin():
    argv = supervisor.tethered(["echo", "begun"])
    between = ["sh", "-c", '"$@"; exit $?', "sh", *argv]  # its parent is the shell, not this test
    assert subprocess.run(argv, capture_output=True, check=False).stdout == b"begun\n"
    done = subprocess.run(between, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_the_log_says_what_was_started(pipe, caplog):
    caplog.set_level(logging.INFO, "adapter.supervisor")
    with Supervisor([pipe.command("web", IDLE)]) as running:
        pipe.line()
        pid = running.pid("web")
    (record,) = [r for r in caplog.records if r.message == "process started"]
    assert (record.command, record.pid) == ("web", pid)
