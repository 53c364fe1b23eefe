"""The sentences that Bossline itself says to a user. Everything else that a user reads was written by the model.

A notice (`Message.notice`) names one of them by its code; a code that an older process does not know gets the general one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

GENERAL: Final = "Sorry, something went wrong on my side and I could not answer your message. Please send it again."
REFUSED: Final = "Sorry, I cannot help with that. If you meant something else, please put it in other words."

TEXT_LOST: Final = "text_lost"
MAIL_LOST: Final = "mail_lost"
TEXT_UNTOLD: Final = "text_untold"
MAIL_UNTOLD: Final = "mail_untold"
ELSEWHERE: Final = frozenset({TEXT_LOST, MAIL_LOST, TEXT_UNTOLD, MAIL_UNTOLD})
"""What is said on the other channel: that an answer was lost, or a sentence of ours."""
TEXT_LOST_SUBJECT: Final = "A text message did not reach you"
"""The subject of the mail that says so: it begins a thread of its own."""

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
"""By notice code; `{when}` is when it goes on."""


def notice(code: str, until: datetime) -> str:
    """The sentence of a notice; `until`, in the reader's zone, is for one that says when it goes on."""
    return NOTICES.get(code, GENERAL).replace("{when}", f"on {until:%A} from {until:%H:%M} ({until.tzinfo})")
