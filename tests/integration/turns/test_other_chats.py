"""One memory over channels: what was said by mail is known by text, found by words, and never another person's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from shared.model.marks import Mark
from shared.model.users import LOCAL_USER, Users
from supervisor_worker.assistant.outside_calls import WAITS
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, calling

JsonObject = dict[str, Any]


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    found.users = Users([LOCAL_USER])
    yield found
    found.close()


def test_what_was_said_by_mail_is_known_by_text_and_stands_in_the_newest_message(environment: TurnEnvironment) -> None:
    """Never in what is cached; each conversation's own words stand in it once."""
    environment.answer_to(environment.mail("My train leaves at noon."), {"text": "Have a good trip."})
    environment.answer_to(environment.text("When must I go?"), {"text": "Before noon."})
    shown = environment.newest_message()
    assert "by mail, they: My train leaves at noon.\n" in shown
    assert "by mail, you: Have a good trip.\n" in shown
    assert shown.index("noon") < shown.index("When must I go?")
    assert "noon" not in str(environment.questions()[-1]["system"])
    environment.answer_to(environment.text("And then?"), {"text": "Rest."})
    before = [message["content"] for message in environment.questions()[-1]["messages"][:-1]]
    assert before == ["When must I go?", "Before noon."]


def test_a_shared_phone_shows_and_finds_its_own_conversation_alone(environment: TurnEnvironment) -> None:
    """Several people use it, and one need not know what another wrote by mail."""
    environment.users = Users([replace(LOCAL_USER, shared=True)])
    environment.answer_to(environment.mail("My dentist is on Friday."), {"text": "Noted."})
    environment.answer_to(environment.text("The dentist called"), {"text": "Yes."})
    answered = environment.text("What did I say about the dentist?")
    environment.answer_to(answered, calling("search_history", words="dentist"), {"text": "That they called."})
    assert "Friday" not in str(environment.questions()[1:])
    assert "this chat, for several people use it" in environment.tool_results()[0]
    assert "They wrote: The dentist called" in environment.tool_results()[0]


def test_a_search_finds_what_was_said_elsewhere_and_changes_nothing(environment: TurnEnvironment) -> None:
    """By a part of a word, in whatever case; the reply has no receipt."""
    environment.answer_to(environment.mail("Mein ZAHNÄRZTLICHER Termin ist am Freitag."), {"text": "Gut."})
    environment.answer_to(environment.mail("Something else"), {"text": "Fine."})
    event = environment.text("Wann war das?")
    assert environment.answer_to(event, calling("search_history", words="zahnärztlich"), {"text": "Am Freitag."}) == "Am Freitag."
    (told,) = environment.tool_results()
    assert "They wrote: A question Mein ZAHNÄRZTLICHER Termin ist am Freitag." in told
    assert "You answered: Gut." in told
    assert "Something else" not in told


def test_what_others_wrote_is_found_marked_and_the_turn_is_mixed(environment: TurnEnvironment) -> None:
    """By a note it is not shown: a mail that was forwarded once marks no later text of the person's."""
    body = "See:\n\nThe plumber comes on Friday"
    environment.answer_to(environment.mail(body, marks=(Mark("forwarded", 6, len(body)),)), {"text": "On Friday."})
    first = environment.text("Remember that I like tea")
    assert environment.answer_to(first, calling("remember", text="likes tea"), {"text": ""}) == "Remembered: likes tea"
    assert "plumber" not in str(environment.questions()[1:])
    second = environment.text("When does the plumber come? Remember it")
    environment.answer_to(second, calling("search_history", words="plumber"), calling("remember", text="Friday"), {"text": "Friday."})
    assert environment.tool_results() == [WAITS]
    (found,) = environment.sandbox.journal("anthropic.messages")[-2]["request"]["tool_results"]
    assert "What follows comes from others" in found["text"]
    assert environment.reply(second).mixed


def test_the_boss_says_how_it_stands_with_it(environment: TurnEnvironment) -> None:
    """Of the person alone, and without the message that asks."""
    environment.answer_to(environment.text("Remember it"), calling("remember", text="likes tea"), {"text": ""})
    environment.answer_to(environment.mail("Milk"), calling("add_to_list", list="shopping", items=["milk"]), {"text": ""})
    event = environment.text("How are you doing?")
    assert environment.answer_to(event, calling("show_status"), {"text": "Fine."}) == "Fine."
    (told,) = environment.tool_results()
    assert told.startswith("Bossline ")
    assert "None of your messages waits for an answer. Your last: " in told
    assert "Kept of the person: 0 reminders, 1 facts, 1 lists." in told


def test_another_persons_words_are_neither_shown_nor_found(environment: TurnEnvironment) -> None:
    """Also where the number has changed hands."""
    environment.answer_to(environment.text("My secret is blue"), {"text": "I see."})
    environment.answer_to(environment.mail("My secret is blue"), {"text": "I see."})
    event = environment.text("What is the secret?", user="eve")
    environment.answer_to(event, calling("search_history", words="secret blue"), {"text": "I do not know."})
    assert "Nothing was found." in environment.tool_results()[0]
    assert "blue" not in str([question["messages"] for question in environment.questions()[2:3]])
