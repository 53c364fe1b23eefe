"""What the command prints: safe for a terminal, short where it can be, and covered where it must be."""

from __future__ import annotations

import json
import re

import pytest

from boss import message_view as records
from boss.commands.tail import describe
from boss.terminal.output import age, printable, short
from shared.mailbox.ledger import Line
from shared.mailbox.records import Attempt, Reply, ReplyState
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SendSmsResponse, SmsReceived

USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
SECRETS = ("5551234567", "5559876543", "ada@example.com", "meet me", "Dinner", "<id@", "file.pdf")


@pytest.mark.parametrize(
    ("hostile", "seen"), [("\x1b[2Ja", "�[2Ja"), ("a\rb", "a�b"), ("\x9b1m", "�1m"), ("\u202egpj", "�gpj"), ("\ud800", "�"), ("é😀", "é😀")]
)
def test_nothing_steers_the_terminal(hostile: str, seen: str) -> None:
    """Escape sequences, carriage returns, direction marks and lone surrogates are replaced; text stays."""
    assert printable(hostile) == seen
    assert printable(hostile, lines=True) == seen


def test_lines_of_a_text_stay_lines() -> None:
    """A reply has paragraphs; a one-line field has none."""
    assert printable("a\n\tb", lines=True) == "a\n\tb"
    assert printable("a\n\tb") == "a��b"


def test_only_ids_are_cut() -> None:
    """Words and figures stay whole."""
    assert short("c-0123456789abcdef01234567") == "c-01234567"
    words = ["a-b", "claude-sonnet-5-5", "21610", "unknown_recipient"]
    assert [short(word) for word in words] == words


@pytest.mark.parametrize(("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")])
def test_a_length_of_time_is_in_its_largest_fitting_unit(seconds: float, text: str) -> None:
    """Coarse is enough for a person."""
    assert age(seconds) == text


def test_a_ledger_line_is_time_type_short_ids_and_figures() -> None:
    """No version, no empty fields, no control characters."""
    row = describe(Line("1763848800123-0", "sent", {"v": "1", "conv": "c-0123456789abcdef01234567", "code": "", "reason": "a\x1b[0m"}))
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.123  .*sent.*  conv=c-01234567 reason=a�\[0m", row)


def test_texts_and_addresses_are_covered_unless_asked_for() -> None:
    """`show` tells what happened without showing what was said, to whom or about what."""
    sms = SmsReceived(id="m-1", from_=USER, to=BOSS, message="meet me", user="ada", provider_id="SM1")
    mail = EmailReceived(
        id="m-2", from_=EmailAddress("ada@example.com"), to=EmailAddress("boss@example.com"), subject="Dinner", body="meet me", user="ada",
        message_id="<id@x>", attachments=("file.pdf",),
    )  # fmt: skip
    command = SendSmsResponse(to=USER, from_=BOSS, message="meet me", user="ada")
    reply = Reply("r-1", "c-1", "t-1", command, ReplyState.SENT, (Attempt("a-1", 1, "accepted", "SM2"),))
    covered = json.dumps([records._received(sms, body=False), records._received(mail, body=False), records._reply(reply, body=False)])
    assert [secret for secret in SECRETS if secret in covered] == []
    shown = json.dumps([records._received(sms, body=True), records._received(mail, body=True), records._reply(reply, body=True)])
    assert [secret for secret in SECRETS if secret not in shown] == ["file.pdf"]


def test_a_timeline_holds_all_turns_of_a_message_and_nobody_elses() -> None:
    """A dissolved turn's lines belong to it too; those of a message that shared a turn do not."""
    lines = [
        Line("1-0", "sms_received", {"msg": "m-1"}),
        Line("2-0", "message_acknowledged", {"msg": "m-1", "turn": "t-1"}),
        Line("3-0", "message_acknowledged", {"msg": "m-2", "turn": "t-1"}),
        Line("4-0", "lease_lost", {"turn": "t-1"}),
        Line("5-0", "message_acknowledged", {"msg": "m-1", "turn": "t-2"}),
        Line("6-0", "sent", {"reply": "r-2"}),
        Line("7-0", "sent", {"reply": "r-3"}),
    ]
    assert [each.seq for each in records.timeline(lines, "m-1")] == ["1-0", "2-0", "4-0", "5-0", "6-0"]
