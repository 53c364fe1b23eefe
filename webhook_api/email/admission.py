"""Decides which mail is answered: pure policy, no I/O. A mail that is not admitted is recorded with the reason given here.

Reasons: `stranger` `unknown_recipient` `bad_from` `two_addresses` `own_address` `empty` `unauthenticated`; of a program's mail, as `robots`
judges it, `auto_submitted` `return_path` `list` `bulk` `auto_response` `own_message` `report` `robot`; and of a mail that cannot be read as
it was sent `bad_form` `bad_headers`.
The policy for texts is in `shared.model.sms_admission`. Who is a stranger is decided in both, and for the bridge in `bridge.server.submit`:
a change concerns all three.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from shared.model.addresses import EmailAddress
from shared.model.sms_admission import Ignored
from shared.model.users import User, Users
from webhook_api.email import robots
from webhook_api.email.alignment import DOMAIN, aligned, envelope_domain
from webhook_api.email.headers import Headers
from webhook_api.email.parsing import InboundMail

_DKIM_ENTRY: Final = re.compile(r" *@([A-Za-z0-9._-]{1,253}) *: *([A-Za-z]{1,20}) *")
_DKIM_FIELD: Final = re.compile(rf"\s*\{{{_DKIM_ENTRY.pattern}(?:,{_DKIM_ENTRY.pattern})*\}}\s*")
MAX_DKIM_FIELD: Final = 4_000


@dataclass(frozen=True, slots=True)
class AdmittedMail:
    """A mail from a user, who is proven to be its author, to their own Boss: `boss` is the address of the users file, without a tag."""

    user: User
    sender: EmailAddress
    boss: EmailAddress


def email(mail: InboundMail, recipient: EmailAddress, users: Users, exact: Collection[str] = ()) -> AdmittedMail | Ignored:
    """Decide on a mail for one of the addresses that it was delivered to; `exact` as in `aligned`."""
    if mail.sender is None:
        return Ignored(mail.sender_fault)
    user = users.find("email", recipient, mail.sender)
    wanted = user is not None and user.robots == "answer"
    own = users.is_boss("email", mail.sender)
    reason = "own_address" if own else robots.sign(mail, recipient, known=user is not None, wanted=wanted)
    if reason:
        return Ignored(reason, unknown=user is None and not own)  # whose robots are answered, and whose name marks none, the entry says
    if user is None:
        return Ignored("stranger" if users.is_boss("email", recipient) else "unknown_recipient", unknown=True)
    if mail.unread:  # no mail program of a person's writes such a mail
        return Ignored(mail.unread)
    if not authenticated(mail, exact):
        return Ignored("unauthenticated")
    empty = not (mail.body or mail.subject or mail.attachments)
    return Ignored("empty") if empty else AdmittedMail(user, mail.sender, user.boss_email or recipient)


def authenticated(mail: InboundMail, exact: Collection[str] = ()) -> bool:
    """Whether SendGrid's checks prove that From is the author: DKIM of an aligned domain, or SPF of an aligned envelope sender.

    Anybody can write any From, and a pass for another domain says nothing about From's: only a pass of an aligned domain does.
    A mail that may not have been read as it was sent proves nothing.
    """
    if mail.sender is None or mail.unread:
        return False
    domain = mail.sender.domain
    if any(aligned(signer, domain, exact) for signer in dkim_passes(mail.dkim, mail.headers)):
        return True
    return mail.spf == "pass" and aligned(envelope_domain(mail.envelope_from or ""), domain, exact)


def dkim_passes(field: str, headers: Headers) -> list[str]:
    """The domains whose signature passed, by SendGrid's field: `{@a.example : pass, @b.example : fail}`.

    The field is printed without escaping, and its domains are chosen by the sender: d= of "example.com : pass, @x" would print as a pass of
    example.com, although that signature failed. Therefore:

    - a field that does not consist entirely of entries has none;
    - each domain must occur, as a valid domain, in a DKIM-Signature header of its own;
    - a signature header with anything else as its domain voids all entries;
    - without any signature header exactly one entry is accepted: words that are no domain would make it no entry, or more than one.
    """
    if len(field) > MAX_DKIM_FIELD or not _DKIM_FIELD.fullmatch(field):
        return []
    entries = [(domain.lower(), verdict.lower()) for domain, verdict in _DKIM_ENTRY.findall(field)]
    signers = Counter(_signing_domain(value) for value in headers.all("dkim-signature"))
    printed = Counter(domain for domain, _ in entries)
    explained = printed <= signers and not signers[""] if signers else len(entries) == 1
    return [domain for domain, verdict in entries if verdict == "pass"] if explained else []


def _signing_domain(value: str) -> str:
    """The domain of a signature header; '' when it has none, several, or an invalid one (RFC 6376, 3.2: no tag occurs twice)."""
    tags = [tag.partition("=") for tag in value.split(";")]
    found = ["".join(text.split()).lower() for name, _, text in tags if name.strip() == "d"]
    return found[0] if len(found) == 1 and DOMAIN.fullmatch(found[0].rstrip(".")) else ""
