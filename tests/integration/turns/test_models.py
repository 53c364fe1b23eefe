"""Which model a turn asks: the person's, else the channel's; and a turn with a step stays with its model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from boss.checks.providers import claude
from shared.mailbox import statistics
from shared.mailbox.books import Used, read_books
from shared.model import users
from supervisor_worker.turns.context import TurnContext
from tests.integration.turns.test_tools import calling, notes, sent, tools
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from webhook_api.operations import metrics

__all__ = ["tools"]


def asked(sandbox: SandboxProcess) -> list[tuple[Any, ...]]:
    """Model, effort and `max_tokens` of each question."""
    return [
        (entry["request"]["model"], entry["request"].get("output_config", {}).get("effort"), entry["request"]["max_tokens"])
        for entry in sandbox.journal("anthropic.messages")
    ]


def with_price(environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claude's prices count, though it is played."""
    monkeypatch.setattr(type(environment.settings), "played", frozenset())


def test_each_channel_has_its_model_and_a_person_their_own(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """With effort and room; the reply's record names the model."""
    environment.environment |= {
        "SMS_MODEL": "claude-haiku-5-5", "SMS_EFFORT": "low", "SMS_MAX_TOKENS": 600, "EMAIL_MODEL": "claude-opus-5-5",
    }  # fmt: skip
    text, mail = environment.text(), environment.mail()
    environment.drive(lambda: environment.state(text) == environment.state(mail) == "answered")
    assert sorted(asked(sandbox)) == [("claude-haiku-5-5", "low", 3672), ("claude-opus-5-5", "medium", 4096)]
    environment.users.replace([replace(users.LOCAL_USER, model="claude-sonnet-5-5", effort="high", max_tokens=700)])
    again = environment.text("And now?")
    environment.drive(lambda: environment.state(again) == "answered")
    assert asked(sandbox)[2:] == [("claude-sonnet-5-5", "high", 3772)]
    assert [line.fields["model"] for line in environment.ledger("reply_stored")][-1] == "claude-sonnet-5-5"


def test_a_turn_with_a_step_keeps_its_model_whatever_is_set_by_then(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """Also its effort and its room: the question goes on with the same bytes."""
    sandbox.script(calling("milk"))
    sandbox.faults(anthropic={"fail": [{"fault": "529", "match": "tool_result", "times": None}]})
    event = environment.text("Note milk")
    environment.drive(lambda: len(notes(environment.redis)) == 1 and len(environment.ledger("backoff")) > 0)
    sandbox.faults(anthropic={"fail": []})
    environment.environment |= {"BOSS_MODEL": "claude-haiku-5-5", "BOSS_EFFORT": "low", "CLAUDE_MAX_TOKENS": 700}
    other = environment.mail()
    environment.drive(lambda: environment.state(event) == environment.state(other) == "answered")
    found = asked(sandbox)
    assert found[-1] == ("claude-haiku-5-5", "low", 3772) or found[-2] == ("claude-haiku-5-5", "low", 3772)
    assert [each for each in found if each[0] == "claude-haiku-5-5"] == [("claude-haiku-5-5", "low", 3772)]
    assert len(notes(environment.redis)) == 1


def test_what_a_persons_model_used_is_in_its_own_book(
    environment: TurnEnvironment, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim reserved in the usual model's name, and its book has nothing of it."""
    del sandbox
    with_price(environment, monkeypatch)
    environment.users.replace([replace(users.LOCAL_USER, model="claude-opus-5-5")])
    event = environment.text()
    environment.drive(lambda: environment.state(event) == "answered")
    models = read_books(environment.redis).models
    assert models["claude-opus-5-5"].money > 0
    assert {name: used.money for name, used in models.items() if name != "claude-opus-5-5"} in ({}, {"claude-sonnet-5-5": 0})


SECOND = "claude-haiku-5-5"
FIRST = "claude-sonnet-5-5"


def failing(sandbox: SandboxProcess, *models: str, fault: str = "529") -> None:
    """Only these models fail, until it is said otherwise."""
    sandbox.faults(anthropic={"fail": [{"fault": fault, "match": f'"model": "{model}"', "times": None} for model in models]})


def models_asked(sandbox: SandboxProcess) -> list[str]:
    """Of each question, in order."""
    return [model for model, *_ in asked(sandbox)]


def test_while_a_model_is_overloaded_the_second_answers_at_once_and_then_the_first_again(
    environment: TurnEnvironment, sandbox: SandboxProcess
) -> None:
    """The person is told nothing of it. While the first is spared it is not asked."""
    environment.environment |= {"SECOND_MODEL": SECOND, "LEASE_SECONDS": 2, "SEND_TIMEOUT_SECONDS": 0.5}
    failing(sandbox, FIRST)
    one = environment.text("One")
    environment.drive(lambda: environment.state(one) == "answered")
    two = environment.text("Two")
    environment.drive(lambda: environment.state(two) == "answered")
    assert models_asked(sandbox) == [FIRST, SECOND, SECOND]
    assert [line.fields["model"] for line in environment.ledger("reply_stored")] == [SECOND, SECOND]
    assert environment.ledger("backoff") == []
    failing(sandbox)
    environment.run(_spared_is_over)
    three = environment.text("Three")
    environment.drive(lambda: environment.state(three) == "answered")
    assert models_asked(sandbox)[3:] == [FIRST]
    assert all("simulated" in text and "model" not in text for text in sent(sandbox))


async def _spared_is_over(context: TurnContext) -> None:
    for outage in context.replies.answers.second._outages.values():
        outage.spared_until = 1.0


def test_a_turn_with_a_step_waits_for_its_own_model(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """What a model thinks is its own, and a bound turn never changes its model; one that the second began stays with that."""
    environment.environment |= {"SECOND_MODEL": SECOND}
    sandbox.script(calling("milk"))
    sandbox.faults(anthropic={"fail": [{"fault": "529", "match": "tool_result", "times": None}]})
    event = environment.text("Note milk")
    environment.drive(lambda: len(environment.ledger("backoff")) > 1)
    assert set(models_asked(sandbox)) == {FIRST}
    sandbox.faults(anthropic={"fail": []})
    environment.drive(lambda: environment.state(event) == "answered")
    failing(sandbox, FIRST)
    sandbox.script(calling("eggs"))
    other = environment.mail("Note eggs")
    environment.drive(lambda: environment.state(other) == "answered")
    assert models_asked(sandbox)[-3:] == [FIRST, SECOND, SECOND]
    assert len(notes(environment.redis)) == 2


def test_where_both_fail_nothing_is_asked_in_a_loop(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """Each try asks each of them once at most, and waits as in any outage; what it cost is settled."""
    environment.environment |= {"SECOND_MODEL": SECOND}
    failing(sandbox, FIRST, SECOND)
    event = environment.text()
    environment.drive(lambda: len(environment.ledger("backoff")) >= 3)
    tries = len(environment.ledger("backoff"))
    assert len(models_asked(sandbox)) <= 2 * (tries + 1)
    assert models_asked(sandbox)[:2] == [FIRST, SECOND]
    failing(sandbox, FIRST)
    environment.drive(lambda: environment.state(event) == "answered")
    books = read_books(environment.redis)
    assert books.day.reserved == 0
    assert books.models[SECOND].tokens > 0
    (tokens, _dollars) = metrics._models(statistics.look(environment.redis))
    assert {sample.labels["model"]: sample.value for sample in tokens.samples}[SECOND] == books.models[SECOND].tokens
    assert books.models.get(FIRST, Used()).tokens == 0  # an error in the place of an answer costs nothing


def test_another_outage_than_overload_must_have_lasted(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """Here it need not; at its default the message waits first."""
    environment.environment |= {"SECOND_MODEL": SECOND}
    failing(sandbox, FIRST, fault="500")
    event = environment.text()
    environment.drive(lambda: len(environment.ledger("backoff")) >= 2)
    assert set(models_asked(sandbox)) == {FIRST}
    environment.environment |= {"SECOND_MODEL_AFTER_SECONDS": 0}
    environment.drive(lambda: environment.state(event) == "answered")
    assert models_asked(sandbox)[-1] == SECOND


@pytest.fixture
def plain(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """A local model behind a host that knows nothing of Anthropic's own; all of that is asked for."""
    environment.environment |= {"BOSS_MODEL": "qwen3:32b", "WEB_SEARCH": "on"}
    sandbox.faults(anthropic={"plain_host": True})


@pytest.mark.usefixtures("plain")
def test_a_plain_host_is_asked_for_nothing_that_it_does_not_know(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """With tools, behind them, and where an answer was empty."""
    sandbox.script(calling("milk"), {"text": ""}, {"text": "Done."})
    event = environment.text("Note milk")
    environment.drive(lambda: environment.state(event) == "answered")
    other = environment.mail("Hello")
    environment.drive(lambda: environment.state(other) == "answered")
    assert len(notes(environment.redis)) == 1
    assert sandbox.count("anthropic.messages", accepted=False) == 0
    assert {type(entry["request"]["system"]) for entry in sandbox.journal("anthropic.messages")} == {str}
    assert len(environment.ledger("reply_stored")) == 2


@pytest.mark.usefixtures("plain")
def test_what_a_plain_host_would_refuse_costs_no_turn(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """A look at the doctor finds no fault either: it is asked neither to count nor for its models."""
    (found,) = claude(environment.settings)
    assert (found.status, "a plain one" in found.detail) == ("ok", True)
    environment.environment |= {"MODEL_HOST": "claude"}
    (found,) = claude(environment.settings)
    assert found.status == "fail"
    environment.environment |= {"MODEL_HOST": "plain", "BOSS_MODEL": "claude-sonnet-5-5"}
    event = environment.text("Hello")
    environment.drive(lambda: environment.state(event) == "answered")
    assert sandbox.count("anthropic.messages", accepted=False) == 0
