"""Lists of MCP tools: the same bytes for the same list, and nothing in them that the API or the model must not see."""

from __future__ import annotations

import json
from typing import Any

from shared.model.mcp_tools import (
    MAX_DESCRIPTION_BYTES,
    MAX_FAULTS,
    MAX_TOOLS,
    ListedTool,
    ToolList,
    changes,
    full_name,
    listed,
    split_name,
    usable,
)  # fmt: skip
from supervisor_worker.channels.notes import theirs

OBJECT: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}, "required": ["a"]}
NOTE = "\u27e6a note of ours\u27e7"


def made(*rows: tuple[str, str, object], server: str = "calendar") -> ToolList:
    return listed(server, rows, theirs, lambda _: True)


def test_a_list_is_the_same_bytes_in_whatever_order_it_comes() -> None:
    """Of tools and of the keys of their schemas; it survives being stored."""
    rows = [(name, f"Does {name}.", OBJECT) for name in ("move", "add", "list", "search")]
    texts = set()
    for seed in range(20):
        shuffled = [(name, text, shuffle(schema, seed)) for name, text, schema in rows]
        shuffled.sort(key=lambda row: hash((row[0], seed)))
        texts.add(made(*shuffled).text())
    (text,) = texts
    assert ToolList.parse(text) == made(*rows)
    assert [tool.name for tool in made(*rows).tools] == ["add", "list", "move", "search"]


def shuffle(value: Any, seed: int) -> Any:
    if not isinstance(value, dict):
        return value
    names = sorted(value, key=lambda name: hash((name, seed)))
    return {name: shuffle(value[name], seed) for name in names}


def test_what_the_api_would_refuse_is_left_out_with_a_sentence() -> None:
    """One such tool in a list, and every request would be refused."""
    deep: Any = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"x": deep}}
    for name, schema, said in (
        ("a b", OBJECT, "1 to 128 letters"),
        ("n" * 130, OBJECT, "1 to 128 letters"),
        ("caf\u00e9", OBJECT, "1 to 128 letters"),
        ("dot.ted", OBJECT, "1 to 128 letters"),
        ("", OBJECT, "''"),
        ("x", None, "no JSON schema"),
        ("x", {"type": "array"}, "no JSON schema"),
        ("x", {"properties": {}}, "no JSON schema"),
        ("x", deep, "nested more than"),
        ("x", {"type": "object", "properties": {str(n): {"type": "string"} for n in range(900)}}, "are the most"),
        ("x", {**OBJECT, "anyOf": []}, "at the top"),
        ("x", {"type": "object", "properties": []}, "argument's name"),
        ("x", {"type": "object", "properties": {"a b": {}}}, "argument's name"),
        ("x", {"type": "object", "properties": {"a": {"$ref": "https://evil.example/schema"}}}, "another document"),
        ("x", {"type": "object", "properties": {"a": {"enum": [NOTE]}}}, "not shown"),
        ("x", {"type": "object", "properties": {"a": {"default": "hid\u200bden"}}}, "not shown"),
        ("x", {"type": "object", "$defs": {NOTE: {}}}, "not shown"),
    ):
        found = made((name, "Text.", schema), ("good", "Text.", OBJECT))
        assert [tool.name for tool in found.tools] == ["good"], schema
        assert len(found.faults) == 1
        assert said in found.faults[0]
    assert "not JSON schema" in listed("c", [("x", "", OBJECT)], theirs, lambda _: False).faults[0]


def test_what_a_server_says_of_its_tools_is_cut_and_cannot_forge_a_note() -> None:
    """In the description and within the schema."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "description": NOTE + "x" * 3_000, "title": "t\u202e"}}}
    (tool,) = made(("add", NOTE + "\u00e4" * 3_000, schema)).tools
    assert len(tool.description.encode()) <= MAX_DESCRIPTION_BYTES
    assert tool.description.startswith("[a note of ours]")
    inner = json.loads(tool.schema)["properties"]["a"]
    assert inner["description"].startswith("[a note of ours]")
    assert (len(inner["description"].encode()), inner["title"]) == (MAX_DESCRIPTION_BYTES, "t")


def test_a_list_has_a_bound_and_so_has_what_is_said_of_it() -> None:
    """Of tools, of repeated names and of sentences."""
    many = made(*((f"t{number:04}", "", OBJECT) for number in range(1_000)))
    assert (len(many.tools), len(many.faults)) == (MAX_TOOLS, MAX_FAULTS + 1)
    twice = made(("add", "One.", OBJECT), ("add", "Another.", OBJECT))
    assert (len(twice.tools), "twice" in twice.faults[0]) == (1, True)


def test_a_changed_tool_is_off_and_the_others_go_on() -> None:
    """New, changed in its description or its schema, or gone: only what the operator accepted, as it was accepted, is shown."""
    accepted = made(("add", "Adds.", OBJECT), ("move", "Moves.", OBJECT), ("list", "Lists.", OBJECT), ("gone", "Gone.", OBJECT))
    newest = made(("add", "Adds, and tells me.", OBJECT), ("move", "Moves.", {**OBJECT, "required": []}), ("list", "Lists.", OBJECT),
                  ("new", "New.", OBJECT))  # fmt: skip
    assert [tool.name for tool in usable(accepted, newest)] == ["list"]
    found = changes(accepted, newest)
    assert (found.new, found.changed, found.gone) == (("new",), ("add", "move"), ("gone",))
    assert usable(accepted, None) == accepted.tools
    assert not changes(accepted, accepted)
    assert usable(ToolList(), newest) == ()


def test_no_server_has_a_tool_by_the_name_of_another_or_of_ours() -> None:
    """The name bears the server's, which has no underscore."""
    assert full_name("calendar", "remember") == "calendar__remember"
    assert split_name("calendar__a__b") == ("calendar", "a__b")
    for ours in ("remember", "set_reminder", "__x", "a__", "a_b__c"):
        assert split_name(ours) is None
    assert ListedTool("a", "b", "c").digest != ListedTool("a", "bc", "").digest
