"""Why a message did not reach its reader, in one table: a provider's code to a plain sentence for the operator.

Twilio's numbers come in an answer or in a status callback (`ErrorCode`); SendGrid gives a status of RFC 3463 with a bounce, and
words of its own with a drop. Twilio's numbers are being split into finer ones, so one that is not here is no surprise: what is done
about it follows from the HTTP status, and the sentence says so. What may be done about a known one follows from its kind
(`supervisor_worker.channels.twilio.errors`), which says whose fault it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["recipient", "opted_out", "sender", "account", "denied", "content", "rate", "limit"]
"""Whose fault it is.

`recipient`: this number, or this country's, gets no text from us, whatever it says; `opted_out` by its owner's word. `sender`: our number
cannot send, to nobody. `account`: key, account or budget. `denied`: perhaps those, perhaps this very message. `content`: this very text.
`rate`: too much at once, later it is accepted; `limit`: too much for today.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """Whose fault an error is, and what it means."""

    kind: Kind
    sentence: str


_ACCOUNT: Final = "Twilio refuses our account or its key"

TWILIO: Final[dict[int, Row]] = {
    20003: Row("account", f"{_ACCOUNT}: the SID or the token is wrong."),
    20005: Row("account", f"{_ACCOUNT}: it is not active."),
    20006: Row("denied", "Twilio denies access to what was asked: our account may not do this."),
    20008: Row("account", f"{_ACCOUNT}: these are test credentials."),
    20404: Row("account", f"{_ACCOUNT}: there is no such account."),  # a POST to Messages names nothing else
    20429: Row("rate", "Too many requests at once; Twilio took nothing."),  # never processed
    21211: Row("recipient", "The user's number is not a valid number."),
    21212: Row("sender", "The Boss's number is not a valid sender."),
    21266: Row("recipient", "The user's number and the Boss's are the same."),
    21408: Row("recipient", "Texts to this country are switched off in the Twilio account (Geo permissions)."),
    21602: Row("content", "The text had no body."),
    21603: Row("sender", "The text named no number to send it from."),
    21604: Row("recipient", "The text named no number to send it to."),
    21606: Row("sender", "The Boss's number does not belong to the Twilio account, or cannot send texts."),
    21608: Row("recipient", "A trial account may text verified numbers only, and this one is not verified."),
    21609: Row("sender", "Twilio does not take the address for its status reports: correct PUBLIC_URL."),
    21610: Row("opted_out", "The user has opted out of texts from this number (STOP); they can text START."),
    21611: Row("rate", "Too many texts of this number wait at Twilio."),
    21612: Row("recipient", "There is no route from the Boss's number to the user's."),
    21614: Row("recipient", "The user's number is not a mobile number."),
    21617: Row("content", "The text is longer than 1,600 characters."),
    21623: Row("content", "The text has too many attachments."),
    21635: Row("recipient", "The user's number is a landline, which takes no texts."),
    21659: Row("sender", "The Boss's number is not one of the Twilio account's: buy it there, or correct the users file."),
    21660: Row("sender", "The Boss's number belongs to another Twilio account or subaccount: correct the users file, or the account."),
    21661: Row("sender", "The Boss's number cannot send texts: choose one with SMS at Twilio."),
    30001: Row("rate", "Too many texts of this number waited at Twilio, and this one was dropped."),
    30002: Row("account", "The Twilio account was suspended."),
    30003: Row("recipient", "The phone cannot be reached: it is off, out of range, or gone."),
    30004: Row("recipient", "The user's carrier blocks this text, or the user blocks this number."),
    30005: Row("recipient", "The carrier does not know this number: it may not be in use any more."),
    30006: Row("recipient", "The number is a landline, or its carrier takes no texts."),
    30007: Row("content", "A carrier filtered the text as unwanted; the same text will be filtered again."),
    30008: Row("content", "The carrier did not deliver the text and does not say why."),
    30022: Row("rate", "Too many texts at once for this number's A2P 10DLC campaign."),
    30023: Row("limit", "The A2P 10DLC brand's limit of a day is used up."),
    30024: Row("sender", "The Boss's number is not set up with the user's carrier."),
    30032: Row("sender", "The Boss's toll-free number is not verified; verify it at Twilio."),
    30034: Row("sender", "The Boss's US number is not registered for A2P 10DLC; register it at Twilio."),
    30044: Row("content", "The text is too long for a trial account: upgrade the account, or have shorter answers."),
    63034: Row("content", "The attachment is too large."),
    63038: Row("limit", "The Twilio account's limit of a day is used up: upgrade the account, or wait for the next day."),
}
OPTED_OUT: Final = frozenset(str(number) for number, row in TWILIO.items() if row.kind == "opted_out")

