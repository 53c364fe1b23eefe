"""An address that is edited while something for it is under way gets nothing more, and its person is told elsewhere.

The worker's own table of people is older than the edit throughout: whatever is caught here is caught by what is asked before each request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from shared.config.settings import Settings
from shared.mailbox.call import Call
from shared.model.addresses import PhoneNumber
from shared.model.events import Received
from shared.model.users import User, Users
from shared.model.words import said
from shared.operations.registry import RegistryEditor
from shared.registry import PeopleDirectory
from supervisor_worker.assistant import notices
from supervisor_worker.process.patient_mailbox import PatientMailbox
from supervisor_worker.turns.alarms import AlarmRinger
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.summaries import Summarizer
from supervisor_worker.turns.turn import run_turn
from tests.integration.turns.test_reminders import remind
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import BOSS, BOSS_MAIL, TurnEnvironment, calling, token

OLD, NEW, MAIL, NEW_MAIL = "+15550001000", "+15550002000", "ada@example.com", "ada@new.example.com"
TOLD: Final = said(notices.ADDRESS_CHANGED)
Edit = Callable[[], None]


class Editing(PatientMailbox):
    """Runs an edit before or behind one of a turn's calls, by its number from 1; `made` are the names of its scripts."""

    def __init__(self, context: TurnContext, place: float, edit: Edit) -> None:
        super().__init__(context.mailbox.redis, None, context.stopping)
        self.made: list[str] = []
        self._place, self._edit = place, edit

    async def run(self, call: Call[Any]) -> Any:
        """A place that is no whole number lies behind the call before it."""
        self.made.append(call.name)
        if self._place == len(self.made):
            self._edit()
        answer = await super().run(call)
        if self._place == len(self.made) + 0.5:
            self._edit()
        return answer


class House:
    """A worker's inside, whose people are those of a file and of the registry, and which looks for changes only before it sends."""

    def __init__(self, environment: TurnEnvironment, redis: Redis, settings: Settings) -> None:
        self.environment, self.redis, self.settings = environment, redis, settings
        self.editor = RegistryEditor(settings, redis)
        self.people = PeopleDirectory(settings, redis)
        environment.users = self.people.users
        self.toms = 0

    def add(self, name: str, phone: str = "", mail: str = "") -> None:
        """Somebody more, whom the worker knows."""
        ends = {"phone": phone, "boss_phone": str(BOSS) if phone else "", "email": mail, "boss_email": str(BOSS_MAIL) if mail else ""}
        self.editor.add(name, ends)
        self.people.refresh()

    def edit(self, how: str, kind: str = "phone", name: str = "ada") -> Edit:
        """What an operator does on another host: `removed`, `changed` or `given` to somebody else, or the whole person `gone`."""
        old, new, boss = (OLD, NEW, "boss_phone") if kind == "phone" else (MAIL, NEW_MAIL, "boss_email")

        def run() -> None:
            if how == "gone":
                self.editor.remove(name)
            elif how == "changed":
                self.editor.edit(name, {}, {kind: [new]}, {kind: [old]})
            else:
                self.editor.edit(name, {boss: ""}, {}, {kind: [old]})
            if how == "given":
                self.toms += 1
                self.editor.add(f"tom{self.toms}", {kind: old, boss: str(BOSS if kind == "phone" else BOSS_MAIL)})

        return run

    def turn(self, event: Received, place: float = 0, edit: Edit = lambda: None) -> list[str]:
        """One turn for a message, with an edit at a place of it; the scripts that it ran."""
        return self.turn_of(self.environment.conversation(event), place, edit)

    def turn_of(self, conversation: str, place: float = 0, edit: Edit = lambda: None) -> list[str]:
        """One turn of a conversation."""

        async def scenario(context: TurnContext) -> list[str]:
            mailbox = Editing(context, place, edit)
            mine = replace(context, mailbox=mailbox, people=self.people, users=self.people.users)
            await run_turn(conversation, token(), mine)
            return mailbox.made

        return self.environment.run(scenario)

    def quiet(self) -> None:
        """Work until nothing waits and everybody is told; by this worker, which learns."""
        self.people.refresh()
        self.environment.drive(lambda: not self.redis.exists("boss:due", "boss:priority_due", "boss:untold"))

    def sent(self, kind: str = "twilio.create", to: str = OLD) -> list[str]:
        """What went to an address."""
        entries = [entry["request"] for entry in self.environment.sandbox.journal(kind)]
        return [" ".join((entry.get("body") or entry.get("text")).split()) for entry in entries if entry.get("to") == to]


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


