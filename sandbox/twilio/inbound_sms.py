"""A text arrives: Twilio's inbound webhook, with the whole field set seen on plain messages, signed over the public URL."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode, urlsplit

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from sandbox.engine import twilio_segments as segments
from sandbox.engine.signing import twilio_signature
from sandbox.engine.twilio_media import PICTURE, File
from sandbox.engine.twilio_message_log import API_VERSION, Message, new_sid
from sandbox.engine.webhook_sender import Webhook
from sandbox.twilio.status_callbacks import FORM, USER_AGENT

if TYPE_CHECKING:
    from sandbox.engine.state import Sandbox
    from sandbox.engine.webhook_sender import Receipt

PATH = "/sms/inbound"


class Media(BaseModel):
    """A file: its content (by default a picture), or any address at all that the webhook shall name instead."""

    model_config = ConfigDict(extra="forbid")

    url: str = ""
    content_base64: Base64Bytes = b""
    content_type: str = "image/png"


class InboundSms(BaseModel):
    """The body of POST /sandbox/sms."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sender: Annotated[str, Field(alias="from")] = ""
    to: str = ""
    body: str = ""
    message_sid: str | None = None
    media: list[Media] = []
    opt_out_type: str | None = None
    messaging_service_sid: str | None = None
    fields: dict[str, str | None] = {}
    signed: bool = True
    copies: int | None = None
    bad_signature: bool | None = None
    scheme: str | None = None


async def deliver(state: Sandbox, sms: InboundSms) -> tuple[str, list[Receipt]]:
    """Post a text's webhook, in as many copies as asked for; return its sid and the answers."""
    sid = sms.message_sid or new_sid("MM" if sms.media else "SM")
    sms = sms.model_copy(
        update={
            "message_sid": sid,
            "sender": sms.sender or state.settings.user_phone,
            "to": sms.to or state.settings.boss_phone,
        }
    )
    _remember(state, sms, sid)
    webhook = _webhook(state, sms, sid)
    knobs = state.knobs.inbound
    copies = range(sms.copies or knobs.copies)
    posts = (state.courier.insist(webhook, state.journal, retries=knobs.retries, wait=knobs.retry_wait_seconds) for _ in copies)
    return sid, await asyncio.gather(*posts)


def _remember(state: Sandbox, sms: InboundSms, sid: str) -> None:
    """Put the text into Twilio's log, and heed STOP, START and HELP as Twilio itself does."""
    now = time.time()
    message = Message(
        sid=sid,
        account_sid=state.settings.account_sid,
        to=sms.to,
        sender=sms.sender,
        body=sms.body,
        direction="inbound",
        status="received",
        created=now,
        sent=now,
        num_media=len(sms.media),
        messaging_service_sid=sms.messaging_service_sid,
    )
    state.messages.add(message)
    confirmation = state.messages.heed(sms.sender, sms.to, sms.body, map(str.upper, state.knobs.twilio.opt_out_words))
    if confirmation is not None:
        shown = {"to": sms.sender, "from": sms.to, "body": confirmation}
        state.journal.add("twilio.confirmation", shown, sid=sid)


def _webhook(state: Sandbox, sms: InboundSms, sid: str) -> Webhook:
    params = _params(state, sms, sid)
    shown: dict[str, Any] = {"from": sms.sender, "to": sms.to, "body": sms.body, "params": params}
    headers = {
        "Content-Type": FORM,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
    }
    if sms.signed:
        headers["X-Twilio-Signature"] = _signature(state, sms, params)
    url = state.settings.public_url + PATH
    return Webhook(kind="webhook.sms", url=url, body=urlencode(params).encode(), headers=headers, request=shown, sid=sid)


def _kept(state: Sandbox, media: Media, sid: str) -> str:
    """Put a file where Twilio keeps it; return the address that Twilio gives it."""
    file = File(sid=new_sid("ME"), message_sid=sid, content_type=media.content_type, data=media.content_base64 or PICTURE)
    state.media.add(file)
    return f"https://api.twilio.com/{API_VERSION}/Accounts/{state.settings.account_sid}/Messages/{sid}/Media/{file.sid}"


def _signature(state: Sandbox, sms: InboundSms, params: dict[str, str]) -> str:
    """Sign over the public URL; a bad signature is a well-formed one by the wrong key."""
    knobs = state.knobs.inbound
    spoil = knobs.bad_signature if sms.bad_signature is None else sms.bad_signature
    url, scheme = state.settings.public_url + PATH, sms.scheme or knobs.scheme
    signed_url = urlsplit(url)._replace(scheme=scheme).geturl() if scheme else url
    return twilio_signature("not the auth token" if spoil else state.settings.auth_token, signed_url, params)


def _params(state: Sandbox, sms: InboundSms, sid: str) -> dict[str, str]:
    """Return the form; empty values are sent and signed too. A field set to null is left out."""
    params: dict[str, str | None] = {
        "ToCountry": "US",
        "ToState": "",
        "SmsMessageSid": sid,
        "NumMedia": str(len(sms.media)),
        "ToCity": "",
        "FromZip": "94105",
        "SmsSid": sid,
        "FromState": "CA",
        "SmsStatus": "received",
        "FromCity": "SAN FRANCISCO",
        "Body": sms.body,
        "FromCountry": "US",
        "To": sms.to,
        "MessagingServiceSid": sms.messaging_service_sid,
        "ToZip": "",
        "NumSegments": str(segments.count(sms.body)),
        "ReferralNumMedia": "0",
        "MessageSid": sid,
        "AccountSid": state.settings.account_sid,
        "From": sms.sender,
        "ApiVersion": API_VERSION,
        "OptOutType": sms.opt_out_type,
    }
    for number, media in enumerate(sms.media):
        url = media.url or _kept(state, media, sid)
        params |= {f"MediaUrl{number}": url, f"MediaContentType{number}": media.content_type}
    params |= sms.fields
    return {name: value for name, value in params.items() if value is not None}
