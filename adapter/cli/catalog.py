"""Commands about what is known of products: catalog load, catalog show."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from adapter.cli.store import open_redis
from adapter.settings import Settings

if TYPE_CHECKING:
    from adapter.cli.exports import Found
    from adapter.mapping import Mappings
    from adapter.model import Delivery, Product
    from adapter.store.catalog import Catalog

AT_ONCE = 200
"""Products between two steps of the progress bar, written down together."""

_SHOWN = 20  # unreadable products that are told one by one; --json tells all

_PLATFORM = click.option(
    "--platform", default="shopify", show_default=True, help="Whose products these are."
)
_SHOP = click.option("--shop", required=True, help="The shop's domain, as its webhooks name it.")


@dataclass(slots=True)
class Loaded:
    """How a load went. `older` are those of which something newer was known; `left_out` counts the
    values that could not be read in products that could."""

    stored: int = 0
    older: int = 0
    unreadable: list[Found] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        return self.stored + self.older

    def to_json(self) -> dict[str, Any]:
        unreadable = [{"where": each.where, "reason": each.problem} for each in self.unreadable]
        return {
            "stored": self.stored,
            "older": self.older,
            "unreadable": unreadable,
            "left_out": dict(self.left_out),
        }


@click.group()
def catalog() -> None:
    """What is known of a shop's products, with which the lines of events are enriched."""


@catalog.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@_PLATFORM
@_SHOP
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def load(files: tuple[str, ...], platform: str, shop: str, as_json: bool) -> None:
    """Fill the catalog from files, so that already the first events are enriched.

    A FILE (- is standard input) holds products as the platform's webhooks do: a list of them,
    {"products": [...]} as the Admin API and a storefront's /products.json give it, one a line, or
    just one. Of what is known already the newer stays. Exit 1 if no product could be read.
    """
    from adapter.app import WORKSPACE, load_mappings, mappings_layers
    from adapter.cli.exports import bodies
    from adapter.store.catalog import Catalog

    settings = Settings.from_env(os.environ)
    mappings = load_mappings(mappings_layers(settings))
    facts = _facts(mappings, platform, _hostname(shop))
    redis = open_redis(settings)
    loaded = Loaded()
    for name in files:
        with click.open_file(name, "rb") as file:
            found = bodies("standard input" if name == "-" else name, file.read(), "product")
        parts = _progress([found[at : at + AT_ONCE] for at in range(0, len(found), AT_ONCE)], name)
        _load(parts, mappings, facts, Catalog(redis, WORKSPACE), loaded)
    if as_json:
        click.echo(json.dumps(loaded.to_json(), indent=2))
    else:
        click.echo("\n".join(_said(loaded, facts.shop)))
    if loaded.read:
        _hint(redis, facts)
    else:
        raise SystemExit(1)


