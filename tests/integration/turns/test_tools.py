"""A turn that calls tools: each effect happens once, stored answers are never asked again, and code tells what was done."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import pytest
from redis import Redis

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import calls, scripts
from shared.mailbox.call import Call
from shared.mailbox.records import Kind
from shared.model.events import Received
from shared.model.marks import Mark
from shared.model.threads import MADE_ID
from shared.model.words import said
from supervisor_worker.assistant import outside_calls, reply, tool_loop
from supervisor_worker.assistant.question import restored
from supervisor_worker.assistant.tools.tool import BadArguments, Tool, ToolContext
from supervisor_worker.turns.context import TurnContext
from supervisor_worker.turns.turn import run_turn
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

JsonObject = dict[str, Any]
EFFECT: Final = """
EFFECTS.note = function(context, args)
  local n = redis.call('HINCRBY', 'boss:notes', context.person, 1)
  redis.call('HSET', 'boss:notes:' .. context.person, context.turn .. ':' .. context.call, args.text)
  return {ok = true, number = n, text = args.text}
end
EFFECTS.look = function() return {ok = true} end
"""


def prepared(given: Mapping[str, Any], _context: ToolContext) -> Mapping[str, Any]:
    """A text, or nothing."""
    if not given.get("text"):
        raise BadArguments("Not done: a note needs a text.")
    return {"text": given["text"]}


NOTE: Final = Tool(
    name="note",
    description="Writes a note.",
    effect="note",
    prepare=prepared,
    told=lambda result, _: f"Note {result['number']} is written.",
    receipt=lambda result, _: f"Noted: {result['text']}",
    schema={"type": "object", "properties": {"text": {"type": "string"}}},
    needs_own_words=True,
)


LOOK: Final = Tool("look", "Looks.", "look", lambda *_: {}, lambda *_: "Nothing is there.", lambda *_: "")


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One tool, whose effect counts how often it happened."""
    source = scripts._source
    monkeypatch.setattr(scripts, "_source", lambda name: source(name) + (EFFECT if name == "effects" else ""))
    monkeypatch.setattr(reply, "TOOLS", (NOTE, LOOK))
    scripts._script.cache_clear()
    yield
    scripts._script.cache_clear()


def calling(*texts: str, **more: Any) -> JsonObject:
    """An answer that calls the tool, once for each text."""
    return {"calls": [{"name": "note", "input": {"text": text} if text else {}} for text in texts], **more}


def notes(redis: Redis) -> list[str]:
    """What was written, by the effect's own records."""
    (key,) = cast("list[bytes]", redis.keys("boss:notes:*")) or [b""]
    return sorted(text.decode() for text in cast("dict[bytes, bytes]", redis.hgetall(key)).values()) if key else []


def written(redis: Redis) -> int:
    """How often the effect has run."""
    return sum(int(number) for number in cast("dict[bytes, bytes]", redis.hgetall("boss:notes")).values())


def sent(sandbox: SandboxProcess) -> list[str]:
    """The texts that reached the phone."""
    return [entry["request"]["body"] for entry in sandbox.journal("twilio.create", accepted=True)]


def questions(sandbox: SandboxProcess) -> list[JsonObject]:
    """What the model was asked, with its answers."""
    return sandbox.journal("anthropic.messages")


