"""`boss mcp`: the servers whose tools the Boss may use, what they offer, and what of it is accepted."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Coroutine, Mapping
from importlib import import_module
from typing import Any, Final, TypeVar

import click

from boss.operator import login_name
from boss.session import Session, open_session
from boss.terminal.output import NOT_DONE, Ending, Group, emit_json, local_time, printable, remark
from shared.config.loading import load_mcp_servers
from shared.config.mcp_servers import McpServer
from shared.config.settings import Settings
from shared.errors import BadInput
from shared.mailbox import mcp_lists
from shared.model import codec
from shared.model.mcp_tools import ListedTool, ToolList, changes
from shared.operations.mcp_servers import ServerView, ToolView, changed, named, views
from shared.runtime import redis_url
from shared.storage.clients import for_loop
from supervisor_worker.mcp.logins import Logins
from supervisor_worker.mcp.results import CallResult
from supervisor_worker.mcp.sessions import SessionEnded
from supervisor_worker.mcp.tools import opener_of
from supervisor_worker.mcp.trial import Trial, trial

T = TypeVar("T")
MAX_ARGUMENTS: Final = 100_000
_SHOWN: Final = 100
"""Characters of a description in the list; `accept` shows all of it."""


@click.group(cls=Group)
def mcp() -> None:
    """The MCP servers of BOSS_MCP_FILE: what they offer, and what of it is accepted.

    A server's tools are used once you have accepted its list: `try` it, look
    at what it says, `accept` it. What changes afterwards is off until you
    accept that, too.
    """


@mcp.command("list", short_help="List the servers, their tools, and what each may do.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_servers(*, as_json: bool) -> None:
    """List the servers and their tools as they were heard last; no server is asked."""
    with open_session() as session:
        found = views(load_mcp_servers(session.settings), mcp_lists.read(session.redis))
    if as_json:
        emit_json(found)
        return
    for view in found:
        for line in _described(view):
            click.echo(line)
    if not found:
        remark("there is none; docs/howto/mcp-servers.md says how to add one")


@mcp.command("try", short_help="Open a server, show its tools, and perhaps call one.")
@click.argument("name", metavar="SERVER")
@click.argument("tool", required=False, default="")
def try_server(name: str, tool: str) -> None:
    r"""Open SERVER and show its tools; with TOOL, call it with JSON arguments from stdin.

    A call does what the tool does: nobody is asked first. What the server
    offers is kept, so that `boss mcp accept` can accept it.

    \\b
        boss mcp try calendar
        echo '{"day": "2030-01-01"}' | boss mcp try calendar list_events
    """
    with open_session() as session:
        server = named(load_mcp_servers(session.settings), name)
        arguments = _arguments(sys.stdin.read(MAX_ARGUMENTS + 1)) if tool else {}
        found = _finished(server, _try(server, tool, arguments, session.settings))
        mcp_lists.heard(session.redis, name, found.tools, _now_ms())
        _show_changes(session, name, found.tools)
    if found.result is not None:
        _show_result(found.result)


@mcp.command(short_help="Accept a server's tools as they are now.")
@click.argument("name", metavar="SERVER")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def accept(name: str, *, yes: bool) -> None:
    """Accept the list of SERVER that was heard last: by `boss mcp try`, or by a worker.

    Every new or changed tool is shown whole, because the model reads it as it
    stands. Workers show the accepted list within ten seconds.
    """
    with open_session() as session:
        named(load_mcp_servers(session.settings), name)
        newest = mcp_lists.read(session.redis).newest.get(name)
        if newest is None:
            raise Ending(f"nothing is known of {name} yet; run: boss mcp try {name}", NOT_DONE)
        if not _show_changes(session, name, newest.list):
            return
        if not yes:
            click.confirm(f"Accept these {len(newest.list.tools)} tools of {name}?", abort=True)
        mcp_lists.accept(session.redis, name, newest.list, _now_ms(), login_name())
    click.echo(f"Accepted: {len(newest.list.tools)} tools of {name}.")


@mcp.command(short_help="Log in to a server, in the browser.")
@click.argument("name", metavar="SERVER")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Where the browser comes back to; a free one.")
def login(name: str, port: int) -> None:
    """Log in to SERVER, which has `login = true`: prints an address to open.

    The browser comes back to a port of this machine. From another machine,
    lead one there first: ssh -L N:127.0.0.1:N HOST, with --port N. What the
    server gives is kept in Redis, encrypted with BOSS_MCP_KEY; workers renew
    it.
    """
    with open_session() as session:
        server = named(load_mcp_servers(session.settings), name)
        if not server.login:
            raise Ending(f"{name} has no `login = true` in BOSS_MCP_FILE", NOT_DONE)
        _finished(server, _log_in(server, port, session.settings))
    click.echo(f"Logged in to {name}.")


async def _log_in(server: McpServer, port: int, settings: Settings) -> None:
    log_in = import_module("supervisor_worker.mcp.login_flow").log_in
    found = await log_in(server, port, lambda url: click.echo(f"Open this address, and log in:\n{printable(url)}"))
    async with for_loop(redis_url(settings)) as redis:
        await Logins(redis, settings.boss_mcp_key.get_secret_value()).write(server.name, found)


async def _try(server: McpServer, tool: str, arguments: Mapping[str, Any], settings: Settings) -> Trial:
    async with for_loop(redis_url(settings)) as redis:
        logins = Logins(redis, settings.boss_mcp_key.get_secret_value())
        return await trial(server, opener_of(logins, None), tool, arguments)


def _finished(server: McpServer, work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except SessionEnded as error:
        raise Ending(f"{server.name}: {error.reason}", NOT_DONE) from None


def _arguments(text: str) -> dict[str, Any]:
    try:
        found = codec.loads(text or "{}") if len(text) <= MAX_ARGUMENTS else None
    except BadInput:
        found = None
    if not isinstance(found, dict):
        raise Ending(f"the arguments on stdin are no JSON object of at most {MAX_ARGUMENTS:,} characters", NOT_DONE)
    return found


def _show_result(result: CallResult) -> None:
    click.echo(printable(result.text, lines=True))
    if result.is_error:
        raise Ending(f"the call failed ({result.fate})", NOT_DONE)


def _show_changes(session: Session, name: str, now: ToolList) -> bool:
    """Show what differs from the accepted list; False for nothing."""
    accepted = mcp_lists.read(session.redis).accepted_list(name)
    found = changes(accepted, now)
    for fault in now.faults:
        click.echo(f"left out    {printable(fault)}")
    for word, names, tools in (("new", found.new, now), ("changed", found.changed, now), ("gone", found.gone, accepted)):
        for each in names:
            click.echo(_whole(word, tools.by_name[each]))
    same = len(now.tools) - len(found.new) - len(found.changed)
    click.echo(f"{name}: {len(now.tools)} tools, {same} of them as accepted" + (f"; boss mcp accept {name}" if found else ""))
    return bool(found)


def _whole(word: str, tool: ListedTool) -> str:
    description = printable(tool.description, lines=True).replace("\n", "\n            ")
    return f"{word:<12}{tool.name}\n            {description}\n            {printable(tool.schema)}"


def _described(view: ServerView) -> list[str]:
    if not view["accepted_ms"]:
        state = f"not accepted yet: boss mcp try {view['name']}, then boss mcp accept {view['name']}"
    elif found := changed(view):
        state = f"{len(found)} of its tools have changed: boss mcp accept {view['name']}"
    else:
        state = f"accepted {local_time(view['accepted_ms'], day=True)[:16]} by {printable(view['accepted_by'])}"
    lines = [f"{view['name']}  ({view['kind']})  {state}"]
    lines += [f"  {_line(tool)}" for tool in view["tools"]]
    lines += [f"  left out: {printable(fault)}" for fault in view["faults"]]
    return lines + [f"  the file names a tool {printable(name)!r} that it does not have" for name in view["unmatched"]]


def _line(tool: ToolView) -> str:
    state = tool["approval"] if tool["state"] in ("on", "never") else f"off ({tool['state']})"
    marks = [word for word in ("read_only", "repeat") if tool[word]]
    marks += [f"only {', '.join(map(printable, tool['persons']))}"] if tool["persons"] is not None else []
    first = printable(tool["description"].partition("\n")[0])[:_SHOWN]
    return f"{tool['name']:<40} {state:<14} {' '.join(marks):<10} {first}".rstrip()


def _now_ms() -> int:
    return int(time.time() * 1000)
