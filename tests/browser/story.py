"""What the console is looked at with: a morning at a shop, in which some things went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.edge.lab import Floor, Shopper, Webhook, until

PASSWORD = "a password for the story alone"
REFUSED = "order_refunded"
"""The event that Customer.io refuses throughout the story."""

ORDER, PAID = "orders/create", "orders/paid"


@dataclass(slots=True)
class Story:
    """A running adapter with a past. `buyer` has bought and sent something back, of which
    Customer.io was not told."""

    floor: Floor
    buyer: Shopper = field(default_factory=Shopper)

    @classmethod
    @contextmanager
    def told(cls, home: Path, shoppers: int = 1) -> Iterator[Story]:
        with Floor.open(home, CONSOLE_PASSWORD=PASSWORD) as floor:
            story = cls(floor)
            floor.workspace.knows_since_ever()
            floor.sandbox.fail({"refuse": True, "times": -1, "match": {"name": REFUSED}})
            for shopper in (story.buyer, *(Shopper() for _ in range(shoppers))):
                story.take(
                    shopper.webhook("customers/create"),
                    shopper.webhook("carts/create"),
                    shopper.webhook("checkouts/create"),
                )
                story.take(shopper.webhook(ORDER), shopper.webhook(PAID))
            story.take(story.buyer.webhook("refunds/create"))
            story.trouble()
            yield story

    @property
    def console(self) -> str:
        return f"{self.floor.web.url}/console/"

    def take(self, *webhooks: Webhook) -> None:
        """Taken in and delivered."""
        self.floor.post(*webhooks)

    def trouble(self) -> None:
        """One that comes twice, one that cannot be mapped, one that is refused."""
        again = Shopper().webhook(ORDER)
        self.take(again)
        assert again.outcome(self.floor.web) == "duplicate"
        assert Shopper().tells(ORDER, total_price=None).outcome(self.floor.web) == "parked"
        until(lambda: self.floor.workspace.dead() == 1, "one is dead")
        self.floor.sandbox.fail()

    def refuse(self, *shoppers: Shopper) -> None:
        """That they ordered becomes a dead letter each."""
        wanted = self.floor.workspace.dead() + len(shoppers)
        self.floor.sandbox.fail({"refuse": True, "times": -1, "match": {"name": "order_completed"}})
        self.take(*(each.webhook(ORDER) for each in shoppers))
        until(lambda: self.floor.workspace.dead() == wanted, "they are dead")
        self.floor.sandbox.fail()
