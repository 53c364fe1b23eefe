"""Approvals from end to end: asked by code, answered by the person, carried out once and as it was asked about."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import pytest
from click.testing import CliRunner
from redis import Redis

from boss.main import main
from shared import submit
from shared.config.settings import Settings
from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.model.addresses import EmailAddress, Identities, PhoneNumber
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.model.marks import Mark
from shared.model.users import LOCAL_USER, User, Users
from shared.model.words import said
from supervisor_worker.assistant import outside_calls
from supervisor_worker.mcp.results import CallResult, Fate
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.integration.turns.test_outside_calls import Died, Server, calls_for, server, tool
from tests.support.erasure import erase_person
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

MUM: Final = User(
    username="mum", name="Mum", phone=PhoneNumber("+15551230001"), email=EmailAddress("mum@example.com"),
    boss_phone=LOCAL_USER.boss_phone, boss_email=LOCAL_USER.boss_email,
)  # fmt: skip
SAYS: Final = {"text": "That is it."}
QUESTION: Final = re.compile(r"Answer YES (\d{4}) or NO \1\.")


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[TurnEnvironment]:
    """Two people's turns, with a server whose tools ask."""
    monkeypatch.setattr(outside_calls, "MARGIN_SECONDS", 0.2)
    sandbox.faults(twilio={"status_callbacks": False})
    found = TurnEnvironment(redis, redis_url, sandbox, {"LEASE_SECONDS": 60, "CLAUDE_TIMEOUT_SECONDS": 20, "SEND_TIMEOUT_SECONDS": 10})
    found.users = Users([LOCAL_USER, MUM])
    found.mcp = Server((tool("look", approval="always", read_only=True), tool("pay", approver="mum"), tool("send", recipient="to")))
    yield found
    found.close()


def texts(environment: TurnEnvironment) -> list[str]:
    """What phones got."""
    return [entry["request"]["body"] for entry in environment.sandbox.journal("twilio.create", accepted=True)]


def mails(environment: TurnEnvironment) -> list[str]:
    """What mailboxes got."""
    return [" ".join(entry["request"]["text"].split()) for entry in environment.sandbox.journal("sendgrid.send", accepted=True)]


def code_in(text: str) -> str:
    """The code that a question names."""
    found = QUESTION.search(text)
    assert found, text
    return found[1]


def quiet(environment: TurnEnvironment) -> bool:
    """Whether nothing waits any more."""
    return not environment.redis.exists("boss:due", "boss:priority_due")


def settle(environment: TurnEnvironment) -> None:
    """Until nothing waits."""
    for key in ("boss:due", "boss:priority_due"):
        for name in cast("list[bytes]", environment.redis.zrange(key, 0, -1)):
            environment.redis.zadd(key, {name: 0})
    environment.drive(lambda: quiet(environment))


def asks(environment: TurnEnvironment, name: str = "send", event: Received | None = None) -> str:
    """A turn in which the model asks for a call: the code of the question."""
    environment.sandbox.script(calls_for(name), SAYS)
    event = event or environment.text("Please do")
    environment.drive(lambda: environment.state(event) == "answered")
    settle(environment)
    return code_in((texts(environment) + mails(environment))[-1] if event.channel == "sms" else mails(environment)[-1])


@pytest.mark.parametrize("words", ["yes {code}", "YES!", "Yes please \U0001f44d", "ja bitte", "{code} yes"])
def test_a_yes_has_the_call_made_and_its_result_told(environment: TurnEnvironment, words: str) -> None:
    """Once, by a turn of its own, with a receipt by code; the model is shown what was approved and what came of it."""
    code = asks(environment)
    assert server(environment).made == []
    environment.sandbox.script({"text": "Tom has it."})
    environment.text(words.format(code=code))
    settle(environment)
    assert texts(environment)[1:] == [said("approval_yes"), "Done: send (mail).\n\nTom has it."]
    assert server(environment).made == ["mail__send tom"]
    asked = environment.sandbox.journal("anthropic.messages")[-1]["request"]
    shown = str(asked["messages"][-1])
    assert "It is sent." in shown
    assert "mail__send" in shown
    assert "empty message" not in shown
    assert environment.ledger("approval_ended", reason="approved")


