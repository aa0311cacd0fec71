"""From waiting entries to operations: who is meant, and what of it is news, as far as memory and
the batch itself know.

Pure: memory is read for the whole batch by the caller, overlaid here entry by entry with what they
teach, and written by the caller in the step that settles the batch. So a flush that dies before
settling comes to the same operations when it runs again.

| module | holds |
|-|-|
| `terms` | what is asked and answered |
| `reads` | what memory must be asked for |
| `batch` | the entries, one after the other |
| `turns` | merges, erasures, dead letters that come again |
| `speech` | what is about to be said of whom, and what goes ahead |
"""

from adapter.resolver.batch import LATE_SECONDS, complete, resolve
from adapter.resolver.reads import MOST_READS, references
from adapter.resolver.terms import (
    ANY_TOMBSTONE,
    AWAITS_PERSON,
    CART_LINES,
    CONSENT_BEFORE,
    HELD,
    NO_PERSON,
    NOBODY,
    NOT_ONE,
    OUTDATED,
    PLAIN,
    TOLD_SINCE,
    Owner,
    Policy,
    Resolution,
)

__all__ = [
    "ANY_TOMBSTONE",
    "AWAITS_PERSON",
    "CART_LINES",
    "CONSENT_BEFORE",
    "HELD",
    "LATE_SECONDS",
    "MOST_READS",
    "NOBODY",
    "NOT_ONE",
    "NO_PERSON",
    "OUTDATED",
    "PLAIN",
    "TOLD_SINCE",
    "Owner",
    "Policy",
    "Resolution",
    "complete",
    "references",
    "resolve",
]
