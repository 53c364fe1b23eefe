"""Questions that wait for a yes: sent before they can be answered, answered once, and carried out once, where they were asked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from shared.mailbox import calls
from shared.mailbox.calls import AnswerReplies, DayBounds, Question, QuestionMessage, Stored, TurnHolder
from shared.mailbox.records import Turn
from shared.model.addresses import PhoneNumber
from shared.model.approvals import VERDICTS, ApprovalCall
from shared.model.events import SendSmsResponse
from tests.support.mailbox_driver import PAIR, C, MailboxDriver
from tests.support.mailbox_state import LEASE, RETENTION, SEND_LIMITS
from tests.support.mailbox_workers import received

MINUTES: Final = 900_000
DAY: Final = 86_400_000
CODE: Final = "4821"
SEND: Final = ApprovalCall("mail__send", {"to": "tom@example.com"}, "d", "mail__send tom@example.com")
PAY: Final = ApprovalCall("bank__pay", {"amount": 5}, "d", "bank__pay")


def saying(text: str) -> SendSmsResponse:
    """A reply."""
    return SendSmsResponse(to=PhoneNumber("+15551234567"), from_=PhoneNumber("+15559876543"), message=text, user="user")


REPLIES: Final = AnswerReplies({verdict: (saying(f"it is {verdict}"), {"by_code": 1}) for verdict in VERDICTS})


@dataclass
class Asking:
    """One person's questions. A token `k1` makes the turn `t-k1`, whose question is `ap-k1`."""

    driver: MailboxDriver

    def question(self, token: str, *asked: ApprovalCall, code: str = CODE, **more: Any) -> Question:
        """What the turn of a token asks."""
        found = Question(f"ap-{token}", code, asked or (SEND,), "u-1", "u-1", "", "", received(f"m-ap-{token}", "text"))
        return replace(found, **more)

    def store(self, token: str, question: Question | None, *, conv: str = C, attempt: str = "", **more: Any) -> Stored:
        """The turn's reply, with its question."""
        carried = "" if question is None or question.message else question.id
        return self.driver.run(
            calls.store_reply(
                conv, token, Turn(f"t-{token}", ()), saying("Shall I?"), limits=SEND_LIMITS, attempt=attempt, question=question,
                approval=carried, **more,
            )
        )  # fmt: skip

    def ask(
        self, token: str, *asked: ApprovalCall, code: str = CODE, conv: str = C, kind: str = "text", pair: str = PAIR, **more: Any
    ) -> None:  # fmt: skip
        """A turn that asks, to its end."""
        self.driver.accept(f"m-{token}", conv=conv, kind=kind, pair=pair)
        assert self.driver.claim(token, conv=conv).outcome == "taken"
        stored = self.store(token, self.question(token, *asked, code=code, **more), conv=conv, attempt=f"a-{token}")
        if kind != "bridge":
            assert stored.permit is not None
            assert stored.permit.outcome == "ok"
            self.sent(token, conv)

    def sent(self, token: str, conv: str = C) -> None:
        """The provider has accepted the reply of a turn."""
        call = calls.outcome(
            f"r-{token}", f"a-{token}", "accepted", provider_id=f"SM-{token}", retention_ms=RETENTION, conversation=conv, token=token
        )
        self.driver.run(call)

    def answer(self, message: str, answer: str, **more: Any) -> bool:
        """Whether a message is taken for an answer."""
        found = self.driver.accept(message, answer=answer, **more)
        record = self.driver.box.message(message)
        assert found.outcome == "ignored" or record is not None
        return record is not None and record.answer != ""

    def serve(self, token: str, *, conv: str = C, attempt: bool = True) -> str:
        """The turn of an answer: what it comes to."""
        assert self.driver.claim(token, conv=conv).outcome == "taken"
        stored = self.taking(token, conv=conv, attempt=f"a-{token}" if attempt else "")
        if stored.permit and stored.permit.outcome == "ok":
            self.sent(token, conv)
        return stored.verdict or stored.outcome

    def taking(self, token: str, *, conv: str = C, attempt: str = "") -> Stored:
        """The script that takes an answer."""
        return self.driver.run(
            calls.store_reply(
                conv, token, Turn(f"t-{token}", ()), saying("never said"), limits=SEND_LIMITS, attempt=attempt, answers="approval",
                answer=REPLIES,
            )
        )  # fmt: skip

    def state(self, token: str) -> str:
        """What has become of a question."""
        found = self.driver.run(calls.approval_of(f"ap-{token}"))
        return found.state if found else ""

    def approved(self, conv: str = C) -> list[str]:
        """The approved calls that wait in a conversation."""
        names = [raw.decode() for raw in self.driver.redis.lrange(f"boss:inbox:{conv}", 0, -1)]  # type: ignore[union-attr]
        return [name for name in names if (found := self.driver.box.message(name)) and found.approved]


