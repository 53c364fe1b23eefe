"""`boss messages`: what became of each message, and what an operator may do about the parked ones."""

from __future__ import annotations

import time
from typing import Any, Final

import click

from boss.commands.parked import discard, parked, retry
from boss.commands.reconcile import reconcile
from boss.commands.tail import describe
from boss.message_view import KEPT, channel_of, resolve, summary, view
from boss.session import opened
from boss.terminal.output import Group, age, emit_json, local_time, printable, remark
from shared.mailbox import keys
from shared.mailbox.ledger import Line
from shared.model.codec import dumps

WIDTH: Final = 14
SHOWN_APART: Final = ("id", "state", "attempts", "maybe_sent", "maybe_duplicate")
STATE_COLOURS: Final = {"answered": "green", "parked": "red", "ignored": "yellow"}


@click.group(cls=Group)
def messages() -> None:
    """List and show messages; retry or discard those that are parked.

    An ID may be cut to any beginning that only one message has. Texts and
    addresses stay covered unless you ask for them with --body.
    """


@messages.command("list")
@click.option("--parked", is_flag=True, help="Only those that wait for an operator.")
@click.option("--limit", type=click.IntRange(1, KEPT), metavar="N", default=20, show_default=True, help="At most N, the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_messages(limit: int, *, parked: bool, as_json: bool) -> None:
    """List the newest messages, newest first."""
    with opened() as box:
        records = [record for name in box.mailbox.recent(limit, parked=parked) if (record := box.mailbox.message(name))]
        rows = [summary(record, channel_of(box.redis, record.id)) for record in records]
    if as_json:
        emit_json(rows)
        return
    for row in rows:
        click.echo(_row(row))
    if not rows:
        remark("no message is parked" if parked else "no message has arrived yet; try: boss simulate sms hello")


def _row(row: dict[str, Any]) -> str:
    state = click.style(f"{row['state']:<11}", fg=STATE_COLOURS.get(row["state"]))
    when, why = local_time(row["accepted_at_ms"], day=True), printable(row["reason"] or row["notice"])
    kind = row["kind"] if row["kind"] in ("notice", "bridge") else row["channel"]
    return f"{when}  {state} {kind:<6} {row['id']}  {why}".rstrip()


@messages.command(short_help="Show one message with its reply and timeline.")
@click.argument("message", metavar="ID")
@click.option("--body", is_flag=True, help="Show texts, subjects and addresses too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(message: str, *, body: bool, as_json: bool) -> None:
    """Show one message: its record, its reply with all attempts, its timeline."""
    with opened() as box:
        facts = view(box.mailbox, resolve(box.mailbox, message), body=body)
    if as_json:
        emit_json(facts)
        return
    for line in _shown(facts):
        click.echo(line)


def _shown(facts: dict[str, Any]) -> list[str]:
    """The facts as lines."""
    why = f" ({facts['reason'] or facts['notice']})" if facts["reason"] or facts["notice"] else ""
    received = facts["accepted_at_ms"]
    lines = [
        _fact("message", facts["id"]),
        _fact("state", facts["state"] + why),
        *([_fact("why", facts["why"])] if facts["why"] else []),
        _fact("channel", f"{facts['channel']}, {facts['kind']}"),
        _fact("conversation", facts["conversation"] or "none"),
        _fact("received", f"{local_time(received, day=True)} ({age(max(0.0, time.time() - received / 1000))} ago)"),
        _fact("trouble", f"{facts['errors']} errors, {facts['lost_leases']} lost leases" + _marks(facts)),
    ]
    lines += _facts_of(facts["content"]) if facts["content"] else [_fact("text", "not kept")]
    if reply := facts["reply"]:
        lines += ["", _fact("reply", f"{reply['id']}, {reply['state']}{_marks(reply)}")]
        lines += _facts_of({name: value for name, value in reply.items() if name not in SHOWN_APART})
        lines += [_fact("attempt", _attempt(each)) for each in reply["attempts"]]
    lines += ["", "timeline", *(f"  {describe(_line(each), day=True)}" for each in facts["timeline"])]
    return lines if facts["timeline"] else [*lines, "  no line is kept any more"]


def _fact(name: str, value: str) -> str:
    return f"{name:<{WIDTH}}" + printable(value, lines=True).replace("\n", "\n" + " " * WIDTH)


def _facts_of(facts: dict[str, Any]) -> list[str]:
    return [_fact(name.replace("_", " "), value if isinstance(value, str) else dumps(value)) for name, value in facts.items()]


def _marks(facts: dict[str, Any]) -> str:
    return "".join(f", {name.replace('_', ' ')}" for name in ("maybe_sent", "maybe_duplicate") if facts.get(name))


def _attempt(attempt: dict[str, Any]) -> str:
    more = " ".join(value for value in (attempt["provider_id"], attempt["code"], attempt["why"]) if value)
    return f"{attempt['id']}  {local_time(attempt['at_ms'], day=True)}  {attempt['outcome']} {more}".rstrip()


def _line(fields: dict[str, str]) -> Line:
    return Line(fields["seq"], fields["type"], {name: value for name, value in fields.items() if name not in ("seq", "type")})


@messages.command(short_help="List the last senders whom nobody answered, masked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def strangers(*, as_json: bool) -> None:
    """List the last senders who were not admitted: when, masked, and why.

    A number or address that is mistyped in the users file is found here: its
    user is a stranger. At most 200 are kept; of a flood the first hundred of
    an hour.
    """
    with opened() as box:
        found: Any = box.redis.zrevrange(keys.STRANGERS, 0, -1, withscores=True)
        rows = [_stranger(member.decode(), int(at)) for member, at in found]
    if as_json:
        emit_json(rows)
        return
    for row in rows:
        click.echo(f"{local_time(row['at_ms'], day=True)}  {row['channel']:<5}  {printable(row['who'])}  {row['reason']}")
    if not rows:
        remark("nobody was turned away")


def _stranger(member: str, at_ms: int) -> dict[str, Any]:
    """`channel reason sender to recipient`, as `accept.lua` writes it."""
    channel, reason, who = (*member.split(" ", 2), "", "")[:3]
    return {"at_ms": at_ms, "channel": channel, "reason": reason, "who": who}


for command in (parked, retry, discard, reconcile):
    messages.add_command(command)
