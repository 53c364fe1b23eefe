"""Commands from end to end: answered by code, at once, whatever holds up what the model is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import calls
from shared.model.sms_segments import size
from shared.model.users import LOCAL_USER, Users
from shared.model.words import said
from supervisor_worker.assistant.claude.client import ModelAnswer
from supervisor_worker.assistant.prompt import Prompt
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TIMES, TurnEnvironment

AWAY: dict[str, Any] = {"fail": [{"fault": "529", "times": None}]}
PARTS = [f"Part {number}: {'word ' * 300}end." for number in (1, 2, 3)]


class Model:
    """Says what it is told to say, and remembers what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = [*answers]
        self.asked: list[Prompt] = []
        self.stops: list[str] = []

    async def think(self, prompt: Prompt) -> ModelAnswer:
        """The next answer; the last one again and again."""
        self.asked.append(prompt)
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return ModelAnswer(text=text, stop=self.stops.pop(0) if self.stops else "end_turn", model="m", input_tokens=1, output_tokens=1)

    async def aclose(self) -> None:
        """Nothing is open."""


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    found.users = Users([LOCAL_USER])
    yield found
    found.close()


def answer(environment: TurnEnvironment, body: str) -> str:
    """A text and what it is answered, in one job: nothing that waits is brought forward."""
    event = environment.text(body)
    environment.once(event)
    assert environment.state(event) == "answered", environment.story()
    return environment.reply(event).command.text


def test_a_command_is_answered_at_once_while_the_model_is_away(environment: TurnEnvironment) -> None:
    """The question backs off and is answered later, once; the commands between are told what waits."""
    environment.sandbox.faults(anthropic=AWAY, twilio={"status_callbacks": False})
    question = environment.text("What is the capital of Peru?")
    environment.once(question)
    assert environment.state(question) == "pending"
    for body, told in (
        ("Status!", "1 of your messages waits for an answer"),
        ("hilfe", said("help")),
        ("/new", said("new_chat")),
        ("back", said("back")),
    ):
        assert told in answer(environment, body)
    assert environment.state(question) == "pending"
    assert environment.sandbox.count("twilio.create") == 4
    environment.sandbox.faults(anthropic={"fail": []}, twilio={"status_callbacks": False})
    environment.drive(lambda: environment.state(question) == "answered")
    assert environment.sandbox.count("twilio.create") == 5


def test_a_command_is_answered_over_the_day_s_bound_and_over_the_rate(environment: TurnEnvironment) -> None:
    """Neither the turns that a day nor those that an hour has are a command's."""
    hosts = dict.fromkeys(("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"), environment.sandbox.url)
    keys = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
    environment.environment |= {"SANDBOX": "off", "DAILY_TURNS": 1, **hosts, **keys}  # the bounds hold for what is paid
    environment.model, environment.turns_per_hour = Model("Fine."), 2
    answer(environment, "one")
    held = environment.text("two")
    environment.once(held)  # finds the day used up
    environment.once(held)  # tells its sender
    assert (environment.state(held), len(environment.ledger("notice", code="waits_day"))) == ("pending", 1)
    told = answer(environment, "status")
    assert told.startswith("1 of your messages waits for an answer")
    assert "used up what I may think about today" in told
    assert environment.state(environment.text("three", kind="bridge")) == "ignored:rate_limited"
    assert answer(environment, "help") == said("help")
    assert environment.state(held) == "pending"


def test_a_command_by_mail_is_the_only_word_of_the_mail(environment: TurnEnvironment) -> None:
    """With a signature below it; a mail that says more is for the model."""
    environment.sandbox.faults(anthropic=AWAY, sendgrid={"events": False})
    command, other = environment.mail("Status\n\n-- \nAda"), environment.mail("Status\n\nof my order?")
    for event in (command, other):
        environment.once(event)
    assert environment.state(command) == "answered"
    assert environment.reply(command).command.text.startswith("1 of your messages waits for an answer, since ")
    assert environment.state(other) == "pending"


def test_a_command_over_the_bridge_is_answered_there(environment: TurnEnvironment) -> None:
    """No text goes out."""
    environment.sandbox.faults(anthropic=AWAY)
    command = environment.text("help", kind="bridge")
    environment.once(command)
    assert (environment.state(command), environment.reply(command).command.text) == ("answered", said("help"))
    assert environment.sandbox.count("twilio.create") == 0


def test_more_brings_part_after_part_and_then_says_that_there_is_none(environment: TurnEnvironment) -> None:
    """Nothing of the answer is lost, said twice or asked of the model."""
    environment.model = Model(" ".join(PARTS))
    parts = [answer(environment, "Tell me all")]
    asked = len(environment.model.asked)
    while (next_part := answer(environment, "more")) != said("no_more"):
        parts.append(next_part)
    assert len(parts) > 3
    assert " ".join(part.removesuffix(said("more_hint")) for part in parts).split() == " ".join(PARTS).split()
    assert all(size(part).segments <= environment.settings.sms_max_segments for part in parts)
    assert answer(environment, "More.") == said("no_more")
    assert len(environment.model.asked) == asked
    answer(environment, "thanks")
    answer(environment, "more")
    assert len(environment.model.asked) > asked + 1