@pytest.fixture
def house(environment: TurnEnvironment, redis: Redis, tmp_path: Path) -> House:
    """With Ada, who has a phone and a mail address."""
    house = House(environment, redis, environment.settings.model_copy(update={"boss_data_dir": tmp_path}))
    house.add("ada", OLD, MAIL)
    return house


def text(house: House) -> Received:
    """A text of Ada's, of which the model remembers something; what it is to say is for this one alone."""
    body = f"Remember that I like tea {token()}"
    answers = (calling("remember", text="Ada likes tea"), {"text": "Noted."})
    house.environment.sandbox.script(*({**answer, "match": body} for answer in answers))
    return house.environment.text(body, OLD, user="ada")


def test_a_turn_that_nobody_disturbs_asks_no_script_more_than_before(house: House) -> None:
    """Whose the address is, is judged with the permit."""
    house.environment.sandbox.script({"text": "Hi."})
    event = house.environment.text("Hello", OLD, user="ada")
    assert house.turn(event) == ["claim", "store_reply", "outcome"]
    assert (house.environment.state(event), house.sent()) == ("answered", ["Hi."])


@pytest.mark.parametrize("how", ["removed", "changed", "given", "gone"])
def test_an_address_that_is_edited_at_any_step_of_a_turn_gets_nothing_more(house: House, how: str) -> None:
    """Before each of its scripts, of a turn that calls a tool. What was requested before had left."""
    steps = len(house.turn(text(house)))
    before = len(house.sent())
    for place in range(1, steps + 1):
        for user in house.editor.state().users:
            if user.username != "user":
                house.editor.remove(user.username)
        house.editor.add("ada", {"phone": OLD, "boss_phone": str(BOSS), "email": MAIL, "boss_email": str(BOSS_MAIL)}, returns=True)
        house.people.refresh()
        house.redis.delete(*house.redis.scan_iter("boss:told:elsewhere:*"), "boss:none")
        event, mails = text(house), len(house.sent("sendgrid.send", MAIL))
        made = house.turn(event, place, house.edit(how))
        house.quiet()
        assert len(made) >= place, (place, made, house.environment.story())
        left = int(made[place - 1] == "outcome" and len(made) == steps)
        assert len(house.sent()) - before == left, (place, made)
        assert house.environment.state(event) == ("answered" if left else "ignored:address_removed"), (place, made)
        told = house.sent("sendgrid.send", MAIL)[mails:]
        assert told == ([] if left or how == "gone" else [TOLD]), (place, made)
        before += left
    assert house.sent(to=NEW) == []


@pytest.mark.parametrize("how", ["removed", "given"])
def test_the_users_file_is_looked_at_before_each_request(environment: TurnEnvironment, redis: Redis, tmp_path: Path, how: str) -> None:
    """It is another one by the time that the answer is there."""
    path = tmp_path / "users.toml"
    mail = f'email = "{MAIL}"\nboss_email = "{BOSS_MAIL}"\n'
    path.write_text(f'[[users]]\nusername = "ada"\nphone = "{OLD}"\nboss_phone = "{BOSS}"\n{mail}')
    house = House(environment, redis, environment.settings.model_copy(update={"boss_data_dir": tmp_path, "boss_users_file": path}))

    def edit() -> None:
        toms = f'[[users]]\nusername = "tom"\nphone = "{OLD}"\nboss_phone = "{BOSS}"\n' if how == "given" else ""
        path.write_text(f'[[users]]\nusername = "ada"\n{mail}{toms}')

    event = text(house)
    made = house.turn(event, 3.5, edit)
    assert made[2] == "step"
    house.quiet()
    assert (house.environment.state(event), house.sent(), house.sent("sendgrid.send", MAIL)) == ("ignored:address_removed", [], [TOLD])


def test_a_change_that_concerns_others_costs_a_look_and_no_answer(house: House) -> None:
    """Somebody was added while a turn was under way."""
    event = text(house)

    def add() -> None:
        house.editor.add("eve", {"phone": "+15550003000", "boss_phone": str(BOSS)})

    made = house.turn(event, 3, add)
    assert (house.environment.state(event), made[-3:]) == ("answered", ["store_reply", "sending", "outcome"])
    assert len(house.sent()) == 1


