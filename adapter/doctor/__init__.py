"""What is wrong with an installation, and how to mend it.

`kinds` lists everything that can be found. The modules beside it judge facts and are pure; only
`start` and `probe` ask anybody. Facts are gathered by who has them: the command, or a process that
starts.
"""

from __future__ import annotations

from adapter.doctor.kinds import KINDS, SUBJECTS, Finding, found

__all__ = ["KINDS", "SUBJECTS", "Finding", "found"]
