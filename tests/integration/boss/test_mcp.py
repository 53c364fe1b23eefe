"""`boss mcp`: an operator tries a server, accepts its tools, and is told what has changed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.checks.mcp import mcp as check
from boss.main import main
from shared.config.loading import load_settings
from shared.mailbox import keys, mcp_lists
from supervisor_worker.mcp.logins import Login, sealed
from tests.support.mcp_owners import PROGRAM
from tests.support.mcp_program import TOOLS
from tests.support.processes import ROOT


class Desk:
    """The operator's file, and the command."""

    def __init__(self, folder: Path, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.redis, self.file, self.tools = redis, folder / "mcp.toml", folder / "tools.json"
        self.settings = {"BOSS_MCP_FILE": str(self.file), "REDIS_URL": redis_url, "BOSS_DATA_DIR": str(folder)}
        for name, value in self.settings.items():
            monkeypatch.setenv(name, value)
        self.offer(TOOLS)
        self.write()

    def write(self, more: str = "", command: str = sys.executable) -> None:
        """Write the file, with more in its table."""
        args = ["-S", "-E", str(PROGRAM), "good", str(self.file.with_name("starts")), str(self.tools)]
        self.file.write_text(f'[[servers]]\nname = "calendar"\ncommand = "{command}"\nargs = {json.dumps(args)}\n{more}')
        self.file.chmod(0o600)

    def offer(self, tools: list[dict[str, Any]]) -> None:
        """Have the server say these."""
        self.tools.write_text(json.dumps(tools))

    def run(self, *words: str, text: str = "") -> Result:
        """Run the command, with this on its input."""
        return CliRunner().invoke(main, ["mcp", *words], input=text)

    def doctor(self) -> list[tuple[str, str]]:
        """What the doctor says of the servers."""
        return [(finding.status, finding.detail) for finding in check(load_settings(_env_file=None), self.redis)]


@pytest.fixture
def desk(tmp_path: Path, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, redis, redis_url, monkeypatch)


def test_tools_are_used_once_their_list_was_tried_and_accepted(desk: Desk) -> None:
    """And a change is off until it is accepted, too; the doctor says so at each step."""
    assert desk.run("accept", "calendar").exit_code == 1
    assert "not accepted yet" in desk.run("list").output
    assert desk.doctor() == [("warn", "calendar: its tools are not accepted, and none is used")]
    tried = desk.run("try", "calendar")
    assert tried.exit_code == 0, tried.output
    assert "new         echo\n            Does echo.\n" in tried.output
    assert mcp_lists.read(desk.redis).usable("calendar") == ()
    refused = desk.run("accept", "calendar", text="n\n")
    assert (refused.exit_code, mcp_lists.read(desk.redis).accepted) == (1, {})
    assert desk.run("accept", "calendar", text="y\n").exit_code == 0
    assert [tool.name for tool in mcp_lists.read(desk.redis).usable("calendar")] == sorted(tool["name"] for tool in TOOLS)
    assert desk.doctor() == [("ok", f"1 servers, {len(TOOLS)} tools")]

    desk.offer([{**TOOLS[0], "description": "Tells \u202eme all.\x1b[2J"}, *TOOLS[2:], {**TOOLS[0], "name": "a b"}])
    tried = desk.run("try", "calendar")
    assert "changed     echo\n            Tells me all." in tried.output
    assert "gone        wait" in tried.output
    assert "left out    'a b'" in tried.output
    assert "\x1b" not in tried.output
    assert "echo" not in {tool.name for tool in mcp_lists.read(desk.redis).usable("calendar")}
    assert [status for status, _ in desk.doctor()] == ["warn", "warn"]
    assert "calendar__echo, calendar__wait" in desk.doctor()[0][1]
    assert "off (changed)" in desk.run("list").output
    assert desk.run("accept", "calendar", "--yes").exit_code == 0
    assert "8 tools of calendar" not in desk.run("accept", "calendar").output
    (view,) = json.loads(desk.run("list", "--json").output)
    assert {tool["state"] for tool in view["tools"]} == {"on"}


def test_an_operator_calls_a_tool(desk: Desk) -> None:
    """With JSON from stdin; what fails is a sentence and a status."""
    assert "hello\n" in desk.run("try", "calendar", "echo", text='{"text": "hello"}').output
    for words, text, said in (
        (("try", "calendar", "refuse"), "{}", "the call failed (answered)"),
        (("try", "calendar", "echo"), "[1]", "no JSON object"),
        (("try", "nobody"), "", "there is no server 'nobody'"),
        (("login", "calendar"), "", "has no `login = true`"),
        (("try", "calendar", "die"), "{}", "calendar: the server went away"),
    ):
        result = desk.run(*words, text=text)
        assert (result.exit_code != 0, said in result.output) == (True, True), result.output
        assert "Traceback" not in result.output


KEY = "the key of a test, and not of anybody"
LOGIN = Login("https://notes.example.com/mcp", "access", 5.0, "refresh", "https://notes.example.com/token", "me", "", "", "", "")


def test_the_doctor_finds_what_is_wrong_with_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is not there, a person who is nobody, a misspelt tool, a file that others can read, a login that has ended."""
    desk.run("try", "calendar")
    desk.run("accept", "calendar", "--yes")
    desk.write('persons = ["nobody"]\n[servers.tools.ehco]\napproval = "never"\n', command="/nowhere/at-all")
    desk.file.chmod(0o644)
    found = desk.doctor()
    assert [status for status, _ in found] == ["warn", "fail", "warn", "warn"]
    for part, (_, detail) in zip(("mode 644", "command is not there", "nobody", "ehco"), found, strict=True):
        assert part in detail
    desk.file.write_text('[[servers]]\nname = "notes"\nurl = "https://notes.example.com/mcp"\nlogin = true\n')
    monkeypatch.setenv("BOSS_MCP_KEY", KEY)
    desk.file.chmod(0o600)
    told = (
        (None, "nobody has logged in"),
        (sealed("another key", LOGIN), "under another BOSS_MCP_KEY"),
        (sealed(KEY, replace(LOGIN, url="https://other.example/mcp")), "another address"),
        (sealed(KEY, replace(LOGIN, refresh_token="")), "its login has ended"),
        (sealed(KEY, LOGIN), ""),
    )
    for stored, said in told:
        desk.redis.hset(keys.MCP_LOGINS, "notes", stored or "")
        details = [detail for _, detail in desk.doctor() if "not accepted" not in detail]
        assert [said in detail for detail in details] == ([True] if said else [])
    assert desk.run("login", "nobody").exit_code == 2
    desk.file.write_text("[[servers]]\nnmae = 3\n")
    assert [status for status, _ in desk.doctor()] == ["fail"]
    assert desk.run("list").exit_code == 2


def test_the_tutorial_s_door_is_tried_accepted_and_opened(desk: Desk) -> None:
    """docs/tutorial/a-week.md: the example server is one that the Boss can use, and its state changes with a call."""
    state = desk.file.with_name("door")
    desk.file.write_text(
        f'[[servers]]\nname = "door"\ncommand = "{sys.executable}"\nargs = ["{ROOT / "docs/examples/mcp_door.py"}"]\n'
        f'env = {{ GARAGE_DOOR = "{state}" }}\n[servers.tools.look_at_door]\nread_only = true\n'
    )
    assert "door: 2 tools" in desk.run("try", "door").output
    assert "Accepted: 2 tools of door" in desk.run("accept", "door", "--yes").output
    assert "closed" in desk.run("try", "door", "look_at_door").output
    desk.run("try", "door", "open_door", text='{"minutes": 5}')
    assert state.read_text() == "open for 5 minutes"