@catalog.command()
@click.argument("product_id")
@_PLATFORM
@_SHOP
@click.option("--json", "as_json", is_flag=True, help="The record as it is kept.")
def show(product_id: str, platform: str, shop: str, as_json: bool) -> None:
    """What is known of one product. Exit 1 if nothing is."""
    from adapter.app import WORKSPACE
    from adapter.catalog import KIND
    from adapter.mapping.types import to_id
    from adapter.store.catalog import Catalog

    shop = _hostname(shop)
    try:
        ref = KIND, platform, shop, to_id(product_id) or ""
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="PRODUCT_ID") from None
    redis = open_redis(Settings.from_env(os.environ))
    product = Catalog(redis, WORKSPACE).read([ref]).get(ref)
    if product is None:
        raise click.ClickException(f"Nothing is known of a product {ref[3]} of {shop}.")
    if as_json:
        click.echo(json.dumps(product.to_json(), indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(_described(product)))


def _hostname(shop: str) -> str:
    """The shop as the headers of its webhooks give it."""
    from adapter.platforms.headers import hostname

    try:
        return hostname(shop.strip(), 253)
    except ValueError as error:
        problem = f"{error}; expected a domain, as in example.myshopify.com"
        raise click.BadParameter(problem, param_hint="--shop") from None


def _facts(mappings: Mappings, platform: str, shop: str) -> Delivery:
    """The webhook that an exported product stands for: that of a product which changed."""
    from adapter.model import Delivery

    plans = {each: mappings.plan(platform, each, shop) for each in mappings.topics(platform)}
    topics = [each for each, plan in plans.items() if plan and plan.catalog]
    if not topics:
        known = ", ".join(mappings.platforms())
        problem = f"no mapping of '{platform}' feeds the catalog; there is {known}"
        raise click.BadParameter(problem, param_hint="--platform")
    topic = next((each for each in topics if "updat" in each), topics[0])
    return Delivery(platform, topic, "catalog load", shop, received_at=int(time.time()))


def _load(
    parts: Iterable[Sequence[Found]],
    mappings: Mappings,
    facts: Delivery,
    store: Catalog,
    loaded: Loaded,
) -> None:
    for part in parts:
        products = []
        for each in part:
            if each.problem:
                loaded.unreadable.append(each)
                continue
            mapped = mappings.apply(facts, each.body)
            product = mapped.catalog
            if product is None or not (
                product.removed or product.variants or "name" in product.fields
            ):
                problem = mapped.reason or "it has no name and no variants: is it a product?"
                loaded.unreadable.append(each._replace(body=None, problem=problem))
                continue
            products.append(product)
            loaded.left_out.update(f"{left.path}: {left.problem}" for left in mapped.left_out)
        stored = store.store(facts.platform, facts.shop, products)
        loaded.stored += sum(stored)
        loaded.older += len(stored) - sum(stored)


def _progress(parts: list[Sequence[Found]], name: str) -> Iterator[Sequence[Found]]:
    """The same parts; on a terminal with a bar that says how far it is."""
    if not sys.stderr.isatty():
        yield from parts
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=sum(map(len, parts)))
        for part in parts:
            yield part
            bar.advance(task, len(part))


def _said(loaded: Loaded, shop: str) -> list[str]:
    lines = [
        f"catalog of {shop}",
        f"  stored    {loaded.stored:>8}",
        f"  older     {loaded.older:>8}  something newer was known and stays",
        f"  unreadable{len(loaded.unreadable):>8}",
    ]
    lines += [f"    {each.where}: {each.problem}" for each in loaded.unreadable[:_SHOWN]]
    more = len(loaded.unreadable) - _SHOWN
    lines += [f"    and {more} more; --json names all of them"] if more > 0 else []
    for problem, count in loaded.left_out.most_common(_SHOWN):
        lines.append(f"  left out  {count:>8}  {problem}")
    return lines


def _hint(redis: Any, facts: Delivery) -> None:
    """Products that are kept under another name than the webhooks' are never found."""
    from adapter.app import WORKSPACE
    from adapter.store.topics import Topics

    seen = Topics(redis, WORKSPACE).seen()
    shops = sorted({each.shop for each in seen if each.platform == facts.platform})
    if shops and facts.shop not in shops:
        others = ", ".join(shops[:5])
        text = f"note: no webhook came from {facts.shop} yet; those that came are from {others}"
        click.echo(text, err=True)


def _described(product: Product) -> list[str]:
    from adapter.mapping.coercions import utc

    lines = [f"product {product.id}", f"  as of {utc(product.as_of)}"]
    if product.removed:
        return [*lines, "  removed from the shop: nothing is enriched with it"]
    lines += _rows(product.fields, "  ")
    for each in product.variants:
        lines += [f"  variant {each['variant_id']}"]
        lines += _rows({key: value for key, value in each.items() if key != "variant_id"}, "    ")
    return lines


def _rows(fields: Any, indent: str) -> list[str]:
    wide = max(map(len, fields), default=0)
    return [f"{indent}{name:<{wide}}  {_shown(value)}" for name, value in fields.items()]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


COMMANDS = (catalog,)