def after(driver: MailboxDriver, word: str, *, serve: str = "k9") -> str:
    """What an answer comes to now; "ordinary" where it is accepted as none."""
    return Asking(driver).serve(serve) if Asking(driver).answer(f"m-{serve}", word) else "ordinary"


def test_a_yes_is_taken_and_its_call_waits_where_it_was_asked(driver: MailboxDriver) -> None:
    """With what was asked about, and nothing else; the reply is the one that goes with it."""
    asking = Asking(driver)
    asking.ask("k1")
    assert asking.answer("m-2", "yes 4821")
    assert (driver.inbox(), driver.priority()) == ([], ["m-2"])
    assert asking.serve("k2") == "yes"
    assert driver.reply("k2").command.text == "it is yes"
    (name,) = asking.approved()
    record = driver.box.message(name)
    assert record is not None
    assert (record.kind, record.approved, record.user) == ("approved", (SEND,), "u-1")
    assert driver.claim("k3").outcome == "taken"
    assert asking.state("k1") == "approved"
    assert driver.lines("approval_ended")[-1]["reason"] == "approved"


def test_a_no_ends_the_question_and_calls_nothing(driver: MailboxDriver) -> None:
    """Whoever says yes after that is told so."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.answer("m-2", "no 4821")
    asking.answer("m-3", "yes 4821")
    assert [asking.serve("k2"), asking.serve("k3")] == ["no", "already"]
    assert (asking.approved(), asking.state("k1")) == ([], "declined")


def test_an_answer_is_taken_once(driver: MailboxDriver) -> None:
    """Said twice, delivered twice, asked twice by redis-py, or served again after its worker died."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.answer("m-2", "yes 4821")
    assert driver.accept("m-2", answer="yes 4821").outcome == "duplicate"
    asking.answer("m-3", "yes 4821")
    driver.claim("k2")
    assert [asking.taking("k2").verdict, asking.taking("k2").verdict] == ["yes", "yes"]
    driver.advance(LEASE + 1)
    found = driver.claim("k3")
    assert found.turn is not None
    assert (found.turn.id, found.turn.reply and found.turn.reply.command.text) == ("t-k2", "it is yes")
    asking.driver.sending("k3", "a-k2", turn="k2")
    driver.run(calls.outcome("r-k2", "a-k2", "accepted", provider_id="SM", retention_ms=RETENTION, conversation=C, token="k3"))
    assert asking.serve("k4") == "already"
    assert asking.approved() == ["m-ap-k1"]


def test_a_question_that_was_not_sent_cannot_be_answered(driver: MailboxDriver) -> None:
    """Neither a code that nobody has read, nor a word to what was said before."""
    asking = Asking(driver)
    driver.accept("m-1")
    driver.claim("k1")
    asking.store("k1", asking.question("k1"))
    assert not asking.answer("m-2", "yes 4821")
    assert not asking.answer("m-3", "yes")
    assert driver.inbox() == ["m-1", "m-2", "m-3"]


