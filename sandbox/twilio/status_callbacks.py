"""What happens to a message after Twilio took it: it is sent and delivered, and each step is told to its StatusCallback."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from sandbox.engine.signing import twilio_signature
from sandbox.engine.twilio_message_log import API_VERSION
from sandbox.engine.webhook_sender import Webhook

if TYPE_CHECKING:
    from sandbox.engine.state import Sandbox
    from sandbox.engine.twilio_message_log import Message

FORM: Final = "application/x-www-form-urlencoded; charset=UTF-8"
USER_AGENT: Final = "TwilioProxy/1.1"
MOST_RETRIES: Final = 5
RETRY_WAIT: Final = 0.2
DONE: Final = frozenset({"delivered", "undelivered"})
FAILED: Final = frozenset({"undelivered", "failed"})


async def play(state: Sandbox, message: Message, callback: str) -> None:
    """Take a message through its statuses."""
    knobs = state.knobs.twilio
    steps = _steps(knobs.final_status)
    posting = bool(callback) and knobs.status_callbacks
    if not posting or knobs.callback_order == "in_order":
        for step in steps:
            await asyncio.sleep(knobs.callback_delay_seconds)
            _move(message, step, knobs.error_code)
            if posting:
                await _tell(state, message, step, callback)
        return
    await asyncio.sleep(knobs.callback_delay_seconds)
    message.move(steps[-1], knobs.error_code if steps[-1] in FAILED else None)
    told = steps[::-1] if knobs.callback_order == "reversed" else random.sample(steps, len(steps))
    for step in told:
        await _tell(state, message, step, callback)


def _steps(final: str) -> list[str]:
    """Return the statuses up to the final one."""
    if final == "failed":
        return ["queued", "failed"]
    return ["queued", "sent"] if final == "sent" else ["queued", "sent", final]


def _move(message: Message, step: str, error_code: int | None) -> None:
    message.move(step, (error_code or 30008) if step in FAILED else None)


async def _tell(state: Sandbox, message: Message, step: str, callback: str) -> None:
    """Post one status, in as many copies as the knob says."""
    params = _params(message, step)
    signature = twilio_signature(state.settings.auth_token, callback.partition("#")[0], params)
    webhook = Webhook(
        kind="webhook.status",
        url=callback,
        body=urlencode(params).encode(),
        headers={"Content-Type": FORM, "User-Agent": USER_AGENT, "X-Twilio-Signature": signature},
        request={"to": message.to, "from": message.sender, "message_status": step, "url": callback, "params": params},
        sid=message.sid,
    )
    copies, overrides = range(state.knobs.twilio.callback_copies), _overrides(callback)
    retries = min(int(overrides.get("rc", "1")), MOST_RETRIES) if overrides.get("rp") == "all" else 0
    await asyncio.gather(*(state.courier.insist(webhook, state.journal, retries=retries, wait=RETRY_WAIT) for _ in copies))


def _overrides(callback: str) -> dict[str, str]:
    """Return the connection overrides of a callback's fragment, which stays here and is not signed."""
    fragment = urlsplit(callback).fragment
    return {name: value for name, _, value in (each.partition("=") for each in fragment.split("&")) if name != "rc" or value.isdecimal()}


def _params(message: Message, step: str) -> dict[str, str]:
    """Return the form of a status callback."""
    params = {
        "MessageSid": message.sid,
        "SmsSid": message.sid,
        "MessageStatus": step,
        "SmsStatus": step,
        "AccountSid": message.account_sid,
        "From": message.sender,
        "To": message.to,
        "ApiVersion": API_VERSION,
    }
    if message.messaging_service_sid:
        params["MessagingServiceSid"] = message.messaging_service_sid
    if step in FAILED:
        params["ErrorCode"] = str(message.error_code or 30008)
    if step in DONE:
        params["RawDlrDoneDate"] = f"{datetime.now(UTC):%y%m%d%H%M}"
    return params
