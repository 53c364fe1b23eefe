"""`boss pause`, `boss resume` and `boss opt-in`: stop and start all sending, or one user's; lift an opt-out of mail."""

from __future__ import annotations

import time

import click

from boss import pause_view
from boss.operator import login_name
from boss.session import Session, open_session
from boss.terminal.output import Command, printable
from shared.observability.redaction import mask
from shared.operations import pauses
from shared.operations.pauses import MAX_REASON

_user_option = click.option("--user", "username", metavar="USERNAME", default="", help="One user's only; a USERNAME of the users file.")


@click.command(cls=Command)
@_user_option
@click.argument("reason", nargs=-1)
def pause(reason: tuple[str, ...], username: str) -> None:
    """Pause all sending, or one user's, and say why.

    Messages are still accepted and wait; their age stands still. Nothing is
    thought about and nothing goes out until `boss resume`. The REASON stands
    in the ledger and in `boss doctor`. Without one, this shows what is
    paused.

    Where a refused key has paused all sending by itself, one turn tries it
    again after a minute, then more and more rarely. A pause of yours takes
    the place of that one, and ends by `boss resume` alone.
    """
    text = mask(printable(" ".join(reason)))[:MAX_REASON]
    if username and not text:
        raise click.UsageError("say why: boss pause --user USERNAME REASON")
    with open_session() as session:
        if not text:
            click.echo("\n".join(_paused(session) or ["Nothing is paused."]))
            return
        new = pauses.pause(session.mailbox, session.people, text, by=login_name(), username=username)
        whom, option = (f" to {username}", f" --user {username}") if username else ("", "")
        if new:
            click.echo(f"Sending{whom} is paused: {text}\nEnd it with: boss resume{option}")
        elif username:
            click.echo(f"Sending{whom} was paused already; `boss pause` shows why.")
        else:
            click.echo(f"Sending was paused already: {printable(session.mailbox.paused())}")


@click.command(cls=Command)
@_user_option
def resume(username: str) -> None:
    """End a pause: waiting messages are answered, oldest first.

    A user's pause and the pause of all end each by itself.
    """
    with open_session() as session:
        ended = pauses.resume(session.mailbox, session.people, by=login_name(), username=username)
        whom = f" to {username}" if username else ""
        click.echo(f"Sending{whom} is resumed." if ended else f"Sending{whom} was not paused.")
        for line in _paused(session):
            click.echo(line)


@click.command(cls=Command)
@click.option("--user", "username", metavar="USERNAME", required=True, help="A USERNAME of the users file.")
def opt_in(username: str) -> None:
    """Send mail to a user again who had opted out of it.

    A mail is also opted out of by a click: "unsubscribe", or "this is spam".
    Ask the user first, and take their address off SendGrid's lists (Suppressions).
    An opt-out of texts is lifted by the user alone, who texts START.
    """
    with open_session() as session:
        new = pauses.opt_in(session.mailbox, session.people, username, by=login_name())
        click.echo(f"{username} gets mail again." if new else f"{username} had not opted out of mail.")


def _paused(session: Session) -> list[str]:
    """One line a pause."""
    return pause_view.describe(pauses.paused(session.mailbox, session.people), time.time())