def test_an_answer_is_to_what_was_sent_before_it(driver: MailboxDriver) -> None:
    """A bare word is about the last attempt, which says what is newest; who names the code has read an earlier one."""
    asking = Asking(driver)
    driver.accept("m-1")
    driver.claim("k1")
    asking.store("k1", asking.question("k1"), attempt="a-k1")
    assert asking.answer("m-2", "yes")
    assert asking.answer("m-3", "yes 4821")
    assert driver.sending("k1", "a-k1").outcome == "ok"  # it is sent once more
    asking.sent("k1")
    assert asking.serve("k2") == "text"
    assert asking.serve("k3") == "yes"
    assert driver.inbox() == ["m-2", "m-ap-k1"]


def test_a_word_that_answers_nothing_is_an_ordinary_text(driver: MailboxDriver) -> None:
    """In its place among what came before and after it, and asked about like any other."""
    asking = Asking(driver)
    driver.accept("m-1")
    driver.claim("k1")
    asking.store("k1", asking.question("k1"), attempt="a-k1")
    asking.answer("m-2", "yes")
    driver.advance(1)
    driver.accept("m-3")
    driver.sending("k1", "a-k1")
    asking.sent("k1")
    assert asking.serve("k2") == "text"
    assert (driver.inbox(), driver.priority(), driver.state("m-2")) == (["m-2", "m-3"], [], "pending")
    assert driver.due() is not None
    found = driver.claim("k3")
    assert found.turn is not None
    assert [(each.id, each.answer, each.approval) for each in found.turn.messages] == [("m-2", "", ""), ("m-3", "", "")]


def test_an_unknown_code_or_another_person_s_is_no_answer(driver: MailboxDriver) -> None:
    """Nor is a word in another conversation."""
    asking = Asking(driver)
    asking.ask("k1")
    assert not asking.answer("m-2", "yes 4822")
    assert not asking.answer("m-3", "yes 4821", user="u-2", sender="s-2", pair="p-2", conv="c-2")
    assert not asking.answer("m-4", "yes", conv="c-3", pair="p-3")
    assert asking.state("k1") == "pending"


def test_a_number_that_has_changed_hands_answers_nothing(driver: MailboxDriver) -> None:
    """The conversation is the same, and the person is another."""
    asking = Asking(driver)
    asking.ask("k1")
    assert not asking.answer("m-2", "yes", user="u-2")


def test_a_bare_word_is_to_the_newest_thing_said_with_nothing_between(driver: MailboxDriver) -> None:
    """Neither a message of the person's, nor one of ours, nor another answer."""
    asking = Asking(driver)
    asking.ask("k1")
    driver.accept("m-2")
    assert not asking.answer("m-3", "yes")
    asking.ask("k4", PAY, code="1111")
    assert after(driver, "no 1111", serve="k5") == "no"
    assert not asking.answer("m-6", "yes")
    assert asking.state("k1") == "pending"


def test_a_bare_word_is_to_nothing_after_another_message_of_ours(driver: MailboxDriver) -> None:
    """Though the person has said nothing since."""
    asking = Asking(driver)
    driver.accept("m-0")
    driver.advance(1)
    driver.accept("m-1", kind="mail")
    driver.claim("k0")
    asking.store("k0", asking.question("k0"), attempt="a-k0")
    asking.sent("k0")
    driver.claim("k1")
    driver.store("k1", attempt="a-k1")
    driver.outcome("k1", "a-k1", "accepted", "SM-k1", token="k1")
    assert not asking.answer("m-2", "yes")
    assert after(driver, "yes 4821", serve="k3") != "ordinary"


