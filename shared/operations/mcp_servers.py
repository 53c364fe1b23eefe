"""What an operator sees of the MCP servers: which there are, what was accepted of each, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from shared.config.mcp_servers import Approval, McpServer
from shared.mailbox.mcp_lists import StoredLists
from shared.model.mcp_tools import ListedTool, ToolList, changes, full_name
from shared.operations.errors import NotPossible

ToolState = Literal["on", "never", "new", "changed", "gone"]


class ToolView(TypedDict):
    """One tool: what the operator says of it, and whether it is shown to the model."""

    name: str
    """`server__tool`."""
    state: ToolState
    approval: Approval
    read_only: bool
    repeat: bool
    persons: list[str] | None
    timeout_seconds: float
    description: str


class ServerView(TypedDict):
    """One server of the file."""

    name: str
    kind: Literal["program", "address"]
    accepted_ms: int
    """When the operator accepted its list (epoch ms); 0 for never."""
    accepted_by: str
    heard_ms: int
    """When its newest list was heard; 0 for never."""
    tools: list[ToolView]
    faults: list[str]
    """A sentence for each tool of the newest list that cannot be used."""
    unmatched: list[str]
    """Tools that the file names and the server does not have: a misspelling leaves the right one to the server's rule."""


def views(servers: Iterable[McpServer], lists: StoredLists) -> list[ServerView]:
    """All servers, by name."""
    return [_view(server, lists) for server in servers]


def named(servers: Iterable[McpServer], name: str) -> McpServer:
    """A server of the file. Raises NotPossible `unknown_server`."""
    found = next((server for server in servers if server.name == name), None)
    if found is None:
        raise NotPossible(f"there is no server {name!r} in BOSS_MCP_FILE; `boss mcp list` shows all", "unknown_server")
    return found


def changed(view: ServerView) -> list[str]:
    """The tools of a server that the operator has not accepted as they are now."""
    return [tool["name"] for tool in view["tools"] if tool["state"] in ("new", "changed", "gone")]


def _view(server: McpServer, lists: StoredLists) -> ServerView:
    accepted, newest = lists.accepted.get(server.name), lists.newest.get(server.name)
    old = accepted.list if accepted else ToolList()
    now = newest.list if newest else old
    known = {**old.by_name, **now.by_name}
    return {
        "name": server.name,
        "kind": "program" if server.command else "address",
        "accepted_ms": accepted.at_ms if accepted else 0,
        "accepted_by": accepted.by if accepted else "",
        "heard_ms": newest.at_ms if newest else 0,
        "tools": [_tool(server, known[name], old, now) for name in sorted(known)],
        "faults": list(now.faults),
        "unmatched": sorted(set(server.tools) - set(known)) if known else [],
    }


def _tool(server: McpServer, tool: ListedTool, old: ToolList, now: ToolList) -> ToolView:
    rule, found = server.rule_of(tool.name), changes(old, now)
    states: tuple[tuple[ToolState, tuple[str, ...]], ...] = (("new", found.new), ("changed", found.changed), ("gone", found.gone))
    state: ToolState = next((name for name, tools in states if tool.name in tools), "never" if rule.approval == "never" else "on")
    return {
        "name": full_name(server.name, tool.name),
        "state": state,
        "approval": rule.approval,
        "read_only": rule.read_only,
        "repeat": rule.repeat,
        "persons": None if rule.persons is None else list(rule.persons),
        "timeout_seconds": rule.timeout_seconds,
        "description": tool.description,
    }
