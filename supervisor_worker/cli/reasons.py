"""Why a message is parked, or a reply did not arrive, in plain sentences for the operator."""

from __future__ import annotations

from typing import Final

from shared.delivery_errors import sentence

PARKED: Final[dict[str, str]] = {
    "outage": "A provider was away until the message was ANSWER_WITHIN_MINUTES old.",
    "too_many_errors": "It failed five times; the log says where.",
    "too_many_lost_leases": "Its worker died six times, perhaps of this very message.",
    "pair_unknown": "Its record does not say whom it is from, so nobody knows whether they said STOP; a retry reads it from its text.",
    "unreadable": "Its text is gone, or its record cannot be read.",
    "twilio_channel_unused": "No user of the users file has a phone that texts reach any more, so no text is sent.",
    "sendgrid_channel_unused": "No user of the users file has an address that mails reach any more, so no mail is sent.",
    "too_old": "It was older than ANSWER_AT_MOST_HOURS before it could be answered.",
    "outcome_unknown": "Its answer may have arrived: the provider never said, and it is sent no oftener than twice.",
    "too_long": "It could use more tokens than DAILY_TOKENS, or its sender's share of it, allows in a whole day.",
}
"""By reason; a provider's own refusal is `twilio_21614` and the like."""
NOT_DELIVERED: Final = frozenset({"undelivered", "failed", "refused_by_provider"})
_PROVIDERS: Final = ("twilio", "sendgrid")
_NAMES: Final = {"twilio": "Twilio", "sendgrid": "SendGrid", "claude": "Claude"}
_DENIED: Final = "{provider}, or something before it, answered 403 to this very message five times: perhaps a filter dislikes its words."
_EXPLAINED: Final = frozenset({"parked", "alarm", "paused"})


ANSWERED: Final[dict[str, str]] = {
    "nothing_to_say": "The model left its answer empty, twice: there was nothing to say.",
}
"""By the reason of a message that was answered without a reply."""


def why_ended(reason: str) -> str:
    """Why an answered message has no reply, in a sentence; '' where there is nothing to explain."""
    return ANSWERED.get(reason, "")


def why_parked(reason: str) -> str:
    """A parked message's reason in a sentence; '' for one that says all itself."""
    if known := PARKED.get(reason):
        return known
    provider, _, code = reason.partition("_")
    if code == "denied" and provider in _NAMES:
        return _DENIED.format(provider=_NAMES[provider])
    if provider in _PROVIDERS and code:
        return sentence(code)
    if provider == "claude" and code:
        return f"Claude refused it ({code})."
    return ""


def why(kind: str, fields: dict[str, str]) -> str:
    """What a ledger line's code or reason means; '' where there is nothing to explain."""
    if kind in NOT_DELIVERED:
        return sentence(fields.get("code", ""))
    reason = fields.get("reason", "")
    if kind == "answered":
        return why_ended(reason)
    return why_parked(reason) if kind in _EXPLAINED and fields.get("by", "alarm") == "alarm" else ""