def test_a_bare_word_with_two_questions_open_asks_which(driver: MailboxDriver) -> None:
    """Until one of them is answered by its code."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.ask("k2", PAY, code="1111")
    assert after(driver, "yes", serve="k3") == "which"
    assert after(driver, "no 1111", serve="k4") == "no"
    assert (asking.state("k1"), asking.state("k2")) == ("pending", "declined")


def test_one_of_two_questions_that_has_expired_is_not_meant(driver: MailboxDriver) -> None:
    """Then the word is to the other."""
    asking = Asking(driver)
    asking.ask("k1")
    driver.advance(MINUTES)
    asking.ask("k2", PAY, code="1111")
    driver.advance(1)
    assert after(driver, "yes", serve="k3") == "yes"
    assert (asking.state("k1"), asking.state("k2")) == ("pending", "approved")


def test_an_answer_that_comes_late_is_told_so_and_one_that_was_accepted_in_time_counts(driver: MailboxDriver) -> None:
    """Whenever it is served."""
    asking = Asking(driver)
    asking.ask("k1")
    driver.advance(MINUTES)
    asking.answer("m-2", "yes 4821")
    driver.advance(1)
    asking.answer("m-3", "no 4821")
    driver.advance(MINUTES)
    assert asking.serve("k2") == "yes"
    asking.ask("k4", code="1111")
    driver.advance(MINUTES + 1)
    assert after(driver, "yes 1111", serve="k5") == "expired"
    assert asking.state("k4") == "pending"


def test_its_minutes_begin_when_it_is_sent_and_again_with_each_attempt(driver: MailboxDriver) -> None:
    """Not when it is stored."""
    asking = Asking(driver)
    driver.accept("m-1")
    driver.claim("k1")
    asking.store("k1", asking.question("k1"))
    driver.advance(30_000)
    driver.sending("k1", "a-k1")
    driver.advance(10_000)
    driver.sending("k1", "a-k1")
    asking.sent("k1")
    driver.advance(MINUTES)
    assert after(driver, "yes 4821") == "yes"


def test_a_clock_that_steps_back_gives_a_question_no_more_time(driver: MailboxDriver) -> None:
    """Its minutes count from then."""
    asking = Asking(driver)
    asking.ask("k1")
    driver.advance(-DAY)
    assert asking.answer("m-2", "no 1111") is False
    asking.ask("k2", PAY, code="1111")
    driver.advance(MINUTES)
    assert after(driver, "yes", serve="k3") == "which"
    assert after(driver, "no 4821", serve="k4") == "no"


def test_stop_ends_what_waits_and_a_yes_after_it_is_one_of_twilio_s_words(driver: MailboxDriver) -> None:
    """Before it, it is an answer: also where Twilio says that it opts in."""
    asking = Asking(driver)
    asking.ask("k1")
    assert driver.accept("m-2", keyword="stop", answer="").reason == "opt_out"
    assert asking.state("k1") == "withdrawn"
    assert driver.accept("m-3", keyword="yes", answer="yes").reason == "opt_in"
    asking.ask("k4", code="1111")
    assert asking.answer("m-5", "yes", keyword="start")
    assert asking.serve("k5") == "yes"


def test_a_yes_of_who_has_opted_out_opts_in(driver: MailboxDriver) -> None:
    """What waits is asked by another of their pairs."""
    asking = Asking(driver)
    asking.ask("k1", conv="c-2", kind="mail", pair="p-2")
    driver.run_opt_out(PAIR)
    assert driver.accept("m-2", keyword="yes", answer="yes 4821").reason == "opt_in"
    assert asking.state("k1") == "pending"


def test_a_word_that_opts_out_answers_nothing(driver: MailboxDriver) -> None:
    """Though an operator made it one that does."""
    asking = Asking(driver)
    asking.ask("k1")
    assert driver.accept("m-2", keyword="stop", answer="no 4821").reason == "opt_out"
    assert driver.priority() == []
    assert asking.state("k1") == "withdrawn"


def test_a_message_that_is_handed_over_ends_what_waits(driver: MailboxDriver) -> None:
    """Another program has taken the conversation."""
    asking = Asking(driver)
    asking.ask("k1")
    driver.accept("m-2", kind="bridge")
    assert driver.run(calls.hand_over("m-2", retention_ms=RETENTION)) == "handed_over"
    assert asking.state("k1") == "withdrawn"


def test_a_pause_of_the_person_or_a_new_chat_ends_what_waits(driver: MailboxDriver) -> None:
    """Who names the code is told so; a bare word is an ordinary one. A pause of all ends nothing."""
    asking = Asking(driver)
    asking.ask("k1")
    driver.pause()
    driver.resume()
    assert asking.state("k1") == "pending"
    driver.pause(PAIR)
    driver.resume(PAIR)
    assert asking.state("k1") == "withdrawn"
    asking.ask("k2", code="1111")
    driver.accept("m-3", command="new")
    driver.claim("k3")
    driver.store("k3", answers="new", attempt="a-k3")
    asking.sent("k3")
    assert asking.state("k2") == "withdrawn"
    assert after(driver, "yes 1111", serve="k4") == "withdrawn"
    assert not asking.answer("m-5", "yes")


def test_a_new_chat_ends_only_what_was_asked_in_it(driver: MailboxDriver) -> None:
    """Another conversation's waits on."""
    asking = Asking(driver)
    asking.ask("k1", conv="c-2", kind="mail")
    driver.accept("m-3", command="new")
    driver.claim("k3")
    driver.store("k3", answers="new")
    assert asking.state("k1") == "pending"


