"""What is looked for when somebody is to be found in all that is kept. Pure.

Ids and tokens of a platform are long: they are nobody else's, wherever they stand. Short ones (a
shop that counts its customers from 1) count only where their place says what they are. An address
counts in any spelling of its letters, a phone in any grouping of its digits, but only where no
address stands beside it: a phone may be a whole family's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Self

from adapter.deeds import Errand
from adapter.model import Json

LONG = 8
"""Characters from which on a name is taken as nobody else's."""

FEW = 100
"""Names up to which each is looked for by itself."""

_WORD = re.compile(r"[0-9A-Za-z_-]+")
_EMAIL = re.compile(r"""[^\s"'<>()\[\]{},;:=&?/\\]+@[^\s"'<>()\[\]{},;:=&?/\\]+""")
_PHONE = re.compile(r"\+?\(?\d[\d ().-]{5,}\d")
_PEOPLE = ("", "customer", "person", "identifiers", "primary", "secondary", "values")
_OWN_NAMES = ("kept", "gone")


class Needles:
    """The names of everybody who is looked for."""

    def __init__(
        self,
        ids: Iterable[str] = (),
        emails: Iterable[str] = (),
        phones: Iterable[str] = (),
        orders: Iterable[str] = (),
        tokens: Iterable[str] = (),
    ) -> None:
        self.ids = frozenset(ids)
        self.emails = frozenset(email.strip().lower() for email in emails)
        self.phones = frozenset(filter(None, map(_digits, phones)))
        self.orders = frozenset(orders)
        self.tokens = frozenset(tokens)
        every = self.ids | self.orders | self.tokens
        self._words = {one for one in every if len(one) >= LONG and _WORD.fullmatch(one)}
        self._odd = [one for one in every if len(one) >= LONG and one not in self._words]
        names = {*every, *self.emails, *self.phones}
        self._raw = [one.lower().encode() for one in names] if len(names) <= FEW else []
        self._short = any(len(one) < LONG for one in every)

    @classmethod
    def of(cls, errands: Iterable[Errand]) -> Self:
        """All that errands are about."""
        errands = tuple(errands)
        return cls(
            *(
                [one for errand in errands for one in getattr(errand, name)]
                for name in ("ids", "emails", "phones", "orders", "tokens")
            )
        )

    def may_be_in(self, raw: bytes) -> bool:
        """False where a name of a key, or a record of ours as it is kept, is surely not theirs.

        Most are not, and this is all that looking at them costs while few people are looked for.
        """
        if not self._raw:
            return True
        raw = raw.lower()
        return any(one in raw for one in self._raw)

    def in_contacts(self, contacts: Mapping[str, Json]) -> bool:
        """Whether {id, email, phone} are theirs: the strongest of them decides."""
        if contacts.get("id"):
            return str(contacts["id"]) in self.ids
        if contacts.get("email"):
            return str(contacts["email"]).lower() in self.emails
        return _digits(str(contacts.get("phone") or "")) in self.phones

    def in_text(self, text: str) -> bool:
        """Whether a text names them by what is nobody else's."""
        if not self._words.isdisjoint(_WORD.findall(text)):
            return True
        if any(one in text for one in self._odd):
            return True
        addresses = "@" in text or "%40" in text
        if addresses:
            found = _EMAIL.findall(text.replace("%40", "@"))
            return not self.emails.isdisjoint(one.lower().rstrip(".") for one in found)
        return bool(self.phones) and any(
            _digits(one) in self.phones for one in _PHONE.findall(text)
        )

    def in_value(self, value: Json, about: str = "") -> bool:
        """Whether decoded JSON names them; `about` is what its top level is: customer, order."""
        texts = "\n".join(str(leaf) for _, _, leaf in _leaves(value, about, ""))
        if self.in_text(texts):
            return True
        return self._short and any(
            self._is_short(parent, key, leaf) for parent, key, leaf in _leaves(value, about, "")
        )

    def in_name(self, name: str) -> bool:
        """Whether the name of a key names one of their orders or tokens, or an id of theirs."""
        kind, *parts = name.split(":")
        ends = {":".join(parts[place:]) for place in range(len(parts))}
        if not (self.orders | self.tokens).isdisjoint(ends.union(parts[2:])):
            return True
        if any(one in name for one in self._odd):
            return True
        about = kind == "key" and len(parts) > 2 and parts[2].startswith("customer")
        known = self.ids if about else {one for one in self.ids if len(one) >= LONG}
        return not known.isdisjoint(parts)

    def _is_short(self, parent: str, key: str, leaf: Json) -> bool:
        text = str(leaf)
        if text.startswith("gid://"):
            *_, of, text = text.split("/")
            parent, key = of.lower(), "id"
        if len(text) >= LONG:
            return False
        if text in self.ids and (
            "customer" in key or key in _OWN_NAMES or (key == "id" and parent in _PEOPLE)
        ):
            return True
        if text in self.orders and ("order" in key or (key in ("", "id") and parent == "order")):
            return True
        names = ("token", "cart", "checkout", "subscription")
        return text in self.tokens and any(one in f"{parent} {key}" for one in names)


def _leaves(value: Json, parent: str, key: str) -> Iterator[tuple[str, str, Json]]:
    """Every value that holds no others, with its name and that of what it is in; names too."""
    stack = [(parent, key, value)]
    while stack:
        parent, key, value = stack.pop()
        if isinstance(value, dict):
            within = key or parent
            # A list of customers is of customers; a pair (id, 42) reads as {id: 42}.
            for name, each in value.items():
                stack.append((within.lower(), str(name).lower(), each))
                yield "", "", name
        elif isinstance(value, list):
            if len(value) == 2 and value[0] in ("id", "email", "phone"):
                stack.append(("person", str(value[0]), value[1]))
            else:
                stack += [(parent, key, each) for each in value]
        elif value is not None and not isinstance(value, bool):
            yield parent, key, value


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)
