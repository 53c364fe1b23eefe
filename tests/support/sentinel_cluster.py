"""Three Valkeys and three Sentinels on loopback ports, as `deploy/` has them: one master, two replicas, and who watches them.

Sentinels write into their configuration, and Valkey's replicas theirs, so each has a directory of its own. The times are short;
what is otherwise in the shipped files is in force, the users among them.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from shared.storage import clients
from shared.storage.embedded import find_binary
from tests.support.fork_server import ROOT, die_with_parent
from tests.support.processes import free_port
from tests.support.wait import wait_for

DEPLOY: Final = ROOT / "deploy"
SERVICE: Final = "bossline"
SERVERS: Final = 3
START_SECONDS: Final = 20
PASSWORD: Final = "a-password-of-the-tests"
OPERATOR: Final = {"username": "operator", "password": PASSWORD}


class Node:
    """One server or Sentinel process, of a file of `deploy/`. `lines` take the place of the file's own of the same name."""

    def __init__(self, directory: Path, file: str, lines: list[str], *more: str) -> None:
        """`more` are the command's arguments after the configuration. Nothing runs yet."""
        directory.mkdir(parents=True)
        self.port = free_port()
        self.directory = directory
        self._configuration = directory / file
        own = [*lines, f"port {self.port}", f"dir {directory}", 'logfile ""']
        names = {line.split()[0] for line in own}
        kept = [line for line in (DEPLOY / file).read_text().splitlines() if line.partition(" ")[0] not in names]
        self._configuration.write_text("\n".join([*kept, *own, ""]))
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has printed."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> Self:
        """Start; does not wait."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [find_binary(), str(self._configuration), *self._more],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
        return self

    def kill9(self) -> None:
        """Crash; also when it stands still."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def freeze(self) -> None:
        """Stop answering without closing a connection."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again, if it does not."""
        if self._process and self._process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def client(self, **login: str) -> Iterator[Redis]:
        """A client of this very process, which asks once and for half a second; a server's operator unless told otherwise."""
        options: dict[str, Any] = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5, "retry": Retry(NoBackoff(), 0)}
        options |= login or ({} if self._more else OPERATOR)
        with Redis("127.0.0.1", self.port, protocol=2, **options) as client:
            yield client

    def says(self, *command: str) -> Any:
        """Its answer; None when there is none."""
        try:
            with self.client() as client:
                return cast("Any", client).execute_command(*command)
        except (RedisError, OSError):
            return None


