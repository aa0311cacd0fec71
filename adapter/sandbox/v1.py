"""Version 1 of the API, told as items of version 2. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from .profile import Json

Item = dict[str, Json]


class NoSuchRouteError(Exception):
    """The path, or the method on that path, is not part of the API; `status` is 404 or 405."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"no such route: {status}")


def identifiers_in(segment: str) -> dict[str, str]:
    """Whom a decoded path segment names: `cio_<id>` a cio_id, with an @ an email, else an id."""
    if segment.startswith("cio_") and len(segment) > 4:
        return {"cio_id": segment[4:]}
    return {"email": segment} if "@" in segment else {"id": segment}


def item_of(method: str, path: str, body: Mapping[str, Json]) -> Item:
    """The item that a request on `path` (below /api/v1, still percent-encoded) stands for.

    Raises NoSuchRouteError.
    """
    # Decoded piece by piece: an encoded slash belongs to the identifier.
    match [unquote(segment) for segment in path.strip("/").split("/")]:
        case ["customers", who]:
            routes = {
                "PUT": lambda: _person("identify", who, attributes=dict(body)),
                "DELETE": lambda: _person("delete", who),
            }
        case ["customers", who, "events"]:
            routes = {"POST": lambda: _event(body, identifiers_in(who))}
        case ["customers", who, "suppress" | "unsuppress" as action]:
            routes = {"POST": lambda: _person(action, who)}
        case ["customers", who, "devices"]:
            routes = {"PUT": lambda: _person("add_device", who, device=_device(body))}
        case ["customers", who, "devices", token]:
            routes = {"DELETE": lambda: _person("delete_device", who, device={"token": token})}
        case ["events"]:
            anonymous = {"anonymous_id": body["anonymous_id"]} if "anonymous_id" in body else None
            routes = {"POST": lambda: _event(body, anonymous)}
        case ["merge_customers"]:
            routes = {"POST": lambda: _merge(body)}
        case _:
            raise NoSuchRouteError(404)
    if method not in routes:
        raise NoSuchRouteError(405)
    return routes[method]()


def _person(action: str, who: str, **rest: Json) -> Item:
    return {"type": "person", "action": action, "identifiers": identifiers_in(who), **rest}


def _event(body: Mapping[str, Json], identifiers: dict[str, Json] | None) -> Item:
    action = body.get("type", "event")
    item: Item = {
        "type": "person",
        "action": action if action in ("page", "screen") else "event",
        "name": body.get("name"),
        "attributes": body.get("data"),
    }
    if identifiers is not None:
        item["identifiers"] = identifiers
    for name in ("id", "timestamp"):
        if name in body:
            item[name] = body[name]
    return item


def _device(body: Mapping[str, Json]) -> Json:
    """Version 1 calls a device's token its id."""
    device = body.get("device")
    if not isinstance(device, dict):
        return device
    return {"token" if name == "id" else name: value for name, value in device.items()}


def _merge(body: Mapping[str, Json]) -> Item:
    return {
        "type": "person",
        "action": "merge",
        "primary": body.get("primary"),
        "secondary": body.get("secondary"),
    }
