"""`boss messages reconcile`: the reconciler's look at Twilio's list, now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from boss.session import open_session
from boss.terminal.output import Command, Ending, emit_json, remark
from shared.mailbox import AsyncMailbox
from shared.runtime import Runtime, open_runtime, redis_url
from shared.storage.clients import for_loop

if TYPE_CHECKING:
    from supervisor_worker.reconciler.result import ReconcileResult


@click.command(cls=Command, short_help="Look for texts that no webhook brought.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the figures, and the word for a failure.")
def reconcile(*, as_json: bool) -> None:
    """Ask Twilio now for texts that no webhook brought, and take them.

    The workers do so every RECONCILE_MINUTES by themselves; their next look
    is put off by this one. Texts of the last RECONCILE_WINDOW_MINUTES are
    found, but for those of the last minute, which are left to the webhook.
    Answers whose status report did not come are asked about as well.

    Exit status: 0 when all was read, 1 otherwise.
    """
    with open_session() as session:
        runtime = open_runtime(session.settings, "worker", remark)
        try:
            found = asyncio.run(_look(runtime))
        finally:
            runtime.close()
    if as_json:
        emit_json(figures(found))
    else:
        click.echo(sentence(found))
    if found.failure:
        raise Ending(f"Twilio's list was not read to its end: {found.failure}")


async def _look(runtime: Runtime) -> ReconcileResult:
    from supervisor_worker.reconciler import has_account, reconcile_now  # noqa: PLC0415 - it loads the SDK, which takes a second

    if not has_account(runtime.settings):
        raise Ending("there is no Twilio account to ask: TWILIO_ACCOUNT_SID, or TWILIO_AUTH_TOKEN and an API key, are not set")
    redis = for_loop(redis_url(runtime.settings), connections=2)
    try:
        return await reconcile_now(runtime, AsyncMailbox(redis))
    finally:
        await redis.aclose()


def figures(found: ReconcileResult) -> dict[str, int | str]:
    """What was found, for a program."""
    names = ("numbers", "begun", "listed", "accepted", "ignored", "marked", "unread", "settled", "failure")
    return {name: getattr(found, name) for name in names}


def sentence(found: ReconcileResult) -> str:
    """What was found, for a person."""
    said = f"looked at {found.numbers} numbers with {found.listed} texts: {found.accepted} taken, {found.ignored} recorded and not answered"
    if found.marked:
        said += f"; {found.marked} may have been answered before"
    if found.unread:
        said += f"; {found.unread} numbers are not read to the end"
    if found.settled:
        said += f"; {found.settled} answers have their final state now"
    if found.begun:
        said += f"; {found.begun} numbers are looked at from now on"
    return said
