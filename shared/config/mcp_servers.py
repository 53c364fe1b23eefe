"""Which MCP servers there are, and what each of their tools may do: a TOML file, one `[[servers]]` table each.

    [[servers]]
    name = "calendar"                  # its tools are called calendar__TOOL
    command = "/opt/calendar/bin/mcp"  # a program that speaks over its stdin and stdout ...
    args = ["--read-write"]
    env = { CALENDAR_HOME = "/srv/calendar" }
    env_from = ["CALENDAR_TOKEN"]      # taken from our environment or .env
    cwd = "/srv/calendar"

    [[servers]]
    name = "notes"
    url = "https://notes.example.com/mcp"   # ... or an address: https, or http of this machine
    token_env = "NOTES_TOKEN"               # a bearer token from the environment or .env; or login = true
    timeout_seconds = 20
    approval = "ask"                        # always, ask (the default: the person is asked for a yes first) or never
    approver = "ada"                        # who is asked, by username; the person themselves by default
    persons = ["ada"]                       # usernames; everybody by default

    [servers.tools.search]
    read_only = true                        # it changes nothing: by your word, never by the server's

    [servers.tools.send]
    recipient = "to"                        # an "always" of the person's holds for this argument's value alone

What a server says of itself (hints, instructions) decides nothing.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

from shared import operator_files
from shared.errors import ConfigurationError
from shared.net import is_loopback_url

Approval = Literal["always", "ask", "never"]
APPROVALS: Final = ("always", "ask", "never")
SETTING: Final = "BOSS_MCP_FILE"
PAGE: Final = "docs/reference/mcp.md"
MAX_SERVERS: Final = 20
MAX_TOOL_TABLES: Final = 200
MAX_AT_ONCE: Final = 200
MAX_TIMEOUT_SECONDS: Final = 120.0
"""Less than the 180 s of work that a turn has in one run."""
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
DEFAULT_AT_ONCE: Final = 16
DEFAULT_IDLE_SECONDS: Final = 300.0
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_TOKEN: Final = re.compile(r"[!-~]{1,8000}")
_URL: Final = re.compile(r"[!-~]{1,2000}")
_RULE_FIELDS: Final = frozenset({"approval", "read_only", "repeat", "persons", "timeout_seconds", "approver", "recipient"})
_PROGRAM_FIELDS: Final = frozenset({"command", "args", "env", "env_from", "cwd"})
_HTTP_FIELDS: Final = frozenset({"url", "token_env", "login"})
_FIELDS: Final = _RULE_FIELDS | _PROGRAM_FIELDS | _HTTP_FIELDS | {"name", "at_once", "idle_seconds", "tools"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRule:
    """What the operator says of a tool."""

    approval: Approval = "ask"
    read_only: bool = False
    """It changes nothing, so that it is `always` unless the operator says otherwise."""
    repeat: bool = False
    """A call of unknown fate may be made again."""
    persons: tuple[str, ...] | None = None
    """The usernames for whom it is there; None for everybody."""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    approver: str = ""
    """The username of who is asked for a yes; "" for the person themselves."""
    recipient: str = ""
    """The argument that an "always" holds for, such as the address that is written to; "" for every call of the tool."""


@dataclass(frozen=True, kw_only=True, slots=True)
class McpServer:
    """One server: a program (`command`) or an address (`url`), and what its tools may do."""

    name: str
    command: str = ""
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All that its environment holds beside HOME, LOGNAME, PATH, SHELL, TERM and USER."""
    cwd: str = ""
    url: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    login: bool = False
    at_once: int = DEFAULT_AT_ONCE
    """Calls under way at once, of one worker process."""
    idle_seconds: float = DEFAULT_IDLE_SECONDS
    rule: ToolRule = ToolRule()
    """For the tools that have no table of their own."""
    tools: Mapping[str, ToolRule] = field(default_factory=dict)

    def rule_of(self, tool: str) -> ToolRule:
        """What holds for a tool, by the name that the server gives it."""
        return self.tools.get(tool, self.rule)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show."""
        return tuple(each for each in (self.token, *self.env.values()) if each)


def load_servers(path: Path | None, environment: Mapping[str, str]) -> tuple[McpServer, ...]:
    """The servers of a file, by name; none for None. `environment` holds what `env_from` and `token_env` name.

    Raises ConfigurationError with every fault; it shows no value.
    """
    if path is None:
        return ()
    tables = _tables(path)
    faults: list[str] = []
    found = [server for number, table in enumerate(tables, 1) if (server := _Reader(table, number, environment, faults).server())]
    names = [server.name for server in found]
    faults += [f"two servers have the name {name}" for name in sorted(set(names)) if names.count(name) > 1]
    if faults:
        raise ConfigurationError(f"{SETTING}:\n" + "\n".join(f"  {fault}" for fault in faults))
    return tuple(sorted(found, key=lambda server: server.name))


def variables(path: Path) -> frozenset[str]:
    """The names of the environment that a file of servers takes its secrets from. Raises ConfigurationError."""
    found: set[str] = set()
    for table in _tables(path):
        listed = table.get("env_from")
        found.update(each for each in [table.get("token_env"), *(listed if isinstance(listed, list) else [])] if isinstance(each, str))
    return frozenset(found)


def _tables(path: Path) -> list[dict[str, Any]]:
    text = operator_files.read(SETTING, path)
    try:
        tables = tomllib.loads(text).get("servers", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = f" at {place[0]}" if (place := re.search(r"line \d+, column \d+", str(error))) else ""
        raise ConfigurationError(f"{SETTING}: {path} is not TOML{where}; correct it ({PAGE})") from None
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{SETTING}: must hold [[servers]] tables ({PAGE})")
    if not 0 < len(tables) <= MAX_SERVERS:
        raise ConfigurationError(f"{SETTING}: must hold 1 to {MAX_SERVERS} [[servers]] tables; leave the setting empty for none")
    return tables


class _Reader:
    """Reads one table; each fault becomes a sentence that names the field and shows no value."""

    def __init__(self, table: dict[str, Any], number: int, environment: Mapping[str, str], faults: list[str]) -> None:
        self._table, self._environment, self._faults = table, environment, faults
        name = table.get("name")
        self._named = isinstance(name, str) and bool(_NAME.fullmatch(name))
        self._where = f"server {name}" if self._named else f"server {number}"

    def server(self) -> McpServer | None:
        """The server; None when anything in its table is wrong."""
        before, table = len(self._faults), self._table
        self._unknown(table, _FIELDS, "")
        if not self._named:
            self._fault("name must be 1 to 24 small letters, digits and hyphens, and begin and end with a letter or digit")
        rule = self._rule(table, ToolRule(), "")
        fields: dict[str, Any] = {
            "name": table.get("name", ""),
            "rule": rule,
            "tools": self._tools(rule),
            "at_once": self._whole("at_once", DEFAULT_AT_ONCE, MAX_AT_ONCE),
            "idle_seconds": self._seconds(table, "idle_seconds", DEFAULT_IDLE_SECONDS, 86_400.0, ""),
            **self._place(),
        }
        return McpServer(**fields) if len(self._faults) == before else None

    def _fault(self, text: str) -> None:
        self._faults.append(f"{self._where}: {text}")

    def _unknown(self, table: dict[str, Any], known: frozenset[str], where: str) -> None:
        for name in sorted(set(table) - known):
            near = get_close_matches(name, known, n=1)
            self._fault(f"{where}unknown field {name[:40]!r}" + (f" (did you mean {near[0]}?)" if near else ""))

    def _place(self) -> dict[str, Any]:
        """What says where the server is: a program, or an address."""
        if ("command" in self._table) == ("url" in self._table):
            self._fault("needs either command or url")
            return {}
        program = "command" in self._table
        for name in sorted((_HTTP_FIELDS if program else _PROGRAM_FIELDS) & set(self._table)):
            self._fault(f"{name} does not go with {'command' if program else 'url'}")
        return self._program() if program else self._address()

    def _program(self) -> dict[str, Any]:
        command, cwd = self._text("command"), self._text("cwd") if "cwd" in self._table else ""
        if cwd and not Path(cwd).is_absolute():
            self._fault("cwd must be an absolute path")
        env = self._table.get("env", {})
        if not isinstance(env, dict) or not all(_VARIABLE.fullmatch(name) and _is_text(value) for name, value in env.items()):
            self._fault('env must be a table of names and texts, such as { HOME = "/srv" }')
            env = {}
        taken = {name: self._variable(name, "env_from") for name in self._texts("env_from")}
        return {"command": command, "args": self._texts("args"), "env": {**env, **taken}, "cwd": cwd}

    def _address(self) -> dict[str, Any]:
        url, login = self._text("url"), self._flag(self._table, "login", "")
        if url and not _is_address(url):
            self._fault("url must be an https:// address, or an http:// one of this machine, without a login and a fragment")
        if login and "token_env" in self._table:
            self._fault("has token_env and login; one of them is enough")
        token = self._variable(self._text("token_env"), "token_env") if "token_env" in self._table else ""
        if token and not _TOKEN.fullmatch(token):
            self._fault("the variable that token_env names holds a blank, or a character that no header may")
        return {"url": url, "token": token, "login": login}

    def _variable(self, name: str, of: str) -> str:
        if not name or not _VARIABLE.fullmatch(name):
            self._fault(f"{of} must name variables of the environment")
            return ""
        value = self._environment.get(name, "")
        if not value:
            self._fault(f"{of} names {name}, which is set neither in the environment nor in .env")
        return value

    def _rule(self, table: dict[str, Any], base: ToolRule, where: str) -> ToolRule:
        """The rule of a table over another; `read_only` makes it `always` where the table itself names no approval."""
        read_only = self._flag(table, "read_only", where) if "read_only" in table else base.read_only
        approval = table.get("approval", "always" if table.get("read_only") is True else base.approval)
        if approval not in APPROVALS:
            self._fault(f"{where}approval must be always, ask or never")
            approval = "ask"
        persons = table.get("persons", base.persons)
        if persons is not None and not (isinstance(persons, list | tuple) and all(_is_text(each) and each for each in persons)):
            self._fault(f"{where}persons must be a list of usernames")
            persons = None
        return ToolRule(
            approval=cast("Approval", approval),
            read_only=read_only,
            repeat=self._flag(table, "repeat", where) if "repeat" in table else base.repeat,
            persons=None if persons is None else tuple(persons),
            timeout_seconds=self._seconds(table, "timeout_seconds", base.timeout_seconds, MAX_TIMEOUT_SECONDS, where),
            approver=self._word(table, "approver", base.approver, where),
            recipient=self._word(table, "recipient", base.recipient, where),
        )

    def _tools(self, base: ToolRule) -> dict[str, ToolRule]:
        tables = self._table.get("tools", {})
        if not isinstance(tables, dict) or len(tables) > MAX_TOOL_TABLES or not all(isinstance(each, dict) for each in tables.values()):
            self._fault(f"tools must be at most {MAX_TOOL_TABLES} tables, [servers.tools.NAME] each")
            return {}
        found = {}
        for name, table in tables.items():
            where = f"tool {name[:64]!r}: "
            self._unknown(table, _RULE_FIELDS, where)
            found[name] = self._rule(table, base, where)
        return found

    def _text(self, name: str) -> str:
        value = self._table[name]
        if not _is_text(value) or not value:
            self._fault(f"{name} must be text")
            return ""
        return str(value)

    def _texts(self, name: str) -> tuple[str, ...]:
        values = self._table.get(name, [])
        if not isinstance(values, list) or not all(map(_is_text, values)):
            self._fault(f"{name} must be a list of texts")
            return ()
        return tuple(values)

    def _word(self, table: dict[str, Any], name: str, default: str, where: str) -> str:
        value = table.get(name, default)
        if not _is_text(value):
            self._fault(f"{where}{name} must be text")
            return ""
        return str(value)

    def _flag(self, table: dict[str, Any], name: str, where: str) -> bool:
        value = table.get(name, False)
        if not isinstance(value, bool):
            self._fault(f"{where}{name} must be true or false")
        return value is True

    def _whole(self, name: str, default: int, most: int) -> int:
        value = self._table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            self._fault(f"{name} must be 1 to {most}")
            return default
        return value

    def _seconds(self, table: dict[str, Any], name: str, default: float, most: float, where: str) -> float:
        value = table.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 < value <= most:
            self._fault(f"{where}{name} must be more than 0 and at most {most:g}")
            return default
        return float(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_address(url: str) -> bool:
    """Whether calls may be sent there."""
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        ends = bool(parts.hostname) and (parts.port is None or parts.port > 0) and parts.username is None and not parts.fragment
    except ValueError:
        return False
    return ends and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(url)))
