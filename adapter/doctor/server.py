"""How Redis is set up, and how it fares. Pure."""

from __future__ import annotations

from adapter.doctor.kinds import Finding, found
from adapter.store.health import Server
from adapter.store.pressure import REFUSE_AT, YIELD_AT

NEEDED = (7,)
SLOW_SECONDS = 0.01
CLOCK_SECONDS = 5.0


def redis(server: Server) -> list[Finding]:
    """What endangers webhooks that were accepted, or keeps them from being accepted."""
    findings = []
    if server.is_replica:
        findings.append(found("redis-replica"))
    if server.version and server.version < NEEDED:
        findings.append(found("redis-old", version=".".join(map(str, server.version))))
    if server.policy != "noeviction":
        findings.append(found("redis-policy", policy=server.policy))
    if not server.aof:
        findings.append(found("redis-aof-off"))
    elif not server.aof_writes:
        findings.append(found("redis-aof-fails"))
    if not server.limit:
        findings.append(found("redis-unlimited"))
    elif server.used >= server.limit * REFUSE_AT:
        findings.append(found("redis-full", percent=_percent(server)))
    elif server.used > server.limit * YIELD_AT:
        findings.append(found("redis-memory", percent=_percent(server)))
    if server.evicted:
        findings.append(found("redis-evicted", count=server.evicted))
    if server.seconds > SLOW_SECONDS:
        findings.append(found("redis-slow", milliseconds=_milliseconds(server)))
    if abs(server.ahead) > CLOCK_SECONDS:
        findings.append(found("redis-clock", seconds=round(abs(server.ahead))))
    return findings or [_well(server)]


def _well(server: Server) -> Finding:
    version = ".".join(map(str, server.version)) or "of unknown version"
    memory = f"{_percent(server)} % of its memory in use"
    milliseconds = _milliseconds(server)
    return found("redis-ok", version=version, milliseconds=milliseconds, memory=memory)


def _percent(server: Server) -> int:
    return server.used * 100 // server.limit


def _milliseconds(server: Server) -> str:
    return f"{server.seconds * 1000:.1f}"
