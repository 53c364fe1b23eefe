"""`boss check bridge`: the bridge from end to end, as a program of yours would use it: connect, SMS, e-mail, ping, status.

Exit status: 0 when nothing fails (warnings included), 1 otherwise.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

import click

from boss.bridge_identity import Ends, client_of, ends_of, place_of, what_to_do
from boss.checks.result import Finding, fail, not_checked, ok, warn, worst
from boss.commands.doctor import line, summary
from boss.terminal.output import Command, Group, emit_json, printable
from bridge.client.client import State, SupervisorClient
from bridge.client.errors import BridgeError
from bridge.client.requests import Frame
from bridge.protocol.codes import ErrorCode, ServerFrame
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.model.addresses import Channel

CONNECT_SECONDS: Final = 5.0
PATIENCE: Final = click.FloatRange(0.1, 86_400)
MESSAGE: Final = "This is a check of the bridge. Please answer with one short sentence."
NAMES: Final = ("connect", "sms", "e-mail", "ping", "status")
Send = Callable[[Ends, float], Awaitable[Frame]]


@click.group(cls=Group)
def check() -> None:
    """Try the bridge from end to end."""


@check.command(cls=Command, short_help="Connect, text and mail the Boss, ping, show the status.")
@click.option("--as", "who", metavar="WHO", default="", help="Which user: an address or a name of the users file; else the first.")
@click.option("--wait", type=PATIENCE, default=10.0, metavar="SECONDS", show_default=True, help="For each reply.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the status, and each check with what to do.")
def bridge(*, who: str, wait: float, as_json: bool) -> None:
    """Connect to the bridge, text and mail the Boss, ping, and say how the connection is.

    The two messages are real ones: the Boss thinks about them, and they stay
    in the user's conversations. The replies come over the bridge alone.

    Exit status: 0 when nothing fails, 1 otherwise. A message that is
    accepted and not answered in time is a warning.
    """
    settings = load_settings()
    ends: dict[Channel, Ends | None] = {"sms": ends_of(settings, "sms", who), "email": ends_of(settings, "email", who)}
    findings = asyncio.run(_examine(settings, ends, wait))
    if as_json:
        checks = [{"check": each.name, "status": each.status, "detail": each.detail, "todo": each.todo} for each in findings]
        emit_json({"status": worst(findings), "checks": checks})
    else:
        for finding in findings:
            click.echo(line(finding))
        click.echo(summary(findings))
    sys.exit(worst(findings) == "fail")


async def _examine(settings: Settings, ends: dict[Channel, Ends | None], wait: float) -> list[Finding]:
    """The five findings, in order; without a connection the others are not checked."""
    client = client_of(settings)
    states: list[State] = []
    client.on_state = states.append
    try:
        first = await _connect(settings, client)
        if first.status == "fail":
            return [first, *(not_checked(name, "there is no connection") for name in NAMES[1:])]
        texts = await _message("sms", ends["sms"], wait, _texting(client))
        mails = await _message("e-mail", ends["email"], wait, _mailing(client))
        return [first, texts, mails, await _ping(client), _status(client, states)]
    finally:
        await client.disconnect()


async def _connect(settings: Settings, client: SupervisorClient) -> Finding:
    begun = time.monotonic()
    try:
        await client.connect(CONNECT_SECONDS)
    except BridgeError as error:
        return fail("connect", f"{place_of(settings)}: {error.detail}", what_to_do(error))
    return ok("connect", f"{place_of(settings)} took us after {_passed(begun)}")


def _texting(client: SupervisorClient) -> Send:
    async def send(ends: Ends, wait: float) -> Frame:
        return await client.send_sms_event(ends.sender, ends.boss, MESSAGE, ends.user, timeout=wait)

    return send


def _mailing(client: SupervisorClient) -> Send:
    async def send(ends: Ends, wait: float) -> Frame:
        own = f"<check-{uuid.uuid4()}@{ends.sender.rpartition('@')[2]}>"
        return await client.send_email_event(ends.sender, ends.boss, "A check", MESSAGE, ends.user, message_id=own, timeout=wait)

    return send


async def _message(name: str, ends: Ends | None, wait: float, send: Send) -> Finding:
    if ends is None:
        return not_checked(name, "no user has an address for it")
    begun = time.monotonic()
    try:
        frame = await send(ends, wait)
    except BridgeError as error:
        if error.code == ErrorCode.NOTHING_TO_SAY:
            return ok(name, f"heard after {_passed(begun)}: nothing to say to it")
        return fail(name, f"not taken: {printable(error.code)} after {_passed(begun)}", "`boss doctor` looks for the reason.")
    if frame.get("type") == ServerFrame.ACKNOWLEDGED:
        return warn(name, f"acknowledged, but not answered within {wait:g} s", "Does a worker run? `boss doctor` looks for the reason.")
    return ok(name, f"answered after {_passed(begun)}")


async def _ping(client: SupervisorClient) -> Finding:
    try:
        return ok("ping", f"pong after {await client.ping() * 1000:.1f} ms")
    except BridgeError as error:
        return fail("ping", str(error), "See the bridge's log.")


def _status(client: SupervisorClient, states: list[State]) -> Finding:
    lost = states.count(State.LOST)
    if not client.is_ready():
        return fail("status", "the connection is lost", "See the bridge's log.")
    if lost:
        return warn("status", f"ready, after {lost} lost connections", "See the bridge's log.")
    return ok("status", "ready")


def _passed(begun: float) -> str:
    return f"{time.monotonic() - begun:.1f} s"
