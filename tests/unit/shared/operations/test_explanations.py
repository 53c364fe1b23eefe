"""What the operator reads instead of a code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from boss.main import main
from boss.terminal.ledger_line import describe
from shared.mailbox.ledger import Line
from shared.operations.explanations import ANSWERED, IGNORED, PARKED, explained
from tests.support import reasons


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        *((reason, sentence) for reason, (sentence, _) in PARKED.items()),
        ("twilio_21614", "not a mobile number"),
        ("twilio_99999", "99999"),
        ("sendgrid_http_413", "HTTP status 413"),
        ("claude_refusal", "Claude refused it (refusal)"),
    ],
)
def test_a_parked_message_s_reason_has_a_sentence(reason: str, words: str) -> None:
    """Ours by name, a provider's by its code."""
    assert words in explained("parked", reason).sentence


@pytest.mark.parametrize("reason", ["", "somebody_s_own_words", "twilio", "claude_"])
def test_a_reason_that_is_not_known_stands_for_itself(reason: str) -> None:
    """No sentence is better than a wrong one."""
    assert explained("parked", reason) == explained("ignored", reason) == ("", "")


REASONS = (Path(__file__).parents[4] / "docs" / "reference" / "reasons.md").read_text(encoding="utf-8")
ROWS = {name: row for row in re.findall(r"^\|.*\|$", REASONS, re.MULTILINE) for name in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
"""The rows of the tables in docs/reference/reasons.md, by each name in their first column."""
PROVIDERS = {"*_*", "*_denied"}
"""Reasons that begin with a provider's name: `twilio_21614`, `sendgrid_denied` and the like."""
EXPLAINED = {*PARKED, *IGNORED, *ANSWERED, *PROVIDERS}


def test_every_reason_by_which_the_code_parks_or_ignores_is_found_in_its_source() -> None:
    """Of scripts and Python, named and handed on, from variables, pairs, fields, dicts and return values; what is explained exists."""
    assert {"rate_limited", "discarded", "overtaken", "too_many_lost_leases", "two_addresses", "return_path", "help_keyword"} <= EXPLAINED
    assert reasons.all_reasons() == EXPLAINED


@pytest.mark.parametrize("reason", sorted(EXPLAINED - PROVIDERS - {*ANSWERED}))
def test_every_reason_has_a_sentence_a_row_in_the_manual_and_its_command(reason: str) -> None:
    """An operator who sees one finds what it means, and what helps, without reading the code."""
    found = [entry for entry in (PARKED.get(reason), IGNORED.get(reason)) if entry]
    assert found, f"{reason} has no sentence in shared/operations/explanations.py"
    assert all(entry.sentence.endswith(".") for entry in found)
    assert reason in ROWS, f"{reason} has no row in docs/reference/reasons.md"
    for entry in found:
        assert re.sub(r"^boss (messages )?| (ID|USERNAME)$", "", entry.command) in ROWS[reason]


def test_a_providers_own_reason_has_a_sentence_and_a_row_whatever_its_code() -> None:
    """Twilio and SendGrid add codes at any time."""
    for provider in ("twilio", "sendgrid", "claude"):
        assert f"`{provider}_…`" in REASONS
        assert explained("parked", f"{provider}_12345").sentence
        assert "403" in explained("parked", f"{provider}_denied").sentence
        assert explained("parked", f"{provider}_12345").command == "boss messages retry ID"


@pytest.mark.parametrize("reason", ANSWERED)
def test_an_answer_without_a_reply_has_a_sentence_and_a_word_in_the_manual(reason: str) -> None:
    """There is nothing to be done."""
    assert explained("answered", reason).sentence.endswith(".")
    assert f"`{reason}`" in REASONS


def test_a_reason_that_cannot_be_followed_to_its_words_is_not_overlooked() -> None:
    """The collector raises where it does not understand: it never takes less for all."""
    sources = reasons.sources()
    (park,) = [each for each in sources.functions["park"] if each.module.name == reasons.CALLS]
    unknown = ast.parse("table[number]", mode="eval").body
    with pytest.raises(reasons.NotFollowed, match="table"):
        sources.values(unknown, park, frozenset())


def test_every_command_that_is_named_exists() -> None:
    """What an operator is told to type can be typed."""
    for entry in (*PARKED.values(), *IGNORED.values()):
        if entry.command:
            words = [word for word in entry.command.split()[1:] if word not in ("ID", "USERNAME")]
            assert CliRunner().invoke(main, [*(words[:2] if words[0] == "messages" else words[:1]), "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("undelivered", {"code": "30003"}, "(The phone cannot be reached"),
        ("failed", {"code": "5.1.1"}, "(The mailbox does not exist. (SMTP 5.1.1))"),
        ("refused_by_provider", {"code": "21610"}, "opted out"),
        ("parked", {"reason": "outage"}, "ANSWER_WITHIN_MINUTES"),
        ("ignored", {"reason": "outage"}, "ANSWER_WITHIN_MINUTES"),
        ("ignored", {"reason": "echo"}, "robot"),
    ],
)
def test_a_line_about_a_failure_says_what_its_code_means(kind: str, fields: dict[str, str], words: str) -> None:
    """Behind the figures, for the eye only."""
    assert words in describe(Line("1-0", kind, fields))


@pytest.mark.parametrize(
    ("kind", "fields"), [("delivered", {"code": ""}), ("notice", {"code": "30003"}), ("answered", {"reason": "outage"})]
)
def test_any_other_line_stands_as_it_is(kind: str, fields: dict[str, str]) -> None:
    """There is nothing to explain."""
    assert "(" not in describe(Line("1-0", kind, fields))
