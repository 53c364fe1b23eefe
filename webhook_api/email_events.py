"""POST /email/events: SendGrid's Event Webhook, which tells what became of the mails that we sent."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Request

from shared import codec
from shared.errors import BadInput
from webhook_api import bodies
from webhook_api.entries import Report, State
from webhook_api.gate import Gate
from webhook_api.intake import Intake
from webhook_api.lean import Answer

MAX_BODY: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 5_000

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_CODE: Final = re.compile(r"[0-9][0-9.]{0,10}")
_STATES: Final[dict[str, State]] = {
    "processed": "sent",
    "delivered": "delivered",
    "bounce": "undelivered",
    "blocked": "undelivered",
    "dropped": "failed",
}


def events(intake: Intake, gate: Gate, request: Request) -> Answer:
    """Record a batch of events; those that are not about a reply of ours are passed over."""
    body, _ = gate.sendgrid(request, gate.events_key, lambda seen: bodies.whole(request, seen, ending=b"]"))
    batch = codec.loads(body.kept)
    if not isinstance(batch, list):
        raise BadInput(code="not_a_list")
    reports = (report(event) for event in batch[:MAX_EVENTS])
    intake.report(tuple(found for found in reports if found is not None))
    return Answer(status=204)


def report(event: Any) -> Report | None:
    """What one event says of a reply of ours; None for one that says nothing.

    `reply` and `attempt` are the custom arguments that we sent along; the provider's id is `sg_message_id` up to its first dot.
    """
    if not isinstance(event, dict):
        return None
    state = _STATES.get(str(event.get("event", "")))
    reply, attempt = _id(event.get("reply")), _id(event.get("attempt"))
    provider_id = _id(str(event.get("sg_message_id", "")).partition(".")[0])
    if state is None or not (reply or provider_id):
        return None
    code = str(event.get("status", ""))
    return Report(provider_id, state, reply, attempt, code if _CODE.fullmatch(code) else "")


def _id(value: Any) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""
