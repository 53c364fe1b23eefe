"""`boss doctor` before anything runs, and what every command says of a file that cannot be read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from boss.checks import machine
from boss.checks.result import Finding, fail, not_checked, not_running, ok, warn
from boss.commands.doctor import told_once
from boss.main import COMMANDS, main
from shared.config.loading import load_settings
from shared.process.lifecycle import guarded
from webhook_api.__main__ import main as web_main

HERE = frozenset(("redis", "web", "bridge"))
DOWN = [
    *(not_running(fail(name, "no answer", "Start it.")) for name in ("redis", "web")),
    not_running(warn("bridge", "nobody listens", "")),
    *(not_running(not_checked(name, "Redis does not answer")) for name in ("clock", "workers", "queue")),
]
RUNS = ["setup", "redis", "standby", "bridge", "worker", "sandbox", "ready", "tail", "pause", "resume", "chat", "dashboard", "config show",
    "messages list", "messages parked", "messages reconcile", "check bridge", "simulate sms hello",
    "opt-in --user ada", "users erase ada", "mcp list", "approvals list", "spending", "send ada hello", "api token list"]  # fmt: skip


def names(findings: list[Finding]) -> list[str]:
    return [each.name for each in findings]


def test_where_nothing_runs_that_is_said_once() -> None:
    """One line with what to do in the place of all that follow from it; the others stay."""
    found = told_once([ok("python", "3.11"), *DOWN, warn("data", "little room", "")], HERE)
    assert names(found) == ["python", "data", "processes"]
    assert "bridge, redis, web" in found[-1].detail
    assert "make run" in found[-1].todo


@pytest.mark.parametrize("running", sorted(HERE))
def test_where_something_runs_every_line_is_told(running: str) -> None:
    """Something that should run and does not is no "nothing runs yet"."""
    findings = [ok(running, "answers"), *(each for each in DOWN if each.name != running)]
    assert told_once(findings, HERE) == findings


def test_a_redis_of_ones_own_keeps_its_line() -> None:
    """That REDIS_URL does not answer is another fault than processes that were not started."""
    assert names(told_once(DOWN, HERE - {"redis"})) == ["redis", "processes"]


def test_before_anything_runs_the_doctor_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh checkout: one failure."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"BOSS_DATA_DIR": str(tmp_path / "data"), "PORT": "1", "SUPERVISOR_PORT": "1", "SANDBOX_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["doctor"])
    lines = [line for line in result.output.splitlines() if line.startswith(("fail", "warn"))]
    assert (result.exit_code, [line.split()[:2] for line in lines]) == (1, [["fail", "processes"]])


@pytest.mark.parametrize("command", RUNS)
def test_every_command_says_in_one_line_that_a_file_cannot_be_read(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, and no error that nobody expected."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").mkdir()
    result = CliRunner().invoke(main, command.split())
    assert result.exit_code == 2
    assert result.output.splitlines() == ["boss: configuration: .env: .env is a directory; put a file in its place, or name another"]


def test_every_command_that_reads_settings_is_among_those() -> None:
    """The doctor and the web process have tests of their own."""
    assert set(COMMANDS) - {command.split()[0] for command in RUNS} == {"doctor", "web"}


def test_the_web_process_says_it_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """`boss web` becomes it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("no sign here\n")
    assert guarded(web_main) == 2
    assert capfd.readouterr().err == "boss: configuration: .env: line 1 is not of the form NAME=value; correct it, and close every quote\n"


def test_a_command_warns_of_a_name_that_sets_nothing_beside_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr; and not in each of honcho's processes, where `boss ready` has said it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("DAILY_TOKNES=5\n")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 0
    assert result.stderr == "boss: DAILY_TOKNES in .env sets nothing; did you mean DAILY_TOKENS?\n"
    assert "DAILY_TOKNES" not in result.stdout
    monkeypatch.setenv("HONCHO_PROCESS_NAME", "web.1")
    assert CliRunner().invoke(main, ["config", "show"]).stderr == ""
    assert [(each.name, each.status) for each in machine.env_file(tmp_path / ".env")][-1] == ("names", "warn")


def test_weak_secrets_are_told_where_messages_are_real(tmp_path: Path) -> None:
    """Production does not start with them; the sandbox needs none."""

    def found(**given: Any) -> list[Finding]:
        return machine.weak_secrets(load_settings(_env_file=None, boss_data_dir=tmp_path, **given))

    assert found(sandbox="on") == []
    (weak,) = found(sandbox="off", email_webhook_secret="a")
    assert weak.status == "warn"
    assert [name for name in ("EMAIL_WEBHOOK_SECRET", "SUPERVISOR_TOKEN") if name not in weak.detail] == []
    assert found(sandbox="off", supervisor_token=secrets.token_hex(16)) == []
    assert os.environ.get("EMAIL_WEBHOOK_SECRET") is None
