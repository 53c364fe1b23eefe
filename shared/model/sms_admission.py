"""Who is answered by text: pure policy, no I/O, for the webhook that brings a text and for the list that shows one it did not bring.

What is not admitted is recorded with the reason given here: `stranger` `unknown_recipient` `bad_sender` `own_address` `empty`
`help_keyword` `whatsapp` `rcs` `messenger`, and for one that the list shows late `overtaken`. The policy for mail is in
`webhook_api.email.admission`. Who is a stranger is decided in both, and for the bridge in `bridge.server.submit`: a change of that rule
concerns all three.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final, Literal

from shared.errors import BadInput
from shared.model.addresses import PhoneNumber
from shared.model.events import Keyword, SmsReceived
from shared.model.media import Media
from shared.model.text import Seen, capped, seen
from shared.model.users import User, Users

START_WORDS: Final = frozenset({"start", "unstop"})
MAX_WORD: Final = 40
MAX_TEXT: Final = 16_000
MAX_MEDIA: Final = 100

_NUMBER: Final = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class InboundSms:
    """A text as Twilio posts or lists it; `sender` and `recipient` are still texts, `opt_out` is OptOutType in lower case.

    Twilio's list counts the files of a text and does not name them: `media` is what a webhook said. `hidden` counts the characters
    that were left out because nobody sees them.
    """

    sid: str
    account: str
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    media_count: int = 0
    media: tuple[Media, ...] = ()
    opt_out: str = ""
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Keywords:
    """The words in force, in lower case: by which a user opts out, and those that Twilio answers itself."""

    stop: frozenset[str]
    help: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Recorded and not answered. `unknown`: nobody is known who has that address, so that it hangs on who is known."""

    reason: str
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class AdmittedSms:
    """A text from a user to their own Boss. `keyword` is theirs to opt out or in."""

    user: User
    sender: PhoneNumber
    boss: PhoneNumber
    keyword: Keyword


def words(body: str) -> Seen:
    """A text's body as it is judged, stored and thought about: cleaned, trimmed, of a bounded length."""
    found = seen(body)
    return Seen(capped(found.text.strip(), MAX_TEXT), found.hidden)


def media_count(text: str) -> int:
    """Twilio's NumMedia; 0 for what is no number."""
    text = text.strip()
    return min(int(text), MAX_MEDIA) if _NUMBER.fullmatch(text) else 0


def sms_id(account: str, sid: str) -> str:
    """Our id of a text, made from Twilio's: the same however often, and by whatever way, it comes."""
    return "m-" + hashlib.sha256(f"sms\x1f{account}\x1f{sid}".encode()).hexdigest()[:24]


def sms(text: InboundSms, users: Users, keywords: Keywords) -> AdmittedSms | Ignored:
    """Judge a text."""
    service = service_of(text)
    if service:
        return Ignored(service)
    try:
        boss = PhoneNumber.parse(text.recipient)
    except BadInput:
        return Ignored("unknown_recipient")
    try:
        sender = PhoneNumber.parse(text.sender)
    except BadInput:  # short codes, names
        return Ignored("bad_sender")
    if sender in users.bosses("sms"):
        return Ignored("own_address")
    user = users.find("sms", boss, sender)
    if user is None:
        return Ignored("stranger" if boss in users.bosses("sms") else "unknown_recipient", unknown=True)
    return _of_a_user(AdmittedSms(user, sender, boss, keyword(text, keywords)), text, keywords)


def service_of(text: InboundSms) -> Literal["", "whatsapp", "rcs", "messenger"]:
    """The service that a text came by, as Twilio writes it before an address (`whatsapp:+1...`, `rcs:agent`); '' for a phone's own.

    Nobody is answered there: a reply goes to a phone number, and would come by another service than what it answers.
    """
    address = text.sender if ":" in text.sender else text.recipient
    match address.strip().partition(":")[0].lower():
        case "whatsapp":
            return "whatsapp"
        case "rcs":
            return "rcs"
        case "messenger":
            return "messenger"
    return ""


def _of_a_user(admitted: AdmittedSms, text: InboundSms, keywords: Keywords) -> AdmittedSms | Ignored:
    if text.opt_out == "help" or (not text.opt_out and not admitted.keyword and _word(text) in keywords.help):  # Twilio has answered it
        return Ignored("help_keyword")
    if not text.text and not text.media_count and not admitted.keyword:
        return Ignored("empty")
    return admitted


def keyword(text: InboundSms, keywords: Keywords) -> Keyword:
    """The opt-out or opt-in word that a text is: the whole of it, as Twilio reads it, or what Twilio itself recognised.

    A word that opts in is an ordinary message of everybody who has not opted out ("yes" for all of them): Twilio answers it only
    where it ends an opt-out. What Twilio itself calls one, it has answered.
    """
    if text.opt_out in ("stop", "start"):
        return "stop" if text.opt_out == "stop" else "start"
    word = _word(text)
    if word in keywords.stop:
        return "stop"
    return "yes" if word in START_WORDS or word == "yes" else ""


def says_start(text: InboundSms) -> bool:
    """Whether a text is START or UNSTOP; a YES may answer anything."""
    return _word(text) in START_WORDS


def _word(text: InboundSms) -> str:
    return text.text[: MAX_WORD + 1].strip().lower()


def received(message_id: str, text: InboundSms, admitted: AdmittedSms, *, at: float, signed: bool = True) -> SmsReceived:
    """The event of an admitted text; `at` is when it came, in epoch seconds."""
    return SmsReceived(
        id=message_id,
        from_=admitted.sender,
        to=admitted.boss,
        message=text.text,
        user=admitted.user.id,
        provider_id=text.sid,
        media_count=text.media_count,
        media=text.media,
        hidden=text.hidden,
        signed=signed,
        received_at=at,
    )
