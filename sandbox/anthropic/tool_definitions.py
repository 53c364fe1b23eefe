"""Which tools of a request, and which choice among them, the Messages API rejects."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final

from sandbox.anthropic import cache_controls, json_schemas
from sandbox.anthropic.fields import problem_of_unknown
from sandbox.engine.json_types import JsonObject

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
CALLERS: Final = frozenset({"allowed_callers", "defer_loading", "strict", "cache_control"})
CUSTOM_FIELDS: Final = CALLERS | {"type", "name", "description", "input_schema", "input_examples", "eager_input_streaming"}
SERVER_TOOLS: Final = {
    "web_search": ("20250305", "20260209", "20260318"),
    "web_fetch": ("20250910", "20260209", "20260309", "20260318"),
}
"""The versions of each tool that the API itself runs."""
SERVER_FIELDS: Final = {
    "web_search": CALLERS | {"type", "name", "max_uses", "allowed_domains", "blocked_domains", "user_location", "response_inclusion"},
    "web_fetch": CALLERS
    | {"type", "name", "max_uses", "allowed_domains", "blocked_domains", "citations", "max_content_tokens", "url_sources", "use_cache"}
    | {"response_inclusion"},
}
LOCATION_FIELDS: Final = frozenset({"type", "city", "region", "country", "timezone"})
CHOICES: Final = ("auto", "any", "tool", "none")


def problem_of(request: JsonObject) -> str | None:
    """Why the API rejects a request's tools or its choice among them; None if it accepts them."""
    tools = request.get("tools")
    if tools is None or tools == []:
        return _problem_of_choice(request.get("tool_choice"), ())
    if not isinstance(tools, list):
        return "tools: Input should be a valid list"
    problem, names = _problem_of_tools(json.dumps(tools))
    return problem or _problem_of_choice(request.get("tool_choice"), names)


@lru_cache(maxsize=256)
def _problem_of_tools(written: str) -> tuple[str | None, tuple[str, ...]]:
    """What is wrong with a list of tools, and their names. Nearly all requests of a program have the same ones."""
    tools = json.loads(written)
    for number, tool in enumerate(tools):
        problem = _problem_of_tool(tool, f"tools.{number}")
        if problem is not None:
            return problem, ()
    names = tuple(tool["name"] for tool in tools)
    return ("tools: Tool names must be unique." if len(set(names)) < len(names) else None), names


def is_server_tool(tool: JsonObject) -> bool:
    """Whether the API runs this tool itself."""
    return tool.get("type") not in (None, "custom")


def _problem_of_tool(tool: object, place: str) -> str | None:
    if not isinstance(tool, dict):
        return f"{place}: Input should be a valid dictionary"
    problem = _problem_of_server_tool(tool, place) if is_server_tool(tool) else _problem_of_custom_tool(tool, f"{place}.custom")
    return problem or cache_controls.problem_of_one(tool.get("cache_control"), f"{place}.cache_control")


def _problem_of_custom_tool(tool: JsonObject, place: str) -> str | None:
    for name in ("name", "input_schema"):
        if name not in tool:
            return f"{place}.{name}: Field required"
    if not isinstance(tool["name"], str) or not NAME.fullmatch(tool["name"]):
        return f"{place}.name: String should match pattern '^{NAME.pattern}$'"
    if not isinstance(tool.get("description", ""), str):
        return f"{place}.description: Input should be a valid string"
    for flag in ("strict", "defer_loading", "eager_input_streaming"):
        if not isinstance(tool.get(flag) or False, bool):
            return f"{place}.{flag}: Input should be a valid boolean"
    problem = json_schemas.problem_of(tool["input_schema"], strict=tool.get("strict") is True)
    return problem_of_unknown(tool, CUSTOM_FIELDS, place) or (f"{place}.input_schema: {problem}" if problem else None)


def _problem_of_server_tool(tool: JsonObject, place: str) -> str | None:
    kind = str(tool["type"])
    name = next((each for each, versions in SERVER_TOOLS.items() if kind in {f"{each}_{version}" for version in versions}), None)
    if name is None:
        known = ", ".join(["custom", *(f"{each}_{version}" for each, versions in SERVER_TOOLS.items() for version in versions)])
        return f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}"
    place = f"{place}.{kind}"
    if tool.get("name") != name:
        return f"{place}.name: Input should be '{name}'"
    if tool.get("allowed_domains") and tool.get("blocked_domains"):
        return f"{place}: Cannot specify both allowed_domains and blocked_domains"
    uses = tool.get("max_uses")
    if uses is not None and (not isinstance(uses, int) or isinstance(uses, bool) or uses < 1):
        return f"{place}.max_uses: Input should be greater than 0"
    return problem_of_unknown(tool, SERVER_FIELDS[name], place) or _problem_of_location(tool.get("user_location"), f"{place}.user_location")


def _problem_of_location(location: object, place: str) -> str | None:
    if location is None:
        return None
    if not isinstance(location, dict) or location.get("type") != "approximate":
        return f"{place}.type: Input should be 'approximate'"
    return problem_of_unknown(location, LOCATION_FIELDS, place)


def _problem_of_choice(choice: object, names: tuple[str, ...]) -> str | None:
    if choice is None:
        return None
    if not isinstance(choice, dict) or choice.get("type") not in CHOICES:
        return f"tool_choice: Input tag found using 'type' does not match any of the expected tags: {', '.join(CHOICES)}"
    kind = choice["type"]
    known = {"type"} | (set() if kind == "none" else {"disable_parallel_tool_use"}) | ({"name"} if kind == "tool" else set())
    if (problem := problem_of_unknown(choice, known, f"tool_choice.{kind}")) is not None:
        return problem
    if not names:
        return "tool_choice may only be specified while providing tools."
    return f"Tool '{choice.get('name')}' not found in provided tools" if kind == "tool" and choice.get("name") not in names else None
