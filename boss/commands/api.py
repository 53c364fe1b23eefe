"""`boss api token`: who may have the Boss write by the API."""

from __future__ import annotations

import click

from boss.session import open_session
from boss.terminal.output import Command, local_time, printable
from shared.operations import api_tokens


@click.group()
def api() -> None:
    """The API, by which programs have the Boss write; off until there is a token."""


@api.group()
def token() -> None:
    """The tokens of the API."""


@token.command(cls=Command)
@click.option("--user", "usernames", metavar="USERNAME", multiple=True, help="Whom it may write to; may be given several times.")
@click.option("--everybody", is_flag=True, help="It may write to everybody, who will come as well.")
@click.option("--source", metavar="WORD", default="", help="What stands before its texts: [door] The door is open.")
@click.argument("name")
def add(name: str, usernames: tuple[str, ...], source: str, *, everybody: bool) -> None:
    """Make a token. It is shown once, and only its digest is kept."""
    if bool(usernames) == everybody:
        raise click.UsageError("say --user USERNAME, or --everybody")
    with open_session() as session:
        users = [session.people.named(each).id for each in usernames]
        _, secret = api_tokens.add(session.redis, name, users, source)
    click.echo(f"The token {name}, shown this once:\n\n    {secret}\n\nEvery web process knows it within two seconds.")


@token.command(name="list", cls=Command)
def list_tokens() -> None:
    """List the tokens, without what they are."""
    with open_session() as session:
        names = {user.id: user.username for user in session.people.users}
        for each in api_tokens.read(session.redis):
            whom = ", ".join(names.get(user, f"({user}, who has left)") for user in each.users) or "everybody"
            source = f"  [{printable(each.source)}]" if each.source else ""
            click.echo(f"{each.name}  since {local_time(each.created_ms, day=True)}  writes to {printable(whom)}{source}")


@token.command(cls=Command)
@click.argument("name")
def revoke(name: str) -> None:
    """Take a token away. What it has had written is sent all the same."""
    with open_session() as session:
        api_tokens.revoke(session.redis, name)
    click.echo(f"{name} opens nothing any more, within two seconds.")
