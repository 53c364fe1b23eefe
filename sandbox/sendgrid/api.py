"""SendGrid's v3 API: mail/send, and its Event Webhook that tells what became of the mail."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from sandbox.engine import credentials
from sandbox.engine import provider_request as exchange
from sandbox.engine.provider_request import Answer, Call, Dialect
from sandbox.engine.signing import SendGridSigner
from sandbox.engine.state import STATE, Sandbox
from sandbox.engine.webhook_sender import Webhook
from sandbox.sendgrid import errors as sendgrid_errors
from sandbox.sendgrid.errors import addresses
from sandbox.sendgrid.inbound_email import webhook_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.engine.faults import SendGridKnobs

JsonObject = dict[str, Any]
DIALECT: Final = Dialect(refuse=sendgrid_errors.fault)
SCOPES: Final = ["mail.send", "user.webhooks.parse.settings.read"]


def routes() -> list[web.RouteDef]:
    """Return the provider's routes."""
    return [
        web.post("/v3/mail/send", send),
        web.get("/v3/scopes", scopes),
        web.get("/v3/user/webhooks/parse/settings", parse_settings),
    ]


async def send(http: web.Request) -> web.StreamResponse:
    """Send a mail."""
    state, mail = http.app[STATE], await exchange.document(http)
    seen = describe(mail or {})

    def act() -> Answer:
        if mail is None:
            return sendgrid_errors.error(400, "Bad Request")
        return _accept(state, mail, seen)

    call = Call(kind="sendgrid.send", operation="send", request=seen, act=act)
    if not http.content_type.startswith("application/json"):
        problem = sendgrid_errors.error(415, "Content-Type should be application/json.")
        return await exchange.refuse(http, state, call, problem)
    return await _run(http, call)


async def scopes(http: web.Request) -> web.StreamResponse:
    """List what the API key may do."""
    return await _describe(http, "sendgrid.scopes", {"scopes": SCOPES})


async def parse_settings(http: web.Request) -> web.StreamResponse:
    """List the Inbound Parse hosts."""
    settings = http.app[STATE].settings
    host = settings.boss_email.rpartition("@")[2]
    setting = {"hostname": host, "url": settings.public_url + "/email/inbound", "spam_check": False, "send_raw": False}
    return await _describe(http, "sendgrid.parse_settings", {"result": [setting]})


async def _describe(http: web.Request, kind: str, document: JsonObject) -> web.StreamResponse:
    call = Call(kind=kind, operation="describe", request={}, act=lambda: Answer(status=200, body=document), message=False)
    return await _run(http, call)


async def _run(http: web.Request, call: Call) -> web.StreamResponse:
    state = http.app[STATE]
    expected = state.settings.sendgrid_api_key
    given = credentials.bearer(http.headers.get("Authorization"))
    if expected is not None and not credentials.same(given, expected):
        return await exchange.refuse(http, state, call, sendgrid_errors.fault(401))
    return await exchange.run(http, state, call, knobs=state.knobs.sendgrid, dialect=DIALECT)


def describe(mail: JsonObject) -> JsonObject:
    """Return what the journal shows of a mail: the reader's view first, the whole document last."""
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
        "subject": subjects[0] if subjects else mail.get("subject"),
        "text": blocks.get("text/plain"),
        "html": blocks.get("text/html"),
        "headers": headers,
        "custom_args": custom_args,
        "mail": mail,
    }


def _accept(state: Sandbox, mail: JsonObject, seen: JsonObject) -> Answer:
    """Take a mail, or say why not."""
    faults = sendgrid_errors.judge(mail)
    if faults:
        return sendgrid_errors.refused(400, faults)
    message_id = secrets.token_urlsafe(16)
    headers = {"X-Message-Id": message_id}
    if ((mail.get("mail_settings") or {}).get("sandbox_mode") or {}).get("enable"):
        return Answer(status=200, headers=headers, sid=message_id, accepted=False)
    own = {name.lower(): value for name, value in seen["headers"].items()}
    seen["message_id"] = own.get("message-id") or f"<{message_id}@geopod-ismtpd-0>"
    if state.knobs.sendgrid.events:
        state.start(_tell(state, message_id, seen))
    return Answer(status=202, headers=headers, sid=message_id, accepted=True)


async def _tell(state: Sandbox, message_id: str, seen: JsonObject) -> None:
    """Post the events of a mail to the Event Webhook."""
    knobs = state.knobs.sendgrid
    await asyncio.sleep(knobs.event_delay_seconds)
    events = [_event(kind, to, message_id, seen, knobs) for to in seen["recipients"] for kind in knobs.event_types]
    body = json.dumps(events).encode()
    webhook = Webhook(
        kind="webhook.events",
        url=webhook_url(state.settings, "/email/events"),
        body=body,
        headers={"Content-Type": "application/json", "User-Agent": "SendGrid Event API", **signature(state, body)},
        request={"to": seen["to"], "from": seen["from"], "events": events},
        sid=message_id,
    )
    await asyncio.gather(*(state.courier.post(webhook, state.journal) for _ in range(knobs.event_copies)))


def signature(state: Sandbox, body: bytes) -> Mapping[str, str]:
    """Return the signature headers, when a key is configured."""
    key = state.settings.sendgrid_private_key
    return SendGridSigner.load(key).headers(body) if key else {}


def _event(kind: str, to: str, message_id: str, seen: JsonObject, knobs: SendGridKnobs) -> JsonObject:
    """Return one event; custom arguments stand beside the fields, as SendGrid puts them."""
    event = {
        **seen["custom_args"],
        "email": to,
        "timestamp": int(time.time()),
        "smtp-id": seen["message_id"],
        "event": kind,
        "sg_event_id": secrets.token_urlsafe(16),
        "sg_message_id": f"{message_id}.recvd-sandbox-1-0.0",
    }
    if kind == "delivered":
        event["response"] = "250 2.0.0 OK (sandbox)"
    if kind == "bounce":
        event |= {"type": knobs.event_type, "reason": "550 5.1.1 The email account does not exist (simulated)", "status": "5.1.1"}
    if kind == "dropped":
        event |= {"reason": "Bounced Address", "status": "5.0.0"}
    if kind in {"bounce", "dropped"}:
        event |= {name: said for name, said in (("reason", knobs.event_reason), ("status", knobs.event_status)) if said is not None}
    return event
