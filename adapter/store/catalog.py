"""Where the catalog's records lie: what the platform said of a product, to enrich items with.

| name | kind | holds | lives |
|-|-|-|-|
| `product:<platform>:<shop>:<id>` | text | Product as JSON: id, as_of, removed, ... | 400 days |

`accept` writes a record in the step that takes its delivery in, unless a newer one is there. A
removed product stays as a mark, so that an older body does not bring it back.
"""

from __future__ import annotations

PRODUCT_SECONDS = 400 * 86400


def product(platform: str, shop: str, id_: str) -> str:
    """One product of one shop. Ids are short: the platform makes them."""
    return f"product:{platform}:{shop}:{id_}"
