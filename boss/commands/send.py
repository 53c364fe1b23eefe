"""`boss send`: have the Boss write to a person."""

from __future__ import annotations

import sys
from typing import Final

import click

from boss.session import open_session
from boss.terminal.output import Command
from shared.model.channels import CHANNELS
from shared.operations import outgoing

STDIN: Final = "-"


@click.command(cls=Command)
@click.option("--subject", metavar="TEXT", default="", help="The subject of a mail; without one it is a text message.")
@click.option("--channel", type=click.Choice(list(CHANNELS)), default=None, help="By which channel; by default by --subject.")
@click.option("--urgent", is_flag=True, help="Also in quiet hours, and beyond twenty messages a day.")
@click.option("--hours", type=click.FloatRange(0.01, 700), default=24.0, show_default=True, help="After which it is not sent any more.")
@click.argument("username")
@click.argument("text")
def send(username: str, text: str, *, subject: str, channel: str | None, urgent: bool, hours: float) -> None:
    r"""Have the Boss write TEXT to USERNAME, as it stands; "-" reads it from the standard input.

    It is sent before everything that needs the model, and waits for no
    answer. An opt-out and a pause hold; quiet hours hold it back until they
    end. A text that takes more segments than SMS_MAX_SEGMENTS is refused.
    The model knows later that it was sent, as words of others.

    \b
        boss send anna "The door is open."
        boss send anna --subject "Backup" - < report.txt
    """
    words = sys.stdin.read(100_000) if text == STDIN else text
    with open_session() as session:
        message = outgoing.send(
            session.settings, session.mailbox, session.people, username, words, channel=channel or "", subject=subject, urgent=urgent,
            hours=hours,
        )  # fmt: skip
    click.echo(f"Taken in: {message.id}. What became of it: boss messages show {message.id}")