def test_what_waits_for_a_yes_stands_in_the_next_questions_on_every_channel_without_its_code(environment: TurnEnvironment) -> None:
    """Until it is answered; of another's question nothing."""
    code = asks(environment)
    for ask in (environment.text, environment.mail):
        environment.sandbox.script(SAYS)
        event = ask("Did you do it?")
        environment.drive(lambda: environment.state(event) == "answered")  # noqa: B023 - it is called here
        shown = environment.newest_message()
        assert "\u27e6This program has asked for a yes, and nothing of it is done before until " in shown
        assert "mail__send {" in shown
        assert code not in shown
    environment.sandbox.script(SAYS)
    other = environment.text("And I?", str(MUM.phone), user="mum")
    environment.drive(lambda: environment.state(other) == "answered")
    assert "asked for a yes" not in environment.newest_message()
    environment.sandbox.script(SAYS)
    environment.text(f"no {code}")
    settle(environment)
    environment.sandbox.script(SAYS)
    last = environment.text("And now?")
    environment.drive(lambda: environment.state(last) == "answered")
    assert "asked for a yes" not in environment.newest_message()


def test_a_yes_that_is_said_twice_is_carried_out_once(environment: TurnEnvironment) -> None:
    """Also where both come at once."""
    code = asks(environment)
    environment.sandbox.script({"text": "Tom has it."})
    for words in (f"yes {code}", f"YES {code}"):
        environment.text(words)
    settle(environment)
    environment.text(f"yes {code}")
    settle(environment)
    assert server(environment).made == ["mail__send tom"]
    assert texts(environment).count(said("approval_already")) == 2


def test_a_no_and_a_late_yes_call_nothing(environment: TurnEnvironment) -> None:
    """And each is told what became of it."""
    code = asks(environment)
    environment.text(f"no {code}")
    settle(environment)
    assert texts(environment)[-1] == said("approval_no")
    late = asks(environment)
    assert late != code
    (name,) = [key for key in environment.redis.keys("boss:approval:*") if environment.redis.hget(key, "state") == b"pending"]
    environment.redis.hset(name, "until", 1)
    environment.text(f"yes {late}")
    settle(environment)
    assert texts(environment)[-1] == "That took too long; ask me again."
    assert server(environment).made == []


def test_a_yes_to_something_else_is_an_ordinary_text(environment: TurnEnvironment) -> None:
    """Something of the person's came between, and the model is asked about the word."""
    asks(environment)
    environment.sandbox.script({"text": "Do you like tea?"}, {"text": "Tea it is."})
    for words in ("How are you?", "Yes"):
        event = environment.text(words)
        environment.drive(lambda event=event: environment.state(event) == "answered")  # type: ignore[misc]
    assert texts(environment)[-1] == "Tea it is."
    assert server(environment).made == []


def test_a_mail_answers_by_word_and_code_for_a_text(environment: TurnEnvironment) -> None:
    """The call is made, and told, where it was asked for; what a robot quotes is no answer."""
    code = asks(environment)
    quoted = f"> Shall I do this? Answer YES {code} or NO {code}.\n> yes {code}\n"
    environment.sandbox.script({"text": "I see."}, {"text": "Tom has it."})
    mail = environment.mail(f"{quoted}I am away until Monday.", marks=(Mark("quoted", 0, len(quoted)),))
    environment.drive(lambda: environment.state(mail) == "answered")
    assert server(environment).made == []
    environment.mail(f"Yes {code}\n\n-- \nAda")
    settle(environment)
    assert server(environment).made == ["mail__send tom"]
    assert texts(environment)[-1] == "Done: send (mail).\n\nTom has it."
    assert said("approval_yes") in mails(environment)[-1]


