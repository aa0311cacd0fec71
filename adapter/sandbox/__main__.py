"""`python -m adapter.sandbox [--port N]`: the sandbox alone; the command line proper is click's."""

import sys

from .server import serve

match sys.argv[1:]:
    case []:
        serve()
    case ["--port", number] if number.isdecimal():
        serve(port=int(number))
    case _:
        sys.exit("usage: python -m adapter.sandbox [--port N]")
