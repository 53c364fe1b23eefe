"""kill -9 of a worker at each step of a turn: nothing lost, nothing sent twice, and the next worker goes on within the lease.

Each case kills two processes at once, one in a text's turn and one in a mail's; each worker holds one turn at a time, so that
a death takes nothing else with it. Workers that take over stand by from the beginning.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.wait import wait_for
from tests.support.whole import Person, Whole, reply_id

LEASE = 3
GRACE_MS = 2000
MOMENTS = ("before:claim", "after:claim", "before:store_reply", "after:store_reply", "after:sending", "before:outcome", "after:outcome")
AFTER_STORED = ("after:store_reply", "after:sending", "before:outcome", "after:outcome")
NOT_BY_THE_WORKER = {"sms_received", "email_received", "sent", "delivered"}
"""Lines of the web process: they say nothing about the recovery."""

Record = Callable[[str, object], None]


class Crew:
    """Three workers that look for their death in one directory."""

    def __init__(self, whole: Whole, directory: Path) -> None:
        self.whole = whole
        self.directory = directory
        whole.fork(3, CRASH_DIR=str(directory), WORKER_CONCURRENCY="1")

    def plan(self, conversation: str, moment: str) -> None:
        """Somebody shall die at that moment of that conversation's turn."""
        (self.directory / f"{conversation}.plan").write_text(moment)

    def died_at_ms(self, conversation: str) -> int:
        """Wait for the death; server and workers share this machine's clock."""
        death = self.directory / f"{conversation}.died"
        wait_for(lambda: death.exists() and death.read_text(), 15, f"a death in {conversation}")
        return int(float(death.read_text()) * 1000)

    def kill_holder(self, conversation: str) -> int:
        """Kill whoever holds the conversation, and say when."""
        at_ms = self.whole.now_ms()
        os.kill(int((self.directory / f"{conversation}.pid").read_text()), signal.SIGKILL)
        return at_ms


@pytest.fixture
def crew(whole: Whole, tmp_path: Path) -> Crew:
    return Crew(whole, tmp_path)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_step_of_a_turn_loses_nothing_and_doubles_nothing(
    crew: Crew, whole: Whole, moment: str, record_property: Record
) -> None:
    """Killed between two calls of the mailbox; a text that comes before the recovery is answered too, after the first."""
    writer, mailer = whole.person(), whole.person()
    texts, mails = whole.conversation(writer), whole.conversation(mailer, "email")
    crew.plan(texts, moment)
    crew.plan(mails, moment)
    whole.text(writer, 1)
    whole.mail(mailer, 1)
    deaths = {texts: crew.died_at_ms(texts)}
    whole.text(writer, 2)
    deaths[mails] = crew.died_at_ms(mails)
    _assert_recovered(whole, writer, mailer, deaths, record_property)
    if moment in AFTER_STORED:
        assert len(whole.questions(writer)) == 2
        assert len(whole.questions(mailer)) == 1


def test_a_kill_while_claude_thinks_loses_nothing_and_doubles_nothing(crew: Crew, whole: Whole, record_property: Record) -> None:
    """The holders are killed from outside once Claude has the question."""
    whole.sandbox.knobs(anthropic={"latency_seconds": 1})
    writer, mailer = whole.person(), whole.person()
    whole.text(writer, 1)
    whole.mail(mailer, 1)
    whole.wait_for_questions(writer)
    whole.wait_for_questions(mailer)
    deaths = _kill_both(crew, writer, mailer)
    whole.text(writer, 2)
    _assert_recovered(whole, writer, mailer, deaths, record_property)


@pytest.mark.parametrize("callbacks", [True, False], ids=["told by callback", "looked up"])
def test_a_kill_after_the_provider_took_the_reply_doubles_nothing(
    crew: Crew, whole: Whole, callbacks: bool, record_property: Record
) -> None:
    """Killed while the answer to the request is on its way: the callback tells the outcome, or Twilio's list, or SendGrid's event."""
    whole.sandbox.knobs(twilio={"latency_seconds": 0.8, "status_callbacks": callbacks}, sendgrid={"latency_seconds": 0.8})
    writer, mailer = whole.person(), whole.person()
    whole.text(writer, 1)
    whole.mail(mailer, 1)
    whole.wait_for_replies(writer)
    whole.wait_for_replies(mailer, channel="email")
    deaths = _kill_both(crew, writer, mailer)
    whole.text(writer, 2)
    _assert_recovered(whole, writer, mailer, deaths, record_property)


def test_a_mail_whose_event_never_comes_may_go_out_twice_and_is_marked(crew: Crew, whole: Whole) -> None:
    """SendGrid has no list: with its event lost as well, the second copy carries the same Message-ID and the reply its mark."""
    whole.sandbox.knobs(sendgrid={"events": False})
    mailer = whole.person()
    crew.plan(whole.conversation(mailer, "email"), "before:outcome")
    whole.mail(mailer, 1)
    whole.wait_for_lines(whole.conversation(mailer, "email"), "answered")
    whole.quiet()
    copies = whole.replies(mailer, "email")
    assert len({reply_id(copy) for copy in copies}) == 1
    assert len({copy["request"]["headers"]["Message-ID"] for copy in copies}) == 1
    assert len(copies) == 2
    assert whole.marked(reply_id(copies[0]))


def test_a_kill_after_finish_repeats_nothing(crew: Crew, whole: Whole) -> None:
    """The worker dies before RQ hears that the job is done: nobody runs that turn again, and the next text is answered."""
    writer = whole.person()
    conversation = whole.conversation(writer)
    crew.plan(conversation, "after:finish")
    whole.text(writer, 1)
    crew.died_at_ms(conversation)
    whole.quiet()
    whole.text(writer, 2)
    whole.wait_for_replies(writer, 2)
    whole.quiet()
    assert whole.assert_one_copy(writer) == ["1", "2"]
    assert len(whole.questions(writer)) == 2


def _kill_both(crew: Crew, writer: Person, mailer: Person) -> dict[str, int]:
    conversations = (crew.whole.conversation(writer), crew.whole.conversation(mailer, "email"))
    return {conversation: crew.kill_holder(conversation) for conversation in conversations}


def _assert_recovered(whole: Whole, writer: Person, mailer: Person, deaths: dict[str, int], record: Record) -> None:
    texts, mails = whole.conversation(writer), whole.conversation(mailer, "email")
    whole.wait_for_lines(texts, "answered", count=2)
    whole.wait_for_lines(mails, "answered")
    whole.quiet()
    assert whole.assert_one_copy(writer) == ["1", "2"]
    assert whole.assert_one_copy(mailer, "email") == ["1"]
    for name, conversation in (("texts", texts), ("mails", mails)):
        later = (line.at_ms for line in whole.lines(conversation) if line.type not in NOT_BY_THE_WORKER)
        waited = next(at_ms for at_ms in later if at_ms > deaths[conversation]) - deaths[conversation]
        record(f"recovery_ms_{name}", waited)
        assert waited <= LEASE * 1000 + GRACE_MS