def test_a_part_of_what_was_made_under_the_eyes_of_words_of_others_is_marked_as_its_whole_is(environment: TurnEnvironment) -> None:
    """What is shown of it later makes a turn mixed, also where the first part is no longer shown."""
    environment.model = Model(" ".join(PARTS))
    first = environment.text("Tell me all")
    environment.once(first)
    environment.redis.hset(f"boss:reply:{environment.reply(first).id}", "mixed", 1)
    for _ in range(2):
        event = environment.text("more")
        environment.once(event)
        assert environment.reply(event).mixed


def test_a_part_that_was_not_sent_is_what_a_retry_brings(environment: TurnEnvironment) -> None:
    """Its request was refused, and it was set aside: no part is left out."""
    environment.model = Model(" ".join(PARTS))
    first = environment.text("Tell me all")
    environment.once(first)
    environment.sandbox.faults(twilio={"fail": [{"fault": "400", "code": 21617}], "status_callbacks": False})
    command = environment.text("more")
    environment.once(command)
    assert environment.state(command).startswith("parked:"), environment.story()
    refused = environment.reply(command).command.text
    environment.mailbox.run(calls.retry(command.id, "o-1"))
    environment.once(command)
    assert (environment.state(command), environment.reply(command).command.text) == ("answered", refused)


def test_a_number_s_new_owner_does_not_get_the_rest_of_an_answer(environment: TurnEnvironment) -> None:
    """It was said to somebody else."""
    environment.model = Model(" ".join(PARTS))
    answer(environment, "Tell me all")
    event = environment.text("more", user="eve")
    environment.once(event)
    assert environment.reply(event).command.text == said("no_more")


def test_a_status_is_of_the_person_s_own_messages(environment: TurnEnvironment) -> None:
    """On all of their channels, and of nobody else's."""
    environment.sandbox.faults(anthropic=AWAY, twilio={"status_callbacks": False}, sendgrid={"events": False})
    for event in (environment.mail("A question"), environment.text("Another's", "+15551230001"), environment.text("A text")):
        environment.once(event)
    pair = environment.identities.pair(*LOCAL_USER.ends("email"))  # type: ignore[misc]
    environment.mailbox.run(calls.opt_out(pair, out=True))
    told = answer(environment, "status")
    assert told.startswith("2 of your messages wait for an answer, the first since ")
    assert "text, waits; " in told
    assert told.count("waits") == 2
    assert told.endswith("I send you no mails, since you asked me not to.")


def test_the_history_shows_what_code_has_said_as_a_note(environment: TurnEnvironment) -> None:
    """And nothing from before a new chat, until the person goes back."""
    environment.model = model = Model("First answer.")
    answer(environment, "first")
    answer(environment, "help")
    answer(environment, "second")
    *before, _ = model.asked[-1].messages
    assert [message.role for message in before] == ["user", "assistant"]
    assert said("help").split("(")[0].strip() in model.asked[-1].messages[-1].text
    assert all(said("help") not in message.text for message in model.asked[-1].messages if message.role == "assistant")
    answer(environment, "new chat")
    answer(environment, "third")
    assert [TIMES.sub("", message.text) for message in model.asked[-1].messages] == ["third"]
    answer(environment, "Zurück")
    answer(environment, "fourth")
    assert TIMES.sub("", model.asked[-1].messages[0].text) == "first"


def test_the_word_is_an_answer_to_a_question_that_names_it(environment: TurnEnvironment) -> None:
    """The model asked, and the model is told."""
    environment.model = Model("Do you want the status of the order?", "It is on its way.")
    answer(environment, "My order")
    assert answer(environment, "status") == "It is on its way."


def test_what_code_says_is_in_the_persons_language(environment: TurnEnvironment) -> None:
    """The line below a cut text, which brings the rest by its own word, the answers to commands, and a refusal."""
    environment.users = Users([replace(LOCAL_USER, language="de")])
    environment.model = Model(" ".join(PARTS))
    first = answer(environment, "Erzähl mir alles")
    assert first.endswith(said("more_hint", "de"))
    second = answer(environment, "Mehr")
    assert " ".join(PARTS).startswith(" ".join(part.removesuffix(said("more_hint", "de")) for part in (first, second)))
    assert answer(environment, "hilfe") == said("help", "de")
    assert answer(environment, "status").endswith(said("status_not_paused", "de"))


def test_a_refusal_is_codes_sentence_and_is_shown_so_later(environment: TurnEnvironment) -> None:
    """The history puts no word of ours into the model's mouth, and nothing of what the model had begun to say."""
    model = environment.model = Model("x")
    model.stops = ["refusal"]
    assert answer(environment, "Do it") == said("refused")
    model.stops = []
    answer(environment, "And now?")
    shown = model.asked[-1].messages
    assert [message.role for message in shown] == ["user"]
    assert f"\u27e6This program, and not you, told the person: {said('refused')}\u27e7" in shown[0].text
