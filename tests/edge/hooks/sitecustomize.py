"""Kills a process of the adapter at one exact step of its work, and makes a web process patient.

Python loads this at its start where a test puts the directory on PYTHONPATH. A step is armed by a
file `<function>.before` or `<function>.after` in CRASH_DIR; whoever comes by first takes the file
away and dies of SIGKILL, so the next to come by lives. WEB_PATIENCE is for how many seconds a web
process waits for Redis.
"""

import functools
import importlib.abc
import importlib.machinery
import os
import signal

STEPS = {
    "adapter.platforms": ("Platform.verify", "Platform.deliver"),
    "adapter.mapping.mapper": ("Mappings.apply",),
    "adapter.intake": ("Intake.receive",),
    "adapter.store.outbox": ("Outbox.accept", "Outbox.claim", "Outbox.read", "Outbox.settle"),
    "adapter.transport": ("Transport.send",),
    "adapter.resolver": ("resolve",),
    "adapter.store.purge": ("Purger._bury", "Purger._remove_some", "Purger._done"),
}


def _die_if_armed(step):
    try:
        os.unlink(os.path.join(os.environ["CRASH_DIR"], step))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _watched(name, function):
    @functools.wraps(function)
    def watched(*args, **kwargs):
        _die_if_armed(f"{name}.before")
        result = function(*args, **kwargs)
        _die_if_armed(f"{name}.after")
        return result

    return watched


def _arm(module):
    for step in STEPS[module.__name__]:
        owner, _, method = step.rpartition(".")
        place = getattr(module, owner) if owner else module
        setattr(place, method, _watched(step, getattr(place, method)))


def _be_patient(module):
    module._PATIENCE["web"] = float(os.environ["WEB_PATIENCE"])


class _Finder(importlib.abc.MetaPathFinder):
    """Changes modules once they are loaded."""

    def __init__(self, changes):
        self._changes = changes

    def find_spec(self, name, path, target=None):
        if name not in self._changes:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            self._changes[name](module)

        spec.loader.exec_module = exec_module
        return spec


_changes = {}
if "CRASH_DIR" in os.environ:
    _changes |= dict.fromkeys(STEPS, _arm)
if "WEB_PATIENCE" in os.environ:
    _changes["adapter.store.connection"] = _be_patient
if _changes:
    import sys

    sys.meta_path.insert(0, _Finder(_changes))