def test_a_word_that_was_accepted_before_its_question_was_withdrawn_is_an_ordinary_one(driver: MailboxDriver) -> None:
    """Nothing is called for what has ended."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.answer("m-2", "yes")
    driver.run_opt_out("other")
    driver.pause(PAIR)
    driver.resume(PAIR)
    assert asking.serve("k2") == "text"
    assert asking.approved() == []


def test_a_newer_question_about_the_same_ends_the_older_one(driver: MailboxDriver) -> None:
    """On whichever channel it was asked."""
    asking = Asking(driver)
    asking.ask("k1", conv="c-2", kind="mail")
    asking.ask("k2", code="1111")
    assert (asking.state("k1"), asking.state("k2")) == ("withdrawn", "pending")


def test_a_question_whose_turn_parks_unsent_is_void(driver: MailboxDriver) -> None:
    """One that was sent can be answered all the same."""
    asking = Asking(driver)
    driver.accept("m-1")
    driver.claim("k1")
    asking.store("k1", asking.question("k1"))
    driver.park("k1", looked_up=True)
    assert asking.state("k1") == "withdrawn"
    driver.accept("m-2")
    driver.claim("k2")
    asking.store("k2", asking.question("k2", code="1111"), attempt="a-k2")
    driver.park("k2", looked_up=True)
    assert asking.state("k2") == "pending"


def test_a_mail_answers_by_its_code_alone_and_a_bridge_what_was_asked_there(driver: MailboxDriver) -> None:
    """By the other channel the code is needed, too."""
    asking = Asking(driver)
    asking.ask("k1", conv="c-2", kind="mail")
    assert not asking.answer("m-2", "yes", conv="c-2", kind="mail")
    assert not asking.answer("m-3", "yes 4821", conv="c-2", kind="bridge")
    assert asking.answer("m-4", "yes 4821")
    assert asking.serve("k4") == "yes"
    assert asking.approved("c-2") == ["m-ap-k1"]


def test_over_the_bridge_a_question_is_asked_and_answered_there(driver: MailboxDriver) -> None:
    """And what comes of it is told there."""
    asking = Asking(driver)
    asking.ask("k1", kind="bridge")
    assert not asking.answer("m-2", "yes")
    driver.claim("k2")
    driver.finish("k2")
    asking.ask("k3", kind="bridge", code="1111")
    assert asking.answer("m-4", "yes", kind="bridge")
    driver.claim("k4")
    stored = asking.taking("k4")
    assert stored.outcome == "finished"
    driver.claim("k5")
    assert asking.store("k5", None).outcome == "finished"


def test_another_approver_is_asked_in_their_conversation_and_names_the_code(driver: MailboxDriver) -> None:
    """Their yes puts the call where it was asked for, and their no is told there."""
    asking = Asking(driver)
    for token, word, code in (("k1", "yes", "4821"), ("k2", "no", "1111")):
        message = QuestionMessage("c-2", "s-2", "p-2", received(f"n-q-{token}", "text"))
        driver.accept(f"m-{token}")
        driver.claim(token)
        question = asking.question(token, code=code, approver="u-2", named=True, message=message)
        asking.store(token, question, attempt=f"a-{token}")
        asking.sent(token)
        assert not asking.answer(f"m-a{token}", f"{word} {code}", user="u-2", conv="c-2", pair="p-2", sender="s-2")
        driver.redis.delete("boss:inbox:c-2")
        found = driver.claim(f"q{token}", conv="c-2")
        assert found.turn is not None
        assert (found.turn.messages[0].kind, found.turn.messages[0].approval) == ("question", question.id)
        driver.run(
            calls.store_reply(
                "c-2", f"q{token}", Turn(f"t-q{token}", ()), saying("Shall they?"), limits=SEND_LIMITS, attempt=f"a-q{token}",
                answers="question", approval=question.id,
            )
        )  # fmt: skip
        asking.sent(f"q{token}", "c-2")
        theirs: dict[str, Any] = {"user": "u-2", "conv": "c-2", "pair": "p-2", "sender": "s-2"}
        assert not asking.answer(f"m-b{token}", word, **theirs)
        driver.redis.delete("boss:inbox:c-2")
        assert not asking.answer(f"m-c{token}", f"{word} {code}")
        driver.redis.delete(f"boss:inbox:{C}")
        assert asking.answer(f"m-d{token}", f"{word} {code}", **theirs)
        assert asking.serve(f"s{token}", conv="c-2") == word
        if word == "yes":
            assert asking.approved() == ["m-ap-k1"]
            driver.redis.delete(f"boss:inbox:{C}")
    assert driver.taken_notice("k9") == "declined"


def test_a_question_to_another_that_was_withdrawn_is_not_sent(driver: MailboxDriver) -> None:
    """It ends as cancelled."""
    asking = Asking(driver)
    driver.accept("m-1")
    driver.claim("k1")
    message = QuestionMessage("c-2", "s-2", "p-2", received("n-q", "text"))
    asking.store("k1", asking.question("k1", approver="u-2", named=True, message=message), attempt="a-k1")
    driver.pause(PAIR)
    driver.claim("k2", conv="c-2")
    stored = driver.run(
        calls.store_reply(
            "c-2", "k2", Turn("t-k2", ()), saying("Shall they?"), limits=SEND_LIMITS, attempt="a-k2", answers="question", approval="ap-k1"
        )
    )
    assert stored.permit is not None
    assert stored.permit.outcome == "cancelled"


def test_a_code_is_not_given_again_for_a_day_after_the_end(driver: MailboxDriver) -> None:
    """To another question of the same person's."""
    asking = Asking(driver)
    assert driver.run(calls.approval_code("u-1", "ap-k1", [CODE])) == CODE
    assert driver.run(calls.approval_code("u-1", "ap-k1", [CODE])) == CODE
    asking.ask("k1")
    asking.answer("m-2", "no 4821")
    driver.advance(2_000)
    asking.serve("k2")
    assert driver.run(calls.approval_code("u-1", "ap-k9", [CODE, "1111"])) == "1111"
    assert driver.run(calls.approval_code("u-2", "ap-k9", [CODE])) == CODE
    assert DAY - 1_000 < driver.ttl("boss:code:u-1:4821") <= DAY


