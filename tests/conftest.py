"""Fixtures for everybody: a real server, the sandbox, and an environment without the tester's own settings."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from redis import Redis

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.config.settings import Settings
from tests.support.effort import rounds
from tests.support.processes import ROOT, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer

# Thousands of tests are made, and live to the end: the default of 700 looks through them while there is nothing to be found.
gc.set_threshold(20_000, 20, 20)
OURS = ("PORT", "PUBLIC_URL", "ENVIRONMENT", *(name.upper() for name in Settings.model_fields))
PREFIXES = ("ANTHROPIC_", "TWILIO_", "SENDGRID_", "SANDBOX_", "HONCHO_")


hypothesis.settings.register_profile("thorough", max_examples=10_000, deadline=None)  # for `make fuzz`
# How long an example takes says how busy the machine is: no test fails for that.
hypothesis.settings.register_profile(
    "unhurried", max_examples=rounds(40), deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Forget the settings of the tester's shell: no test may reach a real account, or depend on one."""
    del config
    for name in list(os.environ):
        if name in OURS or name.startswith(PREFIXES):
            del os.environ[name]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A property is tried on many inputs: `make unit` leaves it to `make test` and `make fuzz`."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.many_inputs)


def pytest_collection_finish() -> None:
    """What was collected stays: the collector of garbage need not look through thousands of tests again and again."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_env_file_of_the_tester(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `.env` in the checkout is the tester's, not the test's."""
    if (ROOT / ".env").exists():
        monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """One Valkey for the whole run (per xdist worker). A test that kills or stops one makes its own."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def redis_url(server: EmbeddedServer) -> str:
    """The address of the server, emptied."""
    with server.client() as client:
        client.flushall()
        client.script_flush()
    return server.url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client of the emptied server; bytes are not decoded."""
    with Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture(scope="session")
def web_port() -> int:
    """The port of this run's web process: the sandbox posts its webhooks there."""
    return free_port()


@pytest.fixture(scope="session")
def _sandbox_process(web_port: int) -> Iterator[SandboxProcess]:
    credentials = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
    with SandboxProcess(SANDBOX_WEBHOOK_URL=f"http://127.0.0.1:{web_port}", **credentials) as running:
        yield running


@pytest.fixture
def sandbox(_sandbox_process: SandboxProcess) -> SandboxProcess:
    """The sandbox, with an empty journal and no faults."""
    _sandbox_process.reset()
    return _sandbox_process


@pytest.fixture
def settings_env(redis_url: str, sandbox: SandboxProcess, web_port: int, tmp_path: Path) -> dict[str, str]:
    """The settings of a process that works against this test's server and sandbox, with a short settling time."""
    return {
        "REDIS_URL": redis_url,
        "BOSS_DATA_DIR": str(tmp_path / "data"),
        "PORT": str(web_port),
        "SANDBOX": "on",
        "SANDBOX_PORT": str(sandbox.port),
        "SMS_SETTLE_SECONDS": "0.05",
        "LOG_FORMAT": "json",
    }
