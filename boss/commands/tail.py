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

from boss.terminal.ledger_line import describe
from boss.terminal.output import Command, emit_json, remark
from shared.config.loading import load_settings
from shared.mailbox import ledger
from shared.mailbox.ledger import Line
from shared.mailbox.wait_for_reply import follow_through
from shared.runtime import redis_url
from shared.storage import clients

SEQ: Final = re.compile(r"\d{1,19}(-\d{1,19})?")
MAX_LINES: Final = 10_000


@click.command(cls=Command, epilog=f"Types: {', '.join(sorted(ledger.TYPES))}.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, MAX_LINES),
    metavar="N",
    default=10,
    show_default=True,
    help="Begin with the last N lines; with --type, the last N of these types.",
)
@click.option(
    "--since",
    metavar="SEQ",
    default="",
    help="Begin after the line with this SEQ instead. A SEQ is a line's number in the ledger, such as 1763848800000-0: the field `seq` of "
    "--json. 0 shows all that is kept.",
)
@click.option(
    "--type", "types", metavar="TYPE", multiple=True, help="Only lines of this type, of those listed below; may be given several times."
)
@click.option("--follow/--no-follow", default=True, help="Go on as new lines come (the default), or end after the old ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with whole ids.")
def tail(lines: int, since: str, types: tuple[str, ...], *, follow: bool, as_json: bool) -> None:
    """Show the ledger: what happens to messages, live.

    Each line is a time, a type, ids and figures. An error's code is followed
    by its meaning, in brackets. Ids are cut to their beginning; give it to
    `boss messages find` as it is. Ctrl-C ends it.
    """
    if unknown := sorted(set(types) - ledger.TYPES):
        raise click.BadParameter(f"there is no {unknown[0]}; a type is one of {', '.join(sorted(ledger.TYPES))}", param_hint="--type")
    if since and not SEQ.fullmatch(since):
        raise click.BadParameter("a line's SEQ looks like 1763848800000-0", param_hint="--since")
    settings = load_settings()
    url = redis_url(settings)
    try:
        clients.wait_until_up(url, settings.startup_wait_seconds, remark)
        with clients.for_web(url) as redis:
            for line in _lines(redis, since or _start(redis, lines, types), follow=follow):
                _write(line, types, as_json=as_json)
    except KeyboardInterrupt:
        click.echo(err=True)
    except BrokenPipeError:
        _silence_stdout()


def _start(redis: Redis, lines: int, types: tuple[str, ...]) -> str:
    """The SEQ after which the newest `lines` lines stand, of these types where there are any."""
    if not lines:
        return ledger.last_seq(redis)
    newest = ledger.of_types(redis, types, lines) if types else ledger.latest(redis, lines)
    return ledger.before(newest[0].seq) if newest else ledger.last_seq(redis)


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