SENDGRID: Final[dict[str, str]] = {
    "bounced_address": "SendGrid did not send it: an earlier mail to this address bounced. Remove it from SendGrid's bounce list.",
    "invalid": "SendGrid did not send it: the address is on its list of invalid ones.",
    "unsubscribed_address": "SendGrid did not send it: the user has unsubscribed from mail of this sender.",
    "spam_reporting_address": "SendGrid did not send it: the user has reported an earlier mail as spam.",
    "spam_content": "SendGrid did not send it: it took the content for spam.",
    "invalid_smtpapi_header": "SendGrid did not send it: a header was not as it should be.",
    "recipient_list_over_package_quota": "SendGrid did not send it: the account has used up its quota.",
    "bounce": "The user's mail server refused the mail.",
    "blocked": "The user's mail server refused the mail for now, or refuses our sender.",
}
"""The reasons of `dropped` (lower case, spaces as underscores), and the types of a bounce."""

# RFC 3463: the sentence for a subject and detail, else for the subject, which is the second figure.
_DETAILS: Final[dict[str, str]] = {
    "1.1": "The mailbox does not exist.",
    "1.2": "The address's domain does not exist.",
    "1.3": "The address is not written as it should be.",
    "1.6": "The mailbox has moved and left no address.",
    "1.10": "The address's domain takes no mail.",
    "2.1": "The mailbox is switched off.",
    "2.2": "The mailbox is full.",
    "2.3": "The mail is longer than the mailbox takes.",
    "3.1": "The mail server has no room.",
    "3.4": "The mail is too big for the mail server.",
    "4.1": "The mail server does not answer.",
    "4.4": "The mail server could not be found.",
    "4.7": "The mail could not be delivered in time.",
    "7.1": "The mail server does not take mail from this sender: it blocks the Boss's address, or SendGrid's.",
    "7.23": "The mail server does not believe that the mail is ours (SPF): set up SendGrid's domain authentication.",
    "7.26": "The mail server does not believe that the mail is ours (SPF, DKIM, DMARC): set up SendGrid's domain authentication.",
}
_SUBJECTS: Final[dict[str, str]] = {
    "1": "Something is wrong with the address.",
    "2": "Something is wrong with the mailbox.",
    "3": "Something is wrong with the mail server.",
    "4": "The way to the mail server is broken.",
    "5": "The mail servers did not understand each other.",
    "6": "The mail server cannot take the content.",
    "7": "The mail server refuses the mail for its rules: it blocks the sender, or takes the mail for spam.",
}
_UNKNOWN: Final = (
    "Twilio's reason {code} is not in our table: what was done about it follows from the HTTP status (twilio.com/docs/api/errors/{code})."
)
_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3}\.\d{1,3})")


def sentence(code: str) -> str:
    """What a code means; '' for none, and a general sentence with the code for one that is not known."""
    if not code:
        return ""
    if code.isascii() and code.isdecimal():
        row = TWILIO.get(int(code))
        return row.sentence if row else _UNKNOWN.format(code=code)
    if found := _ENHANCED.fullmatch(code):
        return _mail_sentence(*found.groups())
    if code.startswith("http_"):
        return f"The provider answered with HTTP status {code.removeprefix('http_')}."
    return SENDGRID.get(code) or f"The provider's reason is {code}."


def _mail_sentence(kind: str, detail: str) -> str:
    meaning = _DETAILS.get(detail) or _SUBJECTS.get(detail.partition(".")[0]) or "The user's mail server refused the mail."
    return f"{meaning} (SMTP {kind}.{detail}{', for now' if kind == '4' else ''})"
