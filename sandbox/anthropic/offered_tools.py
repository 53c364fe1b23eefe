"""Makes the call that an intent needs of the tools that a request offers, whatever they and their fields are called.

A tool is chosen by the words of its name, its fields are filled by theirs and by their types. Where something required cannot be filled,
no call is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.anthropic.intents import Intent
from sandbox.anthropic.tool_definitions import is_server_tool
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from sandbox.anthropic.transcript import Call

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LISTS: Final = {"shopping": ("shopping", "grocer", "einkauf"), "todo": ("todo", "to-do", "to do", "aufgaben")}
"""Well-known lists, by what they are called."""


@dataclass(frozen=True, slots=True)
class _Name:
    """Which tools are meant: one word of each group is in the name, and none of `without`."""

    groups: tuple[frozenset[str], ...]
    without: frozenset[str] = frozenset()

    def fits(self, name: str) -> bool:
        written = re.split(r"[_\-]+", name.lower())
        words = {*written, *(word.removesuffix("s") for word in written)}
        return all(words & group for group in self.groups) and not words & self.without


_LOOKS: Final = frozenset({"list", "show", "view", "get", "read"})
_DROPS: Final = frozenset({"cancel", "delete", "drop", "remove"})
_ADDS: Final = frozenset({"add", "put"})
_CHECKS: Final = frozenset({"check", "cross", "tick"})
_REMINDER: Final = frozenset({"reminder", "remind"})
_MEMORY: Final = frozenset({"memory", "fact", "memorie", "remembered"})
NAMES: Final = {
    "remind": _Name((_REMINDER,), _LOOKS | _DROPS | {"move", "snooze", "change", "edit"}),
    "briefing": _Name((_REMINDER,), _LOOKS | _DROPS | {"move", "snooze", "change", "edit"}),
    "reminders": _Name((_REMINDER, _LOOKS)),
    "drop_reminder": _Name((_REMINDER, _DROPS)),
    "move_reminder": _Name((_REMINDER, frozenset({"move", "change"}))),
    "remember": _Name((frozenset({"remember", "memorize"}),)),
    "forget": _Name((frozenset({"forget"}),)),
    "facts": _Name((_MEMORY, _LOOKS)),
    "add": _Name((_ADDS, frozenset({"list", "item", "todo"}))),
    "check_off": _Name((_CHECKS,)),
    "remove_item": _Name((_DROPS, frozenset({"list", "item"})), _REMINDER),
    "show": _Name((_LOOKS, frozenset({"list"})), _REMINDER | _MEMORY | _ADDS | _CHECKS | _DROPS),
    "search": _Name((frozenset({"search", "find"}),), frozenset({"web"})),
    "copy": _Name((frozenset({"copy"}),)),
    "status": _Name((frozenset({"status"}),)),
}
LOOKS_FOR: Final = {
    "drop_reminder": "reminders", "move_reminder": "reminders", "forget": "facts", "check_off": "show", "remove_item": "show",
}  # fmt: skip
"""What is looked at first where a tool wants an id."""
FIELDS: Final = {
    "words": ("text", "query", "words", "message", "title", "content", "fact", "note", "search", "q"),
    "in_minutes": ("in_minutes", "minutes"),
    "at": ("at", "when", "due"),
    "repeat": ("repeat", "every", "recurrence"),
    "list": ("list", "list_name", "name"),
    "items": ("items", "item", "entries", "entry", "text", "things"),
    "id": ("id", "number", "ids"),
    "briefing": ("briefing",),
}


def tool_for(kind: str, tools: list[JsonObject]) -> JsonObject | None:
    """The tool for a kind of intent, if one is offered."""
    wanted = NAMES.get(kind)
    return next((tool for tool in tools if wanted and not is_server_tool(tool) and wanted.fits(tool["name"])), None)


def calls_for(intent: Intent, tool: JsonObject, known_id: str | None = None) -> list[Call]:
    """The calls of this tool that an intent needs, one for each item where a tool takes one; none where it cannot be filled."""
    properties = tool["input_schema"].get("properties") or {}
    single = [name for name in FIELDS["items"] if name in properties and _type_of(properties[name]) != "array"]
    each = [(item,) for item in intent.items] if intent.items and single and "items" not in properties else [intent.items]
    inputs = [_input(_values(intent, items, known_id), properties) for items in each]
    required = set(tool["input_schema"].get("required") or ())
    return [(tool["name"], given) for given in inputs if required <= set(given)]


def _values(intent: Intent, items: tuple[str, ...], known_id: str | None) -> dict[str, Any]:
    """What is known, by role; empty values are left out."""
    when = intent.when
    about_an_item = intent.kind in {"check_off", "remove_item"}
    values = {
        "words": "" if about_an_item or intent.kind == "move_reminder" else intent.words,
        "in_minutes": when.in_minutes if when else None,
        "at": when.at.isoformat(timespec="minutes") if when and when.at else None,
        "repeat": (when.every, when.weekday) if when and when.every else None,
        "list": intent.list_name or ("shopping" if intent.kind in {"show", "add", "check_off", "remove_item"} else ""),
        "items": items or ((intent.words,) if about_an_item else ()),
        "id": known_id or (intent.words if re.fullmatch(r"#?\d+", intent.words) else None),
    }
    values["briefing"] = intent.kind == "briefing"
    return {role: value for role, value in values.items() if value}


def _input(values: dict[str, Any], properties: JsonObject) -> JsonObject:
    """Fill the fields of a schema; a field is filled once, and a value that does not fit is left out."""
    given: JsonObject = {}
    for role, value in values.items():
        known = (*FIELDS[role], *(name for name in properties if role == "id" and name.endswith("_id")))
        name = next((name for name in known if name in properties and name not in given), None)
        fitted = _fitted(role, value, properties[name]) if name is not None else None
        if name is not None and fitted is not None:
            given[name] = fitted
    return given


def _type_of(schema: JsonObject) -> str:
    """A field's type; of several that may be null the other one."""
    kinds = schema.get("type", "string")
    return str(kinds) if isinstance(kinds, str) else str(next((kind for kind in kinds if kind != "null"), "string"))