def test_what_is_too_long_for_a_text_is_asked_by_mail(environment: TurnEnvironment) -> None:
    """Whole, and the text says so; who has no mailbox is told that it cannot be asked."""
    long = "every word of it " * 60
    call = {"calls": [{"name": "mail__send", "input": {"to": "tom", "text": long}}]}
    environment.sandbox.script(call, SAYS)
    event = environment.text("Please do")
    environment.drive(lambda: environment.state(event) == "answered")
    settle(environment)
    assert texts(environment) == [f"{said('asked_by_mail')}\n\nThat is it."]
    assert long.strip() in mails(environment)[-1]
    environment.sandbox.script({"text": "Tom has it."})
    environment.mail(f"yes {code_in(mails(environment)[-1])}")
    settle(environment)
    assert server(environment).made == ["mail__send tom"]
    environment.users = Users([replace(LOCAL_USER, email=None, boss_email=None), MUM])
    environment.environment = {**environment.environment, "SMS_SETTLE_SECONDS": 0.1}
    environment.sandbox.script(call, SAYS)
    event = environment.text("And again")
    environment.drive(lambda: environment.state(event) == "answered")
    assert texts(environment)[-1] == f"{said('cannot_ask')}\n\nThat is it."


def test_another_approver_is_asked_in_words_of_code_and_by_code_alone(environment: TurnEnvironment) -> None:
    """The child is told who is asked; the mother's yes has it done for the child."""
    environment.sandbox.script(calls_for("pay"), SAYS)
    event = environment.text("Please pay")
    environment.drive(lambda: environment.state(event) == "answered")
    settle(environment)
    mine, hers = texts(environment)
    assert mine == "I have asked Mum for a yes to that.\n\nThat is it."
    assert hers.startswith('Example User asks for your yes to this: pay (mail), to: "tom"? Answer YES ')
    environment.sandbox.script({"text": "Yes to what?"}, {"text": "Paid."})
    bare = environment.text("Yes", MUM.phone.value if MUM.phone else "", user="mum")
    environment.drive(lambda: environment.state(bare) == "answered")
    assert server(environment).made == []
    environment.text(f"Yes {code_in(hers)}", MUM.phone.value if MUM.phone else "", user="mum")
    settle(environment)
    assert server(environment).made == ["mail__pay tom"]
    entry = environment.sandbox.journal("twilio.create", accepted=True)[-1]["request"]
    assert (entry["to"], entry["body"]) == ("+15551234567", "Done: pay (mail).\n\nPaid.")


def test_always_asks_no_more_for_that_recipient_and_asks_where_others_words_are_shown(environment: TurnEnvironment) -> None:
    """By tool, person and recipient."""
    code = asks(environment)
    environment.sandbox.script({"text": "Tom has it."})
    environment.text(f"always {code}")
    settle(environment)
    assert said("approval_always") in texts(environment)
    environment.text("new chat")
    settle(environment)
    environment.sandbox.script(calls_for("send"), SAYS)
    again = environment.text("Once more")
    environment.drive(lambda: environment.state(again) == "answered")
    assert texts(environment)[-1] == "Done: send (mail).\n\nThat is it."
    assert server(environment).made == ["mail__send tom"] * 2
    asks(environment)  # this chat shows now what a server said
    environment.text("new chat")
    settle(environment)
    environment.sandbox.script({"calls": [{"name": "mail__send", "input": {"to": "ann"}}]}, SAYS)
    other = environment.text("And Ann")
    environment.drive(lambda: environment.state(other) == "answered")
    assert 'to: "ann"' in texts(environment)[-1]
    assert server(environment).made == ["mail__send tom"] * 2


