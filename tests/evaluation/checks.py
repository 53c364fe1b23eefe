"""What holds of a step, when everything that follows from it is over: one sentence for each check that does not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.evaluation.case import Called, Step, Stored, holds
from tests.support.installation import JsonObject

SHOWN: Final = 300
"""Characters of a text in a sentence about it."""


@dataclass
class Seen:
    """What came of a step for its person."""

    got: list[str] = field(default_factory=list)
    """What reached the phone and the mailbox, in order; of a mail the subject stands before it."""
    questions: list[JsonObject] = field(default_factory=list)
    """What the model was asked; empty with a real model."""
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    """The calls of tools, with their results; with a real model their names alone."""
    reminders: Sequence[Mapping[str, Any]] = ()
    facts: Sequence[Mapping[str, Any]] = ()
    items: Sequence[Mapping[str, Any]] = ()
    made: int = 0
    errors: list[str] = field(default_factory=list)


def failures(step: Step, seen: Seen, *, real: bool) -> list[str]:
    """What does not hold. With a `real` model nothing is asked of its words, and its questions are not seen."""
    return [*seen.errors, *_of_messages(step, seen, real=real), *_of_store(step, seen), *([] if real else _of_questions(step, seen))]


def _of_messages(step: Step, seen: Seen, *, real: bool) -> Iterator[str]:
    if len(seen.got) != len(step.gets) and not (real and len(seen.got) > len(step.gets) > 0):
        yield f"{len(seen.got)} messages in place of {len(step.gets)}: {_short(seen.got)}"
    else:
        for wanted, got in zip(step.gets, seen.got, strict=False):
            if not holds(wanted, got):
                yield f"{wanted!r} is not in {_short(got)}"
    everything = "\n\n".join(seen.got)
    if not real:
        yield from (f"{wanted!r} is not said: {_short(everything)}" for wanted in step.says if not holds(wanted, everything))
    yield from (f"{unwanted!r} is said: {_short(everything)}" for unwanted in step.never if holds(unwanted, everything))


def _of_store(step: Step, seen: Seen) -> Iterator[str]:
    if step.made is not None and step.made != seen.made:
        yield f"what needs a yes was made {seen.made} times and not {step.made}"
    if step.reminders is not None:
        yield from _same("reminders", step.reminders, [_reminder(each) for each in seen.reminders])
    if step.facts is not None:
        yield from _same("facts", step.facts, [{"text": fact["text"]} for fact in seen.facts])
    if step.lists is not None:
        yield from _same("lists", step.lists, [{"text": i["text"], "list": i["list"], "done": i["done"]} for i in seen.items])


def _reminder(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": record["text"], "due": record["local"], "zone": record["zone"], "every": record["recurrence"]}


def _same(what: str, wanted: Sequence[Stored], stored: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(wanted) != len(stored):
        yield f"{len(stored)} {what} in place of {len(wanted)}: {_short(stored)}"
        return
    for want, have in zip(wanted, stored, strict=True):
        for name in want.model_fields_set:
            expected, found = getattr(want, name), have.get(name)
            same = holds(expected, str(found)) if name in ("text", "every") else expected == found
            if not same:
                yield f"{what}: {name} is {found!r} and not {expected!r}"


def _of_questions(step: Step, seen: Seen) -> Iterator[str]:
    if step.asked is not None and step.asked != len(seen.questions):
        yield f"the model was asked {len(seen.questions)} times and not {step.asked}"
    shown = [text_of_question(question) for question in seen.questions]
    yield from (f"{wanted!r} is not shown: {_tail(shown)}" for wanted in step.shown if not (shown and holds(wanted, shown[-1])))
    yield from (f"{unwanted!r} is shown" for unwanted in step.hidden if any(holds(unwanted, each) for each in shown))
    if step.called:
        yield from _of_calls(step.called, seen.calls)


def _of_calls(wanted: Sequence[Called], made: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names, have = [call.name for call in wanted], [str(call["name"]) for call in made]
    if names != have:
        yield f"the calls were {have} and not {names}"
        return
    for want, call in zip(wanted, made, strict=True):
        if not holds(want.says, str(call["text"])):
            yield f"{want.name} does not say {want.says!r}: {_short(call['text'])}"
        if want.failed is not None and want.failed is not call["failed"]:
            yield f"{want.name} {'failed' if call['failed'] else 'did not fail'}: {_short(call['text'])}"


def text_of_question(question: JsonObject) -> str:
    """Everything that a question shows the model but the definitions of tools, as one text."""
    return f"{question.get('system', '')}\n\n" + "\n\n".join(_texts(question.get("messages", [])))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        yield from _texts([each for name, each in value.items() if name not in ("type", "role", "id", "tool_use_id", "signature")])


def _tail(texts: Sequence[str]) -> str:
    return f"…{texts[-1][-2 * SHOWN :]!r}" if texts else "nothing was asked"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
