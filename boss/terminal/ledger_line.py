"""A line of the ledger for the eye: local time, type in its colour, ids cut short, figures, and what a code means."""

from __future__ import annotations

from typing import Final

import click

from boss.terminal.output import local_time, printable, short
from shared.mailbox.ledger import Line
from shared.operations.explanations import why

TYPE_WIDTH: Final = 20
BAD: Final = frozenset(
    {
        "parked",
        "failed",
        "undelivered",
        "refused",
        "refused_by_provider",
        "paused",
        "lease_lost",
        "record_missing",
        "reconcile_failed",
        "retry_failed",
        "spend_stop",
        "month_stop",
        "untold",
    }
)
MIXED: Final = frozenset(
    {
        "ignored",
        "backoff",
        "no_answer",
        "looked_up",
        "not_found",
        "maybe_sent",
        "maybe_duplicate",
        "opted_out",
        "discarded",
        "notice",
        "spend_near",
        "reservation_exceeded",
    }
    | {"told_elsewhere"}
)
GOOD: Final = frozenset({"sent", "delivered", "answered", "resumed"})


def describe(line: Line, *, day: bool = False) -> str:
    """One line; control characters are taken out."""
    fields = " ".join(f"{name}={printable(short(value))}" for name, value in line.fields.items() if name != "v" and value != "")
    kind = click.style(f"{printable(line.type):<{TYPE_WIDTH}}", fg=_colour(line.type))
    meaning = why(line.type, line.fields)
    return f"{local_time(line.at_ms, day=day)}  {kind}  {printable(fields)}{f'  ({printable(meaning)})' if meaning else ''}".rstrip()


def _colour(kind: str) -> str | None:
    named = {"red": BAD, "yellow": MIXED, "green": GOOD}
    return next((colour for colour, kinds in named.items() if kind in kinds), None)
