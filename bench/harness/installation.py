"""A complete Bossline for one measurement: embedded server, stub providers, web process and worker, with many users."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

from bench.harness.measure import RedisCounters, cpu_seconds, redis_counters
from bench.harness.processes import MeasuredProcess
from bench.harness.provider_client import ProviderProcess
from tests.support.processes import WebProcess, WorkerProcess, free_port
from tests.support.server import EmbeddedServer

ACCOUNT: Final = "AC" + "1" * 32
TOKEN: Final = "bench-token"  # noqa: S105 - an example
BOSS: Final = "+15559876543"
USERS: Final = 2000
MAXMEMORY_MB: Final = 6000


def phone(number: int) -> str:
    """The phone number of user `number`."""
    return f"+1555{2_000_000 + number % USERS:07d}"


class BenchEnvironment:
    """Valkey, the stub providers, and the settings that point Bossline to them; no process of Bossline. A context manager."""

    def __init__(self, **settings: str) -> None:
        self._more = settings

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(TemporaryDirectory(prefix="bench-")))
            self.server = stack.enter_context(EmbeddedServer(maxmemory_mb=MAXMEMORY_MB))
            self.providers = stack.enter_context(ProviderProcess())
            self.redis = self.server.client()
            stack.callback(self.redis.close)
            self.port = free_port()
            self.settings = self._settings()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def _settings(self) -> dict[str, str]:
        users = self.folder / "users.toml"
        users.write_text("".join(f'[[users]]\nusername = "u{n}"\nphone = "{phone(n)}"\nboss_phone = "{BOSS}"\n' for n in range(USERS)))
        return {
            "REDIS_URL": self.server.url, "PORT": str(self.port), "BOSS_DATA_DIR": str(self.folder), "BOSS_USERS_FILE": str(users),
            "TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "SENDGRID_API_KEY": "SG.bench", "ANTHROPIC_API_KEY": "bench",
            "EMAIL_WEBHOOK_SECRET": "bench", "SANDBOX": "off", "TWILIO_API_BASE_URL": self.providers.url,
            "SENDGRID_API_BASE_URL": self.providers.url, "ANTHROPIC_BASE_URL": self.providers.url,
            "SMS_SETTLE_SECONDS": "0", "SENDER_TURNS_PER_HOUR": "10000", "PAIR_TURNS_PER_DAY": "1000000", "MAIL_TURNS_PER_HOUR": "10000",
            "DAILY_TOKENS": "0", "DAILY_TURNS": "0",
            "BENCH_MARKS": self.providers.marks, **self._more,
        }  # fmt: skip

    def boss_process(self, command: str, **settings: str) -> MeasuredProcess:
        """One of Bossline's processes, not started."""
        return MeasuredProcess("-m", "boss.main", command, settings={**self.settings, **settings})


class BenchInstallation(BenchEnvironment):
    """The environment with Bossline's web process and, if `worker` says so, its worker. A context manager."""

    def __init__(self, *, worker: bool, **settings: str) -> None:
        super().__init__(**settings)
        self._with_worker = worker

    def __enter__(self) -> Self:
        super().__enter__()
        with self._stack as stack:
            self.web = stack.enter_context(WebProcess(self.settings))
            self.url = self.web.url
            if self._with_worker:
                self.worker = stack.enter_context(WorkerProcess(self.settings, self.redis))
            self._stack = stack.pop_all()
        return self

    def pids(self) -> dict[str, int]:
        """The processes that a message passes through, by name."""
        return {"web": self.web.pid, "worker": self.worker.pid, "Valkey": self.server.pid}

    def used(self) -> tuple[dict[str, float], RedisCounters]:
        """CPU seconds so far by process, and Valkey's counters."""
        return {name: cpu_seconds(pid) for name, pid in self.pids().items()}, redis_counters(self.redis)
