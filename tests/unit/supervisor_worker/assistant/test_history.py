"""Where the history of a question begins, and how it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from shared.mailbox.records import Beginning, Message, MessageState, Reply, ReplyState
from shared.model.addresses import PhoneNumber
from shared.model.events import SendSmsResponse, SmsReceived
from supervisor_worker.assistant.history import BYTES_A_TOKEN, LINE_BYTES, MESSAGE_OVERHEAD, MOST, ShownHistory, shown_history
from supervisor_worker.assistant.prompt_message import PromptMessage, alternating

PHONE, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
MINUTE = 60_000


def message(number: int, text: str = "x") -> Message:
    """The person's words, a minute after what was said before."""
    event = SmsReceived(id=f"m-{number}", from_=PHONE, to=BOSS, message=text, user="ada", provider_id="SM")
    return Message(f"m-{number}", "c", "text", MessageState.ANSWERED, event=event, turn=f"t-{number}", accepted_at=number * MINUTE)


def reply(number: int, text: str = "y") -> Reply:
    """The answer."""
    command = SendSmsResponse(to=PHONE, from_=BOSS, message=text, user="ada")
    return Reply(f"r-{number}", "c", f"t-{number}", command, ReplyState.SENT, stored_at=number * MINUTE)


def exchanges(count: int, size: int = 1) -> list[Message | Reply]:
    """So many messages with their answers."""
    return [record for number in range(1, count + 1) for record in (message(2 * number, "x" * size), reply(2 * number + 1, "y" * size))]


def shown(history: list[Message | Reply], tokens: int, *, whole: bool = True) -> ShownHistory:
    """What a question shows."""
    return shown_history(history, Beginning(whole=whole), tokens, UTC)


def test_a_history_is_shown_from_its_beginning_up_to_half_as_much_again_as_its_bound() -> None:
    """A line counts as 200 bytes at least; four bytes are a token."""
    tokens = 10 * LINE_BYTES // BYTES_A_TOKEN
    assert (shown(exchanges(5), tokens).records, shown(exchanges(5), tokens).outgrown) == (exchanges(5), False)
    for count in (6, 7):
        found = shown(exchanges(count), tokens)
        assert (found.records, found.begins_with, found.outgrown) == (exchanges(count), "", True)
    beyond = shown(exchanges(8), tokens)
    assert (beyond.records, beyond.begins_with) == (exchanges(8)[6:], "m:m-8")
    assert shown(exchanges(1, 4 * tokens), tokens).records == []
    assert shown(exchanges(1), 0) == shown([], 0)


def test_what_was_not_read_to_its_beginning_begins_anew_and_with_the_persons_words() -> None:
    """Such as a list that has lost its oldest entries: else the beginning would move with every turn."""
    found = shown(exchanges(3)[1:], 10_000, whole=False)
    assert (found.records, found.begins_with) == (exchanges(3)[2:], "m:m-4")


def test_from_where_it_begins_a_history_is_as_it_will_be_in_the_next_question() -> None:
    """What is told of an answer that is shown no more is told no more, either."""
    history = exchanges(4)
    history[1] = replace(cast("Reply", history[1]), lost_at=7 * MINUTE, state=ReplyState.FAILED)
    assert "did not reach" in next(text for text in texts(shown(history, 10_000)) if "reach" in text)
    now = shown(history, 3 * LINE_BYTES // BYTES_A_TOKEN)
    later = shown(history[-2:], 3 * LINE_BYTES // BYTES_A_TOKEN)
    assert now.records == history[-2:]
    assert texts(now) == texts(later)


def texts(history: ShownHistory) -> list[str]:
    """What its messages say."""
    return [each.text for each in history.messages()]


def blocks(history: ShownHistory) -> Sequence[tuple[str, str]]:
    """The question's blocks before its newest message."""
    asked = alternating([*history.messages(), PromptMessage("user", "newest")])
    return [(each.role, block) for each in asked for block in each.blocks][:-1]


@given(st.lists(st.tuples(st.integers(0, 2_000), st.booleans()), min_size=1, max_size=40), st.integers(200, 900))
def test_a_history_grows_block_by_block_and_its_beginning_moves_seldom(lines: list[tuple[int, bool]], tokens: int) -> None:
    """Between two moves at least half of the bound is said; a question never shows more than its bound and a half."""
    said: list[Message | Reply] = []
    before: Sequence[tuple[str, str]] = []
    since = tokens * BYTES_A_TOKEN
    for number, (size, answered) in enumerate(lines, 1):
        new: list[Message | Reply] = [message(2 * number, "x" * size), *([reply(2 * number + 1, "y" * size)] if answered else [])]
        said += new
        found = shown(said, tokens)
        counted = sum(line.size(UTC) for line in found.lines)
        assert counted <= MOST * tokens * BYTES_A_TOKEN
        since += sum(max(LINE_BYTES, size + MESSAGE_OVERHEAD + 60) for _ in new)
        if found.begins_with:
            assert since > tokens * BYTES_A_TOKEN * (MOST - 1)
            since = 0
            said = said[said.index(found.records[0]) :]
        else:
            assert blocks(found)[: len(before)] == before or not found.lines
        before = blocks(found)
