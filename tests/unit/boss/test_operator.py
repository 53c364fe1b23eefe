"""Who the operator is, for the ledger."""

from __future__ import annotations

import os
import pwd
from types import SimpleNamespace

import pytest

from boss.operator import login_name


@pytest.mark.parametrize(
    ("uid", "account", "sudo", "name"),
    [
        (1000, "ada", "", "ada"),
        (1000, "ada", "mallory", "ada"),
        (0, "root", "ada", "ada"),
        (0, "root", "", "root"),
        (1000, "ada@example.com", "", "ada"),
        (1000, "ada lovelace\n", "", "ada"),
        (1000, "\x1b[2J", "", "unknown"),
        (1000, "x" * 100, "", "x" * 32),
        (1000, None, "", "uid-1000"),
    ],
)
def test_an_operator_is_a_safe_word(monkeypatch: pytest.MonkeyPatch, uid: int, account: str | None, sudo: str, name: str) -> None:
    """The account that runs the command, or who called `sudo`: nothing that could steer a terminal, and no address."""

    def entry(found: int) -> SimpleNamespace:
        if account is None:
            raise KeyError(found)
        return SimpleNamespace(pw_name=account)

    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(pwd, "getpwuid", entry)
    monkeypatch.setenv("SUDO_USER", sudo)
    assert login_name() == name
