"""A whole Bossline for one measurement: embedded server, sandbox, web, worker, with many users of its own."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

from tests.support.processes import WebProcess, WorkerProcess, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer

ACCOUNT: Final = "AC" + "1" * 32
TOKEN: Final = "bench-token"  # noqa: S105 - an example
BOSS: Final = "+15559876543"
USERS: Final = 2000


def phone(number: int) -> str:
    """The number of user `number`."""
    return f"+1555{2_000_000 + number:07d}"


class Installation:
    """Started on entry, ended on exit; `worker` is started only when asked for."""

    def __init__(self, *, worker: bool, **settings: str) -> None:
        self._settings = settings
        self._with_worker = worker
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
            self.server = stack.enter_context(EmbeddedServer(maxmemory_mb=2000))
            port = free_port()
            self.url = f"http://127.0.0.1:{port}"
            self.sandbox = stack.enter_context(
                SandboxProcess(SANDBOX_WEBHOOK_URL=self.url, TWILIO_ACCOUNT_SID=ACCOUNT, TWILIO_AUTH_TOKEN=TOKEN)
            )
            settings = self._env = self._environment(folder, port)
            self.web = stack.enter_context(WebProcess(settings))
            self.redis = self.server.client()
            stack.callback(self.redis.close)
            if self._with_worker:
                self.worker = stack.enter_context(WorkerProcess(settings, self.redis))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def _environment(self, folder: Path, port: int) -> dict[str, str]:
        users = folder / "users.toml"
        users.write_text("".join(f'[[users]]\nusername = "u{n}"\nphone = "{phone(n)}"\nboss_phone = "{BOSS}"\n' for n in range(USERS)))
        return {
            "REDIS_URL": self.server.url, "PORT": str(port), "BOSS_DATA_DIR": str(folder), "BOSS_USERS_FILE": str(users), "SANDBOX": "off",
            "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "SENDGRID_API_KEY": "SG.bench", "ANTHROPIC_API_KEY": "bench",
            "EMAIL_WEBHOOK_SECRET": "bench", "TWILIO_API_BASE_URL": self.sandbox.url, "SENDGRID_API_BASE_URL": self.sandbox.url,
            "ANTHROPIC_BASE_URL": self.sandbox.url, "SMS_SETTLE_SECONDS": "0", "SENDER_TURNS_PER_HOUR": "10000", **self._settings,
        }  # fmt: skip


def cpu_seconds(root: int) -> float:
    """User and system time of a process and all its descendants, in seconds (Linux's /proc)."""
    tick = os.sysconf("SC_CLK_TCK")
    children: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        times[int(entry.name)] = (int(fields[11]) + int(fields[12])) / tick
    total, todo = 0.0, [root]
    while todo:
        pid = todo.pop()
        total += times.get(pid, 0.0)
        todo += children.get(pid, [])
    return total
