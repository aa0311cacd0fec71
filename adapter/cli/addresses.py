"""Addresses as they are named on the command line."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"https?://[^/\s?#]+(/[^\s?#]*)?")


def is_address(text: str) -> bool:
    """Whether a text is an http address, without query and fragment."""
    return _ADDRESS.fullmatch(text) is not None
