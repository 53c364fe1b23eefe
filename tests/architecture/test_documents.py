"""The documents' examples are read as they stand: a user copies them."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from dotenv import dotenv_values

from shared.config import mcp_servers
from shared.config.loading import load_settings
from shared.config.secret_rules import EXAMPLE_TOKEN, MIN_LENGTHS, fault_of
from shared.errors import ConfigurationError
from shared.model import users_file
from shared.storage.url import url_passwords
from tests.support.documents import NAMES, text_of
from tests.support.processes import ROOT

FOLDERS = (
    "boss",
    "bridge",
    "rq_async",
    "shared",
    "webhook_api",
    "supervisor_worker",
    "sandbox",
    "tests",
    "bench",
    "tools",
    "deploy",
    ".ci",
)
MANY = 8
"""Pages that are named in more than one place; fewer, and the search has missed them."""


def block(document: str, language: str, has: str) -> str:
    """The first fenced block of a language that holds a text."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(one for one in found if has in one)


def test_the_users_example_is_a_users_file(tmp_path: Path) -> None:
    """Every field that docs/reference/users.md shows is one that the file may hold."""
    (tmp_path / "users.toml").write_text(block("reference/users.md", "toml", "[[users]]"))
    (user,) = users_file.load_users(tmp_path / "users.toml").all
    assert (user.username, user.timezone, user.role) == ("ada", "Europe/Berlin", "admin")


def test_the_example_of_mcp_servers_is_a_file_of_them(tmp_path: Path) -> None:
    """Every field that docs/reference/mcp.md shows is one that the file may hold."""
    (tmp_path / "mcp.toml").write_text(block("reference/mcp.md", "toml", "[[servers]]"))
    calendar, notes = mcp_servers.load_servers(tmp_path / "mcp.toml", {"CALENDAR_TOKEN": "a", "NOTES_TOKEN": "b"})
    rules = [calendar.rule_of(name).approval for name in ("list_events", "add_event", "delete_calendar")]
    assert (rules, notes.rule_of("anything").approval, notes.token) == (["always", "ask", "never"], "always", "b")


def test_the_production_example_is_all_that_production_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings of docs/howto/going-live.md and nothing else, production starts; without one of them it does not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env").write_text(block("howto/going-live.md", "sh", "ENVIRONMENT=production"))
    (tmp_path / "users.toml").write_text(block("reference/users.md", "toml", "[[users]]"))
    given = {**filled_in(dotenv_values(tmp_path / "env")), "BOSS_USERS_FILE": str(tmp_path / "users.toml")}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load_settings().environment == "production"
    for name in given.keys() - {"ENVIRONMENT", "BOSS_DATA_DIR", "BOSS_USERS_FILE"}:
        with monkeypatch.context() as without:
            without.delenv(name)
            with pytest.raises(ConfigurationError, match=name):
                load_settings()


def filled_in(example: dict[str, str | None]) -> dict[str, str]:
    """The example with values as the providers and `openssl` give them; what has no dots and no brackets stays."""
    found = {name: str(value) for name, value in example.items()}
    for name, value in found.items():
        if "..." in value or value.startswith("<"):
            found[name] = (
                value.partition(".")[0].replace("<what `openssl rand -hex 32` prints>", "") + hashlib.sha256(name.encode()).hexdigest()[:32]
            )
    return found


@pytest.mark.parametrize(
    "document", [".env.example", "docs/howto/going-live.md", "docs/howto/bridge-clients.md", "docs/reference/bridge.md", "deploy/README.md"]
)
def test_no_secret_that_a_document_shows_is_one_that_production_takes(document: str) -> None:
    """Whoever copies an example is told so."""
    text = text_of(document)
    shown = [(name, value) for name, value in re.findall(r"([A-Z_]+)=(<[^>\n]*>|[^\s`,;)]+)", text) if name.lower() in MIN_LENGTHS]
    assert document != ".env.example" or ("SUPERVISOR_TOKEN", EXAMPLE_TOKEN) in shown
    for name, value in shown:
        for each in url_passwords(value) if name == "REDIS_URL" else [value]:
            assert fault_of(name.lower(), each), f"{document}: {name}"


