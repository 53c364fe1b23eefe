"""`boss redis`: the embedded server as a process of the Procfile, and what to do when its files are damaged.

honcho ends all processes when one ends. So under honcho this one stays, whatever becomes of the server: one that died is started
again, and one that cannot load its files is tried again when they have changed, which `boss redis --repair` does. The web process
keeps on disk meanwhile what comes in. Elsewhere it ends with a message, and whoever started it (systemd) starts it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import click

from boss.commands.processes import stand_aside
from shared.config.loading import load_settings
from shared.errors import ConfigurationError, StorageUnavailable
from shared.process.honcho import end_with_honcho, under_honcho
from shared.process.lifecycle import StopSignal, exit_now
from shared.runtime import socket_path
from shared.storage import append_only_file
from shared.storage.embedded import CannotLoad, Server, scratch, serve, snapshot_good

EXTRA_SECONDS: Final = 0.3
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 60.0
"""Between the end of a server and the next try, in seconds; sooner when its files have changed."""
TRIAL: Final = "trial.sock"
LOCK_SECONDS: Final = 5.0
LIVED_SECONDS: Final = 60.0
"""A server that lived so long is started again as after a first end."""
REPAIR: Final = "`boss redis --repair` looks for damage in its files, cuts them at the last good command, and keeps them as they were"


@click.command()
@click.option("--repair", "mend", is_flag=True, help="Cut a damaged file at its last good command, and keep it as it was beside it.")
def redis(*, mend: bool) -> None:
    """Run the embedded server until the last of the other processes has ended."""
    settings = load_settings()
    server = Server(settings.boss_data_dir.absolute() / "redis", socket_path(settings.boss_data_dir), settings.embedded_maxmemory_mb)
    if mend:
        if settings.redis_url:
            raise ConfigurationError("REDIS_URL is set: --repair is for the files of the embedded server")
        repair(server, click.echo)
        return
    end_with_honcho()
    stop = StopSignal()
    if settings.redis_url:
        stand_aside(stop, "redis stands aside: REDIS_URL is set")
    seconds = settings.shutdown_grace_seconds + EXTRA_SECONDS
    if under_honcho():
        keep(server, stop, seconds, click.echo)
    else:
        run(server, stop, seconds, click.echo)
    exit_now(0)


def run(server: Server, stop: Callable[[], bool], seconds: float, say: Callable[[str], None]) -> None:
    """One server, from its start to its end. Raises StorageUnavailable when it cannot load its files, or ends by itself."""
    try:
        server.start()
    except CannotLoad as error:
        raise CannotLoad(f"{error.detail}. {REPAIR}.") from None
    say(f"redis: the embedded server is up, its data is in {server.directory}")
    if serve(server, stop, seconds, say):
        status = server.returncode()
        server.stop()
        raise StorageUnavailable(f"the embedded server ended by itself with status {status}: see {server.directory}/valkey.log")
    say("redis: the embedded server has written everything and ended")


def keep(server: Server, stop: Callable[[], bool], seconds: float, say: Callable[[str], None]) -> None:
    """One server after another, until told to end. Raises ConfigurationError when the first cannot have its place."""
    pause, told, tried = FIRST_PAUSE_SECONDS, "", False
    while not stop():
        began, rest = time.monotonic(), 0.0
        try:
            run(server, stop, seconds, say)
        except ConfigurationError:
            if not tried:
                raise
            reason, pause = told, FIRST_PAUSE_SECONDS  # a repair has the files now
        except CannotLoad as error:  # files do not mend themselves; once they are mended, the next end of the server is its first
            reason, rest, pause = error.detail, MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS
        except StorageUnavailable as error:
            reason = error.detail
            pause = FIRST_PAUSE_SECONDS if time.monotonic() - began > LIVED_SECONDS else pause
        else:
            return
        tried = True
        if reason != told:
            say(f"redis: {reason}\nredis: until it is up, the web process keeps on disk what comes in")
        told = reason
        _rest(server.directory, rest or pause, stop)
        pause = pause if rest else min(MAX_PAUSE_SECONDS, 2 * pause)


def _rest(directory: Path, seconds: float, stop: Callable[[], bool]) -> None:
    """Wait, but not on once the files have changed and somebody who repaired them has let them go."""
    end, before = time.monotonic() + seconds, _looks(directory)
    while not stop() and time.monotonic() < end and _looks(directory) == before:
        time.sleep(0.2)


def _looks(directory: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the data's files."""
    try:
        found = [(path.name, path.stat()) for path in (directory / append_only_file.DIRECTORY).iterdir()]
    except OSError:  # there are none, or one has just been replaced
        return []
    return sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in found)


