"""Mail by a forwarding address: anybody's, told to one person. Decides which is told, and says who wrote it. Pure.

A mail is one only by SendGrid's envelope: what stands in To is its author's word. Its sender becomes no user by it, and nothing in it is
the person's word, also where the person wrote it. What a program sent is judged as ever, by the same reasons as in `admission`; the
`robots` of an entry are about the person's own programs, and concern no stranger's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from shared.errors import BadInput
from shared.model.addresses import MAX_ADDRESS, EmailAddress
from shared.model.forwarding import Forwarding
from shared.model.sms_admission import Ignored
from shared.model.text import one_line
from shared.model.users import User, Users
from shared.model.words import DEFAULT, said
from webhook_api.email import robots
from webhook_api.email.admission import authenticated, dkim_passes
from webhook_api.email.headers import decoded
from webhook_api.email.parsing import InboundMail

MAX_NAME: Final = 100
MAX_FROM: Final = 2_000
MAX_SIGNERS: Final = 3
_NOT_IN_NAME: Final = str.maketrans(dict.fromkeys('<>"'))
_SPF: Final = frozenset({"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"})


@dataclass(frozen=True, slots=True)
class ForwardedMail:
    """A mail of which a person is told. `author` is its From, with the address in brackets; `proof` says in words what is proven of it."""

    user: User
    forwarding: Forwarding
    own: EmailAddress
    boss: EmailAddress
    author: str
    proof: str


def judged(mail: InboundMail, recipient: EmailAddress, users: Users, exact: Collection[str] = ()) -> ForwardedMail | Ignored | None:
    """What a mail is to an address that it was delivered to; None where that is no forwarding address. `exact` as in `aligned`."""
    found = users.forwarding(recipient) if mail.enveloped else None
    ends = found[0].ends("email") if found else None
    if found is None or ends is None:
        return None
    user, forwarding = found
    boss, own = ends
    if mail.sender is None:
        return Ignored(mail.sender_fault)
    if not isinstance(boss, EmailAddress) or not isinstance(own, EmailAddress):
        raise TypeError("not mail addresses")
    reason = "own_address" if users.is_boss("email", mail.sender) else robots.sign(mail, boss)
    if reason or mail.unread:
        return Ignored(reason or mail.unread)
    if not (mail.body or mail.subject or mail.attachments):
        return Ignored("empty")
    return ForwardedMail(user, forwarding, own, boss, author(mail), proof(mail, exact, user.language))


def author(mail: InboundMail) -> str:
    """Who wrote a mail, as its From says it: the name, bounded, and the address."""
    before, _, _ = decoded(mail.headers.first("from")[:MAX_FROM]).rpartition("<")  # no pattern: blanks in a row make one slow
    name = one_line(before.translate(_NOT_IN_NAME), MAX_NAME)
    return f"{name} <{mail.sender}>" if name else f"<{mail.sender}>"


def proof(mail: InboundMail, exact: Collection[str] = (), language: str = DEFAULT) -> str:
    """Whether the author is proven, whom the envelope names, and what SPF and DKIM say: in our words, and addresses that are such.

    `language` is that of the person who is told.
    """
    proven = said("proven" if authenticated(mail, exact) else "not_proven", language)
    spf, unknown = mail.spf.partition(" ")[0], said("unknown", language)
    signers = dkim_passes(mail.dkim, mail.headers)
    dkim = said("dkim_valid", language, names=", ".join(signers[:MAX_SIGNERS])) if signers else said("dkim_none", language)
    return said("proof", language, proven=proven, sender=_envelope_sender(mail) or unknown, spf=spf if spf in _SPF else unknown, dkim=dkim)


def _envelope_sender(mail: InboundMail) -> str:
    text = mail.envelope_from or ""
    try:
        return EmailAddress.parse(text).value if len(text) <= MAX_ADDRESS else ""
    except BadInput:
        return ""
