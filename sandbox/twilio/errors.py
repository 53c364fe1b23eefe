"""Which sends Twilio rejects and how its errors look: validation, magic test numbers, opt-outs, injected faults.

The codes: https://www.twilio.com/docs/api/errors. The numbers: https://www.twilio.com/docs/iam/test-credentials.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from sandbox.engine.provider_request import ProviderResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.faults import InjectedFault

MAX_BODY_LENGTH: Final = 1600
MAX_MEDIA: Final = 10
MIN_SENDER_LENGTH, MAX_SENDER_LENGTH = 3, 11
"""Of a short code or an alphanumeric sender id, in characters."""
E164: Final = re.compile(r"\+[1-9]\d{1,14}")
CHANNEL_PREFIXES: Final = ("whatsapp:", "rcs:", "messenger:")

SENTENCES: Final[dict[int, str]] = {
    20003: "Authenticate",
    20404: "The requested resource was not found",
    20429: "Too Many Requests",
    20500: "An internal server error has occurred",
    20503: "Service unavailable",
    21211: "Invalid 'To' Phone Number: {to}",
    21212: "The 'From' number {sender} is not a valid phone number, shortcode, or alphanumeric sender ID.",
    21266: "'To' and 'From' number cannot be the same: {to}",
    21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}.",
    21602: "Message body is required.",
    21603: "A 'From' phone number is required.",
    21604: "A 'To' phone number is required.",
    21606: "The 'From' phone number {sender} is not a valid, message-capable Twilio phone number for this account.",
    21609: "The 'StatusCallback' URL {callback} is not a valid URL.",
    21610: "Attempt to send to unsubscribed recipient",
    21611: "This 'From' number has exceeded the maximum number of queued messages",
    21612: "The 'To' phone number {to} is not currently reachable using the 'From' phone number {sender} via SMS.",
    21614: "'To' number is not a valid mobile number: {to}",
    21617: "The concatenated message body exceeds the 1600 character limit",
    21623: "Number of media files exceeds allowed limit",
    21635: "'To' number cannot be a landline: {to}",
    21659: "'From' {sender} is not a Twilio phone number or Short Code country mismatch",
    21660: "Mismatch between the 'From' number {sender} and the account",
    21661: "'From' number {sender} is not SMS-capable",
    30044: "Trial accounts cannot send messages of this length.",
    63038: "Account exceeded the daily messages limit",
}
MAGIC_SENDERS: Final = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
MAGIC_RECIPIENTS: Final = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
CODE_OF_STATUS: Final = {401: 20003, 404: 20404, 429: 20429, 500: 20500, 503: 20503}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that a client asks Twilio to send; what it leaves out is empty."""

    to: str
    sender: str
    body: str
    callback: str = ""
    service: str = ""
    media: tuple[str, ...] = ()


def rejection_code(draft: Draft, *, opted_out: bool) -> int | None:
    """The error code with which Twilio rejects a draft, None if it accepts it."""
    return _incomplete(draft) or _unreachable(draft) or (21610 if opted_out else None) or _unsuitable(draft)


def error_response(status: int, code: int, sentence: str = "", headers: Mapping[str, str] | None = None) -> ProviderResponse:
    """An error as Twilio answers it, by default with the code's own sentence."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    document = {"code": code, "message": sentence or SENTENCES[code], "more_info": more_info, "status": status}
    return ProviderResponse(status=status, body=document, headers=headers or {}, accepted=False)


def rejection(code: int, draft: Draft) -> ProviderResponse:
    """The answer to a draft that is rejected."""
    sentence = SENTENCES[code].format(to=draft.to, sender=draft.sender, callback=draft.callback)
    return error_response(400, code, sentence)


def fault_response(status: int, fault: InjectedFault | None = None) -> ProviderResponse:
    """The answer of an injected fault."""
    code = (fault.code if fault else None) or CODE_OF_STATUS.get(status, 20000 + status)
    headers: Mapping[str, str] = {}
    if fault is not None and fault.retry_after is not None:
        headers = {"Retry-After": f"{fault.retry_after:g}"}
    sentence = SENTENCES.get(code, "simulated fault")
    # A sentence with places for a draft's fields cannot be filled: a fault knows no draft.
    return error_response(status, code, sentence if "{" not in sentence else f"Error {code}", headers)


def _incomplete(draft: Draft) -> int | None:
    if not draft.to:
        return 21604
    if not (draft.sender or draft.service):
        return 21603
    return None if draft.body or draft.media else 21602


def _unreachable(draft: Draft) -> int | None:
    if draft.sender in MAGIC_SENDERS:
        return MAGIC_SENDERS[draft.sender]
    if draft.to in MAGIC_RECIPIENTS:
        return MAGIC_RECIPIENTS[draft.to]
    if not _is_number(draft.to):
        return 21211
    if draft.sender and not (_is_number(draft.sender) or _is_named_sender(draft.sender)):
        return 21212
    return 21266 if draft.to == draft.sender else None


def _unsuitable(draft: Draft) -> int | None:
    if len(draft.body) > MAX_BODY_LENGTH:
        return 21617
    if len(draft.media) > MAX_MEDIA:
        return 21623
    if draft.callback and (urlsplit(draft.callback).scheme not in {"http", "https"} or not urlsplit(draft.callback).hostname):
        return 21609
    return None


def _is_number(address: str) -> bool:
    for prefix in CHANNEL_PREFIXES:
        address = address.removeprefix(prefix)
    return E164.fullmatch(address) is not None


def _is_named_sender(address: str) -> bool:
    """Whether an address is a short code or an alphanumeric sender id."""
    return MIN_SENDER_LENGTH <= len(address) <= MAX_SENDER_LENGTH and address.replace(" ", "").isalnum()