def repair(server: Server, say: Callable[[str], None]) -> None:
    """Cut what the server refuses to load, and try it. Raises StorageUnavailable for damage that cannot be cut, with nothing changed."""
    trial = replace(server, socket=server.socket.with_name(TRIAL))
    _wait_for_turn(server)
    before = _refusal(trial)
    if not before:
        say("redis: nothing to repair: the server loads its files")
        return
    _wait_for_turn(server)
    with server.owned():
        for line in _cut(server.directory / append_only_file.DIRECTORY, before):
            say(f"redis: {line}")
    try:
        after = _refusal(trial)
    except ConfigurationError:  # a `boss redis` that waited for this has them already, and says what it finds
        after = ""
    if after:
        raise CannotLoad(f"{after}. It was cut, and still does not load: put a copy back (docs/howto/backup.md)")
    say("redis: the server loads its files again; start it as usual. docs/howto/backup.md says what the lost part means")


def _wait_for_turn(server: Server) -> None:
    """Wait a moment for a `boss redis` that is just trying, and for a server left behind. Raises ConfigurationError when it is serving."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with server.owned():
                return
        except ConfigurationError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _refusal(trial: Server) -> str:
    """Why the server does not load its files, '' when it does. Nobody can reach it meanwhile, who would take it for the real one."""
    try:
        trial.start()
    except CannotLoad as error:
        return error.detail
    trial.stop()
    return ""


def _cut(directory: Path, refusal: str) -> list[str]:
    """Find the first damage and cut there; what was done, in sentences."""
    try:
        parts = append_only_file.parts(directory)
    except (append_only_file.UnreadableManifest, OSError):
        raise CannotLoad(
            f"{directory / append_only_file.MANIFEST}, which lists the files of the data, cannot be read: {_restore(directory)}"
        ) from None
    known = _known()
    for place, part in enumerate(parts):
        if not part.path.exists():
            raise CannotLoad(f"{part.path} is missing: {_restore(directory)}")
        if not part.commands:
            if not snapshot_good(part.path):
                what = "which holds everything up to the last rewrite, is damaged and cannot be cut"
                raise CannotLoad(f"{part.path}, {what}: {_restore(directory)}")
        elif found := append_only_file.damage(part, known):
            later = parts[place + 1 :]
            return _told(found, len(later), append_only_file.cut(found, later))
    raise CannotLoad(f"the files are not damaged; it does not start for another reason: {refusal}")


def _told(found: append_only_file.Damage, later: int, kept: list[Path]) -> list[str]:
    since = f", all of it after {datetime.fromtimestamp(found.last_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" if found.last_ms else ""
    lost = f"{found.size - found.good:,} bytes are lost{since}, with about {found.behind:,} commands that can still be read"
    lines = [
        f"{found.part.path.name} is damaged behind byte {found.good:,} of {found.size:,}: {found.reason}",
        f"cut there: {found.commands:,} commands are kept; {lost}",
    ]
    if later:
        lines.append(f"{later} later files are left out: they go on from what is lost")
    return [*lines, "as they were: " + ", ".join(str(path) for path in kept)]


def _restore(directory: Path) -> str:
    empty = "Bossline starts empty, and does not know any more what was answered, and who has opted out of mail"
    return f"put a copy of {directory} back (docs/howto/backup.md). Without one, end all processes and move the directory away: {empty}"


def _known() -> dict[bytes, int]:
    """The commands of the server's own kind."""
    with scratch() as client:
        table = cast("Any", client.command())
        return {name.upper().encode(): int(each["arity"]) for name, each in table.items()}
