"""`boss` answers quickly, says what is wrong in one message, and keeps the two processes apart."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from boss.commands.ready import curl_line
from boss.main import COMMANDS, main
from shared.errors import ConfigurationError
from shared.mailbox.ledger import TYPES
from shared.process.lifecycle import guarded
from shared.process.ports import bossline, describe_listener, require_free_port
from tests.support.processes import ROOT, clean_environment

HEAVY = ("anthropic", "twilio", "sendgrid", "flask", "aiohttp", "webhook_api")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_exists(name: str) -> None:
    """What `boss --help` lists can be called, and says the same of itself."""
    assert find_spec("boss.commands." + COMMANDS[name][0].partition(":")[0]) is not None
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("words", [("simulate", "sms"), ("simulate", "email"), ("dashboard",)])
def test_examples_in_a_help_text_keep_their_lines(words: tuple[str, ...]) -> None:
    """Each example can be copied from a line of its own, and the mark for that is not shown."""
    output = CliRunner().invoke(main, [*words, "--help"]).output
    assert "\\b" not in output
    assert "\n    boss simulate" in output or "\n    ssh -L" in output


def test_help_names_every_command_and_loads_none() -> None:
    """The list costs no SDK; `boss web` and `boss redis` load none either."""
    code = f"""
import sys
from click.testing import CliRunner
from boss.main import main
for arguments in (["--help"], ["web", "--help"], ["redis", "--help"]):
    assert CliRunner().invoke(main, arguments).exit_code == 0
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environment(), cwd=ROOT, check=True)
    assert found.stdout.strip() == "[]"


def test_help_lists_every_command_in_its_section_and_every_type_of_line() -> None:
    """A newcomer's commands come first, and the types that `boss tail` takes are shown before one is wrong."""
    listed = CliRunner().invoke(main, ["--help"]).output
    assert [line.split()[0] for line in listed.splitlines() if line[:2] == "  " and line[2:].split()[0] in COMMANDS] == list(COMMANDS)
    assert listed.index("simulate") < listed.index("worker")
    types = CliRunner().invoke(main, ["tail", "--help"]).output
    assert all(kind in types for kind in TYPES)


def test_no_line_of_a_list_of_commands_is_cut_short() -> None:
    """A sentence that ends in dots tells a newcomer nothing."""
    for words in ([], ["messages"], ["check"], ["simulate"], ["config"], ["users"]):
        assert "..." not in CliRunner().invoke(main, [*words, "--help"]).output.partition("Commands:")[2], words


def test_an_unknown_command_is_refused() -> None:
    """A typo is told, with exit status 2."""
    result = CliRunner().invoke(main, ["nonsense"])
    assert result.exit_code == 2
    assert "nonsense" in result.output


def test_wrong_settings_are_one_message_and_exit_status_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All faults at once, no traceback, no value."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "99999999")
    monkeypatch.setenv("REDIS_URL", "http://secret-host")
    result = CliRunner().invoke(main, ["worker"])
    assert result.exit_code == 2
    assert "PORT" in result.output
    assert "Traceback" not in result.output
    assert "secret-host" not in result.output


def test_settings_are_shown_without_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`boss config show` may be pasted into a report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-very-secret")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 0
    assert "ANTHROPIC_API_KEY=(set)" in result.output
    assert "very-secret" not in result.output


def test_an_error_of_ours_becomes_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """`guarded` turns it into exit status 2."""

    def wrong() -> int:
        raise ConfigurationError("PORT: is wrong")

    assert guarded(wrong) == 2
    assert capsys.readouterr().err == "boss: configuration: PORT: is wrong\n"
    assert guarded(lambda: None) == 0
    assert guarded(lambda: 3) == 3


def test_a_busy_port_is_named_with_its_setting_and_its_holder() -> None:
    """The message says which port, what to set, and which process to end."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"SANDBOX_PORT: port {port} .* process {os.getpid()} .*no Bossline.*set SANDBOX_PORT"):
            require_free_port("127.0.0.1", port, "SANDBOX_PORT")
    require_free_port("127.0.0.1", port, "SANDBOX_PORT")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["/srv/boss/.venv/bin/python", "/srv/boss/.venv/bin/boss", "bridge"], "bridge"),
        (["python3", "-m", "webhook_api"], "web"),
        (["python3", "-m", "shared.process.honcho", "sandbox"], "sandbox"),
        (["python3", "-m", "shared.honcho", "sandbox"], "sandbox"),
        (["python3", "-m", "supervisor_worker.cli.main", "bridge"], "bridge"),
        (["python3", "-m", "boss.main", "worker", "--processes", "2"], "worker"),
        (["python3", "-m", "supervisor_worker.standby.child_main", "abc"], "standby"),
        (["python3", "-u", "-m", "sandbox"], "sandbox"),
        (["/srv/boss/.venv/bin/boss", "web"], "web"),
        (["python3", "-m", "http.server"], ""),
        (["python3", "-m", "pytest", "tests/unit/boss", "tests/unit/sandbox"], ""),
        (["python3", "-m", "pytest", "-m", "sandbox"], ""),
        (["backup", "/srv/boss", "/mnt"], ""),
        (["nginx"], ""),
        (["boss"], ""),
        (["python3", "-m"], ""),
        ([], ""),
    ],
)
def test_an_earlier_bossline_is_known_by_its_command_line(words: list[str], name: str) -> None:
    """As whatever it was started, and became."""
    assert bossline(words) == name


def test_a_port_that_another_user_holds_is_said_to_be_taken(tmp_path: Path) -> None:
    """Whose it is cannot be seen; nothing is guessed."""
    assert "another program" in describe_listener(1, tmp_path)


def test_the_line_to_paste_keeps_the_plus() -> None:
    """A plus sign in a plain form field means a space."""
    line = curl_line("http://127.0.0.1:8787", "+15551234567", "+15559876543")
    assert line.startswith("curl http://127.0.0.1:8787/sms/inbound ")
    assert "--data-urlencode From=+15551234567" in line


def test_the_group_is_the_installed_command() -> None:
    """The script of pyproject.toml is this group."""
    assert isinstance(main, click.Group)
