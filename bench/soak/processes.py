"""The processes of a soak: two web processes, two workers, bridge and standby, with the server and the providers' sandbox.

Web B stands for a second host: it has a data directory and a spool of its own, and a sandbox of its own posts its webhooks.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from bench.soak.options import SoakOptions
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from tests.support.bridge import BridgeProcess
from tests.support.installation import Installation
from tests.support.processes import BossProcess, WebProcess, WorkerProcess, free_port
from tests.support.sandbox import SandboxProcess

SERVER: Final = "redis"
SIGTERM_SECONDS: Final = 15.0
"""How long a process may take to end after SIGTERM."""


class SoakProcesses:
    """All processes, by name. A context manager."""

    def __init__(self, options: SoakOptions) -> None:
        """Nothing runs yet."""
        BossProcess.forked = False  # memory is measured as an operator's processes use it
        self.installation = Installation(times=options.times)
        self.by_name: dict[str, BossProcess] = {}
        self.away: set[str] = set()

    def __enter__(self) -> Self:
        """Start all processes."""
        with ExitStack() as stack:
            installation = stack.enter_context(self.installation)
            port = free_port()
            credentials = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
            self.sandbox_b = stack.enter_context(SandboxProcess(SANDBOX_WEBHOOK_URL=f"http://127.0.0.1:{port}", **credentials))
            bridge = BridgeProcess(installation.settings)
            self.bridge_url = bridge.url
            self.by_name = {
                "web a": installation.web,
                "web b": WebProcess({**installation.settings, "PORT": str(port), "BOSS_DATA_DIR": str(installation.directory / "data-b")}),
                "worker a": WorkerProcess(installation.settings, installation.redis),
                "worker b": WorkerProcess(installation.settings, installation.redis),
                "bridge": bridge,
                "standby": BossProcess("standby", settings=installation.settings),
            }
            for name, member in self.by_name.items():
                stack.callback(member.close)
                if name != "web a":
                    member.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all processes."""
        self._stack.__exit__(kind, error, trace)

    def kill(self, name: str) -> None:
        """Kill -9; it stays away until `start`."""
        self.away.add(name)
        if name == SERVER:
            self.installation.server.kill9()
        else:
            self.by_name[name].kill9()

    def end(self, name: str) -> int:
        """End a process with SIGTERM; return its exit status."""
        self.away.add(name)
        return self.by_name[name].terminate(SIGTERM_SECONDS)

    def freeze(self) -> None:
        """Suspend the server (SIGSTOP)."""
        self.installation.server.freeze()

    def thaw(self) -> None:
        """Resume the server."""
        self.installation.server.thaw()

    def start(self, name: str) -> None:
        """Start a process as a process manager does, and wait until it works. Raises AssertionError, with its output, if it fails."""
        self.away.discard(name)
        if name == SERVER:
            self.installation.server.start()
            return
        try:
            self.by_name[name].start()
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}\n{self.by_name[name].output[-2000:]}") from None

    def exited(self) -> dict[str, int]:
        """The processes that ended by themselves, with their exit statuses."""
        codes = {name: member.returncode for name, member in self.by_name.items() if name not in self.away}
        return {name: code for name, code in codes.items() if code is not None}

    def pids(self) -> dict[str, int]:
        """The process ids of all that are not away."""
        found = {name: member.pid for name, member in self.by_name.items() if name not in self.away}
        server = {SERVER: pid} if SERVER not in self.away and (pid := getattr(self.installation.server, "pid", None)) else {}
        return {**found, **server, "sandbox": self.installation.sandbox.pid}