def test_a_request_that_may_have_been_taken_is_looked_up_first(house: House) -> None:
    """It was: then the message is answered, and the record says so."""
    house.environment.sandbox.faults(twilio={"fail": [{"fault": "reset_after_accept", "times": 1}], "status_callbacks": False})
    event = text(house)
    house.turn(event)
    house.edit("removed")()
    house.people.refresh()
    house.environment.drive(lambda: house.environment.state(event) in ("answered", "ignored:address_removed"))
    assert (house.environment.state(event), len(house.sent())) == ("answered", 1)


@pytest.mark.parametrize("how", ["removed", "given", "changed"])
def test_a_mail_that_is_not_answered_is_told_by_text(house: House, how: str) -> None:
    """Likewise, the other way round."""
    house.environment.sandbox.script({"text": "Hi."})
    event = house.environment.mail("Hello", MAIL, user="ada")
    house.turn(event, 1.5, house.edit(how, "email"))
    house.quiet()
    assert house.environment.state(event) == "ignored:address_removed"
    assert (house.sent("sendgrid.send", MAIL), house.sent()) == ([], [TOLD])


def test_who_has_one_channel_alone_is_told_at_their_new_address(environment: TurnEnvironment, redis: Redis, tmp_path: Path) -> None:
    """There is nobody else's ear."""
    house = House(environment, redis, environment.settings.model_copy(update={"boss_data_dir": tmp_path}))
    house.add("ada", OLD)
    event = text(house)
    house.turn(event, 1, house.edit("changed"))
    house.quiet()
    assert (house.sent(), house.sent(to=NEW)) == ([], [TOLD])


@pytest.mark.parametrize("how", ["removed", "changed", "given", "gone"])
def test_a_reminder_that_was_put_for_the_old_address_rings_elsewhere(house: House, how: str) -> None:
    """With its text: at the new number where there is one, else by mail; and nowhere for who is gone."""
    remind(house.environment, text="tea", user=house.environment.identities.user("ada"))
    house.environment.run(lambda context: AlarmRinger(context).ring_due())
    house.edit(how)()
    (line,) = house.environment.ledger("reminder_due")
    house.turn_of(line.fields["conv"])
    house.quiet()
    rang = ["Reminder: tea"]
    assert house.sent() == []
    assert house.sent(to=NEW) == (rang if how == "changed" else [])
    assert house.sent("sendgrid.send", MAIL) == (rang if how in ("removed", "given") else [])


def test_a_copy_for_a_mailbox_that_was_given_away_goes_nowhere(house: House) -> None:
    """It waits for its turn when the operator edits the entry; its person is told by text."""
    house.environment.sandbox.script(calling("send_copy", text="The code is 4711"), {"text": ""})
    house.turn(house.environment.text("Mail me that", OLD, user="ada"))
    (line,) = house.environment.ledger("copy_stored")
    house.edit("given", "email")()
    house.turn_of(line.fields["conv"])
    house.quiet()
    assert house.sent("sendgrid.send", MAIL) == []
    assert house.sent()[1:] == [TOLD]


def test_no_notes_are_made_of_a_chat_at_an_address_that_was_given_away(house: House) -> None:
    """Nobody who is to be understood will talk there: the model is not asked."""
    house.environment.environment["history_tokens"] = 1_000
    for number in range(13):
        event = house.environment.text(f"This is thing {number}.", OLD, user="ada")
        house.environment.once(event)
    assert len(house.environment.ledger("summary_wanted")) == 1
    asked = house.environment.sandbox.count("anthropic.messages")
    house.edit("given")()
    house.people.refresh()
    conversation = house.environment.conversation(event)
    assert house.environment.run(lambda context: Summarizer(context).make(conversation)) == "nothing"
    assert house.environment.sandbox.count("anthropic.messages") == asked


def test_who_was_added_a_moment_ago_is_answered_by_a_worker_that_did_not_know(house: House) -> None:
    """By whom the registry has, and as their entry says."""
    house.editor.add("eve", {"phone": NEW, "boss_phone": str(BOSS), "about": "Eve likes rhymes."})
    web = house.environment.users = Users([User(username="eve", phone=PhoneNumber(NEW), boss_phone=BOSS)])
    event = house.environment.text("Hello", NEW, user="eve")
    assert (web.named("eve") is not None, house.people.users.named("eve")) == (True, None)
    house.environment.sandbox.script({"text": "Hi."})
    house.turn(event)
    assert (house.environment.state(event), house.sent(to=NEW)) == ("answered", ["Hi."])
    assert "Eve likes rhymes." in str(house.environment.sandbox.journal("anthropic.messages")[-1]["request"]["system"])
