"""`boss users`: what an operator may do about a person."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from redis import Redis
from redis.exceptions import RedisError

from boss.session import open_session
from boss.terminal.output import Ending, Group, printable, remark
from shared.config.settings import Settings
from shared.operations.erase import Erased, erase_files, erase_records
from shared.operations.export import export_person

REWRITE_SECONDS: Final = 60.0
OUT_OF_REACH: Final = (
    "the spool of other web hosts: run it there too, or wait until they have handed on what they keep",
    "copies of the data: backups, and replicas that are cut off",
    "what Twilio, SendGrid and Anthropic keep: ask them, or delete it in their consoles",
)
"""What may hold words of the user and is not in this command's reach."""


@click.group(cls=Group)
def users() -> None:
    """What an operator may do about a person of the users file."""


@users.command(short_help="Erase what is kept of a user.")
@click.argument("username", metavar="NAME")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def erase(username: str, *, yes: bool) -> None:
    """Erase what is kept of NAME: messages, replies, history, and what waits on this host's disk.

    What is being answered is broken off. Opt-outs stay, and the marks by
    which a second delivery is known. NAME need not be in the users file any
    more; while it is, what NAME writes afterwards is kept as before.
    """
    with open_session() as session:
        if not yes:
            click.confirm(f"Erase everything that is kept of {username}? It cannot be brought back", abort=True)
        entry, user = session.people.id_of(username), session.people.user_id(username)
        settings = session.settings
        request_ms = int((settings.send_timeout_seconds + settings.send_margin_seconds) * 1000)
        files = Erased()
        _files(settings, entry, files)  # first: the web process must not hand on what was found gone in Redis
        erased = erase_records(session.redis, entry=entry, user=user, request_ms=request_ms, waiting=_waiting)
        for line in _told(username, erased, files):
            click.echo(line)
        click.echo(_rewritten(session.redis, settings) if erased.conversations else "Nothing was in Redis.")
    click.echo("Out of reach from here:")
    for line in OUT_OF_REACH:
        click.echo(f"  {line}")
    if erased.left:
        raise Ending(f"{erased.left} records came in meanwhile; run it again")


@users.command(short_help="Write all that is kept of a user to an archive.")
@click.argument("username", metavar="NAME")
@click.option("--to", "path", metavar="FILE", type=click.Path(path_type=Path), help="The archive; by default NAME and the day, as .zip.")
def export(username: str, path: Path | None) -> None:
    """Write all that is kept of NAME to a zip archive: one JSON document, and the files that are still kept.

    Conversations with their answers, facts, lists, reminders, spending. The
    archive is readable by its owner alone, and nothing is written over. It
    holds texts and addresses: it is for the person whose they are.
    """
    with open_session() as session:
        path = path or Path(f"{re.sub(r'[^A-Za-z0-9_-]', '_', username)}-{datetime.now(UTC):%Y-%m-%d}.zip")
        try:
            found = export_person(session.redis, session.people, username, path)
        except FileExistsError:
            raise Ending(f"there is such a file already: {path}") from None
        except OSError as error:
            raise Ending(f"{path} cannot be written: {type(error).__name__}") from None
    click.echo(
        f"Exported of {username}: {found.messages} messages, {found.replies} replies, {found.conversations} conversations, "
        f"{found.facts} facts, {found.lists} lists, {found.reminders} reminders, {found.files} files."
    )
    for name in found.gone:
        click.echo(f"Not kept any more: {printable(name)}")
    click.echo(f"Written to {path}. It is not encrypted.")
    remark("not in it: what waits in the spools of web hosts, and what Twilio, SendGrid and Anthropic keep")


def _waiting(number: int) -> None:
    remark(f"waiting for {number} request(s) to a provider that are under way")


def _files(settings: Settings, entry: str, found: Erased) -> None:
    try:
        erase_files(settings.spool_dir, entry, found)
    except OSError as error:
        raise Ending(f"the spool cannot be read: {type(error).__name__}; nothing was erased") from None


def _told(username: str, erased: Erased, files: Erased) -> list[str]:
    lines = [
        f"Erased of {username}: {erased.messages} messages, {erased.turns} turns, {erased.replies} replies, {erased.reminders} reminders.",
        f"Conversations: {len(erased.conversations)}; leases broken: {erased.leases}.",
        f"Forgotten: {erased.remembered} facts and items of lists.",
        f"Erased on this host's disk: {files.files} waiting entries.",
    ]
    if files.unreadable:
        lines.append(f"{files.unreadable} files of the spool cannot be read and stayed; `boss doctor` says where they are.")
    return lines


def _rewritten(redis: Redis, settings: Settings) -> str:
    """Have the server write its file anew, for the old one still holds what was erased; what became of that."""
    if settings.redis_url.get_secret_value():
        return "The append-only file of your server may still hold it: run BGREWRITEAOF there, and mind its backups."
    try:
        redis.bgrewriteaof()
        end = time.monotonic() + REWRITE_SECONDS
        while time.monotonic() < end:
            state: Any = redis.info("persistence")
            if not state["aof_rewrite_in_progress"] and not state.get("aof_rewrite_scheduled"):
                done = state["aof_last_bgrewrite_status"] == "ok"
                return (
                    "The append-only file was written anew." if done else "The append-only file could not be written anew: see valkey.log."
                )
            time.sleep(0.1)
    except RedisError as error:
        return f"The append-only file was not written anew: {type(error).__name__}."
    return "The append-only file is still being written anew."
