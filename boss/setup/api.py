"""Requests to a provider's API for `boss setup`: JSON answers, few repetitions, and errors that show no key."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from boss.http import Answer, Unreachable, ask
from shared.backoff import delay
from shared.errors import BosslineError
from shared.observability.redaction import mask

SECONDS: Final = 15.0
"""The longest that one request may take."""
TRIES: Final = 4
LONGEST_WAIT: Final = 20.0
MAX_SAID: Final = 300
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, TOO_MANY, SERVER_ERROR, REDIRECT = 401, 403, 404, 429, 500, 300
Form = Mapping[str, str]


class ApiRefused(BosslineError):
    """The provider answered that it will not do it."""

    code = "refused"

    def __init__(self, provider: str, status: int, said: str) -> None:
        super().__init__(f"{provider} refuses it ({status})" + (f": {said}" if said else ""))
        self.status = status


class ApiAway(BosslineError):
    """No answer, or one of a server in trouble: what became of a change is not known."""

    code = "away"

    def __init__(self, provider: str, why: str) -> None:
        super().__init__(f"{provider} does not answer: {why}")


@dataclass(frozen=True, slots=True)
class ProviderApi:
    """One provider's API with our login."""

    provider: str
    base: str
    headers: Mapping[str, str] = field(repr=False)
    sleep: Callable[[float], None] = time.sleep

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """A look, repeated while the provider has trouble. Raises ApiRefused, ApiAway."""
        url = self.base + path + ("?" + urlencode(query) if query else "")
        for number in range(TRIES):
            try:
                answer = ask(url, timeout=SECONDS, headers=self.headers)
            except Unreachable as error:
                if number + 1 == TRIES:
                    raise ApiAway(self.provider, error.detail) from None
                self.sleep(delay(0.5, LONGEST_WAIT, number))
                continue
            if answer.status < SERVER_ERROR and answer.status != TOO_MANY:
                return self._document(answer)
            if number + 1 == TRIES:
                raise ApiAway(self.provider, f"it answers {answer.status}")
            self.sleep(_wait(answer, number))
        raise ApiAway(self.provider, "no answer")

    def send(self, method: str, path: str, *, form: Form | None = None, document: object = None) -> Any:
        """A change. It is repeated after a 429 alone: after anything else it may have been done. Raises ApiRefused, ApiAway."""
        kind = "application/x-www-form-urlencoded" if form is not None else "application/json"
        body = urlencode(form).encode() if form is not None else None if document is None else json.dumps(document).encode()
        headers = {**self.headers, "Content-Type": kind} if body is not None else dict(self.headers)
        for number in range(TRIES):
            try:
                answer = ask(self.base + path, timeout=SECONDS, method=method, headers=headers, body=body)
            except Unreachable as error:
                raise ApiAway(self.provider, error.detail) from None
            if answer.status != TOO_MANY:
                break
            self.sleep(_wait(answer, number))
        if answer.status >= SERVER_ERROR or answer.status == TOO_MANY:
            raise ApiAway(self.provider, f"it answers {answer.status}")
        return self._document(answer)

    def _document(self, answer: Answer) -> Any:
        if answer.status >= REDIRECT:
            raise ApiRefused(self.provider, answer.status, _said(answer.json()))
        if not answer.body:
            return None
        document = answer.json()
        if document is None:
            raise ApiAway(self.provider, "its answer cannot be read")
        return document


def _wait(answer: Answer, number: int) -> float:
    """How long to wait after a 429 or a server's error: what the answer says, within bounds."""
    for name, since in (("Retry-After", 0.0), ("X-RateLimit-Reset", time.time())):
        try:
            return min(max(float(answer.headers.get(name, "")) - since, 0.0), LONGEST_WAIT)
        except ValueError:
            continue
    return delay(0.5, LONGEST_WAIT, number)


def _said(document: Any) -> str:
    """The provider's own sentence, without what has the shape of a number, an address or a key."""
    if not isinstance(document, dict):
        return ""
    listed = document.get("errors")
    found = [each.get("message") for each in listed if isinstance(each, dict)] if isinstance(listed, list) else [document.get("message")]
    return mask("; ".join(str(each) for each in found if each))[:MAX_SAID]
