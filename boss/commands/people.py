"""`boss users`: the people whom the installation knows. What concerns their data (export, erase) is in `boss.commands.users`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from boss.commands.users import users
from boss.operator import login_name
from boss.session import Session, open_session
from boss.terminal.output import Command, emit_json, printable
from shared.model.users import User
from shared.observability.redaction import mask
from shared.operations import pauses
from shared.operations.registry import PersonView, RegistryEditor

__all__ = ["users"]
F = TypeVar("F", bound=Callable[..., Any])
SECONDS: Final = 5
_FIELDS: Final = (
    ("--name", "NAME", "What the Boss calls the person."),
    ("--phone", "NUMBER", "The person's number, E.164: where the Boss texts to."),
    ("--boss-phone", "NUMBER", "The Boss's number for this person."),
    ("--email", "ADDRESS", "The person's mail address: where the Boss mails to."),
    ("--boss-email", "ADDRESS", "The Boss's address for this person."),
    ("--timezone", "ZONE", "An IANA name, such as Europe/Berlin."),
    ("--language", "CODE", "Of our own sentences."),
    ("--role", "ROLE", "admin or member."),
    ("--about", "TEXT", "What the Boss is to know of the person, and how it is to be."),
    ("--boss-name", "NAME", "What the person calls the Boss."),
    ("--quiet-hours", "HH:MM-HH:MM", "When nothing rings that the Boss begins by itself."),
    ("--model", "NAME", "Another model for this person."),
    ("--effort", "LEVEL", "How much it thinks."),
)


def _fields(command: F) -> F:
    """The options by which an entry is written."""
    for option, metavar, help_text in reversed(_FIELDS):
        command = click.option(option, metavar=metavar, default=None, help=help_text)(command)
    command = click.option("--max-tokens", type=int, default=None, help="The longest answer.")(command)
    return click.option("--shared/--not-shared", default=None, help="Whether several people use it, such as a family's phone.")(command)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@users.command(cls=Command, short_help="Add somebody.")
@click.argument("username")
@_fields
@click.option("--same-person/--another-person", "returns", default=None, help="Whether it is who had that username before.")
def add(username: str, *, returns: bool | None, **fields: Any) -> None:
    r"""Add somebody under a USERNAME: they are answered within seconds, without a restart.

    \b
    boss users add bob --phone +15551234568 --boss-phone +15559876543
    boss users add bob --email bob@example.com --boss-email boss@example.com

    A person has a phone, a mail address, or both, each with the Boss's own.
    """
    with open_session() as session:
        _say(_editor(session).add(username, _given(fields), returns=returns), "added")


@users.command(cls=Command, short_help="Change somebody's entry.")
@click.argument("username")
@_fields
@click.option("--add-phone", "phones", metavar="NUMBER", multiple=True, help="A further number of theirs.")
@click.option("--add-email", "emails", metavar="ADDRESS", multiple=True, help="A further mail address of theirs.")
@click.option("--remove-phone", "gone_phones", metavar="NUMBER", multiple=True, help="A number that is no longer theirs.")
@click.option("--remove-email", "gone_emails", metavar="ADDRESS", multiple=True, help="A mail address that is no longer theirs.")
def edit(
    username: str,
    *,
    phones: tuple[str, ...],
    emails: tuple[str, ...],
    gone_phones: tuple[str, ...],
    gone_emails: tuple[str, ...],
    **fields: Any,
) -> None:
    """Change the entry of USERNAME; an empty value takes a field away.

    What the users file says is changed there; of somebody in the file this
    adds what the file leaves open. To an address that is removed nothing
    goes any more, also what waits for it.
    """
    added, removed = {"phone": phones, "email": emails}, {"phone": gone_phones, "email": gone_emails}
    if not (_given(fields) or any((*added.values(), *removed.values()))):
        raise click.UsageError("say what is to change: boss users edit --help")
    with open_session() as session:
        _say(_editor(session).edit(username, _given(fields), added, removed), "changed")


@users.command(cls=Command, short_help="Give somebody another username.")
@click.argument("username")
@click.argument("new")
def rename(username: str, new: str) -> None:
    """Call USERNAME by a NEW username. Conversations, facts, reminders and all else stay theirs.

    For somebody in the users file, change the name there as well.
    """
    with open_session() as session:
        _say(_editor(session).rename(username, new), "renamed")
        if any(user.username == username for user in _editor(session).state().declared):
            click.echo(f"Now write {new} for {username} in the users file: until then the old name holds.")


@users.command("list", cls=Command, short_help="Show everybody.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(*, as_json: bool) -> None:
    """Show everybody: by what channels they come, and where the entry stands."""
    with open_session() as session:
        found, faults = _editor(session).views()
    if as_json:
        emit_json({"users": found, "faults": list(faults)})
        return
    for line in _table(found):
        click.echo(line)
    for fault in faults:
        click.echo(click.style("! ", fg="yellow") + printable(fault))
    if not found:
        click.echo("Nobody. Add somebody with: boss users add --help")


@users.command(cls=Command, short_help="Show somebody's entry.")
@click.argument("username")
@click.option("--addresses", is_flag=True, help="Show numbers and addresses whole.")
def show(username: str, *, addresses: bool) -> None:
    """Show the entry of USERNAME; addresses are masked without --addresses."""
    with open_session() as session:
        user, view = _editor(session).person(username)
        user_id = session.people.identities.user(user.id)
    for name, value in _described(user, view, user_id, whole=addresses):
        click.echo(f"{name:14} {printable(value)}")


@users.command(cls=Command, short_help="Pause one user's sending.")
@click.argument("username")
@click.argument("reason", nargs=-1, required=True)
def pause(username: str, reason: tuple[str, ...]) -> None:
    """Pause sending to USERNAME and say why: what they write waits until `boss resume --user USERNAME`."""
    with open_session() as session:
        text = mask(printable(" ".join(reason)))[: pauses.MAX_REASON]
        new = pauses.pause(session.mailbox, session.people, text, by=login_name(), username=username)
    click.echo(f"Sending to {username} {'is paused' if new else 'was paused already'}. End it with: boss resume --user {username}")


@users.command(cls=Command, short_help="Take somebody out.")
@click.argument("username")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def remove(username: str, *, yes: bool) -> None:
    """Take USERNAME out: nothing goes to them any more, and they are strangers from now on.

    What is kept of them stays until `boss users erase`, or as long as
    RETENTION_DAYS says.
    """
    with open_session() as session:
        if not yes:
            click.confirm(f"Take {username} out?", abort=True)
        _editor(session).remove(username)
    click.echo(f"{username} is out. What is kept of them: `boss users export {username}`, `boss users erase {username}`.")


def _editor(session: Session) -> RegistryEditor:
    return RegistryEditor(session.settings, session.redis)


def _say(user: User, what: str) -> None:
    click.echo(f"{user.username} is {what}; every process knows it within {SECONDS} seconds.")


def _table(found: Iterable[PersonView]) -> Iterable[str]:
    for each in found:
        name = f"  {each['name']}" if each["name"] else ""
        yield printable(f"{each['username']:20} {each['role']:7} {'+'.join(each['channels']) or '-':10} {each['where']:9}{name}")


def _described(user: User, view: PersonView, user_id: str, *, whole: bool) -> Iterable[tuple[str, str]]:
    yield "username", user.username
    yield "id", user_id
    yield "stands in", {"file": "the users file", "registry": "the registry", "both": "the users file and the registry"}[view["where"]]
    for name in ("name", "timezone", "language", "role", "model", "effort", "boss_name", "about", "robots"):
        if value := getattr(user, name):
            yield name, str(value)
    if user.quiet_hours:
        yield "quiet_hours", "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in user.quiet_hours)
    for name in ("max_tokens", "shared", "bridge_only"):
        if value := getattr(user, name):
            yield name, "yes" if value is True else str(value)
    for name, addresses in (
        ("phone", (user.phone, *user.phone_aliases)), ("boss_phone", (user.boss_phone,)),
        ("email", (user.email, *user.email_aliases)), ("boss_email", (user.boss_email,)),
        ("forwarding", tuple(each.address for each in user.forwarding)),
    ):  # fmt: skip
        for address in addresses:
            if address is not None:
                yield name, str(address) if whole else address.masked()
