"""A platform's wire profile, `mappings/<platform>/platform.yml`: where on the wire things stand.

signature:
  header: X-Shop-Signature        # the header that holds it
  scheme: hmac-sha256             # one of signatures.SCHEMES
  encoding: base64                # one of signatures.ENCODINGS
  hint: admin or app secret?      # optional: what to look at when a signature does not match
delivery:
  topic: X-Shop-Topic             # a header for each fact of the delivery
  ...
also:                             # optional: other forms that the same platform's webhooks take
  - signature: {...}              # as above; the first form whose signature header is there counts
    delivery:
      topic: [Shop-Topic, Shop-Action]   # several headers: their values, joined by a slash
      ...                                # without `id` every delivery of this form is a new one
    park: why it is kept, and not mapped
subscribe:                        # optional: how a shop gets its webhooks sent here
  admin: where in the store's admin they are made
  names: {topic: what the admin calls it}
  graphql: name of the mutation with which an app subscribes
  elsewhere: {topic: where it is asked for instead}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adapter.errors import Fault
from adapter.platforms.signatures import ENCODINGS, SCHEMES, Scheme
from adapter.strictyaml import Node, parse

REQUIRED_FACTS = ("topic", "id", "shop")
OPTIONAL_FACTS = ("triggered_at", "api_version", "test")
FACTS = (*REQUIRED_FACTS, *OPTIONAL_FACTS)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Form:
    """One form that webhooks take on the wire.

    `delivery` holds the names of the headers of each fact that the platform sends: of several the
    values are joined by a slash. `park` says why deliveries of this form are kept and not mapped.
    """

    signature: Scheme
    delivery: Mapping[str, tuple[str, ...]]
    park: str | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """How a shop gets its webhooks sent here, in the platform's own words."""

    admin: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    graphql: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """`forms` holds at least one; the first is the one that is mapped and that we can send."""

    forms: tuple[Form, ...]
    hint: str | None = None
    subscribe: Subscribe = Subscribe()

    @property
    def signature(self) -> Scheme:
        return self.forms[0].signature

    @property
    def delivery(self) -> Mapping[str, str]:
        """The header of each fact, as the platform's usual form has them."""
        return {fact: headers[0] for fact, headers in self.forms[0].delivery.items()}


def read_profile(source: str, file: str, faults: list[Fault]) -> Profile | None:
    """The profile in a file's text; None when there are faults, all of which are appended."""
    before = len(faults)
    root = parse(source, file, faults)
    if root is None or not root.is_mapping:
        if len(faults) == before:
            faults.append(Fault(file, 1, 1, "expected signature: and delivery:"))
        return None
    sections = _known(root, ("signature", "delivery"), ("also", "subscribe"), faults)
    scheme, hint = _signature(sections.get("signature"), faults)
    delivery = _known(sections.get("delivery"), REQUIRED_FACTS, OPTIONAL_FACTS, faults)
    facts = {name: (_header(node, faults),) for name, node in delivery.items()}
    others = _others(sections.get("also"), faults)
    subscribe = _subscribe(sections.get("subscribe"), faults)
    if len(faults) > before or scheme is None:
        return None
    return Profile((Form(scheme, facts), *others), hint or None, subscribe)


def _signature(node: Node | None, faults: list[Fault]) -> tuple[Scheme | None, str]:
    """The scheme and the hint of a `signature`."""
    before = len(faults)
    signature = _known(node, ("header", "scheme", "encoding"), ("hint",), faults)
    header = _header(signature.get("header"), faults)
    scheme = _one_of(signature.get("scheme"), SCHEMES, "scheme", faults)
    encoding = _one_of(signature.get("encoding"), ENCODINGS, "encoding", faults)
    hint = _text(signature.get("hint"), faults)
    if node is None or len(faults) > before:
        return None, hint
    return SCHEMES[scheme](header=header, encoding=encoding), hint


def _others(node: Node | None, faults: list[Fault]) -> list[Form]:
    """The further forms."""
    if node is None:
        return []
    if not node.is_sequence:
        faults.append(node.fault("also: expected a list of forms"))
        return []
    forms = []
    for each in node.value:
        sections = _known(each, ("signature", "delivery", "park"), (), faults)
        scheme, _ = _signature(sections.get("signature"), faults)
        required, optional = ("topic", "shop"), ("id", *OPTIONAL_FACTS)
        delivery = _known(sections.get("delivery"), required, optional, faults)
        facts = {name: _headers(name, value, faults) for name, value in delivery.items()}
        park = " ".join(_text(sections.get("park"), faults).split())
        if scheme is not None:
            forms.append(Form(scheme, facts, park))
    return forms


def _headers(fact: str, node: Node, faults: list[Fault]) -> tuple[str, ...]:
    """One header, or several of which a topic is made."""
    if fact != "topic" or not node.is_sequence or not node.value:
        return (_header(node, faults),)
    return tuple(_header(each, faults) for each in node.value)


def _subscribe(node: Node | None, faults: list[Fault]) -> Subscribe:
    if node is None:
        return Subscribe()
    found = _known(node, (), ("admin", "names", "graphql", "elsewhere"), faults)
    return Subscribe(
        _text(found.get("admin"), faults),
        _texts(found.get("names"), faults),
        _text(found.get("graphql"), faults),
        _texts(found.get("elsewhere"), faults),
    )


def _texts(node: Node | None, faults: list[Fault]) -> dict[str, str]:
    if node is None:
        return {}
    if not node.is_mapping:
        faults.append(node.fault("expected a mapping of topics to texts"))
        return {}
    return {_name(key): _text(value, faults) for key, value in node.items()}


def _known(
    node: Node | None, required: Iterable[str], optional: Iterable[str], faults: list[Fault]
) -> dict[str, Node]:
    """The entries of a mapping that may stand in it; a fault for each that may not or is missing.

    None stands for a section whose absence was reported already.
    """
    if node is None:
        return {}
    if not node.is_mapping:
        faults.append(node.fault(f"expected a mapping of {', '.join((*required, *optional))}"))
        return {}
    names = (*required, *optional)
    found = {}
    for key, value in node.items():
        name = _name(key)
        if name in names:
            found[name] = value
        else:
            faults.append(key.fault(f"unknown key '{name}'{_did_you_mean(name, names)}"))
    faults.extend(node.fault(f"missing key '{name}'") for name in required if name not in found)
    return found


def _name(key: Node) -> str:
    return key.value if key.is_text else str(key.plain())


def _text(node: Node | None, faults: list[Fault]) -> str:
    if node is None:
        return ""
    if not node.is_text or not node.value.strip():
        faults.append(node.fault("expected text"))
        return ""
    return str(node.value).strip()


def _header(node: Node | None, faults: list[Fault]) -> str:
    name = _text(node, faults)
    if node is not None and name and not _HEADER_NAME.fullmatch(name):
        faults.append(node.fault(f"'{name}' is not the name of a header"))
    return name


def _one_of(node: Node | None, names: Iterable[str], what: str, faults: list[Fault]) -> str:
    name = _text(node, faults)
    known = tuple(names)
    if node is not None and name and name not in known:
        hint = _did_you_mean(name, known) or f", known: {', '.join(known)}"
        faults.append(node.fault(f"unknown {what} '{name}'{hint}"))
    return name


def _did_you_mean(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f", did you mean '{close[0]}'?" if close else ""
