"""`boss pause`, `boss resume` and `boss opt-in`: the operator's hand on all sending, or on one user's.

While it is paused, messages are still accepted and do not age; nothing is claimed and nothing goes out.
"""

from __future__ import annotations

import time
from typing import Final

import click

from boss.operator import login_name
from boss.pause_view import described, names
from boss.session import Opened, opened
from boss.terminal.output import Command, Ending, printable
from shared.mailbox import calls
from shared.model import users as users_file
from shared.model.addresses import Identities
from shared.model.users import User
from shared.observability.redaction import mask
from shared.runtime import identity_salt

MAX_REASON: Final = 200
_user_option = click.option("--user", "username", metavar="USERNAME", default="", help="One user's only; a USERNAME of the users file.")


@click.command(cls=Command)
@_user_option
@click.argument("reason", nargs=-1)
def pause(reason: tuple[str, ...], username: str) -> None:
    """Pause all sending, or one user's, and say why.

    Messages are still accepted and wait; their age stands still. Nothing is
    thought about and nothing goes out until `boss resume`. The REASON stands
    in the ledger, `boss doctor` and the console. Without one, this shows what
    is paused.

    Where a refused key has paused all sending by itself, one turn tries it
    again after a minute, then more and more rarely. A pause of yours takes
    the place of that one, and ends by `boss resume` alone.
    """
    text = mask(printable(" ".join(reason)))[:MAX_REASON]
    if username and not text:
        raise click.UsageError("say why: boss pause --user USERNAME REASON")
    with opened() as box:
        if not text:
            click.echo("\n".join(_shown(box)))
        elif username:
            _pause_user(box, username, text)
        elif box.mailbox.run(calls.pause(text, by=login_name())):
            click.echo(f"Sending is paused: {text}\nEnd it with: boss resume")
        else:
            click.echo(f"Sending was paused already: {printable(box.mailbox.paused())}")


def _pause_user(box: Opened, username: str, text: str) -> None:
    user = _named(box, username)
    identities = Identities(identity_salt(box.redis))
    call = calls.pause(text, by=login_name(), user=identities.user(username), pairs=_pairs(user, identities))
    if box.mailbox.run(call):
        click.echo(f"Sending to {username} is paused: {text}\nEnd it with: boss resume --user {username}")
    else:
        click.echo(f"Sending to {username} was paused already; `boss pause` shows why.")


def _named(box: Opened, username: str) -> User:
    user = users_file.load(box.settings.boss_users_file).named(username)
    if user is None:
        raise click.BadParameter("no user of the users file has this name", param_hint="--user")
    return user


def _pairs(user: User, identities: Identities) -> list[str]:
    """Both of a user's ways to their Boss; a bridge's messages count to one of them."""
    ends = ((user.boss_phone, user.phone), (user.boss_email, user.email))
    return [identities.pair(boss, own) for boss, own in ends if boss and own]


@click.command(cls=Command)
@_user_option
def resume(username: str) -> None:
    """End a pause: waiting messages are answered, oldest first.

    A user's pause and the pause of all end each by itself.
    """
    with opened() as box:
        user = Identities(identity_salt(box.redis)).user(username) if username else ""
        ended = box.mailbox.run(calls.resume(by=login_name(), user=user))
        whom = f" to {username}" if username else ""
        click.echo(f"Sending{whom} is resumed." if ended else f"Sending{whom} was not paused.")
        for line in _shown(box, none=""):
            click.echo(line)


@click.command(cls=Command)
@click.option("--user", "username", metavar="USERNAME", required=True, help="A USERNAME of the users file.")
def opt_in(username: str) -> None:
    """Send mail to a user again who had opted out of it.

    A mail is also opted out of by a click: "unsubscribe", or "this is spam".
    Ask the user first, and take their address off SendGrid's lists (Suppressions).
    An opt-out of texts is lifted by the user alone, who texts START.
    """
    with opened() as box:
        user = _named(box, username)
        if user.email is None or user.boss_email is None:
            raise Ending(f"{username} has no mail address in the users file")
        pair = Identities(identity_salt(box.redis)).pair(user.boss_email, user.email)
        new = box.mailbox.run(calls.opt_out(pair, out=False, by=login_name()))
        click.echo(f"{username} gets mail again." if new else f"{username} had not opted out of mail.")


def _shown(box: Opened, none: str = "Nothing is paused.") -> list[str]:
    """One line a pause."""
    lines = described(box.mailbox.pauses(), names(box.settings, Identities(identity_salt(box.redis))), time.time())
    return lines or [none][: bool(none)]
