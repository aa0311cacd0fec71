"""What is known of a person, as lines of text: see `adapter.lookup.texts`."""

from __future__ import annotations

from adapter.lookup.texts import called, described, item_text, looked_text, utc_text, way_text

__all__ = ["called", "described", "item_text", "looked_text", "utc_text", "way_text"]
