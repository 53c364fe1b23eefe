"""`boss messages parked`, `retry` and `discard`: the messages that wait for an operator.

What an operator does stands in the ledger, with their login name.
"""

from __future__ import annotations

from typing import Final

import click

from boss.operator import login_name
from boss.session import Session, open_session
from boss.terminal.output import Command, Ending, age, emit_json, printable, remark
from shared.mailbox.calls.retry_requests import Result, RetryResult
from shared.operations import discards, messages, retries
from shared.operations.find import resolve
from shared.operations.messages import KEPT

NOT_SERVED: Final = 4
"""Exit status: no worker has served the request in time; it stays, and is served when one comes."""
_DONE: Final[dict[Result, str]] = {"retried": "is to be answered again", "answered": "was answered after all, nothing is repeated"}


@click.command(cls=Command, short_help="List the parked messages, and why.")
@click.option("--limit", type=click.IntRange(1, KEPT), metavar="N", default=20, show_default=True, help="At most N, the newest.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def parked(limit: int, *, as_json: bool) -> None:
    r"""List the messages that wait for you: age, reason, what it means, what helps.

    \b
    Retry one:    boss messages retry ID
    Give one up:  boss messages discard ID
    """
    with open_session() as session:
        rows = messages.parked(session.mailbox, session.people, limit)
    if as_json:
        emit_json(rows)
        return
    for row in rows:
        who = f"  {printable(row['who'])}" if row["who"] else ""
        click.echo(f"{row['id']}  {row['channel']:<5}  {age(row['age_seconds']):>6} old  {printable(row['reason'])}{who}")
        if row["why"]:
            click.echo(f"    {printable(row['why'])}")
        if row["helps"]:
            click.echo(f"    {printable(row['helps'])}")
    if not rows:
        remark("no message is parked")


@click.command(cls=Command, short_help="Have parked messages answered after all.")
@click.argument("message", metavar="[ID]", default="")
@click.option("--all-parked", is_flag=True, help="All that are parked, oldest first.")
def retry(message: str, *, all_parked: bool) -> None:
    """Have a parked message answered after all.

    A worker does it. If an attempt to send its reply has an unknown outcome, it
    asks the provider first: a reply that did arrive is recorded, and nothing
    is repeated. Else the message goes to the end of its conversation, with
    its age and counts at zero.

    The result is waited for, at most 10 seconds until a worker begins. The
    request stays until one comes, and is then served once.

    Exit status: 0 done, 1 not possible now, 4 requested and not served yet.
    """
    with open_session() as session:
        chosen = _chosen(session, message, all_parked=all_parked)
        failed, waiting = _retry(session, chosen)
    if failed:
        raise Ending(f"{failed} of {len(chosen)} could not be retried")
    if waiting:
        raise Ending(f"{waiting} of {len(chosen)} requested and not served yet; a worker serves them when one is there", NOT_SERVED)


def _chosen(session: Session, message: str, *, all_parked: bool) -> list[str]:
    if all_parked == bool(message):
        raise click.UsageError("name one message, or give --all-parked")
    if not all_parked:
        name = resolve(session.mailbox, message)
        retries.require_parked(session.mailbox, name)
        return [name]
    parked = session.mailbox.recent(KEPT, parked=True)[::-1]
    if not parked:
        remark("no message is parked")
    return parked


def _retry(session: Session, chosen: list[str]) -> tuple[int, int]:
    """Request and wait, saying what happens; how many could not be retried, and how many are not served yet."""
    failed = waiting = 0
    operations = retries.request(session.mailbox, chosen, by=login_name())
    if operations and not retries.workers_live(session.mailbox):
        remark(f"no worker lives; waiting {retries.PATIENCE_SECONDS:.0f} s for one")
    for message, found in retries.results(session.mailbox, operations):
        failed += bool(found.result) and found.result not in _DONE
        waiting += not found.result
        click.echo(f"{message}: {_said(found)}", err=found.result not in _DONE)
    return failed, waiting


def _said(found: RetryResult) -> str:
    if found.result in _DONE:
        return _DONE[found.result]
    sentences: dict[Result, str] = {
        "": "requested; " + ("a worker serves it and has not come to its end" if found.taken else "no worker has begun to serve it"),
        "not_parked": f"not retried, it is {found.detail}, not parked",
        "unknown": "not retried, it is gone, not parked",
        "too_early": f"not retried, not yet: the last attempt may still be under way: try again in {found.detail} s",
        "provider_away": f"not retried, its provider could not be asked: {found.detail}",
        "failed": f"not retried: {found.detail}; the workers' log says more",
    }
    return sentences[found.result]


@click.command(cls=Command, short_help="Give up a parked message.")
@click.argument("message", metavar="ID")
def discard(message: str) -> None:
    """Give up a parked message: it ends as ignored, and is never answered."""
    with open_session() as session:
        name = resolve(session.mailbox, message)
        retention_ms = session.settings.retention_ms
        discards.discard(session.mailbox, session.people, name, by=login_name(), retention_ms=retention_ms)
    click.echo(f"{name}: discarded")
