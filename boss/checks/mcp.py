"""The MCP servers: whether their file can be used, and whether what they offer is what was accepted. No server is asked."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any, Final

from redis import Redis

from boss.checks.machine import open_to_others
from boss.checks.result import Finding, fail, ok, warn
from boss.terminal.output import printable
from shared.config.loading import load_mcp_servers
from shared.config.mcp_servers import McpServer
from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.mailbox import keys, mcp_lists
from shared.operations.mcp_servers import ServerView, changed, views
from shared.registry import users_on_disk
from supervisor_worker.mcp.logins import unsealed

NAME: Final = "mcp"


def mcp(settings: Settings, redis: Redis) -> list[Finding]:
    """One line for each fault; one for all servers where there is none."""
    if settings.boss_mcp_file is None:
        return [ok(NAME, "no MCP servers: BOSS_MCP_FILE is not set")]
    try:
        servers = load_mcp_servers(settings)
    except ConfigurationError as error:
        return [fail(NAME, error.detail, "Correct the file (docs/reference/mcp.md).")]
    found = [warn(NAME, *open_to)] if (open_to := open_to_others(settings.boss_mcp_file, 0o600)) else []
    found += [finding for server in servers for finding in _file_faults(server, settings)]
    found += [finding for server in servers if server.login for finding in _login_faults(server, settings, redis)]
    seen = views(servers, mcp_lists.read(redis))
    found += [finding for view in seen for finding in _list_faults(view)]
    tools = sum(1 for view in seen for tool in view["tools"] if tool["state"] == "on")
    return found or [ok(NAME, f"{len(servers)} servers, {tools} tools")]


def _file_faults(server: McpServer, settings: Settings) -> list[Finding]:
    """What the file names and this machine does not have."""
    found = []
    command = server.command
    if command and shutil.which(command if "/" not in command or not server.cwd else str(Path(server.cwd) / command)) is None:
        found.append(fail(NAME, f"{server.name}: its command is not there, or may not be run", "Install it, or correct `command`."))
    known = {user.username for user in users_on_disk(settings).all}
    named = {name for rule in (server.rule, *server.tools.values()) for name in rule.persons or ()}
    if strange := sorted(named - known):
        detail = f"{server.name}: persons names {', '.join(map(printable, strange))}, whom the users file does not have"
        found.append(warn(NAME, detail, "Correct the username: nobody has those tools."))
    return found


def _login_faults(server: McpServer, settings: Settings, redis: Redis) -> list[Finding]:
    stored: Any = redis.hget(keys.MCP_LOGINS, server.name)
    login = unsealed(settings.boss_mcp_key.get_secret_value(), stored)
    todo = f"Run: boss mcp login {server.name}"
    if login is None or login.url != server.url:
        other = "its login was made for another address, or under another BOSS_MCP_KEY" if stored else "nobody has logged in to it"
        return [warn(NAME, f"{server.name}: {other}", todo)]
    if not login.refresh_token and not login.good(time.time()):
        return [warn(NAME, f"{server.name}: its login has ended, and cannot be renewed", todo)]
    return []


def _list_faults(view: ServerView) -> list[Finding]:
    name = view["name"]
    if not view["accepted_ms"]:
        return [warn(NAME, f"{name}: its tools are not accepted, and none is used", f"Run: boss mcp try {name} && boss mcp accept {name}")]
    found = []
    if tools := changed(view):
        detail = f"{name}: changed since they were accepted, and off: {', '.join(map(printable, tools))}"
        found.append(warn(NAME, detail, f"Look at them, and accept what is meant: boss mcp accept {name}"))
    if view["faults"]:
        found.append(
            warn(NAME, "\n".join([f"{name}: left out", *map(printable, view["faults"])]), "Whoever makes the server must mend that.")
        )
    if view["unmatched"]:
        detail = f"{name}: the file names tools that it does not have: {', '.join(map(printable, view['unmatched']))}"
        found.append(warn(NAME, detail, "Correct the name: the tool that is meant has the server's rule now."))
    return found
