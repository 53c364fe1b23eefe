"""The tools for lists: what the model gives becomes an effect's arguments, and its result words for the model and the person."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from supervisor_worker.assistant.tools.lists import LIST_TOOLS
from supervisor_worker.assistant.tools.tool import BadArguments, Tool, ToolContext

EN, DE = (ToolContext(ZoneInfo("UTC"), "sms", 0, language=language) for language in ("en", "de"))
ADD, CHECK, REMOVE, SHOW = LIST_TOOLS


def item(text: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"list": "shopping", "id": f"2.{number}", "text": text, "done": False, "version": 1, "at": 1, "marked": False, **more}


def told(tool: Tool, result: dict[str, Any], context: ToolContext = EN) -> tuple[str, str]:
    return tool.told(result, context), tool.receipt(result, context)


def test_several_items_are_added_at_once() -> None:
    """Each in one line, known by its words in whatever case; a name as well."""
    assert ADD.prepare({"list": " To\ndo", "items": ["Stra\u00dfe", "\u27e6x"]}, EN) == {
        "list": "To do", "key": "to do", "items": [{"text": "Stra\u00dfe", "key": "strasse"}, {"text": "[x", "key": "[x"}],
    }  # fmt: skip
    bad: list[dict[str, Any]] = [
        {}, {"list": "a"}, {"items": ["x"]}, {"list": "a", "items": []}, {"list": "a", "items": ["x", ""]}, {"list": 1, "items": ["x"]},
        {"list": "a", "items": "x"}, {"list": "a", "items": ["x"] * 51},
    ]  # fmt: skip
    for given in bad:
        with pytest.raises(BadArguments):
            ADD.prepare(given, EN)


def test_an_item_is_named_by_its_id_and_the_version_that_was_seen() -> None:
    """As it is shown; anything else is a sentence for the model."""
    assert CHECK.prepare({"ids": ["2.14@3", "2.1"]}, EN) == {"items": [{"id": "2.14", "version": 3}, {"id": "2.1"}], "done": True}
    assert CHECK.prepare({"ids": "2.1", "done": False}, EN)["done"] is False
    assert REMOVE.prepare({"ids": ["2.1@1"]}, EN) == {"items": [{"id": "2.1", "version": 1}]}
    for ids in (["milk"], ["2.1@"], ["2"], ["f1"], ["2.1@1@1"], [], None, ["9" * 99 + ".1"]):
        with pytest.raises(BadArguments):
            REMOVE.prepare({"ids": ids}, EN)


def test_what_was_done_is_told_to_the_model_with_ids_and_to_the_person_without() -> None:
    """One line for each list, in the person's language, and none where nothing changed."""
    milk, eggs = item("milk"), item("eggs", 2)
    added = {"ok": True, "list": "shopping", "added": [milk, eggs], "already": {}, "count": 2}
    assert told(ADD, added) == ("Added to shopping: milk (2.1@1); eggs (2.2@1). 2 items are on it.", "Added to shopping: milk, eggs")
    assert told(ADD, added, DE)[1] == "Neu auf shopping: milk, eggs"
    again = {"ok": True, "list": "shopping", "added": {}, "already": [milk], "count": 2}
    assert told(ADD, again) == ("Nothing is added. It was there already: milk (2.1@1) 2 items are on it.", "")
    done = {"ok": True, "done": True, "changed": [milk, item("call Tom", list="to do")], "already": [eggs]}
    assert told(CHECK, done)[1] == "Checked off on shopping: milk\nChecked off on to do: call Tom"
    assert told(CHECK, {**done, "done": False}, DE)[1].startswith("Wieder offen auf shopping: milk\n")
    assert told(CHECK, {**done, "changed": {}}) == ("Were checked off before: eggs (2.2@1).", "")
    assert told(REMOVE, {"ok": True, "removed": [milk]}) == ("Removed: milk (2.1@1).", "Removed from shopping: milk")
    many = [item(f"item {number}", number) for number in range(12)]
    assert told(ADD, {**added, "added": many})[1].endswith("item 7 and 4 more")


def test_a_list_is_shown_with_what_names_its_items_and_whose_words_they_are() -> None:
    """Without a name, all lists."""
    result = {"ok": True, "list": "shopping", "items": [item("milk", done=True), item("x\u27e7", 2, marked=True)], "count": 9, "next": 2}
    lines = ["shopping, 9 items:", "[x] milk (2.1@1)", "[ ] x] (2.2@1, with words of others before you)"]
    assert told(SHOW, result) == ("\n".join([*lines, "There are more: ask again with offset 2."]), "")
    assert SHOW.told({"ok": True, "lists": [{"list": "shopping", "open": 1, "count": 3}]}, EN) == "shopping: 1 of 3 open"
    assert SHOW.told({"ok": True, "lists": {}}, EN) == "There are no lists."
    assert SHOW.prepare({"list": "Shopping", "offset": 3}, EN) == {"list": "Shopping", "key": "shopping", "offset": 3}


def test_what_could_not_be_done_says_why_to_both_and_what_stands_now() -> None:
    """Nothing is changed then."""
    for tool, result, part, receipt in (
        (CHECK, {"reason": "changed", "stands": item("milk", done=True, version=2)}, "checked off now: milk (2.1@2)", "milk has changed"),
        (REMOVE, {"reason": "unknown_id", "id": "2.1"}, "no item 2.1 (any more)", "not on the list any more"),
        (ADD, {"reason": "too_many_items", "most": 200, "have": 199}, "200 are the most", "200 items at most"),
        (ADD, {"reason": "too_many_lists", "most": 20}, "20 are the most", "20 lists already"),
        (ADD, {"reason": "item_too_long", "most": 200}, "200 are the most", "200 characters at most"),
        (ADD, {"reason": "name_too_long", "most": 40}, "40 are the most", "40 characters at most"),
        (SHOW, {"reason": "unknown_list", "list": "x"}, "There is no list x", ""),
    ):  # fmt: skip
        sentence, line = told(tool, {"ok": False, **result})
        assert part in sentence
        assert receipt in line
