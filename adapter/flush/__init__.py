"""Delivery: take what waits in the outbox, see who is meant, send it, settle what became of it.

| module | holds |
|-|-|
| `drain` | the story: one batch after the other, the next made ready while this one is on its way |
| `reader` | which entries are a batch |
| `batch` | what they come to, and that as bytes |
| `settlement` | what is finished, and what may be remembered |
| `lease` | one flush works on a workspace at a time |
| `measures` | what was measured on the way |

One flush works on a workspace at a time; its lease is renewed while it lives, and whatever it
writes is written only while it holds the lease. If it dies at any point, nothing is lost: what was
not settled is still in the outbox, and every event carries the same id when it is sent again.
"""

from adapter.flush.drain import flush
from adapter.flush.office import Office

__all__ = ["Office", "flush"]
