"""Processes wait for their server, refuse what they do not know, and the documented copy can be restored."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.mailbox import keys
from shared.model.codec import DATA_VERSION
from tests.support.processes import ROOT, BossProcess, answers, clean_environment, free_port
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A data directory and ports of the test's own."""
    return {
        "BOSS_DATA_DIR": str(tmp_path_factory.mktemp("d")),
        "PORT": str(free_port()),
        "SANDBOX_PORT": str(free_port()),
        "SHUTDOWN_GRACE_SECONDS": "1",
    }


@pytest.fixture
def own() -> Iterator[EmbeddedServer]:
    """A server that this test may stop."""
    with EmbeddedServer() as running:
        yield running


def test_a_server_that_comes_late_is_waited_for_by_the_worker_and_not_by_web(settings: dict[str, str]) -> None:
    """The worker says once that it waits and works as soon as the server is there; web is up meanwhile, and says what it lacks."""
    with BossProcess("web", settings=settings) as web, BossProcess("worker", settings=settings) as worker:
        worker.wait_for_output("waiting up to", 40)
        wait_for(lambda: answers(f"http://127.0.0.1:{settings['PORT']}/readyz"), 40, "the web process")
        assert "Redis is not there yet" in web.output
        with BossProcess("redis", settings=settings):
            worker.wait_for_output("worker ready", 20)
            assert worker.output.count("waiting up to") == 1
            assert worker.terminate() == 0
            assert web.terminate() == 0


def test_waiting_ends_with_one_message(settings: dict[str, str]) -> None:
    """After STARTUP_WAIT_SECONDS the process says what to look at and fails, without a traceback."""
    with BossProcess("worker", settings={**settings, "STARTUP_WAIT_SECONDS": "0.2"}) as process:
        assert process.wait(40) in (1, 2)
        assert "is `boss redis` running" in process.output
        assert "Traceback" not in process.output


@pytest.mark.parametrize("command", ["web", "worker"])
def test_data_newer_than_the_code_is_refused(command: str, own: EmbeddedServer, settings: dict[str, str]) -> None:
    """Both versions are named, and nothing is written."""
    with own.client() as client:
        client.set(keys.SCHEMA, DATA_VERSION + 1)
        with BossProcess(command, settings={**settings, "REDIS_URL": own.url}) as process:
            assert process.wait(40) == 2
            assert f"schema {DATA_VERSION + 1}" in process.output
            assert "Traceback" not in process.output
        assert client.keys("*") == [keys.SCHEMA.encode()]


def test_the_documented_copy_is_made_while_it_runs_and_can_be_restored(own: EmbeddedServer, tmp_path: Path) -> None:
    """The recipe of docs/howto/backup.md, as it stands there: what was acknowledged before the copy is in the copy."""
    text = (ROOT / "docs" / "howto" / "backup.md").read_text(encoding="utf-8")
    recipe = re.search(r"^\.venv/bin/python - backup <<'EOF'\n(.*?)^EOF$", text, re.MULTILINE | re.DOTALL)
    assert recipe
    (tmp_path / ".boss").symlink_to(own.directory)
    with own.client() as client:
        for number in range(200):
            client.rpush("written", number)
        subprocess.run(
            [sys.executable, "-", "backup"], input=recipe[1], text=True, cwd=tmp_path, env=clean_environment(), check=True, timeout=30
        )
        client.delete("written")
        rewriting = str(client.config_get("auto-aof-rewrite-percentage"))
    assert "100" in rewriting, "rewriting is switched on again"
    own.stop()
    data = own.directory / "redis" / "appendonlydir"
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "backup" / "appendonlydir", data)
    own.start()
    with Redis.from_url(own.url) as client:
        assert client.llen("written") == 200
