"""The product's own processes, as an operator starts them: with an environment of their own, ended with the test."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from redis import Redis

from tests.support import fork_server
from tests.support.fork_server import Child, fork, spawn
from tests.support.wait import wait_for

ROOT: Final = fork_server.ROOT
LIBC: Final = fork_server.LIBC
KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TERM", "SSL_CERT_FILE", "PYTHONPATH")
START_SECONDS: Final = 90
"""Importing the SDKs alone takes two seconds; a machine may have six times as much to do as it can."""
WITH_SDKS: Final = {"worker", "bridge", "standby", "doctor", "messages"}
"""Commands that load the SDKs of the providers."""
OPENER: Final = build_opener(ProxyHandler({}))


def clean_environment(**settings: str) -> dict[str, str]:
    """An environment with nothing of the tester's own (no keys, no PORT, no REDIS_URL), plus `settings`."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "PYTHONUNBUFFERED": "1", "LOG_FORMAT": "json", **settings}


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    """Whether GET `url` is answered with 200 now."""
    try:
        with OPENER.open(url, timeout=2) as response:
            return bool(response.status == 200)
    except (HTTPError, URLError, OSError):
        return False


class BossProcess:
    """`boss COMMAND` as a child. Its working directory is empty, so no `.env` is read; its output goes to a file."""

    program: ClassVar[tuple[str, ...]] = ("boss.main",)
    """The module that is run, and what stands before the command."""
    forked: ClassVar[bool] = True
    """Whether it may be a fork (`fork_server`); else, and with a PYTHONPATH, it is a new interpreter."""

    def __init__(self, *command: str, settings: Mapping[str, str], directory: Path | None = None, network: Path | None = None) -> None:
        """Nothing runs yet. `settings` are the environment beside PATH and the like, `network` a host's of a `Room`."""
        self.command: tuple[str, ...] = command
        self.network = network
        self.settings = dict(settings)
        self._scratch = tempfile.TemporaryDirectory(prefix="boss-cwd-")
        self.directory = directory or Path(self._scratch.name)
        self._output = Path(self._scratch.name) / "output"
        self._process: Child | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._running().poll()

    @property
    def output(self) -> str:
        """Everything that it printed so far, in all its lives."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def start(self, **more: str) -> Self:
        """Start, with `more` settings changed; does not wait."""
        self.settings |= more
        module, *before = self.program
        with self._output.open("ab") as output:
            place: dict[str, Any] = {"env": clean_environment(**self.settings), "directory": self.directory, "output": output.fileno()}
            plain = self.settings.get("PYTHONPATH", str(ROOT)) == str(ROOT)  # another may hold what runs at an interpreter's start
            if self.forked and plain:
                kind = "worker" if {*self.command[:1]} & WITH_SDKS else "web"
                self._process = fork(kind, module, *before, *self.command, network=self.network, **place)
            else:
                assert self.network is None, "only a fork moves to a host"
                self._process = spawn([sys.executable, "-m", *self.program, *self.command], **place)
        return self

    def wait_for_output(self, text: str, seconds: float = 20) -> str:
        """Wait until `text` was printed and return all output; fails at once when the process ends without it."""
        wait_for(lambda: text in self.output or self._running().poll() is not None, seconds, f"{text!r} of {self.command}")
        if text not in self.output:
            raise AssertionError(f"{self.command} ended with {self.returncode}, never printed {text!r}:\n{self.output[-4000:]}")
        return self.output

    def wait(self, seconds: float = 10) -> int:
        """Wait for its end and return the exit status."""
        return self._running().wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself."""
        self._running().send_signal(number)

    def terminate(self, seconds: float = 10) -> int:
        """SIGTERM, and its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill9(self) -> None:
        """Kill the process and its children as the kernel would when memory runs out."""
        process = self._running()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        """Make sure that nothing of it is left."""
        if self._process:
            self.kill9()
        self._scratch.cleanup()

    def __enter__(self) -> Self:
        """Start unless it runs already."""
        return self if self._process else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        self.close()

    def _running(self) -> Child:
        if self._process is None:
            raise AssertionError(f"{self.command} was not started")
        return self._process


class WebProcess(BossProcess):
    """The web process, as `boss web` becomes it, on a free port; `start` returns when it answers."""

    program: ClassVar[tuple[str, ...]] = ("webhook_api",)

    def __init__(self, settings: Mapping[str, str], network: Path | None = None) -> None:
        """The port stays the same when it is started again."""
        port = settings.get("PORT") or str(free_port())
        super().__init__(settings={**settings, "PORT": port}, network=network)
        self.url = f"http://{settings.get('WEB_HOST') or '127.0.0.1'}:{port}"

    def start(self, **more: str) -> Self:
        """Start and wait for GET /livez."""
        super().start(**more)
        wait_for(lambda: answers(f"{self.url}/livez") or self.returncode is not None, START_SECONDS, f"{self.url}/livez")
        if self.returncode is not None:
            raise AssertionError(f"web ended with {self.returncode}:\n{self.output[-4000:]}")
        return self


class CrashingWeb(WebProcess):
    """A web process that dies where the plans in its CRASH_DIR say; see `crashes`."""

    program = ("tests.support.crashing_web",)

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Found from the repository, because its working directory is empty."""
        super().__init__({**settings, "PYTHONPATH": str(ROOT)})


class WorkerProcess(BossProcess):
    """`boss worker`; `start` returns when RQ knows it."""

    def __init__(self, settings: Mapping[str, str], redis: Redis, network: Path | None = None) -> None:
        """`redis` is a client of the server in `settings`; it shows when the worker is there."""
        super().__init__("worker", settings=settings, network=network)
        self._redis = redis

    def start(self, **more: str) -> Self:
        """Start and wait until it is registered."""
        super().start(**more)
        wait_for(lambda: self.registered() or self.returncode is not None, START_SECONDS, "the worker's registration")
        if self.returncode is not None:
            raise AssertionError(f"worker ended with {self.returncode}:\n{self.output[-4000:]}")
        return self

    def registered(self) -> bool:
        """Whether RQ's list of workers has this process."""
        keys = cast("set[bytes]", self._redis.smembers("rq:workers"))
        return any(cast("Any", self._redis.hget(key.decode(), "pid")) == str(self.pid).encode() for key in keys)


class Forwarder(BossProcess):
    """`tests.support.port_forward`; `start` returns when it listens."""

    program = ("tests.support.port_forward",)

    def __init__(self, listen: str, target: str, network: Path | None = None) -> None:
        """Both are HOST:PORT."""
        super().__init__(listen, target, settings={"PYTHONPATH": str(ROOT)}, network=network)

    def start(self, **more: str) -> Self:
        """Start and wait for its line."""
        super().start(**more)
        self.wait_for_output("forwarding ")
        return self