def test_always_holds_for_that_person_and_recipient(driver: MailboxDriver) -> None:
    """Without it a call that needs a yes is not made; with it, it is."""
    asking = Asking(driver)
    driver.accept("m-0")
    found = driver.claim("k0")
    assert found.turn is not None
    person = found.turn.person

    def calling(token: str, needs: str, whose: str = person) -> str:
        who = TurnHolder(C, token, f"t-{token}", whose, "0", LEASE)
        return driver.run(calls.calling(who, needs or "x", wait_ms=1, repeatable=False, needs=needs)).outcome

    assert calling("k0", SEND.always) == "ask"
    driver.finish("k0")
    asking.ask("k1", person=person, epoch="0")
    asking.answer("m-2", "always 4821")
    assert asking.serve("k2") == "always"
    driver.claim("k3")
    assert [calling("k3", SEND.always), calling("k3", "mail__send ann"), calling("k3", "")] == ["call", "ask", "call"]


def test_always_to_a_question_that_shows_words_of_others_is_a_yes(driver: MailboxDriver) -> None:
    """It holds for nothing else."""
    asking = Asking(driver)
    asking.ask("k1", person="per-1", epoch="", mixed=True)
    driver.redis.hset("boss:person:per-1", "epoch", "")
    asking.answer("m-2", "always 4821")
    assert asking.serve("k2") == "yes"
    assert asking.approved() == ["m-ap-k1"]
    assert not driver.redis.exists("boss:always:per-1")


