"""The processes of a soak: two webs, two workers, bridge and standby, with the server and the providers' sandbox beneath them.

Web B stands for a second host: it has a data directory and a spool of its own, and a courier of its own brings it its messages.
"""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from bench.soak.options import Options
from shared.config.settings import SANDBOX_CREDENTIALS
from tests.support.bridge import BridgeProcess
from tests.support.processes import BossProcess, WebProcess, WorkerProcess, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.whole import Whole

SERVER: Final = "redis"
TERM_SECONDS: Final = 15.0


class Cast:
    """All processes, by name. For `with`."""

    def __init__(self, options: Options) -> None:
        """Nothing runs yet."""
        BossProcess.forked = False  # memory is measured as an operator's processes use it
        self.whole = Whole(times=options.times)
        self.members: dict[str, BossProcess] = {}
        self.away: set[str] = set()

    def __enter__(self) -> Self:
        """Start everything."""
        with ExitStack() as stack:
            whole = stack.enter_context(self.whole)
            port = free_port()
            credentials = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
            self.courier = stack.enter_context(SandboxProcess(SANDBOX_WEBHOOK_URL=f"http://127.0.0.1:{port}", **credentials))
            bridge = BridgeProcess(whole.settings)
            self.bridge_url = bridge.url
            self.members = {
                "web a": whole.web,
                "web b": WebProcess({**whole.settings, "PORT": str(port), "BOSS_DATA_DIR": str(whole.directory / "data-b")}),
                "worker a": WorkerProcess(whole.settings, whole.redis),
                "worker b": WorkerProcess(whole.settings, whole.redis),
                "bridge": bridge,
                "standby": BossProcess("standby", settings=whole.settings),
            }
            for name, member in self.members.items():
                stack.callback(member.close)
                if name != "web a":
                    member.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything."""
        self._stack.__exit__(kind, error, trace)

    def kill(self, name: str) -> None:
        """Kill -9; it stays away until `start`."""
        self.away.add(name)
        if name == SERVER:
            self.whole.server.kill9()
        else:
            self.members[name].kill9()

    def end(self, name: str) -> int:
        """SIGTERM; its exit status."""
        self.away.add(name)
        return self.members[name].terminate(TERM_SECONDS)

    def freeze(self) -> None:
        """The server stands still."""
        self.whole.server.freeze()

    def thaw(self) -> None:
        """It goes on."""
        self.whole.server.thaw()

    def start(self, name: str) -> None:
        """What a process manager does; returns when it works. AssertionError, with its last words, when it does not come up."""
        self.away.discard(name)
        if name == SERVER:
            self.whole.server.start()
            return
        try:
            self.members[name].start()
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}\n{self.members[name].output[-2000:]}") from None

    def fallen(self) -> dict[str, int]:
        """Who ended without having been told to, with the exit status."""
        codes = {name: member.returncode for name, member in self.members.items() if name not in self.away}
        return {name: code for name, code in codes.items() if code is not None}

    def pids(self) -> dict[str, int]:
        """Whoever is there."""
        found = {name: member.pid for name, member in self.members.items() if name not in self.away}
        server = {SERVER: pid} if SERVER not in self.away and (pid := getattr(self.whole.server, "pid", None)) else {}
        return {**found, **server, "sandbox": self.whole.sandbox.pid}
