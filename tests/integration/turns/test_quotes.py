"""A mail that quotes what the conversation holds: folded when it is first shown, and shown alike ever after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from redis import Redis

from shared.model.events import EmailReceived
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from webhook_api.email.quoting import marks_of

CASES: Final = Path(__file__).parents[2] / "cases" / "mail"
ANSWER = "The first bicycle costs 300 and is red.\n\nThe second one costs 400, is blue, and has a bell."
ON = "On Mon, 3 May 2027 at 09:00, Boss <boss@example.com> wrote:"
QUOTE = "\n".join(f"> {line}" for line in ANSWER.split("\n"))
REPLY = f"The second one, please.\n\n{ON}\n\n{QUOTE}\n> Is the bell loud?"


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def asked(environment: TurnEnvironment) -> list[str]:
    """What the newest question shows, message by message."""
    messages = environment.questions()[-1]["messages"]
    return [
        each["content"] if isinstance(each["content"], str) else "".join(part.get("text", "") for part in each["content"])
        for each in messages
    ]


def mail(environment: TurnEnvironment, body: str, root: str = "<1@user.example>") -> EmailReceived:
    return environment.mail(body, references=(root,), marks=marks_of(body))


def test_a_quote_of_what_the_question_shows_is_one_note_and_stays_so(environment: TurnEnvironment) -> None:
    """The question below the quote, typed into it, stays; the next question shows the mail in the same bytes, whatever it holds by then."""
    environment.sandbox.faults(anthropic={"text": ANSWER})
    environment.once(mail(environment, "Which bicycles are there?"))
    environment.sandbox.faults(anthropic={"text": "Done."})
    second = mail(environment, REPLY)
    environment.once(second)
    shown = asked(environment)[-1]
    assert "The second one, please." in shown
    assert "bicycle costs 300" not in shown
    assert f"Above it stands: {ON}" in shown
    assert "> Is the bell loud?" in shown
    assert "⟦Left out here: a quote of your answer of " in shown
    message = environment.message(second)
    assert message.folds is not None
    assert len(message.folds) == 1

    environment.once(mail(environment, "Thank you."))
    assert asked(environment)[-3] == shown


def test_a_quote_of_what_the_question_does_not_show_stays_whole(environment: TurnEnvironment) -> None:
    """Where the history has no room for it, or is another conversation's."""
    environment.sandbox.faults(anthropic={"text": ANSWER})
    environment.once(mail(environment, "Which bicycles are there?", "<1@user.example>"))
    environment.once(mail(environment, REPLY, "<2@user.example>"))
    assert "> The first bicycle costs 300 and is red." in asked(environment)[-1]
    environment.environment["history_tokens"] = 0
    environment.once(mail(environment, REPLY, "<1@user.example>"))
    assert len(asked(environment)) == 1
    assert "> The first bicycle costs 300 and is red." in asked(environment)[-1]


def test_a_quote_of_words_that_we_never_said_stays_whatever_program_wrote_it(environment: TurnEnvironment) -> None:
    """The conversation holds other words; nothing else has these."""
    for number, name in enumerate(("ok_reply_gmail", "ok_reply_outlook")):
        case = json.loads((CASES / f"{name}.seq.json").read_text(encoding="utf-8"))
        root = f"<root{number}@user.example>"
        for step in case["steps"]:
            environment.once(mail(environment, step["text"].replace("{t}", "apricot"), root))
        first, _, last = asked(environment)
        assert "apricot" in first
        assert all(words in last for words in case["expect"]["second_mail_sees"])
