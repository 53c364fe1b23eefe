"""`boss users erase` names each host that has not confirmed: with something on its disk, or with an older copy of the registry."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.commands import users as command
from boss.main import main
from shared.config.loading import load_settings
from shared.host_id import host_id
from shared.mailbox import calls, keys
from shared.operations.registry import RegistryEditor
from shared.registry import COPY, PeopleDirectory, read_copy
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


@pytest.fixture
def erase(environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command on the host whose data directory is `here`."""
    monkeypatch.setattr(command, "CONFIRM_SECONDS", 0.3)
    monkeypatch.setenv("REDIS_URL", environment.redis_url)
    monkeypatch.setenv("SANDBOX", "on")
    monkeypatch.setenv("BOSS_DATA_DIR", str(tmp_path / "here"))
    monkeypatch.chdir(tmp_path)

    def run(name: str = "user") -> Result:
        return CliRunner().invoke(main, ["users", "erase", name, "--yes"])

    return run


def looked(environment: TurnEnvironment, name: str, identity: str) -> None:
    """A web host has looked, long ago."""
    environment.mailbox.run(calls.erasures(identity, name, looked_ms=1, since_ms=0))


def test_a_host_that_is_away_is_named_and_the_command_s_own_is_not(environment: TurnEnvironment, erase: Any, tmp_path: Path) -> None:
    """What waits on this host's disk the command drops by itself, whether a web process runs here or not."""
    environment.text("hello")
    (tmp_path / "here").mkdir()
    looked(environment, "own:/data", host_id(tmp_path / "here"))
    looked(environment, "there:/data", "h-there")
    result = erase()
    assert result.exit_code == 0, result.output
    assert "disks: 1 of 2." in result.stdout
    assert "Not confirmed: there:/data, heard last at " in result.stdout
    assert "own:/data" not in result.stdout


def test_a_host_that_was_not_heard_for_months_is_asked_no_more(environment: TurnEnvironment, erase: Any) -> None:
    """Its entry goes."""
    environment.text("hello")
    environment.redis.hset(keys.HOSTS, "h-old", "1 1 old:/data")
    assert "old:/data" not in erase().stdout
    assert not environment.redis.exists(keys.HOSTS)


def test_an_older_copy_of_the_registry_is_named_until_its_host_has_looked(
    environment: TurnEnvironment, erase: Any, redis: Redis, redis_url: str, tmp_path: Path
) -> None:  # fmt: skip
    """Who was taken away stands in it, with number and name."""
    there = tmp_path / "there"
    there.mkdir()
    settings = load_settings(_env_file=None, redis_url=redis_url, sandbox="on", boss_data_dir=there)
    editor, directory = RegistryEditor(settings, redis), PeopleDirectory(settings, redis)
    editor.add("bob", {"phone": "+15550000002", "boss_phone": "+15559876543"})
    directory.refresh()
    assert "+15550000002" in (there / COPY).read_text()
    environment.text("hello", "+15550000002", user="bob")
    editor.remove("bob")
    result = erase("bob")
    assert str(there) in result.stdout
    assert "an older copy of the registry" in result.stdout
    directory.refresh()
    assert "+15550000002" not in (there / COPY).read_text()
    assert "older copy" not in erase("bob").stdout


def test_a_draft_of_a_process_that_died_is_no_copy_that_stays(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """It holds the same; one that is being written is left alone."""
    settings = load_settings(_env_file=None, redis_url=redis_url, sandbox="on", boss_data_dir=tmp_path)
    dead, young = tmp_path / f"{COPY}.1.aa.draft", tmp_path / f"{COPY}.2.bb.draft"
    for draft in (dead, young):
        draft.write_text("{}")
    old = time.time() - 600
    os.utime(dead, (old, old))
    RegistryEditor(settings, redis).add("bob", {"phone": "+15550000002", "boss_phone": "+15559876543"})
    PeopleDirectory(settings, redis).refresh()
    assert read_copy(tmp_path).version
    assert (dead.exists(), young.exists()) == (False, True)
