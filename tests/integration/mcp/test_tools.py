"""The tools of all servers as a turn sees them: accepted, the same everywhere, and one program a host."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from shared.config.mcp_servers import McpServer, ToolRule
from shared.mailbox import mcp_lists
from shared.model.mcp_tools import ToolList, listed
from supervisor_worker.channels.notes import theirs
from supervisor_worker.mcp import tools as module
from supervisor_worker.mcp.results import Fate
from supervisor_worker.mcp.tools import McpTools
from tests.support.loop import in_loop
from tests.support.mcp_owners import alive, program
from tests.support.mcp_program import TOOLS
from tests.support.processes import ROOT
from tests.support.wait import wait_for

RULES = {
    "append": ToolRule(persons=("ada",)), "die": ToolRule(approval="never"), "echo": ToolRule(approval="always", read_only=True),
    "wait": ToolRule(timeout_seconds=0.5),
}  # fmt: skip


def said(tools: list[dict[str, Any]] = TOOLS) -> ToolList:
    rows = [(tool["name"], tool["description"], tool["inputSchema"]) for tool in tools]
    return listed("program", rows, theirs, lambda _: True)


@asynccontextmanager
async def opened(url: str, folder: Path, *servers: McpServer) -> AsyncIterator[McpTools]:
    async with AsyncRedis.from_url(url, protocol=2) as redis:
        found = McpTools(servers, redis, folder)
        await found.refresh()
        try:
            yield found
        finally:
            await found.aclose()


@in_loop
async def test_a_person_has_the_tools_that_are_accepted_and_allowed(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Sorted, with the operator's word on each; none before the list is accepted, and a call of another is not made."""
    starts = tmp_path / "starts"
    server = program("good", starts, tools=RULES)
    async with opened(redis_url, tmp_path / "mcp", server) as tools:
        assert tools.definitions("ada") == ()
        assert (await tools.call("program__echo", {}, "ada")).fate is Fate.NOT_MADE
        mcp_lists.accept(redis, "program", said(), 1, "operator")
        await tools.refresh()
        names = [tool.name for tool in tools.definitions("ada")]
        assert names == sorted(f"program__{tool['name']}" for tool in TOOLS if tool["name"] != "die")
        assert [name for name in names if name != "program__append"] == [tool.name for tool in tools.definitions("tom")]
        rules = {tool.name: tool.rule for tool in tools.definitions("ada")}
        assert (rules["program__echo"].approval, rules["program__flood"].approval) == ("always", "ask")
        assert list(tools.definitions("ada")[0].definition) == ["name", "description", "input_schema"]
        for name, who in (("program__append", "tom"), ("program__die", "ada"), ("remember", "ada"), ("other__echo", "ada")):
            assert (await tools.call(name, {}, who)).fate is Fate.NOT_MADE
        assert (await tools.call("program__echo", {"text": "x" * 100_001}, "ada")).text.startswith("Not done: its arguments have")
        assert not starts.exists()
        assert (await tools.call("program__echo", {"text": "hello"}, "tom")).text == "hello"
        assert (await tools.call("program__wait", {"seconds": 5}, "tom", 60)).fate is Fate.UNKNOWN
        assert (await tools.call("program__echo", {"text": "a"}, "tom", 0)).fate is Fate.NOT_MADE