def test_what_an_erased_person_asked_is_answered_by_nothing(driver: MailboxDriver) -> None:
    """Neither what waits nor what was accepted; what went to others is named, to be erased."""
    asking = Asking(driver)
    driver.redis.hset("boss:person:per-1", "epoch", 0)
    asking.ask("k1", person="per-1", epoch="0")
    assert asking.answer("m-2", "yes 4821")
    driver.redis.hset("boss:person:per-1", "epoch", 1)
    assert asking.serve("k2") == "text"
    message = QuestionMessage("c-2", "s-2", "p-2", received("n-q", "text"))
    driver.claim("k3")
    asking.store("k3", asking.question("k3", PAY, code="1111", approver="u-2", named=True, message=message))
    driver.claim("k4", conv="c-2")
    assert driver.run(calls.erase_approvals("u-1", driver.now)) == [("c-2", ["n-q", "t-k4", "r-k4"])]
    assert (asking.state("k1"), asking.state("k3")) == ("", "")
    assert driver.box.message("n-q") is not None
    assert not asking.answer("m-5", "yes 4821")
    assert driver.run(calls.approval_code("u-1", "ap-k9", [CODE])) == ""


def test_what_waits_for_a_yes_is_shown_to_who_asked_for_it_until_it_is_answered_or_late(driver: MailboxDriver) -> None:
    """Whoever is asked is shown nothing of it, and neither is what was answered, or came too late."""
    asking = Asking(driver)
    for whose in ("1", "2"):
        driver.redis.hset(f"boss:person:per-{whose}", mapping={"user": f"u-{whose}", "epoch": "0"})

    def shown(person: str = "per-1") -> list[str]:
        found = driver.run(calls.memory_of(person, C, facts_bytes=1_000, said_bytes=0)).waiting
        return [each.calls[0].tool if each.calls else "" for each in found]

    asking.ask("k1", person="per-1", epoch="0")
    assert (shown(), shown("per-2")) == ([SEND.tool], [])
    message = QuestionMessage("c-2", "s-2", "p-2", received("n-q", "text"))
    driver.accept("m-k3")
    driver.claim("k3")
    asking.store("k3", asking.question("k3", PAY, code="1111", approver="u-2", named=True, message=message))
    assert (shown(), shown("per-2")) == ([PAY.tool, SEND.tool], [])
    asking.answer("m-2", "no 4821")
    driver.finish("k3")
    assert asking.serve("k4") == "no"
    assert shown() == [PAY.tool]
    driver.redis.hset("boss:approval:ap-k3", "until", driver.now)
    driver.advance(1)
    assert shown() == []


