"""SendGrid's mail/send, and the Event Webhooks that report the mail's delivery."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from aiohttp import web

from sandbox.engine import provider_request
from sandbox.engine.json_types import JsonObject
from sandbox.engine.provider_request import ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE, SandboxState
from sandbox.engine.webhook_sender import Webhook
from sandbox.sendgrid import errors, requests
from sandbox.sendgrid.errors import addresses

if TYPE_CHECKING:
    from sandbox.engine.faults import SendGridFaults


MailFields = TypedDict(
    "MailFields",
    {
        "to": str | None,
        "recipients": list[str],
        "from": str | None,
        "from_name": str | None,
        "subject": str | None,
        "text": str | None,
        "html": str | None,
        "headers": dict[str, str],
        "custom_args": JsonObject,
        "mail": JsonObject,
        "message_id": NotRequired[str],
    },
)
"""What the journal shows of a mail: what its reader sees first, the whole document of the request (`mail`) last.

`to` is the first of all `recipients`. `message_id` is there when the mail was accepted.
"""


def routes() -> list[web.RouteDef]:
    """SendGrid's routes."""
    return [
        web.post("/v3/mail/send", send),
    ]


async def send(http: web.Request) -> web.StreamResponse:
    """Send a mail."""
    state, mail = http.app[STATE], await provider_request.read_json(http)
    fields = describe(mail or {})

    def perform() -> ProviderResponse:
        if mail is None:
            return errors.error_response(400, "Bad Request")
        return _accept(state, mail, fields)

    request = ProviderRequest(kind="sendgrid.send", operation="send", fields=cast("JsonObject", fields), perform=perform)
    if not http.content_type.startswith("application/json"):
        problem = errors.error_response(415, "Content-Type should be application/json.")
        return await provider_request.reject(http, state, request, problem)
    return await requests.handle(http, request)


def describe(mail: JsonObject) -> MailFields:
    """Return what the journal shows of a mail."""
    people = [person for person in mail.get("personalizations") or () if isinstance(person, dict)]
    recipients = [email for person in people for kind in ("to", "cc", "bcc") for email in addresses(person.get(kind))]
    blocks = {block.get("type"): block.get("value") for block in mail.get("content") or () if isinstance(block, dict)}
    headers, custom_args = dict(mail.get("headers") or {}), dict[str, Any]()
    for person in people:
        headers |= person.get("headers") or {}
        custom_args |= person["custom_args"] if isinstance(person.get("custom_args"), dict) else {}
    subjects = [person["subject"] for person in people if person.get("subject")]
    return {
        "to": recipients[0] if recipients else None,
        "recipients": recipients,
        "from": next(iter(addresses([mail.get("from")])), None),
        "from_name": mail["from"].get("name") if isinstance(mail.get("from"), dict) else None,
        "subject": subjects[0] if subjects else mail.get("subject"),
        "text": blocks.get("text/plain"),
        "html": blocks.get("text/html"),
        "headers": headers,
        "custom_args": custom_args,
        "mail": mail,
    }


def _accept(state: SandboxState, mail: JsonObject, fields: MailFields) -> ProviderResponse:
    """Accept a mail and post its events, or reject it. SendGrid's own sandbox mode answers 200 and sends nothing."""
    problems = errors.problems_of(mail)
    if problems:
        return errors.rejection(400, problems)
    message_id = secrets.token_urlsafe(16)
    headers = {"X-Message-Id": message_id}
    if ((mail.get("mail_settings") or {}).get("sandbox_mode") or {}).get("enable"):
        return ProviderResponse(status=200, headers=headers, sid=message_id, accepted=False)
    own = {name.lower(): value for name, value in fields["headers"].items()}
    fields["message_id"] = own.get("message-id") or f"<{message_id}@geopod-ismtpd-0>"
    if state.faults.sendgrid.events:
        state.start_task(_post_events(state, message_id, fields))
    return ProviderResponse(status=202, headers=headers, sid=message_id, accepted=True)


async def _post_events(state: SandboxState, message_id: str, fields: MailFields) -> None:
    """Post the events of a mail to the Event Webhook."""
    faults = state.faults.sendgrid
    await asyncio.sleep(faults.event_delay_seconds)
    events = [_event(kind, to, message_id, fields, faults) for to in fields["recipients"] for kind in faults.event_types]
    for setting in tuple(state.sendgrid.event_webhooks):
        told = [event for event in events if setting.posts(event["event"])]
        if not told:
            continue
        body = json.dumps(told).encode()
        signed = state.signers.of(setting.id).headers(body) if setting.signed else {}
        webhook = Webhook(
            kind="webhook.events",
            url=setting.url,
            body=body,
            headers={"Content-Type": "application/json", "User-Agent": "SendGrid Event API", **signed},
            fields={"to": fields["to"], "from": fields["from"], "events": told},
            sid=message_id,
        )
        await state.webhooks.post_copies(webhook, state.journal, copies=faults.event_copies)


def _event(kind: str, to: str, message_id: str, fields: MailFields, faults: SendGridFaults) -> JsonObject:
    """Return one event. Custom arguments stand beside its fields, as SendGrid puts them."""
    event = {
        **fields["custom_args"],
        "email": to,
        "timestamp": int(time.time()),
        "smtp-id": fields["message_id"],
        "event": kind,
        "sg_event_id": secrets.token_urlsafe(16),
        "sg_message_id": f"{message_id}.recvd-sandbox-1-0.0",
    }
    if kind == "delivered":
        event["response"] = "250 2.0.0 OK (sandbox)"
    if kind == "bounce":
        event |= {"type": faults.event_type, "reason": "550 5.1.1 The email account does not exist (simulated)", "status": "5.1.1"}
    if kind == "dropped":
        event |= {"reason": "Bounced Address", "status": "5.0.0"}
    if kind in {"bounce", "dropped"}:
        own = {"reason": faults.event_reason, "status": faults.event_status}
        event |= {name: value for name, value in own.items() if value is not None}
    return event
