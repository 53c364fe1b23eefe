"""The notices: texts of our own to a user. Everything else that a user reads was written by the model.

A notice (`Message.notice`) names one of them by its code; a code that an older process does not know gets the general one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.model.heard import HearingFault

GENERAL: Final = "Sorry, something went wrong on my side and I could not answer your message. Please send it again."
REFUSED: Final = "Sorry, I cannot help with that. If you meant something else, please put it in other words."

UNFINISHED: Final = "I could not go on after that. Write to me if something is still missing."
"""Behind what a turn has done that could not be finished."""

TEXT_LOST: Final = "text_lost"
MAIL_LOST: Final = "mail_lost"
TEXT_UNTOLD: Final = "text_untold"
MAIL_UNTOLD: Final = "mail_untold"
_LOST, _UNTOLD = "_lost", "_untold"
TEXT_LOST_SUBJECT: Final = "A text message did not reach you"
LOST_SUBJECT: Final = "A message did not reach you"

NOTICES: Final[dict[str, str]] = {
    "rate_limited": "You have sent more messages than I can answer within an hour. Please try again later.",
    "day_limited": "You have sent more messages than I can answer in a day. I will answer again tomorrow.",
    "echo": "Your messages repeat themselves, so I stop answering them for ten minutes, or until you write something else.",
    "outage": "Sorry, I could not answer your message in time. Please send it again.",
    "error": GENERAL,
    "unreadable": "Sorry, I could not read your message. Please send it again as plain text.",
    "waits_day": "I have used up what I may think about today, and will answer you {when}. You need not send it again.",
    "waits_share": "You have used up your share of what I may think about in a day. I will answer you {when}.",
    "too_long": "Sorry, your message is longer than what I may read in a whole day. Please send it again in fewer words.",
    TEXT_LOST: "I answered your text message, but my answer could not be delivered to your phone. You can ask me again here, by mail.",
    MAIL_LOST: "I answered your mail, but my answer could not be delivered to your mailbox. You can ask me again here, by text.",
    TEXT_UNTOLD: "I had something to tell you about your text message, but could not reach your phone. You can ask me again here, by mail.",
    MAIL_UNTOLD: "I had something to tell you about your mail, but could not reach your mailbox. You can ask me again here, by text.",
}
"""By notice code; `{when}` is when answers go on."""

UNHEARD: Final[dict[HearingFault, str]] = {
    "not_heard": "I cannot hear voice messages. Please write to me what you said.",
    "too_long": "Your voice message is longer than what I can hear. Please send it in shorter pieces, or write to me.",
    "not_understood": "I could not make out the words of your voice message. Please write to me what you said.",
    "not_paid": "I have used up what I may listen to today. Please write to me what you said.",
    "hearing_failed": "I could not hear your voice message just now. Please write to me what you said, or send it again later.",
}
"""What a person is told of a recording that nobody heard: before the model's answer, or, where there is nothing else to answer, alone."""

FORWARDED_UNHEARD: Final[dict[HearingFault, str]] = {
    "not_heard": "A recording came with it, which I cannot hear.",
    "too_long": "A recording came with it that is longer than what I can hear.",
    "not_understood": "A recording came with it whose words I could not make out.",
    "not_paid": "A recording came with it, and I have used up what I may listen to today.",
    "hearing_failed": "A recording came with it that I could not hear just now.",
}
"""The same of a mail by a forwarding address: who reads it did not say what was not heard."""


def lost(kind: str, *, notice: bool) -> str:
    """The code of a notice on another channel: a reply, or a `notice` of ours, was not delivered. `kind` is that of its own channel."""
    return kind + (_UNTOLD if notice else _LOST)


def lost_subject(kind: str) -> str:
    """The subject of such a notice by mail, which begins a thread of its own."""
    return TEXT_LOST_SUBJECT if kind == "text" else LOST_SUBJECT


def is_elsewhere(code: str) -> bool:
    """Whether a notice is about a reply on another channel."""
    return code.endswith((_LOST, _UNTOLD))


def notice(code: str, until: datetime) -> str:
    """The text of a notice; `until`, in the reader's zone, is when answers go on, for a notice that says so."""
    return NOTICES.get(code, GENERAL).replace("{when}", when(until))


def when(until: datetime) -> str:
    """When answers go on, in words."""
    return f"on {until:%A} from {until:%H:%M} ({until.tzinfo})"