def units() -> dict[str, str]:
    """Every systemd unit that a document shows, by where it stands."""
    found = {}
    for name in NAMES:
        for number, unit in enumerate(re.findall(r"^```\w*\n(\[Unit\]\n.*?)^```", text_of(name), re.MULTILINE | re.DOTALL)):
            found[f"{name}:{number}"] = unit
    return found


@pytest.mark.parametrize("place", units())
def test_every_unit_forbids_core_files(place: str) -> None:
    """One would hold texts, numbers and keys."""
    service = units()[place].partition("[Service]")[2].partition("\n[")[0]
    assert re.findall(r"^LimitCORE=(.*)$", service, re.MULTILINE) == ["0"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize("place", units())
def test_systemd_has_nothing_to_say_about_a_unit(place: str, tmp_path: Path) -> None:
    """It exits with 0 whatever it finds: any line is a fault. The command is looked for where it is here."""
    verify = partial(verified, tmp_path)
    unit = units()[place].replace("/opt/bossline/.venv/bin/boss", str(Path(sys.executable).with_name("boss")))
    assert verify(unit) == ""
    assert "LimitCOER" in verify(unit.replace("LimitCORE", "LimitCOER"))


def verified(directory: Path, unit: str) -> str:
    """What `systemd-analyze verify` says of a unit of a kind of process."""
    (directory / "bossline@.service").write_text(unit)
    command = ["systemd-analyze", "verify", str(directory / "bossline@web.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def test_the_unit_leaves_the_env_file_to_the_processes() -> None:
    """They read it as their own user; systemd would read quotes otherwise, and hide that they may not."""
    assert units()
    assert all("EnvironmentFile" not in unit for unit in units().values())


def test_the_unit_outlasts_the_grace() -> None:
    """The systemd unit gives a process longer than the process gives itself."""
    unit = block("howto/going-live.md", "ini", "[Service]")
    grace = re.search(r"SHUTDOWN_GRACE_SECONDS=(\d+)", unit)
    limit = re.search(r"TimeoutStopSec=(\d+)", unit)
    assert grace
    assert limit
    assert int(limit[1]) > int(grace[1]) + 5


@pytest.mark.parametrize("document", NAMES)
def test_every_file_that_a_document_names_is_there(document: str) -> None:
    """A promise that names its proof must not outlive it, nor a page the module that it tells of."""
    named = re.findall(rf"`((?:{'|'.join(FOLDERS)})/[\w/.-]+\.\w+)`", text_of(document))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_page_that_a_text_of_ours_names_is_there() -> None:
    """Errors, help, comments and the doctor send their reader to pages of docs/."""
    named = {name for file in sources() for name in re.findall(r"(?<![\w/])docs/[\w/-]+\.(?:md|svg|py)", file.read_text(encoding="utf-8"))}
    assert len(named) > MANY
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def sources() -> list[Path]:
    """Everything that may name a page and is no page itself."""
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".lua", ".toml", ".conf", ".js")]
    return [*found, ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / ".env.example"]


OUR_WORDS = (
    "mailbox", "turn", "lease", "claim", "sweep", "ledger", "parked", "handed over", "spool", "standby", "reconciler", "sandbox", "doctor",
    "tail", "settle", "due", "stand aside", "sign of life", "notice", "pair", "ticket", "echo", "note",
)  # fmt: skip
"""Words that a reader meets in the command, the ledger or the code, and that mean something of their own here."""


@pytest.mark.parametrize("word", OUR_WORDS)
def test_a_word_of_ours_has_a_line_in_the_glossary(word: str) -> None:
    """Whoever meets it first finds out there; and no word has two lines."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", text_of("docs/glossary.md"), re.MULTILINE)
    words = [re.sub(r"`", "", each).strip() for row in rows for each in row.split(",")]
    assert words.count(word) == 1
