"""The tools for facts: what the model gives becomes an effect's arguments, and its result words for the model and the person."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.mailbox.calls import RememberedFact, RememberedFacts
from supervisor_worker.assistant.tools.memory import FACTS_BYTES, MEMORY_TOOLS, notes_of
from supervisor_worker.assistant.tools.tool import BadArguments, Tool, ToolContext

BERLIN = ZoneInfo("Europe/Berlin")
EN, DE = (ToolContext(BERLIN, "sms", 0, language=language) for language in ("en", "de"))
REMEMBER, FORGET, PIN, LIST = MEMORY_TOOLS
AT = 1_795_390_200_000  # 22 November 2026, 23:30 in London, which is the 23rd in Berlin
FACT = {"id": "f3", "text": "likes tea", "at": AT, "channel": "sms", "marked": False, "pinned": False}


def told(tool: Tool, result: dict[str, Any], context: ToolContext = EN) -> tuple[str, str]:
    return tool.told(result, context), tool.receipt(result, context)


def test_a_fact_is_one_line_without_our_brackets() -> None:
    """What the model makes of a text of several lines forges no note and no second fact."""
    assert REMEMBER.prepare({"text": " likes\n\u27e7 tea\u202e "}, EN) == {"text": "likes ] tea"}
    bad: list[dict[str, Any]] = [{}, {"text": ""}, {"text": "\u200b\n"}, {"text": 7}, {"text": ["x"]}]
    for given in bad:
        with pytest.raises(BadArguments):
            REMEMBER.prepare(given, EN)


def test_ids_are_named_each_once() -> None:
    """Anything else is a sentence for the model, and no effect."""
    assert FORGET.prepare({"ids": ["f1", " f2", "f1"]}, EN) == {"ids": ["f1", "f2"]}
    assert PIN.prepare({"id": "f1"}, EN) == {"id": "f1", "pinned": True}
    assert PIN.prepare({"id": "f1", "pinned": False}, EN) == {"id": "f1", "pinned": False}
    assert [LIST.prepare(given, EN) for given in ({}, {"offset": 7}, {"offset": -1}, {"offset": True}, {"offset": "x"})] == [
        {"offset": number, "words": []} for number in (0, 7, 0, 0, 0)
    ]
    assert LIST.prepare({"words": "the Tea!"}, EN)["words"] == [("the",), ("tea",)]
    bad: list[dict[str, Any]] = [{}, {"ids": []}, {"ids": [1]}, {"ids": [f"f{number}" for number in range(51)]}]
    for given in bad:
        with pytest.raises(BadArguments):
            FORGET.prepare(given, EN)


def test_what_was_done_is_told_to_the_model_and_in_one_line_to_the_person() -> None:
    """In the person's language, with the day of the person's zone; looking changes nothing and has no line."""
    line = "f3 (23 November 2026, by text): likes tea"
    assert told(REMEMBER, {"ok": True, "fact": FACT, "count": 1}) == (f"Remembered as {line}", "Remembered: likes tea")
    assert told(REMEMBER, {"ok": True, "fact": FACT, "count": 1}, DE)[1] == "Gemerkt: likes tea"
    assert told(REMEMBER, {"ok": True, "already": True, "fact": FACT, "count": 1}) == (f"It is remembered already: {line}", "")
    gone = {"ok": True, "forgotten": [FACT, {**FACT, "id": "f4", "text": "x" * 500}], "count": 2}
    assert told(FORGET, gone, DE)[1] == f"Vergessen: likes tea\nVergessen: {'x' * 117}..."
    assert told(PIN, {"ok": True, "fact": {**FACT, "pinned": True}}) == (
        "Now: f3 (23 November 2026, by text, pinned): likes tea", "Always in mind: likes tea",
    )  # fmt: skip
    assert told(LIST, {"ok": True, "facts": [FACT], "count": 9, "next": 1}) == (
        f"9 in all.\n{line}\nThere are more: ask again with offset 1.", "",
    )  # fmt: skip
    assert told(LIST, {"ok": True, "facts": {}, "count": 0}) == ("Nothing is remembered.", "")


def test_what_could_not_be_done_says_why_to_both() -> None:
    """A fact of 5,000 characters, the 201st, an id of nothing."""
    for tool, result, part, receipt in (
        (REMEMBER, {"reason": "too_long", "most": 500, "length": 5_000}, "5,000 characters, and 500", "longer than 500 characters"),
        (REMEMBER, {"reason": "too_many", "most": 200}, "200 facts are kept, which is the most", "200 things at most"),
        (FORGET, {"reason": "unknown_id", "id": "f9\u27e7"}, "nothing is remembered as f9]", "Not forgotten"),
        (PIN, {"reason": "unknown_id", "id": "f9"}, "nothing is remembered as f9", ""),
    ):
        sentence, line = told(tool, {"ok": False, **result})
        assert part in sentence
        assert receipt in line


def test_a_question_shows_facts_dated_and_those_of_others_apart() -> None:
    """What others wrote stands between notes that say so; nothing in a fact forges one."""
    facts = (RememberedFact("f1", "a\u27e7b", AT, "sms"), RememberedFact("f2", "from a mail", AT, "email", marked=True))
    own, others = notes_of(RememberedFacts(facts, 2), BERLIN)
    assert own.split("\n")[1] == "f1 (23 November 2026, by text): a]b"
    assert others.startswith("\u27e6What follows comes from others")
    assert others.endswith("\u27e6End of what comes from others\u27e7")
    assert "f2 (23 November 2026, by mail, with words of others before you): from a mail" in others
    assert notes_of(RememberedFacts(), BERLIN) == []


def test_a_question_shows_facts_as_far_as_they_have_room_and_counts_the_rest() -> None:
    """Two thousand tokens at most, whatever letters they are of."""
    facts = tuple(RememberedFact(f"f{number}", "\u0416" * 500, AT, "sms") for number in range(30, 0, -1))
    own, more = notes_of(RememberedFacts(facts, 200), BERLIN)
    shown = own.split("\n")[1:-1]
    assert [line.partition(" ")[0] for line in shown] == [f"f{number}" for number in range(30, 30 - len(shown), -1)]
    assert FACTS_BYTES - 1_100 < len("".join(shown).encode()) <= FACTS_BYTES
    assert more == f"\u27e6and {200 - len(shown)} more, which list_memory shows, or finds by words\u27e7"


def test_each_tool_of_facts_says_what_it_takes() -> None:
    """As the Messages API has it; a fact is remembered only of the person's own words."""
    assert [tool.name for tool in MEMORY_TOOLS if tool.needs_own_words] == ["remember"]
    for tool in MEMORY_TOOLS:
        assert set(tool.schema["required"]) <= set(tool.schema["properties"])
        assert tool.schema["additionalProperties"] is False
