"""The documents' examples are read as they stand: a user copies them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values

from shared import settings as knobs
from shared import users
from shared.errors import ConfigurationError
from tests.support.processes import ROOT

INSTEAD = {"SENDGRID_INBOUND_PUBLIC_KEY": "EMAIL_WEBHOOK_SECRET"}


def block(document: str, language: str, has: str) -> str:
    """The first fenced block of a language that holds a text."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(one for one in found if has in one)


def test_the_users_example_is_a_users_file(tmp_path: Path) -> None:
    """Every field that docs/users.md shows is one that the file may hold."""
    (tmp_path / "users.toml").write_text(block("users.md", "toml", "[[users]]"))
    (user,) = users.load(tmp_path / "users.toml").all
    assert (user.username, user.timezone, user.role) == ("ada", "Europe/Berlin", "admin")


def test_the_production_example_is_all_that_production_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings of docs/going-live.md and nothing else, production starts; without one of them it does not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env").write_text(block("going-live.md", "sh", "ENVIRONMENT=production"))
    values = dotenv_values(tmp_path / "env")
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    assert knobs.load().environment == "production"
    for name in values.keys() - {"ENVIRONMENT", "BOSS_DATA_DIR"}:
        with monkeypatch.context() as without:
            without.delenv(name)
            with pytest.raises(ConfigurationError, match=INSTEAD.get(name, name)):
                knobs.load()


def test_the_unit_outlasts_the_grace() -> None:
    """The systemd unit gives a process longer than the process gives itself."""
    unit = block("going-live.md", "ini", "[Service]")
    grace = re.search(r"SHUTDOWN_GRACE_SECONDS=(\d+)", unit)
    limit = re.search(r"TimeoutStopSec=(\d+)", unit)
    assert grace
    assert limit
    assert int(limit[1]) > int(grace[1]) + 5


@pytest.mark.parametrize("document", sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))))
def test_every_test_that_a_document_names_is_there(document: str) -> None:
    """A promise that names its proof must not outlive it."""
    named = re.findall(r"`(tests/[\w/.-]+\.\w+)`", (ROOT / document).read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
