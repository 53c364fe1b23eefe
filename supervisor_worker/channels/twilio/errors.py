"""Twilio's error responses as errors of ours: what follows from an answer outside 2xx.

Twilio advises against logic on error numbers, because they are being split. So the HTTP status decides by default (4xx is final, 403 may be
the key's fault, 429 may be retried), and the table of `shared.model.delivery_errors` only where the status would be wrong.
"""

from __future__ import annotations

from typing import Final

from shared.errors import (
    AccessDenied,
    CredentialsRefused,
    LimitReached,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from shared.model.delivery_errors import TWILIO, Kind
from supervisor_worker.channels.port import RecipientOptedOut, RecipientUnreachable, SenderUnusable

PROVIDER: Final = "twilio"
KINDS: Final[dict[int, Kind]] = {number: row.kind for number, row in TWILIO.items()}
_BY_STATUS: Final[dict[int, Kind]] = {401: "account", 402: "account", 403: "denied", 429: "rate"}
_CLASSES: Final[dict[Kind, type[ProviderError]]] = {
    "account": CredentialsRefused,
    "denied": AccessDenied,
    "opted_out": RecipientOptedOut,
    "recipient": RecipientUnreachable,
    "sender": SenderUnusable,
}
_LATER: Final[dict[Kind, type[ProviderUnavailable]]] = {"rate": ProviderUnavailable, "limit": LimitReached}
_REFUSED_4XX: Final = 400
_FAILED_5XX: Final = 500


def error_for(status: int, code: int | None, *, asked: bool, retry_after: float | None = None) -> ProviderError:
    """The error of an answer outside 2xx. `asked`: the request was a GET and changed nothing, so a 5xx leaves nothing unknown."""
    word = str(code or f"http_{status}")
    if status >= _FAILED_5XX:
        if asked:
            return ProviderUnavailable(PROVIDER, word, status=status, retry_after=retry_after)
        return OutcomeUnknown(PROVIDER, word, status=status, retry_after=retry_after)
    kind = KINDS.get(code or 0) or _BY_STATUS.get(status, "content")
    if kind in _LATER:
        return _LATER[kind](PROVIDER, word, status=status, retry_after=retry_after)
    if kind == "content":
        return ProviderRefused(PROVIDER, word, status=status, final=status >= _REFUSED_4XX)  # a redirect is a wrong base URL
    return _CLASSES[kind](PROVIDER, word, status=status)
