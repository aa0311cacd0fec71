"""Who has which identifier: how people are found, adopted, renamed, blocked and removed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .profile import IDENTIFIERS, Json, Outcome, Profile

Key = tuple[str, str]
"""Kind of identifier and its value, so that two spellings of the same one are equal."""


def key_of(identifiers: Mapping[str, str]) -> Key:
    """The one identifier in `identifiers`: emails compare without case, everything else with."""
    ((kind, value),) = identifiers.items()
    return kind, value.lower() if kind == "email" else value


class Directory:
    """The people of a workspace by cio_id, found by any identifier.

    `suppressed` maps a blocked identifier to all those that were blocked with it.
    """

    def __init__(self, *, email_updates_by_id: bool) -> None:
        self.email_updates_by_id = email_updates_by_id
        self.people: dict[str, Profile] = {}
        self.suppressed: dict[Key, tuple[Key, ...]] = {}
        self._index: dict[Key, Profile] = {}
        self._made = 0

    def find(self, identifiers: Mapping[str, str]) -> Profile | None:
        """The person with this identifier."""
        return self._index.get(key_of(identifiers))

    def is_suppressed(self, identifiers: Mapping[str, str]) -> bool:
        """Whether everything sent for this identifier is dropped."""
        return key_of(identifiers) in self.suppressed

    def adopt(self, identifiers: Mapping[str, str], email: Json) -> Profile | None:
        """Gives a new id to the person who has that email and no id yet, if there is one."""
        kind, value = key_of(identifiers)
        if kind != "id" or not isinstance(email, str):
            return None
        holder = self._index.get(("email", email.lower()))
        if holder is None or holder.id is not None:
            return None
        self.claim(holder, "id", value)
        return holder

    def create(self, identifiers: Mapping[str, str]) -> Profile | None:
        """A new person with this identifier; None for a cio_id, which only the vendor gives."""
        ((kind, value),) = identifiers.items()
        if kind == "cio_id":
            return None
        self._made += 1
        profile = Profile(cio_id=f"{self._made:014x}")
        self.people[profile.cio_id] = profile
        self._index["cio_id", profile.cio_id] = profile
        self.claim(profile, kind, value)
        return profile

    def rename(
        self, profile: Profile, by: str, name: str, value: Json, at: int
    ) -> tuple[Outcome, str]:
        """Writes an identifier as an attribute; with "failed" comes the reason.

        `by` is the kind of identifier that the person was addressed with.
        """
        if at < profile.written.get(name, at):
            return "stale", ""
        if getattr(profile, name) == value:
            profile.written[name] = at
            return "same", ""
        if value is None or value == "":
            others = [kind for kind in ("id", "email", "phone") if kind != name]
            if name == "cio_id" or not any(getattr(profile, kind) for kind in others):
                return "failed", "the only identifier cannot be removed"
            self._release(profile, name)
        elif reason := self._objection(profile, by, name, value):
            return "failed", reason
        else:
            self._release(profile, name)
            self.claim(profile, name, value)
        profile.written[name] = at
        return "changed", ""

    def claim(self, profile: Profile, kind: str, value: str) -> None:
        """Writes an identifier that nothing speaks against."""
        setattr(profile, kind, value)
        self._index.setdefault(key_of({kind: value}), profile)

    def remove(self, profile: Profile) -> None:
        """Forgets the person; their identifiers are free."""
        for key in list(self._keys(profile)):
            del self._index[key]
        del self.people[profile.cio_id]

    def suppress(self, identifiers: Mapping[str, str]) -> None:
        """Removes the person, if known, and blocks every identifier that they had."""
        key = key_of(identifiers)
        profile = self._index.get(key)
        keys = {key}
        if profile:
            keys.update(self._keys(profile))
            self.remove(profile)
        self.suppressed.update(dict.fromkeys(keys, tuple(sorted(keys))))

    def unsuppress(self, identifiers: Mapping[str, str]) -> None:
        """Lifts the block from an identifier and from those that were blocked with it."""
        for key in self.suppressed.get(key_of(identifiers), ()):
            self.suppressed.pop(key, None)

    def _objection(self, profile: Profile, by: str, name: str, value: Json) -> str:
        """Why the vendor would not let `profile` have this identifier; "" if it would."""
        if not isinstance(value, str):
            return "an identifier must be text"
        if name == "cio_id":
            return "cio_id is given by the vendor"
        if name == "email" and "@" not in value:
            return "not an email address"
        key = key_of({name: value})
        if key in self.suppressed:
            return "suppressed"
        if name == "phone":
            # Several people may share a phone; the first of them is the one identified by it.
            return ""
        if self._index.get(key, profile) is not profile:
            return "held by another person"
        held: str | None = getattr(profile, name)
        if held is None or key_of({name: held}) == key or by == "cio_id":
            return ""
        if name == "id":
            return "the person has another id"
        if by == "email":
            return "an email cannot be changed by email"
        if not self.email_updates_by_id:
            return "the workspace does not allow updates to email using id"
        return ""

    def _release(self, profile: Profile, kind: str) -> None:
        held: str | None = getattr(profile, kind)
        if held is not None:
            key = key_of({kind: held})
            if self._index.get(key) is profile:
                del self._index[key]
            setattr(profile, kind, None)

    def _keys(self, profile: Profile) -> Iterator[Key]:
        for kind in IDENTIFIERS:
            value: str | None = getattr(profile, kind)
            if value is not None and self._index.get(key_of({kind: value})) is profile:
                yield key_of({kind: value})
