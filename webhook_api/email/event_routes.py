"""POST /email/events: SendGrid's Event Webhook, which reports what became of the mails that we sent."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Request

from shared.errors import BadInput
from shared.mailbox.ledger import SENDGRID_EVENTS
from shared.model import codec
from shared.model.delivery_errors import SENDGRID
from shared.model.delivery_reports import Opt, State, report_id
from shared.model.threads import canonical
from webhook_api.http import request_body
from webhook_api.http.flask_app import CompleteResponse
from webhook_api.intake.intake import Intake
from webhook_api.intake.records import Report
from webhook_api.security.authentication import WebhookAuthenticator

MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 5_000

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_MESSAGE_ID: Final = re.compile(r"<[!-;=?-~]+>")
MAX_HEADER: Final = 402
_ENHANCED_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_STATES: Final[dict[str, State]] = {
    "processed": "sent",
    "delivered": "delivered",
    "bounce": "undelivered",
    "blocked": "undelivered",
    "dropped": "failed",
}
_OPTS: Final[dict[str, Opt]] = {
    "unsubscribe": "out",
    "group_unsubscribe": "out",
    "spamreport": "out",
    "group_resubscribe": "in",
}
"""What the user told SendGrid, or their mail provider, about our mails."""
_MAX_REASON: Final = 100
_IDENTITY_FIELDS: Final = ("sg_event_id", "sg_message_id", "event", "timestamp")
_DROPPED_BY_THE_USER: Final = frozenset({"unsubscribed_address", "spam_reporting_address"})


def receive_events(intake: Intake, authenticator: WebhookAuthenticator, request: Request) -> CompleteResponse:
    """Record a batch of events; those that are not about a reply of ours are skipped."""
    check = authenticator.begin_sendgrid(request, authenticator.events_key)
    body = request_body.read_all(request, check.on_chunk, ending=b"]")
    check.finish()
    batch = codec.loads(body.content)
    if not isinstance(batch, list):
        raise BadInput(code="not_a_list")
    reports = (report(event) for event in batch[:MAX_EVENTS])
    intake.report(tuple(found for found in reports if found is not None))
    if batch:
        intake.heard(SENDGRID_EVENTS)
    return CompleteResponse(status=204)


def report(event: Any) -> Report | None:
    """What one event reports of a reply of ours; None for an event about anything else.

    `reply`, `attempt` and `pair` are the custom arguments that we sent along; the provider's id is `sg_message_id` up to its first dot.
    The event's own address is not read: the reply's record knows whom it went to. `smtp-id` is the Message-ID that the mail went out with,
    which SendGrid may have put in the place of ours.
    """
    if not isinstance(event, dict):
        return None
    kind = str(event.get("event", ""))
    state, opt = _STATES.get(kind, ""), _OPTS.get(kind, "")
    reply, attempt, pair = _id(event.get("reply")), _id(event.get("attempt")), _id(event.get("pair"))
    provider_id = _id(str(event.get("sg_message_id", "")).partition(".")[0])
    if not (state or opt) or not (reply or provider_id or pair):
        return None
    code = _code(event) if state in ("undelivered", "failed") else ""
    if code in _DROPPED_BY_THE_USER:
        opt = "out"
    own_id = report_id("sendgrid", *(str(event.get(name, "")) for name in _IDENTITY_FIELDS)) if opt else ""
    return Report(provider_id, state, reply, attempt, code, opt, own_id, pair, _header(event.get("smtp-id"), reply))


def _code(event: dict[str, Any]) -> str:
    """Why a mail did not arrive: SendGrid's own reason for a drop, a status of RFC 3463, or the type of the bounce.

    Only words that `shared.model.delivery_errors` explains: a bounce's free text quotes the user's mail server.
    """
    word = "_".join(str(event.get("reason", ""))[:_MAX_REASON].lower().split())
    status, kind = str(event.get("status", "")), str(event.get("type", ""))
    if word in SENDGRID:
        return word
    if _ENHANCED_STATUS.fullmatch(status):
        return status
    return kind if kind in SENDGRID else ""


def _header(value: Any, reply: str) -> str:
    """The Message-ID of a mail where it is not the one that we made of the reply's id."""
    header = canonical(value[:MAX_HEADER]) if isinstance(value, str) else ""
    return header if _MESSAGE_ID.fullmatch(header) and not header.startswith(f"<{reply}@") else ""


def _id(value: Any) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""
