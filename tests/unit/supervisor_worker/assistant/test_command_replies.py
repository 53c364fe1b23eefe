"""What a person is told who asks for the status."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from shared.mailbox.client import Standing
from shared.mailbox.records import Message, MessageState
from supervisor_worker.assistant.command_replies import status

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CALM = Standing(paused=False, held=False)
BERLIN = ZoneInfo("Europe/Berlin")


def message(state: MessageState, minutes_ago: int, channel: str = "sms") -> Message:
    """One of the person's."""
    at = int(NOW.timestamp() - 60 * minutes_ago) * 1000
    return Message("m-1", "c-1", "text", state, channel=channel, accepted_at=at)


def test_a_status_says_what_waits_what_became_of_the_last_and_what_holds_them_up() -> None:
    """In the person's zone; the day is named where it is not today's."""
    waits, done, parked = MessageState.PENDING, MessageState.ANSWERED, MessageState.PARKED
    for messages, standing, opted_out, told in (
        ([], CALM, [], "None of your messages waits for an answer. Nothing is paused."),
        (
            [message(waits, 5)], CALM, [],
            "1 of your messages waits for an answer, since 13:55. Your last: 13:55 text, waits. Nothing is paused.",
        ),
        (
            [message(MessageState.IN_TURN, 1), message(waits, 5), message(parked, 60 * 20, "email"), message(done, 60 * 40)], CALM, [],
            (
                "2 of your messages wait for an answer, the first since 13:55. "
                "Your last: 13:59 text, waits; 13:55 text, waits; 3 May 18:00 mail, not answered. Nothing is paused."
            ),
        ),
        (
            [message(waits, 5)], Standing(paused=True, held=True), ["email"],
            (
                "1 of your messages waits for an answer, since 13:55. Your last: 13:55 text, waits. I have used up what I may think about "
                "today, and answer when the next day (UTC) begins. Sending is paused. I send you no mails, since you asked me not to."
            ),
        ),
    ):  # fmt: skip
        assert status(messages, standing, opted_out, NOW.astimezone(BERLIN), "en") == told


def test_a_status_is_in_the_persons_language() -> None:
    """Names of months and channels too."""
    messages = [message(MessageState.IN_TURN, 1), message(MessageState.PARKED, 60 * 20, "email")]
    told = status(messages, Standing(paused=True, held=False), ["sms"], NOW.astimezone(BERLIN), "de")
    assert told == (
        "1 deiner Nachrichten wartet auf Antwort, seit 13:59. Deine letzten: 13:59 SMS, wartet; 3. Mai 18:00 Mail, nicht beantwortet. "
        "Gerade wird nichts gesendet. Ich schicke dir keine SMS, weil du das so wolltest."
    )
