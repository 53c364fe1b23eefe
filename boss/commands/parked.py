"""`boss messages parked`, `retry` and `discard`: the messages that wait for an operator, and the operator's hand on them.

What an operator does stands in the ledger, with their login name.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import click

from boss.attempt_lookup import look_up
from boss.explanations import explained
from boss.message_view import KEPT, UNKNOWN, channel_of, resolve, summary
from boss.operator import login_name
from boss.session import Opened, opened
from boss.terminal.output import Command, Ending, age, emit_json, printable, remark
from shared.errors import BosslineError, ProviderError
from shared.mailbox import calls
from shared.mailbox import wake_queue as queue
from shared.mailbox.records import Message
from shared.model.addresses import Identities
from shared.runtime import identity_salt


@click.command(cls=Command, short_help="List the parked messages, and why.")
@click.option("--limit", type=click.IntRange(1, KEPT), metavar="N", default=20, show_default=True, help="At most N, the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def parked(limit: int, *, as_json: bool) -> None:
    r"""List the messages that wait for you: age, reason, what it means, what helps.

    \b
    Retry one:    boss messages retry ID
    Give one up:  boss messages discard ID
    """
    with opened() as box:
        now: Any = box.redis.time()
        records = [record for name in box.mailbox.recent(limit, parked=True) if (record := box.mailbox.message(name))]
        rows = [_row(record, channel_of(box.redis, record.id), now[0]) for record in records]
    if as_json:
        emit_json(rows)
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['channel']:<5}  {age(row['age_seconds']):>6} old  {printable(row['reason'])}")
        if row["why"]:
            click.echo(f"    {printable(row['why'])}")
        if row["helps"]:
            click.echo(f"    {printable(row['helps'])}")
    if not rows:
        remark("no message is parked")


def _row(record: Message, channel: str, now: int) -> dict[str, Any]:
    found, waited = explained("parked", record.reason), max(0, now - record.accepted_at // 1000)
    return {**summary(record, channel), "why": found.sentence, "helps": found.command.replace("ID", record.id), "age_seconds": waited}


@click.command(cls=Command, short_help="Have parked messages answered after all.")
@click.argument("message", metavar="[ID]", default="")
@click.option("--all-parked", is_flag=True, help="All that are parked, oldest first.")
def retry(message: str, *, all_parked: bool) -> None:
    """Have a parked message answered after all.

    If an attempt to send its reply has an unknown fate, the provider is asked
    first: a reply that did arrive is recorded, and nothing is repeated. Else
    the message goes to the end of its conversation, with its age and counts
    at zero.
    """
    with opened() as box:
        chosen = _chosen(box, message, all_parked=all_parked)
        failed = [name for name in chosen if not _retry(box, name)]
    if failed:
        raise Ending(f"{len(failed)} of {len(chosen)} could not be retried")


def _chosen(box: Opened, message: str, *, all_parked: bool) -> list[str]:
    if all_parked == bool(message):
        raise click.UsageError("name one message, or give --all-parked")
    if not all_parked:
        return [_parked(box, resolve(box.mailbox, message))]
    parked = box.mailbox.recent(KEPT, parked=True)[::-1]
    if not parked:
        remark("no message is parked")
    return parked


def _parked(box: Opened, message: str) -> str:
    record = box.mailbox.message(message)
    if record is None or record.state != "parked":
        raise Ending(f"{message} is {record.state.value if record else 'gone'}; only a parked message can be retried")
    return message


def _retry(box: Opened, message: str) -> bool:
    """Look up, put at the tail, wake; says what happened, False when it could not be done."""
    try:
        _look_up(box, message)
    except (BosslineError, TimeoutError) as error:
        said = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        where = "its provider could not be asked" if isinstance(error, ProviderError | TimeoutError) else "not yet"
        click.echo(f"{message}: not retried, {where}: {said}", err=True)
        return False
    user, pair, sender = _whose(box, message)
    call = calls.retry(message, f"o-{uuid.uuid4().hex}", by=login_name(), user=user, pair=pair, sender=sender)
    result = box.mailbox.run(call)
    if result.outcome == "done":
        box.mailbox.run(calls.enqueue([queue.job(result.conversation, result.channel)]))
        click.echo(f"{message}: is to be answered again")
        return True
    record = box.mailbox.message(message)
    if record and record.state == "answered":
        click.echo(f"{message}: was answered after all, nothing is repeated")
        return True
    click.echo(f"{message}: not retried, it is {record.state.value if record else 'gone'}, not parked", err=True)
    return False


def _whose(box: Opened, message: str) -> tuple[str, str, str]:
    """The ids of a message's user, pair and sender; all '' when its text is gone, and with it who wrote it."""
    record = box.mailbox.message(message)
    if record is None or record.event is None:
        return "", "", ""
    event, identities = record.event, Identities(identity_salt(box.redis))
    return identities.user(event.user), identities.pair(event.to, event.from_), identities.sender(event.from_)


def _look_up(box: Opened, message: str) -> None:
    """Clear up what can be cleared up of a parked message's reply."""
    record = box.mailbox.message(message)
    reply = box.mailbox.reply_of(record) if record and record.state == "parked" else None
    if reply and reply.unsure:
        remark(f"{message}: asking the provider about {len(reply.unsure)} attempt(s)")
        asyncio.run(look_up(box.settings, reply))


@click.command(cls=Command, short_help="Give up a parked message.")
@click.argument("message", metavar="ID")
def discard(message: str) -> None:
    """Give up a parked message: it ends as ignored, and is never answered."""
    with opened() as box:
        name = resolve(box.mailbox, message)
        retention_ms = box.settings.retention_ms
        by, (user, _, _) = login_name(), _whose(box, name)
        result = box.mailbox.run(calls.discard(name, f"o-{uuid.uuid4().hex}", retention_ms=retention_ms, by=by, user=user))
        if result.outcome == "unknown":
            raise Ending("there is no such message any more", UNKNOWN)
        if result.outcome == "not_parked":
            raise Ending(f"{name} is not parked; only a parked message can be discarded")
    click.echo(f"{name}: discarded")
