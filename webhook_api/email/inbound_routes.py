"""POST /email/inbound: SendGrid's Inbound Parse. It retries after a 5xx only, so a 4xx would lose a mail.

A mail that is too large is accepted all the same: its text comes before its attachments, and what we keep ends with a note that the rest
was not read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flask import Request

from shared.errors import BadInput
from shared.model.addresses import EmailAddress
from shared.model.events import EmailReceived
from shared.model.marks import MAX_SOURCE, Mark
from shared.model.sms_admission import Ignored
from webhook_api.email import admission, forwarding, recipients
from webhook_api.email.forwarding import ForwardedMail
from webhook_api.email.multipart import boundary_of
from webhook_api.email.parsing import InboundMail, parse_email
from webhook_api.http import request_body
from webhook_api.http.flask_app import MESSAGE_HEADER, CompleteResponse
from webhook_api.intake.intake import Intake
from webhook_api.intake.records import IgnoredMessage
from webhook_api.security.authentication import Refusal, WebhookAuthenticator

MAX_MAIL_BYTES: Final = 35 * 1024 * 1024
TRUNCATED_NOTE: Final = f"[This mail was larger than {MAX_MAIL_BYTES >> 20} MB; what came after that was not read.]"
BIG_MAIL_BYTES: Final = 2 * 1024 * 1024
MAX_BIG_MAILS: Final = 2
"""How many big mails are in memory at once."""
BIG_MAIL_WAIT_SECONDS: Final = 5.0

_big_mails = threading.BoundedSemaphore(MAX_BIG_MAILS)


def receive_mail(intake: Intake, authenticator: WebhookAuthenticator, request: Request) -> CompleteResponse:
    """Accept or ignore a mail, for each of our addresses that it was delivered to."""
    with _memory_for(request.content_length):
        check = authenticator.begin_sendgrid(request, authenticator.mail_key)
        body = request_body.read_prefix(request, check.on_chunk, ending=_last_line(request), limit=MAX_MAIL_BYTES)
        signed = check.finish()
        mail = parse_email(body.content, request.content_type or "")
        if body.truncated:  # the files are not all there, and one of them is not whole
            mail = dataclasses.replace(mail, body=f"{mail.body}\n\n{TRUNCATED_NOTE}".strip(), contents=())
        found = [_judged(intake, mail, recipient, signed=signed) for recipient in mail.recipients]
        if not found:
            message_id = mail_id(mail, "", "unknown_recipient")
            found = [IgnoredMessage(message_id, "email", "unknown_recipient", str(mail.sender or ""), header=mail.message_id)]
        del body, mail  # the memory of a large mail is free before anybody waits for the mailbox
    for each in found:
        if isinstance(each, IgnoredMessage):
            intake.ignore(each)
        else:
            intake.accept(each)
    return CompleteResponse(headers=[(MESSAGE_HEADER, ",".join(each.id for each in found))])


def _judged(intake: Intake, mail: InboundMail, recipient: EmailAddress, *, signed: bool) -> EmailReceived | IgnoredMessage:
    """What a mail is to one of our addresses. Files are stored after the verdict: a stranger's never are."""
    users, exact = intake.runtime.users, intake.runtime.settings.exact_mail_domains
    verdict = forwarding.judged(mail, recipient, users, exact) or admission.email(mail, recipient, users, exact)
    if isinstance(verdict, Ignored):
        message_id = mail_id(mail, recipient.value, verdict.reason)
        sender = str(mail.sender or "")
        return IgnoredMessage(message_id, "email", verdict.reason, sender, recipient.value, header=mail.message_id)
    if isinstance(verdict, ForwardedMail):
        return _forwarded(intake, mail, recipient, verdict, signed=signed)
    message_id = mail_id(mail, verdict.boss.value)
    return EmailReceived(
        id=message_id,
        # The reply goes to the author who was proven. Reply-To is not honoured: anybody may write any address there,
        # and so have our reply, which quotes the question, sent to a third person.
        from_=verdict.sender,
        to=verdict.boss,
        subject=mail.subject,
        body=mail.body,
        user=verdict.user.id,
        message_id=mail.message_id,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        thread_index=mail.thread_index,
        attachments=mail.attachments,
        marks=mail.marks,
        addressed=recipients.addressed(mail.headers, recipient),
        others=recipients.others(mail.headers, recipient, verdict.sender),
        files=intake.keep_files(message_id, verdict.user.id, mail.attachments, mail.contents) if mail.contents else (),
        hidden=mail.hidden,
        signed=signed,
        received_at=time.time(),
    )


def _forwarded(intake: Intake, mail: InboundMail, recipient: EmailAddress, found: ForwardedMail, *, signed: bool) -> EmailReceived:
    """Somebody else's mail, of which a person is told: the answer goes to that person, whatever the mail says, and all of it is marked."""
    via, user = found.forwarding.address.value, found.user.id
    message_id = mail_id(mail, via)
    return EmailReceived(
        id=message_id,
        from_=found.own,
        to=found.boss,
        subject=mail.subject,
        body=mail.body,
        user=user,
        message_id=mail.message_id,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        attachments=mail.attachments,
        marks=(Mark("forwarded", 0, len(mail.body), found.author[:MAX_SOURCE]),),
        others=recipients.others(mail.headers, recipient, mail.sender or recipient),
        files=intake.keep_files(message_id, user, mail.attachments, mail.contents, forwarded=True) if mail.contents else (),
        hidden=mail.hidden,
        signed=signed,
        received_at=time.time(),
        via=via,
        author=found.author,
        proof=found.proof,
        tag=found.forwarding.tag,
    )


def mail_id(mail: InboundMail, recipient: str, ignored: str = "") -> str:
    """Our id of a mail for one recipient: the same in each of SendGrid's retries.

    A mail that is ignored has another id for each reason: a forged copy that comes first must not make the genuine mail look like its
    repetition, since the two differ only in what SendGrid says of the signature.
    """
    return "m-" + hashlib.sha256(f"email\x1f{mail.digest}\x1f{recipient}\x1f{ignored}".encode()).hexdigest()[:24]


def _last_line(request: Request) -> bytes:
    """How a complete form ends; b"" when the body is no form: `parse_email` says so later, to an authenticated caller only."""
    try:
        return b"--" + boundary_of(request.content_type or "") + b"--"
    except BadInput:
        return b""


@contextmanager
def _memory_for(length: int | None) -> Iterator[None]:
    """Keep memory bounded: wait while MAX_BIG_MAILS are being read; a chunked body counts as big. Raises Refusal `busy` (503)."""
    if length is not None and length <= BIG_MAIL_BYTES:
        yield
        return
    if not _big_mails.acquire(timeout=BIG_MAIL_WAIT_SECONDS):
        raise Refusal("busy", 503)
    try:
        yield
    finally:
        _big_mails.release()
