"""Deletes at Twilio what a person and their Boss have texted: each message, and before it the files that came with it.

Which they are is told by the records that an erasure finds, and by Twilio's own list of what went between their numbers: that also has
what was kept here no more. A message that is another user's here stays.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from boss.http import Answer, Unreachable, ask
from shared.config.settings import Settings

AT_ONCE: Final = 4
TIMEOUT_SECONDS: Final = 15.0
TRIES: Final = 6
FIRST_WAIT_SECONDS: Final = 0.5
MAX_WAIT_SECONDS: Final = 10.0
PAGE_SIZE: Final = 200
MAX_PAGES: Final = 1_000
OK: Final = 200
_GONE: Final = frozenset({OK, 204, 404})
_AGAIN: Final = frozenset({409, 429, 500, 502, 503, 504})
"""409: the message is still on its way."""


@dataclass
class DeletedAtTwilio:
    """How much went, and the ids of the messages that did not; `fault` is why the list could not be read to its end."""

    messages: int = 0
    media: int = 0
    left: list[str] = field(default_factory=list)
    fault: str = ""


@dataclass(frozen=True)
class TwilioDeletion:
    """One account; `wait` waits so many seconds between two tries."""

    settings: Settings
    wait: Callable[[float], object] = time.sleep

    def delete(
        self, known: Iterable[str], pairs: Iterable[tuple[str, str]], anothers: Callable[[list[str]], set[str]]
    ) -> DeletedAtTwilio:  # fmt: skip
        """Delete the messages with the ids `known`, and those between these numbers (the Boss's and the person's).

        `anothers` picks those that must stay. Raises nothing: what could not be deleted is named.
        """
        done, found = DeletedAtTwilio(), dict.fromkeys(known)
        try:
            for boss, own in pairs:
                for to, sender in ((boss, own), (own, boss)):
                    found.update(dict.fromkeys(self._listed(to, sender)))
        except (Unreachable, ValueError) as error:
            done.fault = error.detail if isinstance(error, Unreachable) else str(error)
        theirs = [sid for sid in found if sid not in anothers(list(found))] if found else []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for sid, media in zip(theirs, pool.map(self._message, theirs), strict=True):
                done.messages += media is not None
                done.media += media or 0
                done.left += [sid] if media is None else []
        return done

    def _message(self, sid: str) -> int | None:
        """Delete one; how many files it had, None where Twilio did not delete it."""
        path = f"Messages/{sid}"
        try:
            answer = self._asked("GET", f"{path}/Media.json?PageSize={PAGE_SIZE}")
            if answer.status not in _GONE:
                return None
            files = [str(file.get("sid")) for file in (answer.json() or {}).get("media_list", [])] if answer.status == OK else []
            if not all(self._asked("DELETE", f"{path}/Media/{file}.json").status in _GONE for file in files):
                return None
            return len(files) if self._asked("DELETE", f"{path}.json").status in _GONE else None
        except Unreachable:
            return None

    def _listed(self, to: str, sender: str) -> Iterator[str]:
        """The ids of the messages from one number to another. Raises Unreachable or ValueError."""
        path = "Messages.json?" + urlencode({"To": to, "From": sender, "PageSize": PAGE_SIZE})
        for _ in range(MAX_PAGES):
            answer = self._asked("GET", path)
            page: Any = answer.json()
            if answer.status != OK or not isinstance(page, dict):
                raise ValueError(f"it answers {answer.status}")
            yield from (str(message["sid"]) for message in page.get("messages", []))
            following = str(page.get("next_page_uri") or "")
            if not following:
                return
            path = following.rpartition("/")[2]

    def _asked(self, method: str, path: str) -> Answer:
        """One request, repeated while Twilio is busy or the message on its way. Raises Unreachable."""
        settings, seconds = self.settings, FIRST_WAIT_SECONDS
        account = f"{settings.provider_urls['twilio']}/2010-04-01/Accounts/{settings.twilio_account_sid}"
        login = base64.b64encode(":".join(settings.twilio_login).encode()).decode()
        for left in range(TRIES, 0, -1):
            try:
                answer = ask(f"{account}/{path}", timeout=TIMEOUT_SECONDS, method=method, headers={"Authorization": f"Basic {login}"})
            except Unreachable:
                if left == 1:
                    raise
            else:
                if answer.status not in _AGAIN or left == 1:
                    return answer
                seconds = max(seconds, _seconds(answer.headers.get("Retry-After")))
            self.wait(min(seconds, MAX_WAIT_SECONDS))
            seconds *= 2
        raise AssertionError


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
