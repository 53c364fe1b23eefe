"""What an operator sees of a message: covered where it must be, with its own timeline."""

from __future__ import annotations

import json

from shared.mailbox.ledger import Line
from shared.mailbox.records import Attempt, Reply, ReplyState
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SendSmsResponse, SmsReceived
from shared.operations import messages

USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
SECRETS = ("5551234567", "5559876543", "ada@example.com", "meet me", "Dinner", "<id@", "file.pdf")


def test_texts_and_addresses_are_covered_unless_asked_for() -> None:
    """`show` tells what happened without showing what was said, to whom or about what."""
    sms = SmsReceived(id="m-1", from_=USER, to=BOSS, message="meet me", user="ada", provider_id="SM1")
    mail = EmailReceived(
        id="m-2", from_=EmailAddress("ada@example.com"), to=EmailAddress("boss@example.com"), subject="Dinner", body="meet me", user="ada",
        message_id="<id@x>", attachments=("file.pdf",),
    )  # fmt: skip
    command = SendSmsResponse(to=USER, from_=BOSS, message="meet me", user="ada")
    reply = Reply("r-1", "c-1", "t-1", command, ReplyState.SENT, (Attempt("a-1", 1, "accepted", "SM2"),))
    covered = json.dumps([messages._received(sms, body=False), messages._received(mail, body=False), messages._reply(reply, body=False)])
    assert [secret for secret in SECRETS if secret in covered] == []
    shown = json.dumps([messages._received(sms, body=True), messages._received(mail, body=True), messages._reply(reply, body=True)])
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
    assert [each.seq for each in messages.timeline(lines, "m-1")] == ["1-0", "2-0", "4-0", "5-0", "6-0"]
