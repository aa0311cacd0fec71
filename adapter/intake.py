"""A webhook's way in: verified, read, mapped, and taken into the outbox in one atomic step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.actions import settled
from adapter.errors import SignatureError, UnknownPlatformError
from adapter.mapping import Mappings, parse_body
from adapter.model import Delivery, Mapped
from adapter.platforms import Headers, Platform
from adapter.store.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a webhook, and what was made of it."""

    outcome: str
    mapped: Mapped

    @property
    def delivery(self) -> Delivery:
        return self.mapped.delivery

    @property
    def reason(self) -> str | None:
        """Why it was ignored or parked."""
        return self.mapped.reason


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes webhooks of several platforms for one workspace.

    `secrets` and `shops` are by platform name; a platform without secrets is unknown, one without
    shops takes those of every shop that signs correctly.
    """

    platforms: Mapping[str, Platform]
    mappings: Mappings
    outbox: Outbox
    secrets: Mapping[str, tuple[str, ...]]
    shops: Mapping[str, frozenset[str]]

    def platform(self, name: str) -> Platform:
        """Raises UnknownPlatformError where it is not known or has no secret."""
        platform = self.platforms.get(name)
        if platform is None or not self.secrets.get(name):
            known = ", ".join(sorted(name for name in self.platforms if self.secrets.get(name)))
            raise UnknownPlatformError(f"no such platform here; there is: {known or 'none'}")
        return platform

    def receive(
        self, platform: Platform, headers: Mapping[str, str] | Headers, raw: bytes, received_at: int
    ) -> Receipt:
        """Verify, read, map and store one webhook; `received_at` is Unix seconds.

        Raises DeliveryError when the webhook is not acceptable and StoreError when it could not
        be stored. The raw bytes are verified before anything looks into them.
        """
        found = Headers.of(headers)
        platform.verify(found, raw, self.secrets[platform.name])
        delivery = platform.deliver(found, received_at)
        shops = self.shops.get(platform.name)
        if shops and delivery.shop not in shops:
            raise SignatureError("this shop is not on the list of shops")
        body = parse_body(raw)
        reason = platform.park(found)
        if reason is None:
            mapped = settled(self.mappings.apply(delivery, body))
        else:
            mapped = Mapped("parked", delivery, reason)
        return Receipt(self.outbox.accept(mapped, raw).outcome, mapped)