class Followed:
    """A master and its one replica, which nobody watches: what a replica has, or has not, is the test's to say."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.directory = Path(tempfile.mkdtemp(prefix="boss-followed-"))
        lines = _server_lines(self.directory, "min-replicas-to-write 0")
        self.master = Node(self.directory / "master", "redis.conf", lines)
        self.replica = Node(self.directory / "replica", "redis.conf", [*lines, f"replicaof 127.0.0.1 {self.master.port}"])

    @property
    def url(self) -> str:
        """The master's."""
        return f"redis://bossline:{PASSWORD}@127.0.0.1:{self.master.port}"

    def __enter__(self) -> Self:
        """Start both, and wait until one has what the other has."""
        for node in (self.master, self.replica):
            node.start()
        wait_for(self._in_step, START_SECONDS, "a replica in step")
        return self

    def _in_step(self) -> bool:
        with self.master.client() as client:
            try:
                client.set("a", 1)
                return client.wait(1, 200) == 1
            except (RedisError, OSError):
                return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End both."""
        for node in (self.replica, self.master):
            node.kill9()
        shutil.rmtree(self.directory, ignore_errors=True)


def _server_lines(directory: Path, *more: str) -> list[str]:
    lines = ["bind 127.0.0.1", f"aclfile {users_file(directory)}", "masteruser replication", f"masterauth {PASSWORD}"]
    return [*lines, "repl-diskless-sync-delay 0", "maxmemory 256mb", *more]


def users_file(directory: Path) -> Path:
    """The shipped users, all with the one password of the tests."""
    path = directory / "users.acl"
    path.write_text(re.sub(r"PASSWORD-OF-\w+", PASSWORD, (DEPLOY / "users.acl").read_text()))
    return path


class SentinelCluster:
    """The six processes. `first` is the server that is the master at the start."""

    def __init__(self, *, down_after_ms: int = 700, failover_timeout_ms: int = 3000, server_lines: tuple[str, ...] = ()) -> None:
        """Nothing runs yet."""
        self.directory = Path(tempfile.mkdtemp(prefix="boss-watched-"))
        lines = _server_lines(self.directory, *server_lines)
        self.first = Node(self.directory / "server-0", "redis.conf", lines)
        followers = [*lines, f"replicaof 127.0.0.1 {self.first.port}"]
        self.servers = [self.first]
        self.servers += [Node(self.directory / f"server-{number}", "redis.conf", followers) for number in range(1, SERVERS)]
        self.sentinels = [self._sentinel(number, down_after_ms, failover_timeout_ms) for number in range(SERVERS)]

    def _sentinel(self, number: int, down_after_ms: int, failover_timeout_ms: int) -> Node:
        lines = [
            "bind 127.0.0.1",
            f"sentinel monitor {SERVICE} 127.0.0.1 {self.first.port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {down_after_ms}",
            f"sentinel failover-timeout {SERVICE} {failover_timeout_ms}",
            f"sentinel auth-user {SERVICE} sentinel",
            f"sentinel auth-pass {SERVICE} {PASSWORD}",
        ]
        return Node(self.directory / f"sentinel-{number}", "sentinel.conf", lines, "--sentinel")

    @property
    def url(self) -> str:
        """For REDIS_URL."""
        return self.url_of("bossline", ",".join(self.places))

    @property
    def places(self) -> list[str]:
        """The Sentinels'."""
        return [f"127.0.0.1:{node.port}" for node in self.sentinels]

    def url_of(self, user: str, places: str, service: str = SERVICE) -> str:
        """The address for another user, of other Sentinels, or of another service."""
        return f"redis+sentinel://{user}:{PASSWORD}@{places}/{service}"

    def start(self) -> Self:
        """Start all, and wait until the Sentinels know one another and the replicas."""
        for node in self.servers:
            node.start()
        wait_for(lambda: self.first.says("PING"), START_SECONDS, "the master")
        for node in self.sentinels:
            node.start()
        wait_for(self._complete, START_SECONDS, "Sentinels that know all")
        return self

    def _complete(self) -> bool:
        if not self.followed_by(self.first, SERVERS - 1):
            return False
        seen = [node.says("SENTINEL", "MASTER", SERVICE) for node in self.sentinels]
        states = [dict(zip(flat[::2], flat[1::2], strict=True)) if isinstance(flat, list) else flat for flat in seen]
        return all(
            state and (int(_field(state, "num-slaves")), int(_field(state, "num-other-sentinels"))) == (SERVERS - 1, SERVERS - 1)
            for state in states
        )

    @property
    def master(self) -> Node:
        """The server that most Sentinels call the master now."""
        named = [answer for node in self.sentinels if (answer := node.says("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE))]
        ports = [int(port) for _, port in named]
        port = max(ports, key=ports.count)
        return next(node for node in self.servers if node.port == port)

    def wait_for_another(self, than: Node, seconds: float = 30) -> Node:
        """Wait until a server other than this one is the master, and says so itself."""

        def other() -> Node | None:
            found = self.master
            return found if found is not than and self.role(found) == "master" else None

        return wait_for(other, seconds, "another master")

    def role(self, node: Node) -> str:
        """What a server says of itself; '' when it says nothing."""
        answer = node.says("ROLE")
        return cast("bytes", answer[0]).decode() if answer else ""

    def followed_by(self, node: Node, count: int = 1) -> bool:
        """Whether so many replicas follow a server."""
        answer = node.says("ROLE")
        return bool(answer and answer[0] == b"master" and len(answer[2]) >= count)

    def refused(self) -> list[str]:
        """What any of our users was refused, on any server that answers."""
        logs = [node.says("ACL", "LOG") or [] for node in self.servers]
        entries = [entry if isinstance(entry, dict) else dict(zip(entry[::2], entry[1::2], strict=True)) for log in logs for entry in log]
        return [str(entry) for entry in entries]

    def client(self) -> Redis:
        """A client of whoever is the master, as its operator: what a test looks at is not for Bossline's user. The caller closes it."""
        return clients.for_worker(self.url_of("operator", ",".join(self.places)))

    def kill9(self) -> None:
        """Crash the master."""
        self.master.kill9()

    stop = kill9

    def freeze(self) -> None:
        """Let the master stop answering."""
        self.master.freeze()

    def thaw(self) -> None:
        """Let all servers answer again."""
        for node in self.servers:
            node.thaw()

    def close(self) -> None:
        """End all and remove their files."""
        for node in (*self.sentinels, *self.servers):
            node.kill9()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """Start."""
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all."""
        self.close()


def _field(state: dict[Any, Any], name: str) -> str:
    value = state.get(name, state.get(name.encode()))
    return value.decode() if isinstance(value, bytes) else str(value)
