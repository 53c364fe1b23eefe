"""POST /email/inbound: SendGrid's Inbound Parse. It retries after a 5xx only, so a 4xx would lose a mail.

A mail that is too large is accepted all the same: its text comes before its attachments, and what we keep ends with a note that the rest
was not read.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from flask import Request

from shared.errors import BadInput
from webhook_api.email.arrived import ArrivedMail, mail_id
from webhook_api.email.multipart import boundary_of
from webhook_api.email.parsing import parse_email
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
        at = time.time()
        found = [ArrivedMail.of(intake, mail, recipient, signed=signed, at=at) for recipient in mail.recipients]
        nobodys = IgnoredMessage(
            mail_id(mail, "", "unknown_recipient"), "email", "unknown_recipient", str(mail.sender or ""), header=mail.message_id
        )  # fmt: skip
        del body, mail  # the memory of a large mail is free before anybody waits for the mailbox
    if not found:
        intake.ignore(nobodys)
    ids = [intake.take(each) for each in found] or [nobodys.id]
    return CompleteResponse(headers=[(MESSAGE_HEADER, ",".join(ids))])


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
