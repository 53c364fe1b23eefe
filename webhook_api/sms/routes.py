"""POST /sms/inbound and POST /sms/status: Twilio's two webhooks."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace
from typing import Final

from flask import Request

from shared.config.settings import Settings
from shared.errors import BadInput
from shared.model import sms_admission
from shared.model.delivery_reports import TWILIO_STATES, State, word_of_the_user
from shared.model.media import Media
from shared.model.sms_admission import InboundSms
from shared.observability import logs
from webhook_api.http.flask_app import MESSAGE_HEADER, CompleteResponse
from webhook_api.intake.intake import Intake
from webhook_api.intake.records import Report
from webhook_api.security import signed_form
from webhook_api.security.authentication import Refusal, WebhookAuthenticator
from webhook_api.security.signatures import Form
from webhook_api.sms.arrived import ArrivedText
from webhook_api.sms.media import media_of
from webhook_api.sms.parsing import StatusForm, is_form, parse_sms, parse_status, read_form

MAX_FORM_BYTES: Final = 65_536
EMPTY_TWIML: Final = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

_TWIML: Final = EMPTY_TWIML.encode()
_TWIML_HEADERS: Final = (("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(_TWIML))))
log = logs.logger(__name__)

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


def receive_text(intake: Intake, authenticator: WebhookAuthenticator, request: Request) -> CompleteResponse:
    """Accept or ignore a text; either is answered by the same empty TwiML, because replies go out by the API."""
    form, signed = _verified_form(authenticator, request)
    text = parse_sms(form)
    authenticator.check_account(text.account)
    if not text.sid and signed:
        raise BadInput(code="missing_sid")
    if text.media_count:
        text = replace(text, media=_media(authenticator.settings, form, text))
    message_id = _store_or_spool(intake, text, signed=signed)
    return CompleteResponse(_TWIML, headers=(*_TWIML_HEADERS, (MESSAGE_HEADER, message_id)))


def _media(settings: Settings, form: Form, text: InboundSms) -> tuple[Media, ...]:
    """The files of a text that can be downloaded; the others are logged, and `media_count` counts all."""
    account, base_url = settings.twilio_account_sid, settings.provider_urls["twilio"]
    media = media_of(form, count=text.media_count, account=account, sid=text.sid, base_url=base_url)
    if len(media) < text.media_count:
        log.warning("Files of a text cannot be asked for.", action="media_dropped", sid=text.sid, dropped=text.media_count - len(media))
    return media


def _store_or_spool(intake: Intake, text: InboundSms, *, signed: bool) -> str:
    if not text.sid:
        text = replace(text, sid=f"SM{uuid.uuid4().hex}")
    message_id = sms_admission.sms_id(intake.runtime.settings.twilio_account_sid, text.sid)
    return intake.take(ArrivedText(message_id, text, signed, time.time()))


def receive_status(intake: Intake, authenticator: WebhookAuthenticator, request: Request) -> CompleteResponse:
    """Record what became of a text that we sent. Unknown ids and unknown states get a 2xx: no retry would mend them.

    A text that failed because its recipient opted out at Twilio (21610) reports the opt-out as well.
    """
    form, _ = _verified_form(authenticator, request)
    report = parse_status(form)
    authenticator.check_account(report.account)
    if not report.sid:
        raise BadInput(code="missing_sid")
    state = TWILIO_STATES.get(report.status)
    if state is not None:
        reply, attempt = _id(request.args.get("reply", "")), _id(request.args.get("attempt", ""))
        intake.report((_report(report, state, reply, attempt, _id(request.args.get("pair", ""))),))
    return CompleteResponse(status=204)


def _report(form: StatusForm, state: State, reply: str, attempt: str, pair: str) -> Report:
    opt, own_id = word_of_the_user(form.sid, form.code)
    return Report(form.sid, state, reply, attempt, form.code, opt, own_id, pair if opt else "")


def _id(text: str) -> str:
    return text if _ID.fullmatch(text) else ""


def _verified_form(authenticator: WebhookAuthenticator, request: Request) -> tuple[Form, bool]:
    """The form, and whether it is signed. The signature is checked first: a stranger learns nothing about what we expect."""
    authenticator.check_twilio_header(request)
    body = _body(request)
    readable = is_form(request.environ.get("CONTENT_TYPE", ""))
    form = read_form(body) if readable else {}
    signed = authenticator.verify_twilio(request, form)
    if not readable:
        raise Refusal("not_a_form", 400)
    if signed:
        signed_form.check(form, request.environ.get("QUERY_STRING", ""))
    return form, signed


def _body(request: Request) -> bytes:
    """The whole body. One with a Content-Length, as Twilio's have, is read at once; any other as Flask does, up to the route's limit."""
    header = request.environ.get("CONTENT_LENGTH", "")
    length = int(header) if header.isdecimal() and "HTTP_TRANSFER_ENCODING" not in request.environ else MAX_FORM_BYTES + 1
    body: bytes = request.environ["wsgi.input"].read(length) if length <= MAX_FORM_BYTES else request.get_data(cache=False)
    if len(body) < (length if length <= MAX_FORM_BYTES else request.content_length or 0):  # half a text is another text: a retry mends it
        raise Refusal("truncated", 503)
    return body