def test_an_operator_withdraws_what_waits_and_revokes_what_was_said_always_to(driver: MailboxDriver) -> None:
    """Each once; an answer that comes later finds nothing open."""
    asking = Asking(driver)
    asking.ask("k1")
    assert driver.run(calls.withdraw_approval("ap-k1"))
    assert asking.state("k1") == "withdrawn"
    assert not driver.run(calls.withdraw_approval("ap-k1"))
    assert not driver.run(calls.withdraw_approval("ap-none"))
    driver.redis.hset("boss:always:per-1", "mail__send", 1)
    assert driver.run(calls.revoke_always("per-1", "u-1", "mail__send"))
    assert not driver.redis.exists("boss:always:per-1")
    assert not driver.run(calls.revoke_always("per-1", "u-1", "mail__send"))


def test_a_question_of_another_life_is_not_made(driver: MailboxDriver) -> None:
    """The epoch has been raised since its claim."""
    asking = Asking(driver)
    driver.redis.hset("boss:person:per-1", "epoch", 1)
    asking.ask("k1", person="per-1", epoch="0")
    assert asking.state("k1") == ""


def test_an_approved_call_waits_for_no_money(driver: MailboxDriver) -> None:
    """It is made, though nothing is left to say of it what came of it; and its turn, resumed, is shown what was said before."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.answer("m-2", "yes 4821")
    asking.serve("k2")
    driver.accept("m-3", conv="c-2", kind="mail")
    bounds = DayBounds(own_day=50)
    assert driver.claim("k0", conv="c-2", bounds=bounds, amount=40).outcome == "taken"
    found = driver.claim("k3", bounds=bounds, amount=40)
    assert found.turn is not None
    assert (found.turn.messages[0].kind, found.reserved) == ("approved", 0)
    who = TurnHolder(C, "k3", "t-k3", found.turn.person, found.turn.epoch, LEASE)
    driver.run(calls.calling(who, "0:1", wait_ms=1, repeatable=False))
    driver.advance(LEASE + 1)
    again = driver.claim("k4")
    assert again.turn is not None
    assert (again.turn.id, "calling:0:1" in again.turn.steps, bool(again.turn.history)) == ("t-k3", True, True)


def test_an_approved_call_that_was_begun_is_not_brought_back(driver: MailboxDriver) -> None:
    """An operator's retry would make it once more; one that was not begun is."""
    asking = Asking(driver)
    for token, code, begins in (("k1", "4821", False), ("k4", "1111", True)):
        asking.ask(token, code=code)
        asking.answer(f"m-a{token}", f"yes {code}")
        asking.serve(f"s{token}")
        found = driver.claim(f"c{token}")
        assert found.turn is not None
        if begins:
            who = TurnHolder(C, f"c{token}", f"t-c{token}", found.turn.person, found.turn.epoch, LEASE)
            driver.run(calls.calling(who, "0:1", wait_ms=1, repeatable=False))
        driver.park(f"c{token}")
        retried = driver.run(calls.retry(f"m-ap-{token}", f"o-{token}", retention_ms=RETENTION))
        assert retried.outcome == ("not_parked" if begins else "done")
        if not begins:
            driver.claim("k3")
            driver.finish("k3")


def test_a_parked_answer_that_is_retried_is_judged_as_before(driver: MailboxDriver) -> None:
    """By when it came."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.answer("m-2", "yes 4821")
    driver.claim("k2")
    driver.park("k2")
    driver.advance(MINUTES + 1)
    driver.run(calls.retry("m-2", "o-1", retention_ms=RETENTION))
    assert driver.priority() == ["m-2"]
    assert asking.serve("k3") == "yes"


def test_a_stranger_to_a_question_fills_no_inbox_with_its_answers(driver: MailboxDriver) -> None:
    """A robot that answers what has ended is bounded as one that knows the commands is; what waits is always answered."""
    asking = Asking(driver)
    asking.ask("k1")
    asking.answer("m-2", "no 4821")
    asking.serve("k2")
    reasons = [driver.accept(f"m-a{n}", answer="no 4821").reason for n in range(60)]
    assert reasons.count("rate_limited") == 1
    driver.redis.delete(f"boss:priority:{C}", f"boss:inbox:{C}")
    asking.ask("k3", code="1111")
    assert asking.answer("m-b", "no 1111")