def _fitted(role: str, value: Any, schema: JsonObject) -> object:
    kind = _type_of(schema)
    if role == "repeat":
        return _repeat(value, schema)
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if role == "list":
        value = _list_name(value, schema.get("enum"))
    if role == "items" and kind == "array":
        return list(value)
    if kind == "array":
        return [value]
    if role == "items":
        value = ", ".join(value)
    if kind in {"integer", "number"}:
        number = str(value).lstrip("#")
        return int(number) if number.isdigit() else None
    return str(value) if kind == "string" else None


def _repeat(value: tuple[str, int | None], schema: JsonObject) -> object:
    """How often, as a word, or as an object with a field that knows the word and one for the day of a week."""
    every, weekday = value
    if _type_of(schema) == "string":
        return every if every in schema.get("enum", [every]) else None
    properties = schema.get("properties") or {}
    name = next((name for name, field in properties.items() if every in (field.get("enum") or ())), None)
    if name is None:
        return None
    day = {"days": [WEEKDAYS[weekday]]} if weekday is not None and "days" in properties else {}
    return {name: every, **day}


def _list_name(said: str, known: list[str] | None) -> str | None:
    """The list that is meant: one of the known ones, or one of the well-known ones, or as it was said."""
    said = said.lower().removesuffix("liste").removesuffix("list").strip(" -")
    meant = next((name for name, words in LISTS.items() if any(said.startswith(word) for word in words)), said or "shopping")
    if known is None:
        return meant
    return next((name for name in known if isinstance(name, str) and meant in re.sub(r"[-_ ]", "", name.lower())), None)
