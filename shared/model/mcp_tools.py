"""The tools of an MCP server as they are shown to the model: which fit, in which bytes, and when two lists are the same. Pure.

A list comes from a program of somebody else. What of it reaches a prompt is bounded, cleaned, and the same bytes for the same list,
whatever the order in which the server says it. A tool that the Messages API would refuse is left out with a sentence: with it in the list,
every request would be refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, cast

from shared.errors import BadInput
from shared.model import codec

Clean = Callable[[str], str]
SEPARATOR: Final = "__"
MAX_TOOLS: Final = 64
MAX_DESCRIPTION_BYTES: Final = 1_000
MAX_SCHEMA_BYTES: Final = 8_000
MAX_DEPTH: Final = 12
MAX_FAULTS: Final = 20
_SHOWN_NAME: Final = 64
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")
"""What the Messages API takes as a tool's name."""
_PROPERTY: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
"""What it takes as the name of an argument."""
_NOT_AT_THE_TOP: Final = ("oneOf", "allOf", "anyOf")
_PROSE: Final = frozenset({"description", "title", "$comment"})


@dataclass(frozen=True, slots=True)
class ListedTool:
    """One tool by the name that its server gives it; `schema` is the JSON of its arguments' schema, keys sorted."""

    name: str
    description: str
    schema: str

    @property
    def digest(self) -> str:
        """Equal for the same tool, and for no other."""
        return sha256(f"{self.name}\0{self.description}\0{self.schema}".encode("ascii", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ToolList:
    """A server's tools, sorted by name, and a sentence for each that cannot be used."""

    tools: tuple[ListedTool, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Equal for the same list, whatever order it came in."""
        return sha256("".join(tool.digest for tool in self.tools).encode()).hexdigest()[:16]

    @property
    def by_name(self) -> dict[str, ListedTool]:
        """Each tool under its name."""
        return {tool.name: tool for tool in self.tools}

    def text(self) -> str:
        """As it is stored."""
        rows = [[tool.name, tool.description, tool.schema] for tool in self.tools]
        return codec.dumps({"tools": rows, "faults": list(self.faults)})

    @classmethod
    def parse(cls, text: str) -> ToolList:
        """The list of a stored text. Raises BadInput."""
        value = codec.loads(text)
        try:
            return cls(tuple(ListedTool(*map(str, row)) for row in value["tools"]), tuple(map(str, value["faults"])))
        except (TypeError, KeyError):
            raise BadInput(code="bad_record") from None


@dataclass(frozen=True, slots=True)
class Changes:
    """The names of tools by which a list differs from the accepted one."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def full_name(server: str, tool: str) -> str:
    """The name by which the model calls a tool: it bears its server's, so that it is never one of ours nor another server's."""
    return server + SEPARATOR + tool


def split_name(name: str) -> tuple[str, str] | None:
    """The server and the tool of such a name; None for another. A server's name has no underscore."""
    server, mark, tool = name.partition(SEPARATOR)
    return (server, tool) if mark and server and tool and "_" not in server else None


def changes(accepted: ToolList, newest: ToolList) -> Changes:
    """What has changed since the operator accepted a list."""
    old, new = accepted.by_name, newest.by_name
    return Changes(
        tuple(name for name in new if name not in old),
        tuple(name for name in new if name in old and new[name].digest != old[name].digest),
        tuple(name for name in old if name not in new),
    )


def usable(accepted: ToolList, newest: ToolList | None) -> tuple[ListedTool, ...]:
    """The accepted tools that the server still has unchanged, as far as is known."""
    if newest is None:
        return accepted.tools
    known = newest.by_name
    return tuple(tool for tool in accepted.tools if tool.name in known and known[tool.name].digest == tool.digest)


def listed(server: str, raw: Iterable[tuple[str, str, object]], clean: Clean, valid: Callable[[dict[str, Any]], bool]) -> ToolList:
    """The usable list of what a server says: names, descriptions and schemas.

    `clean` makes a text safe to show: it takes out what only we may write. `valid` says whether a bounded schema is JSON schema.
    """
    tools: dict[str, ListedTool] = {}
    faults: list[str] = []
    for name, description, schema in sorted(raw, key=lambda row: row[0]):
        fault = _name_fault(server, name) or _schema_fault(schema, clean)
        if not fault and not valid(cast("dict[str, Any]", schema)):
            fault = "its schema is not JSON schema"
        if not fault and name in tools:
            fault = "the server lists it twice"
        if not fault and len(tools) == MAX_TOOLS:
            fault = f"the server lists more than {MAX_TOOLS} tools"
        if fault:
            faults.append(f"{_shown(name)}: {fault}")
        else:
            text = _sorted_json(_cleaned(schema, clean))
            tools[name] = ListedTool(name, cut(clean(description), MAX_DESCRIPTION_BYTES), text)
    left_out = len(faults) - MAX_FAULTS
    if left_out > 0:
        faults = [*faults[:MAX_FAULTS], f"and {left_out} more"]
    return ToolList(tuple(tools.values()), tuple(faults))


def cut(text: str, most: int) -> str:
    """A text of at most `most` bytes of UTF-8, cut between two characters."""
    raw = text.encode("utf-8", "replace")
    return raw[:most].decode("utf-8", "ignore") if len(raw) > most else text


def _name_fault(server: str, name: str) -> str:
    if name and _NAME.fullmatch(full_name(server, name)):
        return ""
    return f"with its server's name it must be 1 to 128 letters, digits, underscores and hyphens ({SEPARATOR} between the two)"


def _schema_fault(schema: object, clean: Clean) -> str:
    """Why the API would refuse a schema, or why it is none that we show."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return 'its arguments are no JSON schema of type "object"'
    if _depth(schema) > MAX_DEPTH:
        return f"its schema is nested more than {MAX_DEPTH} levels deep"
    if any(word in schema for word in _NOT_AT_THE_TOP):
        return "its schema has oneOf, allOf or anyOf at the top, which Claude does not take"
    properties = schema.get("properties", {})
    if not isinstance(properties, dict) or not all(_PROPERTY.fullmatch(name) for name in properties):
        return "an argument's name is not 1 to 64 letters, digits, dots, underscores and hyphens"
    return _size_fault(schema) or _reference_fault(schema) or _text_fault(schema, clean)


def _size_fault(schema: dict[str, object]) -> str:
    try:
        size = len(_sorted_json(schema))
    except (TypeError, ValueError):
        return "its schema is not JSON"
    return f"its schema has {size:,} bytes, and {MAX_SCHEMA_BYTES:,} are the most" if size > MAX_SCHEMA_BYTES else ""


def _reference_fault(value: object) -> str:
    for key, each in _pairs(value):
        if key in ("$ref", "$dynamicRef") and not (isinstance(each, str) and each.startswith("#")):
            return "its schema refers to another document"
    return ""


def _text_fault(value: object, clean: Clean) -> str:
    """What `clean` would alter outside of prose changes what the schema means."""
    for key, each in _pairs(value):
        texts = [key, *([each] if isinstance(each, str) and key not in _PROSE else [])]
        texts += [item for item in each if isinstance(item, str)] if isinstance(each, list) else []
        if any(clean(text) != text.strip() for text in texts):
            return "its schema holds characters that are not shown"
    return ""


def _pairs(value: object) -> Iterable[tuple[str, object]]:
    """Every key of every object within a value, with what stands there. The depth is bounded before."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield key, each
            yield from _pairs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _pairs(each)


def _cleaned(value: Any, clean: Clean, key: str = "") -> Any:
    """A schema whose prose is clean and bounded."""
    if isinstance(value, str):
        return cut(clean(value), MAX_DESCRIPTION_BYTES) if key in _PROSE else value
    if isinstance(value, dict):
        return {name: _cleaned(each, clean, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each, clean) for each in value]
    return value


def _depth(value: object) -> int:
    """How deep a value is nested, as far as it matters."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        children: list[object] = []
        for each in level:
            children += each.values() if isinstance(each, dict) else each if isinstance(each, list) else []
        level, depth = children, depth + 1
    return depth


def _sorted_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _shown(name: str) -> str:
    return repr(name[:_SHOWN_NAME]) + ("..." if len(name) > _SHOWN_NAME else "")
