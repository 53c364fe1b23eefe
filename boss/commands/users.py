"""`boss users`: what an operator may do about a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from redis import Redis

from boss.provider_deletion import TwilioDeletion
from boss.session import Session, open_session
from boss.terminal.output import Ending, Group, local_time, printable, remark
from shared.config.settings import Settings
from shared.mailbox import calls
from shared.operations.erase import Erased, ErasureRequest, erase_records
from shared.operations.erased_copies import Rewritten, clear_logs, rewrite_file
from shared.operations.erased_files import Dropped, ErasedOnDisk
from shared.operations.erased_texts import TextIds, of_others
from shared.operations.erasure_hosts import Host, behind_registry, known_host, unconfirmed, web_hosts
from shared.operations.export import export_person
from shared.operations.person_records import now_ms

CONFIRM_SECONDS: Final = 15.0
"""How long web hosts are waited for: each looks once a second, and confirms two seconds later."""
REWRITTEN: Final[dict[Rewritten, str]] = {
    "rewritten": "The append-only file was written anew.",
    "failed": "The append-only file could not be written anew: see valkey.log.",
    "refused": "The append-only file was not written anew: the server does not answer.",
    "under_way": "The append-only file is still being written anew.",
}
OUT_OF_REACH: Final = (
    "copies of the data: backups, and replicas that are cut off",
    "what SendGrid and Anthropic keep: ask them, or delete it in their consoles",
)
"""What may hold words of the user and is not in this command's reach."""
AT_TWILIO: Final = "what Twilio keeps: run it with --at-provider, or delete it in its console"
MOST_SHOWN: Final = 50


@click.group(cls=Group)
def users() -> None:
    """What an operator may do about a person of the users file."""


@users.command(short_help="Erase what is kept of a user.")
@click.argument("username", metavar="NAME")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@click.option("--at-provider", is_flag=True, help="Delete their texts, with what came along, at Twilio too.")
def erase(username: str, *, yes: bool, at_provider: bool) -> None:
    """Erase what is kept of NAME: messages, replies, memory, reminders, files, and what waits on web hosts' disks.

    What is being answered is broken off. Opt-outs stay, and the marks by
    which a second delivery is known. NAME need not be in the users file any
    more; while it is, what NAME writes afterwards is kept as before.
    With --at-provider, all texts between NAME's numbers and the Boss's are
    deleted at Twilio, but those that another person has here.
    """
    with open_session() as session:
        if not yes:
            click.confirm(f"Erase everything that is kept of {username}? It cannot be brought back", abort=True)
        texts = TextIds(session.redis)
        erased = erase_records(session.redis, _request(session, username), waiting=_waiting, seen=texts.add if at_provider else None)
        dropped = _on_this_disk(session, username, erased)
        for line in _told(username, erased, dropped):
            click.echo(line)
        copies = ("Nothing was in Redis.",) if erased.nothing else _copies(session.redis, session.settings)
        for line in (*_hosts(session, erased), *copies):
            click.echo(line)
        for line in _at_twilio(session, username, texts) if at_provider else ():
            click.echo(line)
    click.echo("Out of reach from here:")
    for line in (*OUT_OF_REACH, *(() if at_provider else (AT_TWILIO,))):
        click.echo(f"  {line}")
    if erased.left:
        raise Ending(f"{erased.left} keys are still there; run it again")


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
            found = export_person(session.redis, session.people, username, path, retention_ms=session.settings.retention_ms)
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


def _request(session: Session, username: str) -> ErasureRequest:
    people, settings = session.people, session.settings
    user = next((each for each in people.users if each.username == username), None)
    return ErasureRequest(
        people.whose(username),
        people.pairs(user) if user else (),
        people.masks(user) if user else (),
        int((settings.send_timeout_seconds + settings.send_margin_seconds) * 1000),
        settings.retention_ms,
    )


def _on_this_disk(session: Session, username: str, erased: Erased) -> Dropped:
    """What waits in this host's spool, whether its web process runs or not."""
    at_ms = dict.fromkeys([session.people.user_id(username), *erased.senders], erased.at_ms)
    look = ErasedOnDisk(session.settings.spool_dir, session.people.identities, at_ms, now_ms(session.redis))
    try:
        dropped = look.drop(lambda messages: session.mailbox.run(calls.mark_erased(messages)))
        if host := known_host(session.redis, session.settings.boss_data_dir):
            session.mailbox.run(calls.erasures(host.id, host.name, looked_ms=erased.at_ms, since_ms=erased.at_ms))
    except OSError as error:
        raise Ending(f"the spool cannot be read: {type(error).__name__}; what waits there was not erased") from None
    return dropped


def _told(username: str, erased: Erased, dropped: Dropped) -> list[str]:
    lines = [
        f"Erased of {username}: {erased.messages} messages, {erased.turns} turns, {erased.replies} replies, {erased.reminders} reminders.",
        f"Conversations: {len(erased.conversations)}; leases broken: {erased.leases}.",
        f"Forgotten: {erased.remembered} facts and items of lists.",
        f"Erased on this host's disk: {dropped.files} waiting entries.",
    ]
    if dropped.unreadable:
        lines.append(f"{dropped.unreadable} files of the spool cannot be read and stayed; `boss doctor` says where they are.")
    return lines


def _at_twilio(session: Session, username: str, texts: TextIds) -> Iterator[str]:
    """Delete their texts there, and tell what became of it."""
    settings, user = session.settings, session.people.user_id(username)
    if not all((settings.twilio_account_sid, *settings.twilio_login)):
        yield "Nothing was deleted at Twilio: there are no credentials."
        return
    entry = next((each for each in session.people.users if each.username == username), None)
    pairs = [(str(boss), str(own)) for boss, own in entry.all_ends("sms")] if entry else []
    done = TwilioDeletion(settings).delete(
        sorted(texts.found), pairs, lambda sids: of_others(session.redis, settings.twilio_account_sid, sids, user)
    )
    yield f"Deleted at Twilio: {done.messages} messages, {done.media} files."
    if done.fault:
        yield f"Twilio's list could not be read ({done.fault}): there may be more."
    if done.left:
        yield f"Not deleted at Twilio, to be deleted by hand: {' '.join(done.left[:MOST_SHOWN])}"
    if len(done.left) > MOST_SHOWN:
        yield f"  and {len(done.left) - MOST_SHOWN} more: run it again while the person has these numbers"


def _hosts(session: Session, erased: Erased) -> Iterator[str]:
    """What the web hosts have confirmed."""
    left = unconfirmed(session.redis, erased.at_ms, CONFIRM_SECONDS)
    if asked := len(web_hosts(session.redis)):
        yield f"Web hosts that have confirmed that nothing waits on their disks: {asked - len(left)} of {asked}."
    for host in left:
        yield f"Not confirmed: {_shown(host)}. What waits there is dropped when it looks next."
    for host in behind_registry(session.redis, CONFIRM_SECONDS):
        yield f"Not confirmed: {_shown(host)} has an older copy of the registry, which it replaces when it looks next."


def _shown(host: Host) -> str:
    return f"{printable(host.name)}, heard last at {local_time(host.seen_ms, day=True)}"


def _copies(redis: Redis, settings: Settings) -> Iterator[str]:
    """What the server holds beside its data."""
    if settings.redis_url.get_secret_value():
        yield "The append-only file of your server may still hold it: run BGREWRITEAOF there, and mind its backups."
    else:
        yield REWRITTEN[rewrite_file(redis)]
    if not clear_logs(redis):
        yield "The server's log of slow commands may hold words of it: run SLOWLOG RESET there, and COMMANDLOG RESET where it has one."
