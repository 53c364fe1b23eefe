"""Twilio's refusals, in one table: error number to what may be done about it.

Twilio advises against hard logic on numbers, since they are being split; so the HTTP status decides by default (4xx is final,
429 may be tried again) and the table holds only what that would get wrong.
"""

from __future__ import annotations

from typing import Final, Literal

from shared.errors import CredentialsRefused, OutcomeUnknown, ProviderError, ProviderRefused, ProviderUnavailable
from supervisor_worker.channels.port import RecipientOptedOut, RecipientUnreachable

PROVIDER: Final = "twilio"
Kind = Literal["retry", "final", "unreachable", "credentials", "opted_out"]

KINDS: Final[dict[int, Kind]] = {
    20003: "credentials",  # wrong SID or token
    20005: "credentials",  # account not active
    20006: "credentials",  # access denied
    20008: "credentials",  # test credentials used for a live resource
    20404: "credentials",  # no such account: a POST to Messages names nothing else
    20429: "retry",  # too many requests: never processed
    21211: "unreachable",  # To is not a number
    21212: "unreachable",  # From is not a number
    21266: "unreachable",  # To and From are the same
    21408: "unreachable",  # the region is not enabled
    21602: "final",  # no body
    21606: "unreachable",  # From is not ours
    21608: "unreachable",  # trial account, number not verified
    21610: "opted_out",
    21611: "retry",  # the sender's queue is full
    21612: "unreachable",  # no route from From to To
    21614: "unreachable",  # not a mobile number
    21617: "final",  # body over 1,600 characters
    21623: "final",  # too many media
    30001: "retry",  # queue overflow
    30002: "credentials",  # account suspended
    30003: "unreachable",  # handset off or gone
    30004: "unreachable",  # blocked
    30005: "unreachable",  # unknown handset
    30006: "unreachable",  # landline
    30032: "unreachable",  # toll-free number not verified
    30034: "unreachable",  # number not registered for A2P
    63034: "final",  # media too large
}
_BY_STATUS: Final[dict[int, Kind]] = {401: "credentials", 402: "credentials", 403: "credentials", 429: "retry"}
_CLASSES: Final[dict[Kind, type[ProviderError]]] = {
    "credentials": CredentialsRefused,
    "opted_out": RecipientOptedOut,
    "unreachable": RecipientUnreachable,
}
_REFUSED_4XX: Final = 400
_FAILED_5XX: Final = 500


def error_for(status: int, code: int | None, *, asked: bool, retry_after: float | None = None) -> ProviderError:
    """The error of an answer outside 2xx. `asked`: the request was a GET, so that a 5xx leaves nothing in doubt."""
    word = str(code or f"http_{status}")
    if status >= _FAILED_5XX:
        if asked:
            return ProviderUnavailable(PROVIDER, word, status=status, retry_after=retry_after)
        return OutcomeUnknown(PROVIDER, word, status=status, retry_after=retry_after)
    kind = KINDS.get(code or 0) or _BY_STATUS.get(status, "final")
    if kind == "retry":
        return ProviderUnavailable(PROVIDER, word, status=status, retry_after=retry_after)
    if kind == "final":
        return ProviderRefused(PROVIDER, word, status=status, final=status >= _REFUSED_4XX)  # a redirect is a wrong base URL
    return _CLASSES[kind](PROVIDER, word, status=status)
