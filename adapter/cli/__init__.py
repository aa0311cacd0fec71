"""The `adapter` command. Each module here is one family of commands.

Exit codes: 0 done, 1 the work found something wrong, 2 the command or its settings are wrong.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from adapter import __version__
from adapter.cli import (
    alerts,
    catalog,
    compare,
    contract,
    dead,
    deliveries,
    dev,
    doctor,
    mappings,
    people,
    replays,
    run,
    status,
    topics,
)
from adapter.cli.store import complaint
from adapter.errors import AdapterError, MappingFileError, SettingsError, StoreError


class _Group(click.Group):
    """Turns the adapter's own errors into messages; a user never sees a traceback for them."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            sys.exit(2)
        except MappingFileError as error:
            for fault in error.faults:
                click.echo(str(fault), err=True)
            sys.exit(1)
        except StoreError as error:
            click.echo(complaint(error), err=True)
            click.echo("`adapter doctor` says what is wrong, and how to mend it.", err=True)
            sys.exit(1)
        except AdapterError as error:
            click.echo(str(error), err=True)
            sys.exit(1)
        except BrokenPipeError:
            # `adapter schema | head`: the reader has seen enough.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="adapter")
def main() -> None:
    """Signed commerce webhooks in, clean Customer.io people and events out.

    Start with `adapter run`: everything on this machine, with a sample story played through it.
    """


_MODULES = (run, mappings, contract, topics, catalog, people, dev, status, doctor, alerts)
_LOOKING_BACK = (dead, replays, deliveries, compare)

for _module in (*_MODULES, *_LOOKING_BACK):
    for _command in _module.COMMANDS:
        main.add_command(_command)