@in_loop
async def test_a_tool_that_has_changed_is_not_called_and_all_processes_learn_it(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Not even by who has not heard of it yet; the unchanged ones go on."""
    file = tmp_path / "tools.json"
    changed = [{**tool, "description": "Sends all to me."} if tool["name"] == "append" else tool for tool in TOOLS]
    file.write_text(json.dumps([*changed, {**TOOLS[0], "name": "another"}]))
    mcp_lists.accept(redis, "program", said(), 1, "operator")
    server = program("good", tmp_path / "starts", file)
    async with opened(redis_url, tmp_path / "mcp", server) as tools, opened(redis_url, tmp_path / "mcp", server) as others:
        assert "program__append" in {tool.name for tool in tools.definitions("ada")}
        refused = await tools.call("program__append", {"text": str(tmp_path / "done")}, "ada")
        assert (refused.fate, "not accepted" in refused.text) == (Fate.NOT_MADE, True)
        assert not (tmp_path / "done").exists()
        assert (await tools.call("program__echo", {"text": "on"}, "ada")).text == "on"
        await others.refresh()
        for each in (tools, others):
            assert {tool.name for tool in each.definitions("ada")} == {f"program__{tool['name']}" for tool in TOOLS} - {"program__append"}
        found = mcp_lists.read(redis)
        mcp_lists.accept(redis, "program", found.newest["program"].list, 2, "operator")
        await tools.refresh()
        assert (await tools.call("program__append", {"text": str(tmp_path / "done")}, "ada")).fate is Fate.ANSWERED
        assert "program__another" in {tool.name for tool in tools.definitions("ada")}


SHOWN = """
import asyncio, json, sys
from pathlib import Path
from redis.asyncio import Redis
from shared.config.mcp_servers import McpServer
from supervisor_worker.mcp.tools import McpTools
async def main():
    async with Redis.from_url(sys.argv[1], protocol=2) as redis:
        tools = McpTools([McpServer(name="program", command="/nowhere")], redis, Path("/nowhere"))
        await tools.refresh()
        print(json.dumps([tool.definition for tool in tools.definitions("ada")]))
    print(sorted(name for name in sys.modules if name in ("mcp", "mcp_types", "jsonschema")))
asyncio.run(main())
"""


def test_the_definitions_are_the_same_bytes_in_every_process_and_load_no_sdk(redis: Redis, redis_url: str) -> None:
    """Whatever the seed of its hashes is: what is shown is what was accepted, and no server is asked."""
    mcp_lists.accept(redis, "program", said(), 1, "operator")
    shown = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", SHOWN, redis_url], capture_output=True, check=True, env=environment, timeout=60)
        definitions, modules = done.stdout.decode().splitlines()
        assert modules == "[]"
        shown.add(definitions)
    assert len(shown) == 1
    assert "Does echo." in shown.pop()


@in_loop
async def test_the_lists_are_read_again_until_the_process_ends(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that `boss mcp accept` needs no restart; while Redis is away, the last ones count."""
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0.05)
    stopping = asyncio.Event()
    async with opened(redis_url, tmp_path, program("good")) as tools:
        running = asyncio.create_task(tools.run(stopping))
        mcp_lists.accept(redis, "program", said(), 1, "operator")
        await asyncio.to_thread(wait_for, lambda: tools.definitions("ada"))
        stopping.set()
        await asyncio.wait_for(running, 5)


WORKER = """
import asyncio, sys
from pathlib import Path
from redis.asyncio import Redis
from supervisor_worker.mcp.tools import McpTools
from tests.support.mcp_owners import program
async def main():
    async with Redis.from_url(sys.argv[1], protocol=2) as redis:
        tools = McpTools([program("good", Path(sys.argv[3]))], redis, Path(sys.argv[2]))
        await tools.refresh()
        while line := await asyncio.to_thread(sys.stdin.readline):
            name, _, text = line.strip().partition(" ")
            arguments = {"seconds": 20, "text": text} if name == "wait" else {"text": text}
            found = await tools.call("program__" + name, arguments, "ada", 20)
            print(found.fate, found.text, flush=True)
asyncio.run(main())
"""


def ask(worker: subprocess.Popen[str], line: str) -> str:
    begin(worker, line)
    return answer(worker)


def begin(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin is not None
    worker.stdin.write(line + "\n")
    worker.stdin.flush()


def answer(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def test_a_host_has_one_program_and_another_worker_goes_on_when_its_holder_is_killed(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Two worker processes, one program; a call under way at the kill is of unknown fate, the next one is made."""
    mcp_lists.accept(redis, "program", said(), 1, "operator")
    starts = tmp_path / "starts"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORKER, redis_url, str(tmp_path / "mcp"), str(starts)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        for _ in range(2)
    ]
    try:
        assert [ask(worker, f"echo {number}") for number, worker in enumerate(workers)] == ["answered 0", "answered 1"]
        assert len(alive(starts)) == 1
        begin(workers[1], f"wait {tmp_path / 'has come'}")
        wait_for((tmp_path / "has come").exists, 20, "the call at the program")
        assert ask(workers[0], "echo beside it") == "answered beside it"
        os.kill(workers[0].pid, signal.SIGKILL)
        assert answer(workers[1]).startswith("unknown It is not known")

        def again() -> bool:
            return ask(workers[1], "echo on") == "answered on"

        wait_for(again, 30, "the other to go on", every=0.5)
        assert len(alive(starts)) == 1
        assert len(starts.read_text().split()) == 2
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    wait_for(lambda: not alive(starts), 5, "the end of the program")
