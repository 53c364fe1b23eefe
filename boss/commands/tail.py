"""`boss tail`: the ledger as it grows. Ids and figures only; the texts stay in the records (`boss messages show`)."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Iterator
from typing import Final

import click
from redis import Redis

from boss.explanations import why
from boss.terminal.output import Command, emit_json, local_time, printable, remark, short
from shared.config.loading import load_settings
from shared.mailbox import ledger
from shared.mailbox.ledger import Line
from shared.mailbox.wait_for_reply import follow_through
from shared.runtime import redis_url
from shared.storage import clients as connections

SEQ: Final = re.compile(r"\d{1,19}(-\d{1,19})?")
TYPE_WIDTH: Final = 20
MAX_LINES: Final = 10_000
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
        "spend_stop",
        "untold",
    }
)
MIXED: Final = frozenset(
    {"ignored", "backoff", "no_answer", "looked_up", "not_found", "maybe_sent", "maybe_duplicate", "opted_out", "discarded", "notice"}
    | {"told_elsewhere"}
)
GOOD: Final = frozenset({"sent", "delivered", "answered", "resumed"})


@click.command(cls=Command)
@click.option("--lines", "-n", type=click.IntRange(0, MAX_LINES), metavar="N", default=10, show_default=True, help="Begin N lines back.")
@click.option("--since", metavar="SEQ", default="", help="Begin after this line instead; 0 shows all that is kept. --json shows SEQs.")
@click.option("--type", "types", metavar="TYPE", multiple=True, help="Only lines of this type; may be given several times.")
@click.option("--follow/--no-follow", default=True, help="Go on as new lines come (the default), or end after the old ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with whole ids.")
def tail(lines: int, since: str, types: tuple[str, ...], *, follow: bool, as_json: bool) -> None:
    """Show the ledger: what happens to messages, live.

    Each line is a time, a type, and ids and figures, with what an error's code
    means after it. Ids are cut to their beginning, which `boss messages show` takes as it is. Ctrl-C ends it.
    """
    if since and not SEQ.fullmatch(since):
        raise click.BadParameter("a line's SEQ looks like 1763848800000-0", param_hint="--since")
    settings = load_settings()
    url = redis_url(settings)
    try:
        connections.wait_until_up(url, settings.startup_wait_seconds, remark)
        with connections.for_web(url) as redis:
            for line in _lines(redis, since or _start(redis, lines), follow=follow):
                _write(line, types, as_json=as_json)
    except KeyboardInterrupt:
        click.echo(err=True)
    except BrokenPipeError:
        _silence_stdout()


def _start(redis: Redis, lines: int) -> str:
    """The SEQ after which the newest `lines` lines stand."""
    newest = ledger.latest(redis, lines + 1)
    return newest[0].seq if len(newest) > lines else "0-0"


def _lines(redis: Redis, since: str, *, follow: bool) -> Iterator[Line | None]:
    source = follow_through(redis, since, remark)
    if follow:
        return source
    return iter(lambda: next(source), None)


def _write(line: Line | None, types: tuple[str, ...], *, as_json: bool) -> None:
    if line is None:
        _check_reader()
    elif not types or line.type in types:
        if as_json:
            emit_json({"seq": line.seq, "type": line.type, **line.fields})
        else:
            click.echo(describe(line))


def describe(line: Line, *, day: bool = False) -> str:
    """One line for the eye: local time, type, ids short, figures; control characters taken out."""
    fields = " ".join(f"{name}={printable(short(value))}" for name, value in line.fields.items() if name != "v" and value != "")
    kind = click.style(f"{printable(line.type):<{TYPE_WIDTH}}", fg=_colour(line.type))
    meaning = why(line.type, line.fields)
    return f"{local_time(line.at_ms, day=day)}  {kind}  {printable(fields)}{f'  ({printable(meaning)})' if meaning else ''}".rstrip()


def _colour(kind: str) -> str | None:
    named = {"red": BAD, "yellow": MIXED, "green": GOOD}
    return next((colour for colour, kinds in named.items() if kind in kinds), None)


def _check_reader() -> None:
    """While nothing is written nobody would notice that the reader of our pipe has gone."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    poll = select.poll()
    poll.register(descriptor, 0)
    if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
        raise BrokenPipeError


def _silence_stdout() -> None:
    """Let the interpreter flush into nothing at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
