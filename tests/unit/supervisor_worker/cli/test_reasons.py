"""What the operator reads instead of a code, and who the operator is."""

from __future__ import annotations

import os
import pwd
from types import SimpleNamespace

import pytest

from shared.ledger import Line
from supervisor_worker.cli.operator import login_name
from supervisor_worker.cli.reasons import PARKED, why_parked
from supervisor_worker.cli.tail import describe


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        *((reason, sentence) for reason, sentence in PARKED.items()),
        ("twilio_21614", "not a mobile number"),
        ("twilio_99999", "99999"),
        ("sendgrid_http_413", "HTTP status 413"),
        ("claude_refusal", "Claude refused it (refusal)"),
    ],
)
def test_a_parked_message_s_reason_has_a_sentence(reason: str, words: str) -> None:
    """Ours by name, a provider's by its code."""
    assert words in why_parked(reason)


@pytest.mark.parametrize("reason", ["", "somebody_s_own_words", "twilio", "claude_"])
def test_a_reason_that_is_not_known_stands_for_itself(reason: str) -> None:
    """No sentence is better than a wrong one."""
    assert why_parked(reason) == ""


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("undelivered", {"code": "30003"}, "(The phone cannot be reached"),
        ("failed", {"code": "5.1.1"}, "(The mailbox does not exist. (SMTP 5.1.1))"),
        ("refused_by_provider", {"code": "21610"}, "opted out"),
        ("parked", {"reason": "outage"}, "ANSWER_WITHIN_MINUTES"),
    ],
)
def test_a_line_about_a_failure_says_what_its_code_means(kind: str, fields: dict[str, str], words: str) -> None:
    """Behind the figures, for the eye only."""
    assert words in describe(Line("1-0", kind, fields))


@pytest.mark.parametrize(
    ("kind", "fields"), [("delivered", {"code": ""}), ("notice", {"code": "30003"}), ("ignored", {"reason": "outage"})]
)
def test_any_other_line_stands_as_it_is(kind: str, fields: dict[str, str]) -> None:
    """There is nothing to explain."""
    assert "(" not in describe(Line("1-0", kind, fields))


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
