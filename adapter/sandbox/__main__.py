"""`python -m adapter.sandbox [--port N] [--keep N]`: the sandbox alone, which keeps the newest N
requests whole (1000); the command line proper is click's."""

import sys
from typing import Any

from .server import serve

NAMES = {"--port": "port", "--keep": "keep_requests"}

words = sys.argv[1:]
options = dict(zip(words[::2], words[1::2], strict=False))
if len(words) % 2 or not options.keys() <= NAMES.keys() or not all(map(str.isdecimal, words[1::2])):
    sys.exit("usage: python -m adapter.sandbox [--port N] [--keep N]")
numbers: dict[str, Any] = {NAMES[name]: int(number) for name, number in options.items()}
serve(**numbers)
