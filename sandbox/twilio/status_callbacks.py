"""The statuses of a message that Twilio has accepted, each posted to its StatusCallback."""

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
    from sandbox.engine.state import SandboxState
    from sandbox.engine.twilio_message_log import TwilioMessage

FORM: Final = "application/x-www-form-urlencoded; charset=UTF-8"
USER_AGENT: Final = "TwilioProxy/1.1"
MAX_RETRIES: Final = 5
RETRY_WAIT_SECONDS: Final = 0.2
REPORTED: Final = frozenset({"delivered", "undelivered"})
"""Statuses that a carrier's delivery report brings."""
FAILED: Final = frozenset({"undelivered", "failed"})
DEFAULT_ERROR_CODE: Final = 30008
"""Unknown error."""


async def send_status_callbacks(state: SandboxState, message: TwilioMessage, callback: str) -> None:
    """Take a message through its statuses, and post each to the callback URL, if there is one."""
    faults = state.faults.twilio
    steps = _steps(faults.final_status)
    posting = bool(callback) and faults.status_callbacks
    if not posting or faults.callback_order == "in_order":
        for step in steps:
            await asyncio.sleep(faults.callback_delay_seconds)
            _set_status(message, step, faults.error_code)
            if posting:
                await _post(state, message, step, callback)
        return
    await asyncio.sleep(faults.callback_delay_seconds)
    # Out of order the message has its last status before the first callback, as after a delay on the way.
    message.set_status(steps[-1], faults.error_code if steps[-1] in FAILED else None)
    posted = steps[::-1] if faults.callback_order == "reversed" else random.sample(steps, len(steps))
    for step in posted:
        await _post(state, message, step, callback)


def _steps(final: str) -> list[str]:
    """The statuses up to the final one."""
    if final == "failed":
        return ["queued", "failed"]
    return ["queued", "sent"] if final == "sent" else ["queued", "sent", final]


def _set_status(message: TwilioMessage, step: str, error_code: int | None) -> None:
    message.set_status(step, (error_code or DEFAULT_ERROR_CODE) if step in FAILED else None)


async def _post(state: SandboxState, message: TwilioMessage, step: str, callback: str) -> None:
    """Post one status, in as many copies as `callback_copies` says. The URL's fragment is not signed."""
    params = _params(message, step)
    signature = twilio_signature(state.settings.auth_token, callback.partition("#")[0], params)
    webhook = Webhook(
        kind="webhook.status",
        url=callback,
        body=urlencode(params).encode(),
        headers={"Content-Type": FORM, "User-Agent": USER_AGENT, "X-Twilio-Signature": signature},
        fields={"to": message.to, "from": message.sender, "message_status": step, "url": callback, "params": params},
        sid=message.sid,
    )
    copies, retries = state.faults.twilio.callback_copies, retries_of(callback)
    await state.webhooks.post_copies(webhook, state.journal, copies=copies, retries=retries, retry_wait_seconds=RETRY_WAIT_SECONDS)


def retries_of(url: str) -> int:
    """How often a webhook is tried again, by the connection overrides in its fragment.

    https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. Only `rp=all` is played.
    """
    pairs = (each.partition("=") for each in urlsplit(url).fragment.split("&"))
    overrides = {name: value for name, _, value in pairs if name != "rc" or value.isdecimal()}
    return min(int(overrides.get("rc", "1")), MAX_RETRIES) if overrides.get("rp") == "all" else 0


def _params(message: TwilioMessage, step: str) -> dict[str, str]:
    """The form of a status callback."""
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
        params["ErrorCode"] = str(message.error_code or DEFAULT_ERROR_CODE)
    if step in REPORTED:
        params["RawDlrDoneDate"] = f"{datetime.now(UTC):%y%m%d%H%M}"
    return params