def test_a_tool_is_called_and_the_person_is_told_by_code_and_by_the_model(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """The receipt comes first; the model is shown the result; the steps' contents go with the turn."""
    sandbox.script(calling("milk"), {"text": "It is on your list."})
    event = environment.text("Note milk")
    environment.drive(lambda: environment.state(event) == "answered")
    assert sent(sandbox) == ["Noted: milk\n\nIt is on your list."]
    first, second = questions(sandbox)
    assert first["request"]["tool_names"] == ["note", "look"]
    (result,) = second["request"]["tool_results"]
    assert (result["text"], result["failed"]) == ("Note 1 is written.", False)
    assert not environment.redis.keys("boss:steps:*")
    record = cast("dict[bytes, bytes]", environment.redis.hgetall(f"boss:turn:{environment.message(event).turn}"))
    figures = {name.decode(): json.loads(value) for name, value in record.items() if name.startswith(b"step:")}
    kept = {name.rpartition(":toolu_")[0] or name: set(each) for name, each in figures.items()}
    answer = {"model", "input_tokens", "output_tokens", "ms", "micros", "at"}
    assert kept == {"step:answer:1": answer, "step:result:1": {"tool", "at"}}


def test_all_calls_of_an_answer_get_a_result_and_also_what_makes_no_sense(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """An unknown tool, missing arguments and more calls than are made at once are told to the model."""
    many = [f"n{number}" for number in range(tool_loop.MAX_CALLS)]
    answer = calling("", *many)
    answer["calls"].insert(0, {"name": "launch", "input": {}})
    sandbox.script(answer, {"text": "Done."})
    event = environment.text("Do it all")
    environment.drive(lambda: environment.state(event) == "answered")
    results = [(result["text"], result["failed"]) for result in questions(sandbox)[-1]["request"]["tool_results"]]
    assert results[:3] == [(tool_loop.UNKNOWN, True), ("Not done: a note needs a text.", True), ("Note 1 is written.", False)]
    assert results[-2:] == [(tool_loop.TOO_MANY, True)] * 2
    assert written(environment.redis) == tool_loop.MAX_CALLS - 2
    assert sent(sandbox)[0].startswith(f"{said('tool_not_done', 'en')}\nNoted: n0")


def test_a_call_that_was_refused_has_a_line_and_one_that_was_corrected_has_none(
    environment: TurnEnvironment, sandbox: SandboxProcess
) -> None:  # fmt: skip
    """Once for all of a kind; where only looking failed there is nothing to tell."""
    sandbox.script(calling("", ""), {"text": "It did not work."}, calling(""), calling("milk"), {"text": "Now it did."})
    for body in ("Note it", "Note milk"):
        event = environment.text(body)
        environment.drive(lambda event=event: environment.state(event) == "answered")  # type: ignore[misc]
    assert sent(sandbox) == [f"{said('tool_not_done', 'en')}\n\nIt did not work.", "Noted: milk\n\nNow it did."]


def test_words_of_the_person_s_stand_in_a_receipt_as_they_are(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """Signs that mark something elsewhere are theirs."""
    sandbox.script(calling("2 *x* 3 __init__ [a](b) `c` # d"), {"text": "Yes."})
    event = environment.text("Note it")
    environment.drive(lambda: environment.state(event) == "answered")
    assert sent(sandbox) == ["Noted: 2 *x* 3 __init__ [a](b) `c` # d\n\nYes."]


def test_where_the_model_says_nothing_more_the_receipts_are_the_reply(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """It is not asked once more: what was done is said."""
    sandbox.script(calling("milk"), {"text": ""})
    event = environment.text("Note milk")
    environment.drive(lambda: environment.state(event) == "answered")
    assert (sent(sandbox), len(questions(sandbox))) == (["Noted: milk"], 2)
    assert environment.reply(event).by_code


@pytest.mark.parametrize("fault", ["400", "spent"])
def test_a_turn_that_has_done_something_and_cannot_go_on_says_so_by_code(
    environment: TurnEnvironment, sandbox: SandboxProcess, fault: str
) -> None:
    """It is never set aside, and nobody is asked to send it again."""
    sandbox.script(calling("milk", usage={"input_tokens": 15_000}))
    event = environment.text("Note milk")
    if fault == "spent":
        hosts = dict.fromkeys(("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"), sandbox.url)
        real = {"SANDBOX": "off", **hosts, **{name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}}
        environment.environment |= {"DAILY_TOKENS": 20_000, "SENDER_DAILY_SHARE": 1, **real}
    else:
        sandbox.faults(anthropic={"fail": [{"fault": "400", "match": "is written", "times": None}]})
    environment.drive(lambda: environment.state(event) == "answered")
    assert sent(sandbox) == [f"Noted: milk\n\n{said('unfinished', 'en')}"]
    assert written(environment.redis) == 1


def test_a_call_that_was_cut_off_is_not_made(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """Its arguments may be half of what was meant; the model is asked once more."""
    sandbox.script(calling("half", stop_reason="max_tokens"), {"text": "In words, then."})
    event = environment.text("Note it")
    environment.drive(lambda: environment.state(event) == "answered")
    assert (sent(sandbox), written(environment.redis)) == (["In words, then."], 0)


def test_a_turn_asks_so_many_questions_and_the_last_allows_no_call(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """A model that calls for ever costs a bound sum."""
    sandbox.script({**calling("again"), "times": None})
    event = environment.text("Note it for ever")
    environment.drive(lambda: environment.state(event) == "answered", 20)
    asked = questions(sandbox)
    assert len(asked) == tool_loop.MAX_STEPS
    assert [entry["request"].get("tool_choice") for entry in asked[-2:]] == [None, {"type": "none"}]
    assert written(environment.redis) == tool_loop.MAX_STEPS - 1


def test_a_run_works_so_long_and_then_the_next_question_allows_no_call(
    environment: TurnEnvironment, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done is told, and what is called after that is not done: a slow model and slow tools hold a person up no longer."""
    monkeypatch.setattr(tool_loop, "TURN_SECONDS", 0)
    sandbox.script({**calling("again"), "times": None})
    event = environment.text("Note it for ever")
    environment.drive(lambda: environment.state(event) == "answered", 20)
    asked = questions(sandbox)
    assert [entry["request"].get("tool_choice") for entry in asked] == [None, {"type": "none"}]
    assert written(environment.redis) == 1
    assert sent(sandbox)[0].startswith("Noted: again")


def test_what_needs_a_person_s_own_words_is_not_done_where_others_words_are_shown(
    environment: TurnEnvironment, sandbox: SandboxProcess
) -> None:
    """In the turn of a forwarded mail, and in the next ones, as long as the history shows it."""
    for body in ("Look:\n\n-- forwarded --\nnote this", "And now mine"):
        marks = (Mark("forwarded", 7, len(body)),) if "forwarded" in body else ()
        sandbox.script(calling("theirs"), {"text": "It was not done."})
        event = environment.mail(body, message_id="<1@user.example>", marks=marks)
        environment.drive(lambda event=event: environment.state(event) == "answered")  # type: ignore[misc]
        (result,) = questions(sandbox)[-1]["request"]["tool_results"]
        assert (result["text"], result["failed"]) == (outside_calls.WAITS, False)
    assert written(environment.redis) == 0


def test_a_command_is_answered_between_two_questions_of_a_turn(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """It waits for the request under way, and the turn goes on behind it."""
    sandbox.script(calling("milk"), {"text": "Done."})
    sandbox.faults(anthropic={"hold": True})
    event = environment.text("Note milk")

    async def scenario(context: TurnContext) -> None:
        working = asyncio.create_task(run_turn(environment.conversation(event), "k-1", context))
        await asyncio.to_thread(sandbox.wait, "anthropic.messages")
        environment.text("status")
        await asyncio.to_thread(sandbox.faults, anthropic={"hold": False})
        await working

    environment.run(scenario)
    environment.drive(lambda: environment.state(event) == "answered")
    texts = sent(sandbox)
    assert texts[0].startswith("1 of your messages waits")
    assert texts[1] == "Noted: milk\n\nDone."
    assert (written(environment.redis), len(questions(sandbox))) == (1, 2)


def opted_out_behind(environment: TurnEnvironment, event: Received, steps: int) -> None:
    """A turn whose person opts out when so many steps are stored."""
    pair, seen = environment.identities.pair(event.to, event.from_), 0

    async def scenario(context: TurnContext) -> None:
        run = context.mailbox.run

        async def heard(call: Call[Any]) -> Any:
            nonlocal seen
            result = await run(call)
            seen += call.name == "step"
            if call.name == "step" and seen == steps:
                await run(calls.opt_out(pair, out=True))
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(context.mailbox, "run", heard)
            await run_turn(environment.conversation(event), "k-1", context)

    environment.run(scenario)


@pytest.mark.parametrize("steps", [2, 3])
def test_who_opts_out_in_the_midst_finds_what_was_done_as_the_first_thing_after_start(
    environment: TurnEnvironment, sandbox: SandboxProcess, steps: int
) -> None:
    """Between two effects the second one does not happen; behind the last the reply is stored, and not sent."""
    sandbox.script(calling("milk", "tea"), *([{"text": "Both."}] if steps == 3 else []))
    event = environment.text("Note both")
    opted_out_behind(environment, event, steps)
    assert (environment.state(event), sent(sandbox)) == ("ignored:opted_out", [])
    environment.mailbox.run(calls.opt_out(environment.identities.pair(event.to, event.from_), out=False))
    sandbox.script({"text": "Hello."})
    later = environment.text("Hello again")
    environment.drive(lambda: environment.state(later) == "answered")
    told = "Noted: milk\nNoted: tea" if steps == 3 else f"Noted: milk\n\n{said('unfinished', 'en')}"
    assert sent(sandbox) == [told, "Hello."]
    assert written(environment.redis) == steps - 1


@pytest.mark.parametrize("kind", ["bridge", "text", "mail"])
def test_a_message_without_an_id_has_no_tool_called(environment: TurnEnvironment, sandbox: SandboxProcess, kind: Kind) -> None:
    """It may come again and be another one; a bridge client of the first dialect answers by itself what takes long."""
    event: Received = replace(environment.mail("Hi"), id="m-1", message_id=f"<1{MADE_ID}") if kind == "mail" else replace(
        environment.text("Hi"), id="m-1", provider_id=""
    )  # fmt: skip
    environment.drive(lambda: len(questions(sandbox)) == 1)
    environment._accept(event, kind)
    environment.drive(lambda: environment.state(event) == "answered")
    first, second = (entry["request"].get("tool_names") for entry in questions(sandbox))
    assert (first, second) == (["note", "look"], None)


def test_a_question_that_cannot_be_asked_as_it_was_is_asked_anew_where_nothing_was_done(
    environment: TurnEnvironment, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture of it is gone. Nobody is asked to send it again; the new turn has another id."""
    sandbox.script({"calls": [{"name": "look"}], "times": 2}, {"text": "Nothing is there."})
    event = environment.text("Look")
    assert dies_at(environment, event, "step", 1, "after")
    before = environment.message(event).turn
    monkeypatch.setattr(tool_loop, "restored", lambda *_: monkeypatch.setattr(tool_loop, "restored", restored))
    environment.drive(lambda: environment.state(event) == "answered")
    assert (sent(sandbox), len(questions(sandbox))) == (["Nothing is there."], 3)
    assert environment.message(event).turn != before


class Died(BaseException):
    """The worker's process is gone."""


@pytest.mark.parametrize(
    ("script", "when"), [("step", "before"), ("step", "after"), ("reserve", "before"), ("reserve", "after"), ("store_reply", "before")]
)
def test_a_worker_that_dies_anywhere_leaves_a_turn_that_goes_on_behind_its_last_step(
    environment: TurnEnvironment, sandbox: SandboxProcess, script: str, when: str
) -> None:
    """At each call to the mailbox: three tools happen once each, no stored answer is asked again, and the reply says what was done."""
    sandbox.script(
        {"text": "All three.", "match": "Note 3 is written.", "times": None},
        {**calling("three"), "match": "Note 2 is written.", "times": None},
        {**calling("one", "two"), "match": "begin", "times": None},
    )
    for number in itertools.count(1):
        event = environment.text(f"begin {number}", phone := f"+1555123{number:04}")
        died = dies_at(environment, event, script, number, when)
        environment.drive(lambda event=event: environment.state(event) == "answered", 15)  # type: ignore[misc]
        (said,) = sandbox.journal("twilio.create", accepted=True, to=phone)
        assert said["request"]["body"] == "Noted: one\nNoted: two\nNoted: three\n\nAll three."
        asked = [entry for entry in questions(sandbox) if f"begin {number}" in entry["request"]["text"]]
        not_stored = when == "before" and ((script == "step" and number in (1, 4)) or script == "store_reply")
        assert len(asked) == 3 + (died and not_stored)
        if not died:
            break
    for person in environment.redis.keys("boss:notes:*"):
        assert sorted(environment.redis.hvals(person)) == [b"one", b"three", b"two"]
    assert written(environment.redis) == 3 * number


def dies_at(environment: TurnEnvironment, event: Received, script: str, number: int, when: str) -> bool:
    """Run a turn whose worker dies at the so-manieth call of a script, before or after the server has done it; whether it came so far."""
    seen, conversation = 0, environment.conversation(event)

    async def scenario(context: TurnContext) -> None:
        run = context.mailbox.run

        async def dying(call: Call[Any]) -> Any:
            nonlocal seen
            seen += call.name == script
            dead = call.name == script and seen == number
            if dead and when == "before":
                raise Died
            result = await run(call)
            if dead:
                raise Died
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(context.mailbox, "run", dying)
            with contextlib.suppress(Died):
                await run_turn(conversation, f"k-{script}-{number}-{when}", context)

    environment.run(scenario)
    if seen >= number:
        environment.redis.hset(f"boss:conv:{conversation}", "lease_end", 1)
        environment.redis.zadd("boss:due", {conversation: 0})
    return seen >= number
