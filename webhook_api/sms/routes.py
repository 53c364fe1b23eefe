"""POST /sms/inbound and POST /sms/status: Twilio's two webhooks."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import replace
from typing import Final

from flask import Request

from shared.errors import BadInput
from shared.model import sms_admission as admission
from shared.model.delivery_reports import TWILIO_STATES, State, word_of_the_user
from shared.model.events import Media
from shared.model.sms_admission import Ignored, InboundSms
from shared.observability import logs as telemetry
from webhook_api.http.flask_app import Answer
from webhook_api.intake.intake import Intake
from webhook_api.intake.records import NotAnswered, Report
from webhook_api.security import signed_form
from webhook_api.security.authentication import MESSAGE_HEADER, Gate, Refusal
from webhook_api.security.signatures import Form
from webhook_api.sms.media import media_of
from webhook_api.sms.parsing import StatusForm, is_form, parse_sms, parse_status, read_form

MAX_BODY: Final = 65_536
EMPTY_TWIML: Final = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

_TWIML: Final = EMPTY_TWIML.encode()
_TWIML_HEADERS: Final = (("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(_TWIML))))
log = telemetry.logger(__name__)

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


def inbound(intake: Intake, gate: Gate, request: Request) -> Answer:
    """Take a text in. Every verdict but a refusal gets the same empty TwiML: replies go out by the API."""
    form, signed = _verified(gate, request)
    text = parse_sms(form)
    gate.account(text.account)
    if not text.sid and signed:
        raise BadInput(code="missing_sid")
    if text.media_count:
        text = replace(text, media=_media(gate, form, text))
    message_id = _take_in(intake, text, signed=signed)
    return Answer(_TWIML, headers=(*_TWIML_HEADERS, (MESSAGE_HEADER, message_id)))


def _media(gate: Gate, form: Form, text: InboundSms) -> tuple[Media, ...]:
    """What came with a text and can be asked for; the rest is counted in the log, and by `media_count`."""
    account, base_url = gate.settings.twilio_account_sid, gate.settings.provider_urls["twilio"]
    media = media_of(form, count=text.media_count, account=account, sid=text.sid, base_url=base_url)
    if len(media) < text.media_count:
        log.warning("Files of a text cannot be asked for.", action="media_dropped", sid=text.sid, dropped=text.media_count - len(media))
    return media


def _take_in(intake: Intake, text: InboundSms, *, signed: bool) -> str:
    if not text.sid:
        text = replace(text, sid=f"SM{uuid.uuid4().hex}")
    message_id = admission.sms_id(intake.runtime.settings.twilio_account_sid, text.sid)
    verdict = admission.sms(text, intake.runtime.users, intake.runtime.settings.keywords)
    if isinstance(verdict, Ignored):
        intake.ignore(NotAnswered(message_id, "sms", verdict.reason, text.sender, text.recipient, provider_id=text.sid))
    else:
        event = admission.received(message_id, text, verdict, at=time.time(), signed=signed)
        intake.accept(event, keyword=verdict.keyword)
    return message_id


def status(intake: Intake, gate: Gate, request: Request) -> Answer:
    """Record what became of a text that we sent. Unknown ids and unknown words get a 2xx: no retry would mend them.

    A text that failed because Twilio keeps an opt-out of its pair (21610) tells us of that, too.
    """
    form, _ = _verified(gate, request)
    report = parse_status(form)
    gate.account(report.account)
    if not report.sid:
        raise BadInput(code="missing_sid")
    state = TWILIO_STATES.get(report.status)
    if state is not None:
        reply, attempt = _id(request.args.get("reply", "")), _id(request.args.get("attempt", ""))
        intake.report((_report(report, state, reply, attempt, _id(request.args.get("pair", ""))),))
    return Answer(status=204)


def _report(said: StatusForm, state: State, reply: str, attempt: str, pair: str) -> Report:
    opt, own_id = word_of_the_user(said.sid, said.code)
    return Report(said.sid, state, reply, attempt, said.code, opt, own_id, pair if opt else "")


def _id(text: str) -> str:
    return text if _ID.fullmatch(text) else ""


def _verified(gate: Gate, request: Request) -> tuple[Form, bool]:
    """The form, and whether it is signed. The signature comes first: a stranger learns nothing about what we expect."""
    gate.may_be_twilio(request)
    body = _body(request)
    readable = is_form(request.environ.get("CONTENT_TYPE", ""))
    form = read_form(body) if readable else {}
    signed = gate.twilio(request, form)
    if not readable:
        raise Refusal("not_a_form", 400)
    if signed:
        signed_form.check(form, request.environ.get("QUERY_STRING", ""))
    return form, signed


def _body(request: Request) -> bytes:
    """The whole body. One that says its length, as Twilio's do, is read at once; any other in Flask's way, up to the limit."""
    said = request.environ.get("CONTENT_LENGTH", "")
    length = int(said) if said.isdecimal() and "HTTP_TRANSFER_ENCODING" not in request.environ else MAX_BODY + 1
    body: bytes = request.environ["wsgi.input"].read(length) if length <= MAX_BODY else request.get_data(cache=False)
    if len(body) < (length if length <= MAX_BODY else request.content_length or 0):  # half a text is another text: a retry mends it
        raise Refusal("truncated", 503)
    return body
