"""Telling somebody: one POST to a webhook that takes `{"text": ...}`, as Slack and its like do."""

from __future__ import annotations

from dataclasses import dataclass

import requests

from adapter import __version__
from adapter.alerts.message import escaped

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 10.0


@dataclass(frozen=True, slots=True)
class Word:
    """Whether it got through, and what was answered in a few words; never the address."""

    passed: bool
    said: str


class Herald:
    """Posts to one address, which is a secret: whoever has it may write there."""

    def __init__(self, url: str) -> None:
        self._url = url

    def tell(self, text: str) -> Word:
        """Raises nothing: whoever cannot be told now is told in a minute."""
        try:
            # A session of its own each time: minutes apart, and without what the environment says
            # of proxies and of credentials for hosts.
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    self._url,
                    json={"text": escaped(text)},
                    headers={"User-Agent": f"commerce-adapter/{__version__}"},
                    timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                    allow_redirects=False,
                    stream=True,
                )
                answer.close()
        except (requests.RequestException, OSError, ValueError) as error:
            return Word(False, f"no answer: {type(error).__name__}")
        status = answer.status_code
        return Word(200 <= status < 300, f"answered {status}")