def test_what_others_wrote_is_remembered_after_a_yes_and_marked(environment: TurnEnvironment) -> None:
    """By the effect that would have run."""
    body = "Look:\n\nThe door code is 12"
    mail = environment.mail(body, marks=(Mark("forwarded", 7, len(body)),))
    environment.sandbox.script({"calls": [{"name": "remember", "input": {"text": "door code 12"}}]}, SAYS)
    environment.drive(lambda: environment.state(mail) == "answered")
    settle(environment)
    assert environment.redis.keys("boss:facts:*") == []
    code = code_in(mails(environment)[-1])
    environment.sandbox.script({"text": ""}, {"text": ""})
    environment.text(f"yes {code}")
    settle(environment)
    (key,) = environment.redis.keys("boss:facts:*")
    assert b'"marked":true' in environment.redis.hget(key, "f1")  # type: ignore[operator]
    assert "Remembered: door code 12" in mails(environment)[-1]


def test_a_tool_that_has_changed_since_the_question_is_not_called(environment: TurnEnvironment) -> None:
    """The person said yes to another one."""
    code = asks(environment)
    server(environment).tools = (replace(tool("send"), digest="other"),)
    environment.sandbox.script({"text": "It has changed."})
    environment.text(f"yes {code}")
    settle(environment)
    assert server(environment).made == []
    assert texts(environment)[-1] == "Not done: send (mail).\n\nIt has changed."


def test_an_approved_call_of_unknown_fate_is_told_as_such(environment: TurnEnvironment) -> None:
    """And made no second time."""
    code = asks(environment)
    server(environment).result = CallResult("No answer.", Fate.UNKNOWN, is_error=True)
    environment.sandbox.script({"text": "Hm."})
    environment.text(f"yes {code}")
    settle(environment)
    assert texts(environment)[-1] == f"{said('outside_unknown', tool='send', server='mail')}\n\nHm."


