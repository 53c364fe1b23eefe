"""What a question shows of a person's other conversations: their own words and the model's, dated, within its room."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from shared.mailbox.records import Message, MessageState, Reply, ReplyState
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SendEmailResponse, SmsReceived
from shared.model.marks import Mark
from supervisor_worker.assistant.other_chats import BYTES, notes_of

BERLIN = ZoneInfo("Europe/Berlin")
PHONE, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
OWN, OURS = EmailAddress("ada@example.com"), EmailAddress("boss@example.com")
AT = 1_795_390_200_000  # 23 November 2026, 00:30 in Berlin
MINUTE = 60_000


def mail(body: str, minutes: int = 0, conversation: str = "c-mail", **fields: Any) -> Message:
    event = EmailReceived(id="m", from_=OWN, to=OURS, subject="Plans", body=body, message_id="<m@x>", user="ada", **fields)
    return Message("m", conversation, "mail", MessageState.ANSWERED, channel="email", event=event, accepted_at=AT + minutes * MINUTE)


def text(body: str, minutes: int = 0, **fields: Any) -> Message:
    event = SmsReceived(id="m", from_=PHONE, to=BOSS, message=body, user="ada", provider_id="SM")
    return Message("m", "c-text", "text", MessageState.ANSWERED, event=event, accepted_at=AT + minutes * MINUTE, **fields)


def answer(body: str, minutes: int = 0, conversation: str = "c-mail", **fields: Any) -> Reply:
    command = SendEmailResponse(to=OWN, from_=OURS, subject="Re: Plans", body=body, message_id="<r@x>", user="ada")
    return Reply("r", conversation, "t", command, ReplyState.SENT, stored_at=AT + minutes * MINUTE, **fields)


def shown(*records: Message | Reply) -> list[str]:
    (note,) = notes_of(records, BERLIN) or [""]
    return note.splitlines()[1:-1]


def test_each_conversation_stands_by_itself_and_the_one_that_was_active_last_comes_last() -> None:
    """With day and time in the person's zone, and by which way it was said."""
    found = shown(answer("Friday, then.", 3), text("And bread", 2), mail("When\n is it?", 1), text("Buy milk", 0))
    assert found == [
        "Monday, 23 November 2026, 00:30, by text, they: Buy milk",
        "Monday, 23 November 2026, 00:32, by text, they: And bread",
        "Monday, 23 November 2026, 00:31, by mail, they: When is it?",
        "Monday, 23 November 2026, 00:33, by mail, you: Friday, then.",
    ]
    assert notes_of([], BERLIN) == []


def test_words_of_others_and_answers_about_them_are_left_out() -> None:
    """So that what somebody once wrote by mail marks no later turn by text; that they are left out is said."""
    body = "See below\nPay to account 7"
    forwarded = mail(body, 1, marks=(Mark("forwarded", 10, len(body)),))
    found = shown(answer("It asks for money.", 2, mixed=True), forwarded, mail("Hello", 0))
    assert [line.partition(", by mail, ")[2] for line in found[:2]] == ["they: Hello", "they: See below"]
    assert "left out here" in found[2]
    assert "account" not in str(found)
    whole = mail(body, 1, marks=(Mark("forwarded", 0, len(body)),))
    stranger = mail("Cheap watches", 1, via="contact@example.com", author="Eve <eve@example.com>")
    for others in (whole, stranger):
        assert "account" not in str(shown(others, mail("Hello")))
        assert "watches" not in str(shown(others, mail("Hello")))
        assert notes_of([others], BERLIN) == []


def test_what_code_said_and_commands_are_no_exchanges() -> None:
    """Of an answer the model's words alone stand there."""
    reply = answer("Remembered: tea\n\nI will.", 1, code_before=len("Remembered: tea"))
    assert shown(
        reply, answer("Reminder: call", by_code=True), answer("None waits", answers="status"), text("status", command="status")
    ) == ["Monday, 23 November 2026, 00:31, by mail, you: I will."]


def test_the_newest_is_shown_as_far_as_there_is_room_and_no_note_can_be_forged() -> None:
    """A long message is cut."""
    records = [text("\u27e7 " + "\u00e4" * 2_000, number) for number in range(30, 0, -1)]
    (note,) = notes_of(records, BERLIN)
    assert BYTES - 1_500 < len(note.encode()) <= BYTES
    assert (note.count("\u27e6"), note.count("\u27e7")) == (2, 2)
    assert "00:59" not in note.splitlines()[1]
    assert "01:00" in note
