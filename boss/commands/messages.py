"""`boss messages`: what became of each message, how to find the one that somebody complains about, and what an operator may do."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Final

import click

from boss import message_view
from boss.commands.parked import discard, parked, retry
from boss.commands.reconcile import reconcile
from boss.session import Session, open_session
from boss.terminal.output import NOT_FOUND, Ending, Group, emit_json, local_time, printable, remark
from boss.terminal.times import time_options, window
from shared.operations.find import ALWAYS, Finder, resolve
from shared.operations.messages import KEPT, recent_strangers, summaries, view

FROM_INPUT: Final = "-"
PROMPT: Final = "Username, number, address or id"
_limit_option = click.option(
    "--limit", type=click.IntRange(1, KEPT), metavar="N", default=20, show_default=True, help="At most N, the newest."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON array.")
_summaries_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON array of summaries, without texts; all of one message: boss messages show ID --json."
)


@click.group(cls=Group)
def messages() -> None:
    """List, find and show messages; retry or discard those that are parked.

    An ID may be cut to a beginning, of three digits or more, that only one
    message has. Addresses are masked and texts are left out; `show` and `find`
    show both with --body.
    """


@messages.command("list", short_help="List the newest messages, and what became of each.")
@click.option("--parked", is_flag=True, help="Only those that wait for an operator.")
@time_options
@_limit_option
@_json_option
def list_messages(limit: int, at: str, since: str, *, parked: bool, as_json: bool) -> None:
    """List the newest messages, newest first: from whom, what became of each and of its reply, and why."""
    chosen = window(at, since)
    with open_session() as session:
        names = session.mailbox.recent(limit, parked=parked, since_ms=chosen.since_ms, until_ms=chosen.until_ms)
        rows = summaries(session.mailbox, session.people, names)
    if as_json:
        emit_json(rows)
        return
    for each in rows:
        click.echo(message_view.row(each))
    if not rows and chosen != ALWAYS:
        remark("no message came in that time")
    elif not rows:
        remark("no message is parked" if parked else "no message has arrived yet; try: boss simulate sms hello")


@messages.command(short_help="Find the messages of a person, or by any id of a provider or of the ledger.")
@click.argument("what", metavar="WHAT")
@time_options
@_limit_option
@click.option("--body", is_flag=True, help="Show texts, subjects and addresses too, of a single message; not with --json.")
@_summaries_option
def find(what: str, limit: int, at: str, since: str, *, body: bool, as_json: bool) -> None:
    r"""Find messages, newest first; of a single one show all that is known.

    WHAT is a username; a number or an address, whole or masked as it is shown
    here; Twilio's MessageSid or SendGrid's message id, of what came in or
    went out; a mail's Message-ID; or the id, as `boss tail` prints it, of a
    message, notice, reply, turn, attempt, conversation, sender or user (not
    of a pair), or an id's beginning of three digits or more. With - it is
    asked for, or read from stdin, so that it stands in no list of processes.

    \b
    boss messages find ada --at 21:10
    boss messages find -
    boss messages find SM0123456789abcdef0123456789abcdef

    Exit status: 0 found, 2 wrong usage, 3 nothing found.
    """
    if body and as_json:
        raise click.UsageError("--json gives summaries without texts; boss messages show ID --body --json gives a message with its texts")
    chosen = window(at, since)
    what = _asked() if what == FROM_INPUT else what
    with open_session() as session:
        finder = Finder(session.mailbox, session.people, session.settings.twilio_account_sid, limit, chosen)
        found = finder.find(what)
        if as_json:
            emit_json(summaries(session.mailbox, session.people, found))
        elif len(found) == 1:
            _show(session, found[0], body=body)
        else:
            for each in summaries(session.mailbox, session.people, found):
                click.echo(message_view.row(each))
        if not found:
            raise Ending(_nothing(session, finder, what), NOT_FOUND)


def _asked() -> str:
    return str(click.prompt(PROMPT, err=True)) if sys.stdin.isatty() else sys.stdin.readline()


def _nothing(session: Session, finder: Finder, what: str) -> str:
    """Why nothing was found: nothing is known of it at all, or not of that time."""
    others = [] if finder.window == ALWAYS else replace(finder, window=ALWAYS).find(what)
    if not others:
        return "no message is known of that; a text that no webhook brought is looked for by `boss messages reconcile`"
    (last,) = summaries(session.mailbox, session.people, others[:1])
    return f"no message of that came in that time; the last one came at {local_time(last['accepted_at_ms'], day=True)}"


@messages.command(short_help="Show one message with its reply and timeline.")
@click.argument("message", metavar="ID")
@click.option("--body", is_flag=True, help="Show texts, subjects and addresses too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(message: str, *, body: bool, as_json: bool) -> None:
    """Show one message: its record, its reply with all attempts, its timeline."""
    with open_session() as session:
        name = resolve(session.mailbox, message)
        if as_json:
            emit_json(view(session.mailbox, session.people, name, body=body))
        else:
            _show(session, name, body=body)


def _show(session: Session, message: str, *, body: bool) -> None:
    for line in message_view.lines(view(session.mailbox, session.people, message, body=body)):
        click.echo(line)


@messages.command(short_help="List the last senders whom nobody answered, masked.")
@_json_option
def strangers(*, as_json: bool) -> None:
    """List the last senders who were not admitted: when, masked, and why.

    A number or address that is mistyped in the users file is found here: its
    user is a stranger. At most 200 are kept; of a flood the first hundred of
    an hour. What they wrote is not kept. When else one of them wrote, and to
    whom: boss messages find MASKED.
    """
    with open_session() as session:
        rows = recent_strangers(session.redis)
    if as_json:
        emit_json(rows)
        return
    for each in rows:
        click.echo(f"{local_time(each['at_ms'], day=True)}  {each['channel']:<5}  {printable(each['who'])}  {each['reason']}")
    if not rows:
        remark("nobody was turned away")


for command in (parked, retry, discard, reconcile):
    messages.add_command(command)
