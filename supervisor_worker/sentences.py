"""The sentences that Bossline itself says to a user. Everything else that a user reads was written by the model.

A notice (`Message.notice`) names one of them by its code; a code that an older process does not know gets the general one.
"""

from __future__ import annotations

from typing import Final

GENERAL: Final = "Sorry, something went wrong on my side and I could not answer your message. Please send it again."
REFUSED: Final = "Sorry, I cannot help with that. If you meant something else, please put it in other words."

NOTICES: Final[dict[str, str]] = {
    "rate_limited": "You have sent more messages than I can answer within an hour. Please try again later.",
    "outage": "Sorry, I could not answer your message in time. Please send it again.",
    "error": GENERAL,
    "unreadable": "Sorry, I could not read your message. Please send it again as plain text.",
}
"""By notice code."""


def notice(code: str) -> str:
    """The sentence of a notice."""
    return NOTICES.get(code, GENERAL)
