"""The tools for a person's lists, such as shopping or things to do (`lists.lua`). Pure.

The model is shown an item's id with its version (`2.14@3`): who changes an item names what they saw.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from shared.model import words
from supervisor_worker.assistant.tools.arguments import MARKED, ids_of, object_schema, offset_of, one_line, short
from supervisor_worker.assistant.tools.tool import Arguments, BadArguments, Result, Tool, ToolContext, no_receipt
from supervisor_worker.channels.notes import theirs

MAX_AT_ONCE: Final = 50
MAX_TOLD: Final = 8
"""Items that one receipt names."""
_ID: Final = re.compile(r"(\d{1,9}\.\d{1,9})(?:@(\d{1,9}))?")
_REFUSED: Final = {
    "too_many_lists": "lists_full",
    "too_many_items": "list_full",
    "item_too_long": "item_too_long",
    "name_too_long": "list_name_too_long",
}
"""The sentence to the person of each bound."""


def _add(given: Arguments, _context: ToolContext) -> Arguments:
    name = one_line(given.get("list"))
    items = given.get("items")
    texts = [one_line(item) for item in items] if isinstance(items, list) else []
    if not name or not texts or not all(texts):
        raise BadArguments("Not done: name the list, and one or more items.")
    if len(texts) > MAX_AT_ONCE:
        raise BadArguments(f"Not done: at most {MAX_AT_ONCE} items at once.")
    return {"list": name, "key": name.casefold(), "items": [{"text": text, "key": text.casefold()} for text in texts]}


def _added(result: Result, _context: ToolContext) -> str:
    if not result["ok"]:
        return _refused(result)
    already = result["already"] or []
    there = f" It was there already: {_shown(already)}" if already else ""
    added = f"Added to {theirs(result['list'])}: {_shown(result['added'])}." if result["added"] else "Nothing is added."
    return f"{added}{there} {result['count']} items are on it."


def _added_receipt(result: Result, context: ToolContext) -> str:
    if not result["ok"]:
        return _refusal_receipt(result, context)
    return _receipt("list_added", result["added"], context)


def _chosen(given: Arguments) -> list[dict[str, Any]]:
    chosen = []
    for each in ids_of(given.get("ids"), MAX_AT_ONCE):
        found = _ID.fullmatch(each)
        if not found:
            raise BadArguments("Not done: an item is named by its id as it is shown, such as 2.14@1. show_list shows them.")
        chosen.append({"id": found[1], **({"version": int(found[2])} if found[2] else {})})
    return chosen


def _check(given: Arguments, _context: ToolContext) -> Arguments:
    return {"items": _chosen(given), "done": given.get("done") is not False}


def _checked(result: Result, _context: ToolContext) -> str:
    if not result["ok"]:
        return _refused(result)
    state = "checked off" if result["done"] else "open"
    changed, already = result["changed"] or [], result["already"] or []
    return " ".join(
        [*([f"Now {state}: {_shown(changed)}."] if changed else []), *([f"Were {state} before: {_shown(already)}."] if already else [])]
    )


def _checked_receipt(result: Result, context: ToolContext) -> str:
    if not result["ok"]:
        return _refusal_receipt(result, context)
    return _receipt("list_checked" if result["done"] else "list_open_again", result["changed"], context)


def _removed(result: Result, _context: ToolContext) -> str:
    return f"Removed: {_shown(result['removed'])}." if result["ok"] else _refused(result)


def _removed_receipt(result: Result, context: ToolContext) -> str:
    return _receipt("list_removed", result["removed"], context) if result["ok"] else _refusal_receipt(result, context)


def _show(given: Arguments, _context: ToolContext) -> Arguments:
    name = one_line(given.get("list"))
    return {"list": name, "key": name.casefold(), "offset": offset_of(given)}


def _showed(result: Result, _context: ToolContext) -> str:
    if not result["ok"]:
        return _refused(result)
    if "lists" in result:
        heads = [f"{theirs(each['list'])}: {each['open']} of {each['count']} open" for each in result["lists"] or []]
        return "\n".join(heads) or "There are no lists."
    lines = [f"[{'x' if each['done'] else ' '}] {_item(each)}" for each in result["items"] or []]
    rest = f"\nThere are more: ask again with offset {result['next']}." if "next" in result else ""
    return f"{theirs(result['list'])}, {result['count']} items:\n" + "\n".join(lines) + rest


def _refused(result: Result) -> str:
    reason = result["reason"]
    if reason == "unknown_id":
        return f"Not done, and nothing is changed: there is no item {theirs(str(result['id']))} (any more). show_list shows what there is."
    if reason == "unknown_list":
        return f"There is no list {theirs(str(result['list']))}. Without a name show_list shows all."
    if reason == "changed":
        stands = result["stands"]
        state = "checked off" if stands["done"] else "open"
        return f"Not done, and nothing is changed: since you saw it, this has changed. It is {state} now: {_item(stands)}"
    return f"Not added, and nothing is changed: {reason.replace('_', ' ')}, {result['most']} are the most."


def _refusal_receipt(result: Result, context: ToolContext) -> str:
    if result["reason"] == "changed":
        return words.said("item_changed", context.language, item=short(result["stands"]["text"]))
    if result["reason"] == "unknown_id":
        return words.said("item_unknown", context.language)
    return words.said(_REFUSED[result["reason"]], context.language, most=result["most"])


def _receipt(name: str, items: Sequence[Mapping[str, Any]], context: ToolContext) -> str:
    """A line for each list of which something was changed."""
    lines = []
    for of_list, group in groupby(sorted(items or [], key=lambda item: item["list"]), key=lambda item: item["list"]):
        texts = [short(item["text"]) for item in group]
        told = ", ".join(texts[:MAX_TOLD])
        if len(texts) > MAX_TOLD:
            told = words.counted("items_more", len(texts) - MAX_TOLD, context.language, items=told)
        lines.append(words.said(name, context.language, list=of_list, items=told))
    return "\n".join(lines)


def _shown(items: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(map(_item, items or []))


def _item(item: Mapping[str, Any]) -> str:
    """An item with the id by which it is changed; the words of others are said to be such."""
    return f"{theirs(item['text'])} ({item['id']}@{item['version']}{MARKED * bool(item.get('marked'))})"


_IDS: Final = {"type": "array", "items": {"type": "string"}, "description": "Ids such as 2.14@1, as show_list shows them."}
_NAME: Final = {"type": "string", "description": "The list's name, such as shopping or to do."}
LIST_TOOLS: Final = (
    Tool(
        "add_to_list",
        "Adds items to one of the person's lists, which begins with its first item. What is there already is not added twice.",
        "list_add", _add, _added, _added_receipt,
        object_schema(["list", "items"], list=_NAME, items={"type": "array", "items": {"type": "string"}}),
    ),
    Tool(
        "check_off",
        "Checks items of lists off, or opens them again.",
        "list_check", _check, _checked, _checked_receipt,
        object_schema(["ids"], ids=_IDS, done={"type": "boolean", "description": "false opens them again."}),
        changes_kept=True,
    ),
    Tool(
        "remove_from_list",
        "Removes items from lists for good. A list goes with its last item.",
        "list_remove", lambda given, _: {"items": _chosen(given)}, _removed, _removed_receipt, object_schema(["ids"], ids=_IDS),
        changes_kept=True,
    ),
    Tool(
        "show_list",
        "Shows one list with the ids of its items or, without a name, the names of all lists. Look before you change an item.",
        "list_show", _show, _showed, no_receipt,
        object_schema([], list=_NAME, offset={"type": "integer", "description": "Where to begin, for more of a long list."}),
    ),
)  # fmt: skip
