"""Every error of the adapter, divided by what the one who catches it must do.

AdapterError
├ SettingsError          start-up stops: a variable is missing or malformed; all of them are named
├ MappingFileError       start-up stops: mapping files hold faults; all of them are listed
├ StoreError             reject with 503: Redis did not take it, the sender must try again
├ DeliveryError          reject: the webhook itself is not acceptable
│ ├ MalformedError       400
│ ├ SignatureError       401
│ ├ UnknownPlatformError 404
│ └ TooLargeError        413
├ MappingError           park: the webhook is genuine, but cannot be mapped as the files stand
│ └ FieldError           ... because of the value at one path
└ SendError              the destination did not take a request
  ├ RetryLater           wait, then send the same again
  ├ Refused              final for what the request held
  └ Misconfigured        pause: nothing will pass until a person mends the credentials or the host

Messages name ids, topics, paths, files and lines. They never hold personal data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class AdapterError(Exception):
    """Root of everything that the adapter raises on purpose."""


class SettingsError(AdapterError):
    """Variables are missing or malformed. `problems` holds one sentence for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One mistake in a mapping file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class MappingFileError(AdapterError):
    """Mapping files hold faults. `faults` holds all of them, sorted by place."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class StoreError(AdapterError):
    """Redis is gone, too slow or full: nothing was stored, the sender must try again."""


class DeliveryError(AdapterError):
    """The webhook is not acceptable; `status` is what its sender is answered."""

    status = 400


class MalformedError(DeliveryError):
    """Headers or body are not what the platform promises to send."""

    status = 400


class SignatureError(DeliveryError):
    """The signature is missing or matches none of the secrets."""

    status = 401


class UnknownPlatformError(DeliveryError):
    """No platform of that name is known or has a secret."""

    status = 404


class TooLargeError(DeliveryError):
    """The body is larger than MAX_BODY_BYTES."""

    status = 413


class MappingError(AdapterError):
    """A genuine webhook that cannot be mapped; it is parked with this message as its reason."""


class FieldError(MappingError):
    """The value found at `path` is missing or not what the contract asks for."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class SendError(AdapterError):
    """The destination did not take a request.

    `status` is the HTTP status, None when there was no answer; `retry_after` is in seconds.
    """

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(message)


class RetryLater(SendError):  # noqa: N818 - the name says what to do
    """Nothing is wrong with the request: wait, then send the same again."""

    @property
    def is_throttle(self) -> bool:
        """Whether it asks to slow down, which says nothing about what was sent."""
        return self.status == 429 or self.retry_after is not None


class Refused(SendError):  # noqa: N818
    """The request is refused for what it holds; sending the same again cannot help."""


class Misconfigured(SendError):  # noqa: N818
    """Credentials, region or host are wrong: nothing will pass until a person mends them."""
