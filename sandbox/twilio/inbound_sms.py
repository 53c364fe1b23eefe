"""Posts an inbound text where its number's webhook says: all fields of a plain message, signed over that URL."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlencode, urlsplit

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from sandbox.engine.json_types import JsonObject
from sandbox.engine.signing import twilio_signature
from sandbox.engine.twilio_account import SMS_PATH
from sandbox.engine.twilio_media import DEFAULT_PICTURE, MediaFile
from sandbox.engine.twilio_message_log import API_VERSION, TwilioMessage, new_sid
from sandbox.engine.twilio_segments import count_segments
from sandbox.engine.webhook_sender import Webhook, WebhookResponse
from sandbox.twilio.status_callbacks import FORM, USER_AGENT, retries_of

if TYPE_CHECKING:
    from sandbox.engine.state import SandboxState

FAILURE: Final = "11200"
"""Twilio's ErrorCode for a webhook that did not answer well."""


class SimulatedMedia(BaseModel):
    """A file of the text: its content, by default a picture, or any address for the webhook to name in its place."""

    model_config = ConfigDict(extra="forbid")

    url: str = ""
    content_base64: Base64Bytes = b""
    content_type: str = "image/png"


class SimulatedSms(BaseModel):
    """The body of POST /sandbox/sms. All fields have defaults; null takes them from the settings or the fault settings."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    sender: Annotated[str, Field(alias="from")] = ""
    to: str = ""
    body: str = ""
    message_sid: str | None = None
    media: list[SimulatedMedia] = []
    opt_out_type: str | None = None
    messaging_service_sid: str | None = None
    fields: dict[str, str | None] = {}
    signed: bool = True
    copies: int | None = None
    bad_signature: bool | None = None
    scheme: str | None = None


async def deliver(state: SandboxState, sms: SimulatedSms) -> tuple[str, list[WebhookResponse]]:
    """Post a text's webhook in as many copies as it says; return its sid and the answers.

    A number without a webhook posts nothing. Where the webhook fails, and the number has a fallback, that is asked once more.
    """
    sid = sms.message_sid or new_sid("MM" if sms.media else "SM")
    sms = sms.model_copy(
        update={
            "message_sid": sid,
            "sender": sms.sender or state.settings.user_phone,
            "to": sms.to or state.settings.boss_phone,
        }
    )
    _log(state, sms, sid)
    url, fallback = _urls(state, sms.to)
    if not url:
        return sid, [WebhookResponse(status=None, error="not posted: the number has no webhook")]
    responses = await _post(state, sms, sid, url)
    if fallback and not any(response.accepted for response in responses):
        failed = sms.model_copy(update={"fields": {**sms.fields, "ErrorCode": FAILURE, "ErrorUrl": url.partition("#")[0]}})
        return sid, await _post(state, failed, sid, fallback)
    return sid, responses


def _urls(state: SandboxState, to: str) -> tuple[str, str]:
    """The webhook of a number and its fallback, "" for none."""
    found = state.twilio.inbound_urls(to)
    if found is None and state.twilio.assumed:
        return state.settings.public_url + SMS_PATH, ""
    return found or ("", "")


async def _post(state: SandboxState, sms: SimulatedSms, sid: str, url: str) -> list[WebhookResponse]:
    webhook, faults = _webhook(state, sms, sid, url), state.faults.inbound
    retries, copies = max(faults.retries, retries_of(url)), sms.copies or faults.copies
    return await state.webhooks.post_copies(
        webhook, state.journal, copies=copies, retries=retries, retry_wait_seconds=faults.retry_wait_seconds
    )


def _log(state: SandboxState, sms: SimulatedSms, sid: str) -> None:
    """Put the text into Twilio's log, and answer STOP, START and HELP as Twilio itself does."""
    now = time.time()
    message = TwilioMessage(
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
    stop_words = [word.upper() for word in state.faults.twilio.opt_out_words]
    confirmation = state.messages.apply_keyword(sms.sender, sms.to, sms.body, stop_words)
    if confirmation is not None:
        fields = {"to": sms.sender, "from": sms.to, "body": confirmation}
        state.journal.add("twilio.confirmation", fields, sid=sid)


def _webhook(state: SandboxState, sms: SimulatedSms, sid: str, url: str) -> Webhook:
    params = _params(state, sms, sid)
    fields: JsonObject = {"from": sms.sender, "to": sms.to, "body": sms.body, "params": params}
    headers = {
        "Content-Type": FORM,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
    }
    if sms.signed:
        headers["X-Twilio-Signature"] = _signature(state, sms, params, url.partition("#")[0])
    return Webhook(kind="webhook.sms", url=url, body=urlencode(params).encode(), headers=headers, fields=fields, sid=sid)


def _store(state: SandboxState, media: SimulatedMedia, sid: str) -> str:
    """Store a file; return the address that Twilio gives it."""
    file = MediaFile(sid=new_sid("ME"), message_sid=sid, content_type=media.content_type, data=media.content_base64 or DEFAULT_PICTURE)
    state.media.add(file)
    return f"https://api.twilio.com/{API_VERSION}/Accounts/{state.settings.account_sid}/Messages/{sid}/Media/{file.sid}"


def _signature(state: SandboxState, sms: SimulatedSms, params: dict[str, str], url: str) -> str:
    """Sign over the URL without its fragment. A bad signature is well formed, by another key."""
    faults = state.faults.inbound
    spoil = faults.bad_signature if sms.bad_signature is None else sms.bad_signature
    scheme = sms.scheme or faults.scheme
    signed_url = urlsplit(url)._replace(scheme=scheme).geturl() if scheme else url
    return twilio_signature("not the auth token" if spoil else state.settings.auth_token, signed_url, params)


def _params(state: SandboxState, sms: SimulatedSms, sid: str) -> dict[str, str]:
    """The form. Empty values are sent and signed too; a field set to null is left out."""
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
        "MessagingServiceSid": sms.messaging_service_sid or state.twilio.service_of(sms.to),
        "ToZip": "",
        "NumSegments": str(count_segments(sms.body)),
        "ReferralNumMedia": "0",
        "MessageSid": sid,
        "AccountSid": state.settings.account_sid,
        "From": sms.sender,
        "ApiVersion": API_VERSION,
        "OptOutType": sms.opt_out_type,
    }
    for number, media in enumerate(sms.media):
        url = media.url or _store(state, media, sid)
        params |= {f"MediaUrl{number}": url, f"MediaContentType{number}": media.content_type}
    params |= sms.fields
    return {name: value for name, value in params.items() if value is not None}
