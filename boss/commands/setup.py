"""`boss setup`: from keys to a Boss that people can write to. What it does is in `boss.setup`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from boss.setup.ask import whoever_answers
from boss.setup.dns_client import server_of
from boss.setup.private_files import only_one
from boss.setup.session import SetupOptions, SetupSession
from boss.terminal.output import Command

F = TypeVar("F", bound=Callable[..., Any])
VALUES: Final = (
    ("--public-url", "URL", "The https:// address under which the providers reach this machine."),
    ("--boss-phone", "NUMBER", "Which of the Twilio account's numbers is the Boss's."),
    ("--boss-email", "ADDRESS", "The Boss's mail address."),
    ("--username", "NAME", "The first person: the name by which the operator calls them."),
    ("--name", "NAME", "What the Boss calls them."),
    ("--phone", "NUMBER", "Their own number."),
    ("--email", "ADDRESS", "Their own mail address."),
    ("--timezone", "ZONE", "Their time zone, such as Europe/Berlin."),
)


def _values(command: F) -> F:
    """The options that answer a question; none of them is a key."""
    for option, metavar, help_text in reversed(VALUES):
        command = click.option(option, metavar=metavar, default="", help=help_text)(command)
    return command


def _servers(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    try:
        return tuple(server_of(each) for each in given)
    except ValueError:
        raise click.BadParameter("an address, such as 9.9.9.9 or 9.9.9.9:53") from None


@click.command(cls=Command)
@_values
@click.option(
    "--caddy", metavar="FILE", type=click.Path(path_type=Path), help="Write a Caddyfile: it passes on the webhooks, and nothing else."
)
@click.option("--systemd", metavar="DIRECTORY", type=click.Path(path_type=Path), help="Write systemd's unit there (/etc/systemd/system).")
@click.option("--run-as", metavar="USER", default="", help="As root: who will run the processes, and gets the files.")
@click.option("--dns-server", "dns_servers", metavar="ADDRESS", multiple=True, callback=_servers, help="Ask this server about DNS records.")
@click.option("--yes", is_flag=True, help="Do what is shown without asking. Somebody else's webhook is not replaced by it.")
@click.option("--show", is_flag=True, help="Show what would be done, and change nothing.")
@click.option("--undo", is_flag=True, help="Put back what stood before, and delete what was made.")
def setup(
    *,
    caddy: Path | None,
    systemd: Path | None,
    run_as: str,
    dns_servers: tuple[tuple[str, int], ...],
    yes: bool,
    show: bool,
    undo: bool,
    **values: str,
) -> None:
    r"""Set up the Boss in this directory, at Twilio and at SendGrid.

    Asks for the keys without showing them, writes .env and the first person,
    and points the webhooks here. SetupRun it again whenever something has changed,
    such as a tunnel's address: it shows what would be done, and does what is
    missing.

    \b
    boss setup
    boss setup --public-url https://boss.example.com --yes < answers
    boss setup --undo

    Where stdin is no terminal it has the answers, one NAME=value a line:
    ANTHROPIC_API_KEY, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN, SENDGRID_API_KEY
    (with Full Access; it makes one that may only send, and is not kept), and
    the options' names. REPLACE=host lets a webhook of that host be replaced.
    """
    given = {name.upper(): value for name, value in values.items() if value}
    options = SetupOptions(
        values=given, yes=yes, show=show, caddy=_whole(caddy), systemd=_whole(systemd), run_as=run_as, dns_servers=dns_servers
    )
    directory = Path()
    with only_one(directory):
        session = SetupSession(directory, options, whoever_answers())
        sys.exit(session.undo() if undo else session.set_up())


def _whole(path: Path | None) -> Path | None:
    return path.absolute() if path is not None else None
