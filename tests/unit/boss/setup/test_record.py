"""The record of a set-up: what stood first stays, and no key that was asked for is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from boss.setup.record import SetupRecord
from shared.errors import ConfigurationError


def test_what_stood_first_is_what_is_put_back(tmp_path: Path) -> None:
    """Also over several runs: a second change of the same thing does not make the first one's work its past."""
    path = tmp_path / "setup" / "record.json"
    record = SetupRecord(path)
    assert not record.exists
    record.keep_stood("parse:a", {"url": "https://old.example.com"})
    record.keep_env({"A": "old"}, {"A": "one", "B": "two"})
    again = SetupRecord(path)
    again.keep_stood("parse:a", None)
    again.keep_env({"A": "one", "B": "two"}, {"A": "three"})
    found = SetupRecord(path)
    assert found.exists
    assert found.name == record.name
    assert found.stood == {"parse:a": {"url": "https://old.example.com"}}
    assert {name: kept["before"] for name, kept in found.env.items()} == {"A": "old", "B": None}
    assert found.env["A"]["ours"] == [record.digest("one"), record.digest("three")]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_value_that_was_set_is_known_again_and_cannot_be_read(tmp_path: Path) -> None:
    """Only its digest, with a salt of this installation."""
    record = SetupRecord(tmp_path / "record.json")
    record.keep_env({}, {"KEY": "the key itself"})
    record.keep_file(tmp_path / "Caddyfile", "a site")
    text = (tmp_path / "record.json").read_text()
    assert "the key itself" not in text
    assert SetupRecord(tmp_path / "record.json").wrote(tmp_path / "Caddyfile", "a site")
    assert not SetupRecord(tmp_path / "record.json").wrote(tmp_path / "Caddyfile", "a site!")
    assert SetupRecord(tmp_path / "other.json").digest("the key itself") != record.digest("the key itself")


def test_it_goes_with_the_last_thing_that_was_put_back(tmp_path: Path) -> None:
    """What is forgotten is not put back twice."""
    record = SetupRecord(tmp_path / "setup" / "record.json")
    record.keep_stood("key", None)
    record.keep_env({}, {"A": "1"})
    record.keep_file(tmp_path / "f", "")
    record.forget("key")
    record.forget("key")
    record.forget_env(["A", "B"])
    record.forget_file(str(tmp_path / "f"))
    assert not SetupRecord(tmp_path / "setup" / "record.json").exists
    record.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}'])
def test_a_record_that_cannot_be_read_stops_the_set_up(tmp_path: Path, text: str) -> None:
    """Without it nothing that was made would be known."""
    (tmp_path / "record.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"record\.json"):
        SetupRecord(tmp_path / "record.json")
