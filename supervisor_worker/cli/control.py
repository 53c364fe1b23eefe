"""`boss pause` and `boss resume`: the operator's hand on all sending.

While it is paused, messages are still accepted and do not age; nothing is claimed and nothing goes out.
"""

from __future__ import annotations

from typing import Final

import click

from shared.mailbox import calls
from shared.redaction import mask
from supervisor_worker.cli.opening import opened
from supervisor_worker.cli.output import Command, printable

MAX_REASON: Final = 200


@click.command(cls=Command)
@click.argument("reason", nargs=-1, required=True)
def pause(reason: tuple[str, ...]) -> None:
    """Pause all sending, and say why.

    Messages are still accepted and wait; their age stands still. Nothing is
    thought about and nothing goes out until `boss resume`. The REASON stands
    in the ledger, `boss doctor` and the console.
    """
    text = mask(printable(" ".join(reason)))[:MAX_REASON]
    with opened() as box:
        if box.mailbox.run(calls.pause(text)):
            click.echo(f"Sending is paused: {text}\nEnd it with: boss resume")
        else:
            click.echo(f"Sending was paused already: {printable(box.mailbox.paused())}")


@click.command(cls=Command)
def resume() -> None:
    """End a pause: waiting messages are answered, oldest first."""
    with opened() as box:
        ended = box.mailbox.run(calls.resume())
        click.echo("Sending is resumed." if ended else "Sending was not paused.")
