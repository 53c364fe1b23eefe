"""The judge of ledger lines that all who wait for a reply share."""

from __future__ import annotations

import pytest

from shared.mailbox.ledger import Line
from shared.mailbox.wait_for_reply import ReplyWatch


def line(kind: str, **fields: str) -> Line:
    return Line("1-0", kind, fields)


@pytest.mark.parametrize("kind", ["answered", "ignored", "parked", "handed_over"])
def test_a_line_that_ends_the_message_ends_the_wait(kind: str) -> None:
    """Every end state of a message is seen, and no other line of it."""
    watch = ReplyWatch("m-1")
    assert watch.see(line("sms_received", msg="m-1")) is None
    assert watch.see(line(kind, msg="m-2")) is None
    assert watch.see(line(kind, msg="m-1")) == kind


def test_the_reply_of_the_turn_that_took_the_message_answers_it() -> None:
    """`sent` names only the reply; which turn it is of was learnt when the message was acknowledged."""
    watch = ReplyWatch("m-1")
    assert watch.see(line("sent", reply="r-7")) is None
    watch.see(line("message_acknowledged", msg="m-1", turn="t-7"))
    assert watch.see(line("sent", reply="r-8")) is None
    assert watch.see(line("sending", reply="r-7")) is None
    assert watch.see(line("sent", reply="r-7")) == "answered"


def test_a_turn_that_was_dissolved_is_forgotten_for_the_next_one() -> None:
    """A worker died before the reply was stored: the message is in another turn now."""
    watch = ReplyWatch("m-1")
    watch.see(line("message_acknowledged", msg="m-1", turn="t-1"))
    watch.see(line("message_acknowledged", msg="m-1", turn="t-2"))
    assert watch.see(line("sent", reply="r-1")) is None
    assert watch.see(line("sent", reply="r-2")) == "answered"
