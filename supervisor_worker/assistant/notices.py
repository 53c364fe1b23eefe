"""The notices: which sentences of ours (`shared.model.words`) go to a user, and when. Everything else that they read the model wrote.

A notice (`Message.notice`) names its sentence by its code; a code that an older process does not know gets the general one.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, get_args

from shared.model import words
from shared.model.heard import HearingFault
from shared.model.words import said

GENERAL: Final = "error"
REFUSED: Final = "refused"
UNFINISHED: Final = "unfinished"
"""Behind what a turn has done that could not be finished."""

OWED: Final = "owed"
"""What was done for somebody who opted out before they were told: the receipts of a reply, and no sentence of its own."""

TEXT_LOST: Final = "text_lost"
MAIL_LOST: Final = "mail_lost"
TEXT_UNTOLD: Final = "text_untold"
MAIL_UNTOLD: Final = "mail_untold"
ADDRESS_CHANGED: Final = "address_changed"
"""Of a message that is not answered where it came from, or a reply that did not go there: the address is not its person's any more."""
_LOST, _UNTOLD = "_lost", "_untold"

NOTICES: Final = (
    "rate_limited", "day_limited", "echo", "outage", GENERAL, "unreadable", "waits_day", "waits_share", "too_long", TEXT_LOST, MAIL_LOST,
    TEXT_UNTOLD, MAIL_UNTOLD, "copy_text_lost", "copy_mail_lost", "declined", ADDRESS_CHANGED,
)  # fmt: skip
"""The codes; each is the name of its sentence."""
_FAULTS: Final[tuple[HearingFault, ...]] = get_args(HearingFault)


def unheard(faults: Collection[str], language: str, *, forwarded: bool = False) -> str:
    """What a person is told of recordings that nobody heard: before the model's answer, or, where there is nothing else to answer, alone.

    `forwarded`: they came with a mail by a forwarding address, whose reader did not say what was not heard.
    """
    kind = "forwarded" if forwarded else "unheard"
    return " ".join(said(f"{kind}_{fault}", language) for fault in _FAULTS if fault in faults)


def month_over(whose: str, now: datetime, language: str) -> str:
    """The sentence in the place of an answer, by whose month it is (`shared.mailbox.calls.Claim.stop`).

    `now` is in the zone in which the month ends.
    """
    following = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
    return said("own_month_over" if whose == "own_month" else "month_over", language, day=words.date(following, language))


def lost(kind: str, *, notice: bool, copy: bool = False) -> str:
    """The code of a notice on another channel: a reply, a `notice` of ours or a `copy` was not delivered. `kind` is its own channel's."""
    return f"copy_{kind}{_LOST}" if copy else kind + (_UNTOLD if notice else _LOST)


def elsewhere_subject(kind: str, language: str, *, changed: bool) -> str:
    """The subject of such a notice by mail, which begins a thread of its own. `changed`: the address is not the person's any more."""
    if changed:
        return said("address_changed_subject", language)
    return said("text_lost_subject" if kind == "text" else "mail_lost_subject", language)


def is_elsewhere(code: str) -> bool:
    """Whether a notice is about what was said elsewhere."""
    return code == ADDRESS_CHANGED or code.endswith((_LOST, _UNTOLD))


def notice(code: str, until: datetime, language: str) -> str:
    """The text of a notice; `until`, in the reader's zone, is when answers go on, for a notice that says so."""
    return said(code if code in NOTICES else GENERAL, language, when=words.from_when(until, language))
