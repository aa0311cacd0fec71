"""A platform's wire profile, `mappings/<platform>/platform.yml`: where on the wire things stand.

signature:
  header: X-Shop-Signature        # the header that holds it
  scheme: hmac-sha256             # one of signatures.SCHEMES
  encoding: base64                # one of signatures.ENCODINGS
  hint: admin or app secret?      # optional: what to look at when a signature does not match
delivery:
  topic: X-Shop-Topic             # a header for each fact of the delivery
  ...
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapter.errors import Fault
from adapter.platforms.signatures import ENCODINGS, SCHEMES, Scheme
from adapter.strictyaml import Node, parse

REQUIRED_FACTS = ("topic", "id", "shop")
OPTIONAL_FACTS = ("triggered_at", "api_version", "test")
FACTS = (*REQUIRED_FACTS, *OPTIONAL_FACTS)

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class Profile:
    """`delivery` holds the name of the header of each fact that the platform sends."""

    signature: Scheme
    delivery: Mapping[str, str]
    hint: str | None = None


def read_profile(source: str, file: str, faults: list[Fault]) -> Profile | None:
    """The profile in a file's text; None when there are faults, all of which are appended."""
    before = len(faults)
    root = parse(source, file, faults)
    if root is None or not root.is_mapping:
        if len(faults) == before:
            faults.append(Fault(file, 1, 1, "expected signature: and delivery:"))
        return None
    sections = _known(root, ("signature", "delivery"), (), faults)
    signature = _known(
        sections.get("signature"), ("header", "scheme", "encoding"), ("hint",), faults
    )
    delivery = _known(sections.get("delivery"), REQUIRED_FACTS, OPTIONAL_FACTS, faults)
    header = _header(signature.get("header"), faults)
    scheme = _one_of(signature.get("scheme"), SCHEMES, "scheme", faults)
    encoding = _one_of(signature.get("encoding"), ENCODINGS, "encoding", faults)
    hint = _text(signature.get("hint"), faults)
    facts = {name: _header(node, faults) for name, node in delivery.items()}
    if len(faults) > before:
        return None
    return Profile(SCHEMES[scheme](header=header, encoding=encoding), facts, hint or None)


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