@pytest.mark.parametrize("script", ["claim", "store_reply", "outcome", "calling", "called"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_between_any_two_steps_of_a_yes_the_call_is_made_at_most_once(
    environment: TurnEnvironment, script: str, when: str
) -> None:  # fmt: skip
    """And told exactly once: as done, or as not known."""
    environment.environment = {"LEASE_SECONDS": 6, "SEND_TIMEOUT_SECONDS": 0.8}
    code = asks(environment)
    environment.sandbox.script({"text": "Tom has it."}, {"text": "Tom has it."})
    answer = environment.text(f"yes {code}")
    for _ in range(2):  # in the turn of the answer, and in that of the call
        dies(environment, answer, script, when)
    settle(environment)
    made = len(server(environment).made)
    unknown = said("outside_unknown", tool="send", server="mail")
    results = [text for text in texts(environment) if text.startswith(("Done: send", unknown))]
    assert made <= 1
    assert len(results) == 1
    assert results[0].startswith("Done: send") <= (made == 1)
    assert texts(environment).count(said("approval_yes")) == 1


def dies(environment: TurnEnvironment, event: Received, script: str, when: str) -> None:
    """The worker dies before a script is asked, or before its answer arrives; its lease ends."""
    conversation = environment.conversation(event)

    async def scenario(context: TurnContext) -> None:
        run = context.mailbox.run

        async def dying(call: Call[Any]) -> Any:
            if when == "before" and call.name == script:
                raise Died
            result = await run(call)
            if call.name == script:
                raise Died
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(context.mailbox, "run", dying)
            with contextlib.suppress(Died):
                await run_turn(conversation, f"k-{script}-{when}-{environment.redis.incr('test:tokens')}", context)

    environment.run(scenario)
    if environment.redis.hget(f"boss:conv:{conversation}", "token"):
        environment.redis.hset(f"boss:conv:{conversation}", "lease_end", 1)


def test_a_yes_waits_for_no_turn_under_way(environment: TurnEnvironment) -> None:
    """A turn with steps steps aside between two questions; the call is made behind it."""
    code = asks(environment)
    environment.sandbox.faults(anthropic={"hold": True})
    environment.sandbox.script(calls_for("look"), {"text": "I have looked."}, {"text": "Tom has it."})
    event = environment.text("And look")
    asked = len(environment.sandbox.journal("anthropic.messages"))

    async def scenario(context: TurnContext) -> None:
        working = asyncio.create_task(run_turn(environment.conversation(event), "k-looks", context))
        await asyncio.to_thread(environment.sandbox.wait, "anthropic.messages", asked + 1)
        environment.text(f"yes {code}")
        await asyncio.to_thread(environment.sandbox.faults, anthropic={"hold": False})
        await working

    environment.run(scenario)
    settle(environment)
    assert texts(environment)[1:] == [said("approval_yes"), "I have looked.", "Done: send (mail).\n\nTom has it."]
    assert server(environment).made == ["mail__look tom", "mail__send tom"]


def test_who_starts_a_new_chat_or_stops_has_taken_it_back(environment: TurnEnvironment) -> None:
    """A yes to it is told so, and after STOP it is one of Twilio's words: it opts in, and calls nothing."""
    code = asks(environment)
    environment.text("new chat")
    settle(environment)
    environment.text(f"yes {code}")
    settle(environment)
    assert texts(environment)[-1] == said("approval_withdrawn")
    code = asks(environment)
    event = environment.text("wait")
    pair = environment.identities.pair(event.to, event.from_)
    environment.mailbox.run(calls.opt_out(pair, out=True))
    environment.turns_per_hour = 999
    late = environment.text(f"yes {code}")
    assert environment.state(late) == "ignored:opted_out"
    environment.mailbox.run(calls.opt_out(pair, out=False))
    environment.text(f"yes {code}")
    settle(environment)
    assert texts(environment).count(said("approval_withdrawn")) == 2
    assert server(environment).made == []


def test_the_language_of_the_question_is_that_of_who_is_asked(environment: TurnEnvironment) -> None:
    """And so is what is said to the answer."""
    environment.users = Users([replace(LOCAL_USER, language="de"), MUM])
    environment.sandbox.script(calls_for("send"), SAYS, {"text": "Tom hat es."})
    event = environment.text("Bitte")
    environment.drive(lambda: environment.state(event) == "answered")
    assert texts(environment)[0].startswith('Soll ich das tun: send (mail), to: "tom"? Antworte JA ')
    environment.text("Ja bitte!")
    settle(environment)
    assert texts(environment)[1:] == ["Danke, ich mache das.", "Erledigt: send (mail).\n\nTom hat es."]


def test_what_was_asked_over_the_bridge_is_answered_and_told_there(environment: TurnEnvironment) -> None:
    """No text is sent, and a text with the bare word answers nothing of it."""
    environment.sandbox.script(calls_for("send"), SAYS, {"text": "Yes to what?"}, {"text": "Tom has it."})
    event = environment.text("Please do", kind="bridge")
    environment.drive(lambda: environment.state(event) == "answered")
    assert QUESTION.search(environment.reply(event).command.text)
    answer = environment.text("Yes", kind="bridge")
    settle(environment)
    assert environment.reply(answer).command.text == said("approval_yes")
    (line,) = environment.ledger("turn_started")[-1:]
    reply = environment.mailbox.reply("r-" + line.fields["turn"].removeprefix("t-"))
    assert reply is not None
    assert reply.command.text.startswith("Done: send (mail).")
    assert (texts(environment), server(environment).made) == ([], ["mail__send tom"])


def test_a_yes_is_carried_out_though_nothing_is_left_to_think_with(environment: TurnEnvironment) -> None:
    """The receipt says so, and a sentence in the model's place."""
    code = asks(environment)
    environment.environment = {**environment.environment, "DAILY_TOKENS": 1}
    environment.text(f"yes {code}")
    settle(environment)
    assert server(environment).made == ["mail__send tom"]
    assert texts(environment)[-1].startswith("Done: send (mail).")


def test_an_erased_person_s_question_goes_also_where_another_was_asked(environment: TurnEnvironment) -> None:
    """Their words stand in nobody's conversation any more, and no answer calls anything."""
    environment.sandbox.script(calls_for("pay"), SAYS)
    event = environment.text("Please pay")
    environment.drive(lambda: environment.state(event) == "answered")
    settle(environment)
    code = code_in(texts(environment)[-1])
    erase_person(environment.redis, "user", environment.identities.user("user"))
    kept = [environment.redis.dump(key) for key in environment.redis.keys("boss:*") if b"ledger" not in key]
    assert not [each for each in kept if b"tom" in cast("bytes", each)]
    environment.sandbox.script({"text": "Yes to what?"})
    environment.text(f"yes {code}", "+15551230001", user="mum")
    settle(environment)
    assert server(environment).made == []


def test_what_stores_a_message_reads_the_word_and_the_code(environment: TurnEnvironment) -> None:
    """Of a webhook, and of the spool; but of no mail of a person in whose name programs write."""
    ends: dict[str, Any] = {"from_": LOCAL_USER.phone, "to": LOCAL_USER.boss_phone}
    text = SmsReceived(id="m-1", message="Yes 4821", user="user", provider_id="SM1", **ends)
    ends = {"from_": LOCAL_USER.email, "to": LOCAL_USER.boss_email}
    mail = EmailReceived(id="m-2", subject="Re", body="No 4821", user="user", message_id="<1@user.example>", **ends)
    runtime = cast("Any", Offline(environment))
    assert submit.call_for(runtime, text, kind="text", keyword="yes").args["answer"] == "yes 4821"
    assert submit.call_for(runtime, mail, kind="mail").args["answer"] == "no 4821"
    environment.users = Users([replace(LOCAL_USER, robots="answer")])
    assert submit.call_for(runtime, mail, kind="mail").args["answer"] == ""
    assert submit.call_for(runtime, text, kind="text").args["answer"] == "yes 4821"


@dataclass
class Offline:
    """What `submit` needs of a process."""

    environment: TurnEnvironment

    @property
    def identities(self) -> Identities:
        """Of the test."""
        return self.environment.identities

    @property
    def settings(self) -> Settings:
        """Likewise."""
        return self.environment.settings

    @property
    def users(self) -> Users:
        """Likewise."""
        return self.environment.users


def boss(environment: TurnEnvironment, *words: str, code: int = 0) -> str:
    """The operator's command, on this server."""
    result = CliRunner().invoke(main, ["approvals", *words], env={"REDIS_URL": environment.redis_url, "SANDBOX": "on"})
    assert result.exit_code == code, result.output
    return result.output


def test_an_operator_sees_what_waits_and_ends_it(environment: TurnEnvironment) -> None:
    """What it says is shown of one question alone; a late answer is told that it is not open any more."""
    code = asks(environment)
    listed = boss(environment, "list")
    assert "user  mail__send  until" in listed
    assert ("tom" in listed, code in listed) == (False, False)
    name = listed.split()[0]
    assert '"to": "tom"' in boss(environment, "show", name).replace('":"', '": "')
    boss(environment, "withdraw", name)
    assert "Nothing waits" in boss(environment, "list")
    for words in (("show", name), ("withdraw", name)):
        assert "no such question waits" in boss(environment, *words, code=2)
    environment.text(f"yes {code}")
    settle(environment)
    assert texts(environment)[-1] == said("approval_withdrawn")
    assert server(environment).made == []


def test_what_somebody_said_always_to_is_asked_again_when_an_operator_revokes_it(environment: TurnEnvironment) -> None:
    """Of that person and that recipient."""
    code = asks(environment)
    environment.sandbox.script({"text": "Tom has it."})
    environment.text(f"always {code}")
    settle(environment)
    assert 'always  user  mail__send "tom"  since' in boss(environment, "list", "user")
    assert "not said always to that" in boss(environment, "revoke", "user", 'mail__send "ann"', code=2)
    boss(environment, "revoke", "user", 'mail__send "tom"')
    assert [line.fields["user"] for line in environment.ledger("always_revoked")] == [environment.identities.user("user")]
    assert "Nothing waits" in boss(environment, "list")
    asks(environment)
    assert server(environment).made == ["mail__send tom"]
