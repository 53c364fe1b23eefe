"""The operator's files: whatever is wrong with one is one line that says what to do, and a slip in a name is found."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.engine.settings import FIELD_OF_VARIABLE
from shared import operator_files
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.model import users_file
from shared.operator_files import SANDBOX_NAMES, read_env, unknown_names

KNOWN = [name.upper() for name in Settings.model_fields]
SECRET = "sk-canary-0123456789"
BROKEN = {
    "no sign": f"PORT=1\n{SECRET}\n",
    "an open quote": f"PORT=1\nTWILIO_AUTH_TOKEN='{SECRET}\n",
    "words": f"PORT=1\nthe key is {SECRET}\n",
    "no name": f"PORT=1\n={SECRET}\n",
}


def said(path: Path, name: str = ".env") -> str:
    """The one line about a file."""
    with pytest.raises(ConfigurationError) as caught:
        _ = read_env(path) if name == ".env" else users_file.load_users(path)
    assert "\n" not in caught.value.detail
    assert caught.value.detail.startswith(f"{name}: ")
    assert SECRET not in caught.value.detail
    return caught.value.detail


@pytest.fixture(params=[".env", "BOSS_USERS_FILE"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_directory_is_no_file(tmp_path: Path, name: str) -> None:
    """What Docker makes of a file that was not there."""
    assert "is a directory" in said(tmp_path, name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_somebody_else_names_the_command_that_mends_it(tmp_path: Path, name: str) -> None:
    """Whose it must be, and its mode."""
    path = tmp_path / "file"
    path.touch(mode=0o000)
    assert f"chmod 600 {path}" in said(path, name)


def test_a_file_that_may_not_be_opened_names_the_command_that_mends_it(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for root, to whom nothing is closed."""
    path = tmp_path / "file"
    path.touch()

    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", refuse)
    assert f"chmod 600 {path}" in said(path, name)


def test_a_file_in_another_spelling_names_its_line(tmp_path: Path, name: str) -> None:
    """Latin-1, or a file that is none."""
    path = tmp_path / "file"
    path.write_bytes(b"# one\n# two\n# gr\xfc\xdfe\n")
    assert "not UTF-8 in line 3" in said(path, name)


def test_a_link_to_nowhere_is_named(tmp_path: Path, name: str) -> None:
    """It is not "no file"."""
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "nothing")
    assert "is not there" in said(path, name)


def test_a_file_without_end_is_not_read(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody names a disk image."""
    monkeypatch.setattr(operator_files, "MAX_FILE_BYTES", 10)
    path = tmp_path / "file"
    path.write_text("A=1\n" * 9)
    assert "name another file" in said(path, name)


@pytest.mark.parametrize("text", ["[[users]\n", "a = \n", f"x {SECRET}", f'[[users]]\na = "{SECRET}\nb', "\x00"])
def test_a_users_file_that_is_no_toml_says_where(tmp_path: Path, text: str) -> None:
    """The place, and nothing that stands there."""
    path = tmp_path / "users.toml"
    path.write_text(text)
    assert "is not TOML at " in said(path, "BOSS_USERS_FILE")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_line_of_the_env_file_that_sets_nothing_is_named(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its number; the settings are not read around it."""
    (tmp_path / ".env").write_text(BROKEN[kind])
    assert "line 2 is not of the form NAME=value" in said(tmp_path / ".env")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="line 2"):
        load_settings(_env_file=".env")


def test_several_such_lines_are_named_together(tmp_path: Path) -> None:
    """One start tells all."""
    (tmp_path / ".env").write_text("one\n\n# a comment\nPORT=1\n\ntwo\n")
    assert "lines 1, 6 are not" in said(tmp_path / ".env")


def test_what_an_editor_writes_first_hides_no_name(tmp_path: Path) -> None:
    """A byte order mark, in either file."""
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfPORT=4242\nexport WEB_HOST='127.0.0.2' # mine\n")
    found = load_settings(_env_file=tmp_path / ".env")
    assert (found.port, found.web_host) == (4242, "127.0.0.2")
    table = '[[users]]\nusername = "ada"\nemail = "ada@example.com"\nboss_email = "boss@example.com"\n'
    (tmp_path / "users.toml").write_bytes(b"\xef\xbb\xbf" + table.encode())
    assert len(users_file.load_users(tmp_path / "users.toml").all) == 1


def test_no_env_file_is_no_fault(tmp_path: Path) -> None:
    """The environment alone counts then."""
    assert read_env(tmp_path / ".env") == {}


SLIPS = {
    "TWILIO_AUTHTOKEN": "TWILIO_AUTH_TOKEN", "SENDGRID_APIKEY": "SENDGRID_API_KEY", "REDIS_URI": "REDIS_URL",
    "TWILIO_API_KEY": "TWILIO_API_KEY_SID",
    "TWILIO_API_SECRET": "TWILIO_API_KEY_SECRET", "BOSS_USER_FILE": "BOSS_USERS_FILE",
    "SENDGRID_EVENT_PUBLIC_KEY": "SENDGRID_EVENTS_PUBLIC_KEY",
    "DAILY_TOKEN": "DAILY_TOKENS", "SANDBOX_PROT": "SANDBOX_PORT", "ANTHROPIC_APIKEY": "ANTHROPIC_API_KEY",
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_name_is_told_with_the_name_that_was_meant(slip: str) -> None:
    """In `.env` and in the environment."""
    for sentences in (unknown_names([slip], {}, KNOWN), unknown_names([], {slip: "x"}, KNOWN)):
        assert [f"did you mean {SLIPS[slip]}?" in sentence for sentence in sentences] == [True]


def test_what_sets_something_is_not_warned_about() -> None:
    """Here or in a program beside us."""
    for name in [*KNOWN, *(name.lower() for name in KNOWN), *SANDBOX_NAMES, "HTTPS_PROXY", "TZ", "LC_ALL", "PYTHONUNBUFFERED"]:
        assert unknown_names([name], {name: "x"}, KNOWN) == [], name


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_MODEL",
        "ANTHROPIC_AUTH_TOKEN",
        "TWILIO_PHONE_NUMBER",
        "WEB_CONCURRENCY",
        "LOG_LEVEL",
        "REDIS_HOST",
        "EMAIL",
        "PATHS",
        "BOSS",
    ],
)
def test_the_environment_belongs_to_everybody(name: str) -> None:
    """What only resembles ours is another program's; in `.env` it is told."""
    assert unknown_names([], {name: "x"}, KNOWN) == []
    assert name == "WEB_CONCURRENCY" or len(unknown_names([name], {}, KNOWN)) == 1


def test_a_secret_in_the_place_of_a_name_is_not_shown() -> None:
    """Somebody pastes a key that ends in `=`."""
    for text in (SECRET, "deadbeef" * 4, "QUJD4711" * 8):
        assert text not in str(unknown_names([text], {}, KNOWN))


def test_the_sandbox_s_own_names_are_the_sandbox_s() -> None:
    """It imports nothing of ours, so its list is repeated."""
    assert set(SANDBOX_NAMES) == {name for name in FIELD_OF_VARIABLE if name.startswith("SANDBOX_")}
