"""POST /email/inbound: SendGrid's Inbound Parse. It retries after a 5xx only, so a 4xx would lose a mail.

A mail that is too large is taken all the same: its text stands before its files, and of what is kept the end says that there was more.
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
from shared.model.sms_admission import Ignored
from webhook_api.email import admission as admit
from webhook_api.email.multipart import boundary_of
from webhook_api.email.parsing import InboundMail, parse_email
from webhook_api.http import request_body as bodies
from webhook_api.http.flask_app import Answer
from webhook_api.intake.intake import Intake
from webhook_api.intake.records import NotAnswered
from webhook_api.security.authentication import MESSAGE_HEADER, Gate, Refusal

MAX_BODY: Final = 35 * 1024 * 1024
CUT: Final = f"[This mail was larger than {MAX_BODY >> 20} MB; what came after that was not read.]"
BIG_BODY: Final = 2 * 1024 * 1024
BIG_AT_ONCE: Final = 2
BIG_WAIT_SECONDS: Final = 5.0

_big_bodies = threading.BoundedSemaphore(BIG_AT_ONCE)


def inbound(intake: Intake, gate: Gate, request: Request) -> Answer:
    """Take a mail in, for each of our addresses that it was delivered to."""
    with _room_for(request.content_length):
        body, signed = gate.sendgrid(
            request, gate.mail_key, lambda seen: bodies.beginning(request, seen, ending=_last_line(request), most=MAX_BODY)
        )
        mail = parse_email(body.kept, request.content_type or "")
        if body.cut:
            mail = dataclasses.replace(mail, body=f"{mail.body}\n\n{CUT}".strip())
        del body
    message_ids = [_take_in(intake, mail, recipient, signed=signed) for recipient in mail.recipients]
    if not mail.recipients:
        message_ids = [mail_id(mail, "", "unknown_recipient")]
        intake.ignore(NotAnswered(message_ids[0], "email", "unknown_recipient", str(mail.sender or ""), header=mail.message_id))
    return Answer(headers=[(MESSAGE_HEADER, ",".join(message_ids))])


def _take_in(intake: Intake, mail: InboundMail, recipient: EmailAddress, *, signed: bool) -> str:
    verdict = admit.email(mail, recipient, intake.runtime.users, intake.runtime.settings.exact_mail_domains)
    if isinstance(verdict, Ignored):
        message_id = mail_id(mail, recipient.value, verdict.reason)
        sender = str(mail.sender or "")
        intake.ignore(NotAnswered(message_id, "email", verdict.reason, sender, recipient.value, header=mail.message_id))
        return message_id
    message_id = mail_id(mail, recipient.value)
    event = EmailReceived(
        id=message_id,
        # The answer goes to the author that was proven. Reply-To is not honoured: anybody may write any address there,
        # and with it have our answer, which quotes what was asked, sent to a third person.
        from_=verdict.sender,
        to=verdict.boss,
        subject=mail.subject,
        body=mail.body,
        user=verdict.user.username,
        message_id=mail.message_id,
        in_reply_to=mail.in_reply_to,
        references=mail.references,
        attachments=mail.attachments,
        hidden=mail.hidden,
        signed=signed,
        received_at=time.time(),
    )
    intake.accept(event)
    return message_id


def mail_id(mail: InboundMail, recipient: str, ignored: str = "") -> str:
    """Our id of a mail for one recipient: the same in each of SendGrid's retries.

    One that is ignored has an id of its own for that reason: a forged copy that comes first must not make the genuine mail,
    which differs from it only in what SendGrid says of its signature, look like its repetition.
    """
    return "m-" + hashlib.sha256(f"email\x1f{mail.digest}\x1f{recipient}\x1f{ignored}".encode()).hexdigest()[:24]


def _last_line(request: Request) -> bytes:
    """How a complete form ends; nothing to go by when it is no form, which is said only to who may call."""
    try:
        return b"--" + boundary_of(request.content_type or "") + b"--"
    except BadInput:
        return b""


@contextmanager
def _room_for(length: int | None) -> Iterator[None]:
    """Two bodies over 2 MB at a time: memory stays bounded."""
    if length is not None and length <= BIG_BODY:
        yield
        return
    if not _big_bodies.acquire(timeout=BIG_WAIT_SECONDS):
        raise Refusal("busy", 503)
    try:
        yield
    finally:
        _big_bodies.release()
