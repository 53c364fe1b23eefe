"""MCP servers that are programs: whatever one does costs one call, and nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shared.config.mcp_servers import McpServer
from supervisor_worker.mcp import owner, stdio
from supervisor_worker.mcp.results import Fate
from tests.support.loop import in_loop
from tests.support.mcp_owners import LIBRARY_SERVER, Caller, alive, calling, program
from tests.support.processes import ROOT
from tests.support.wait import wait_for


@in_loop
async def test_a_call_has_its_result_and_the_program_ends_with_its_owner(tmp_path: Path) -> None:
    """One program for many calls; its environment is what it was given, and nothing of ours."""
    starts = tmp_path / "starts"
    os.environ["TWILIO_AUTH_TOKEN"] = "secret-of-ours"
    try:
        async with calling(program("good", starts, env={"KEY": "value"})) as caller:
            assert (await caller.call("echo", text="hello")).text == "hello"
            told = (await caller.call("environment")).text
            assert "secret-of-ours" not in told
            assert '"KEY": "value"' in told
            assert len(alive(starts)) == 1
    finally:
        del os.environ["TWILIO_AUTH_TOKEN"]
    assert alive(starts) == []


@in_loop
async def test_what_a_server_answers_is_cut_and_cleaned() -> None:
    """Twenty kilobytes, no brackets like ours, and a note for what is no text; more than four megabytes are an error of that call alone."""
    async with calling(program("good")) as caller:
        flood = await caller.call("flood", size=1_000_000)
        assert (flood.fate, flood.truncated, flood.is_error) == (Fate.ANSWERED, True, False)
        assert 10_000 < len(flood.text.encode()) <= 20_000
        picture = await caller.call("picture")
        assert picture.text == "\u27e6a picture, which is not shown\u27e7\n[a note]"
        refused = await caller.call("refuse")
        assert (refused.text, refused.is_error, refused.fate) == ("No such day.", True, Fate.ANSWERED)
        waiting = asyncio.create_task(caller.call("wait", seconds=1, text="beside it"))
        too_much = await caller.call("flood", size=5_000_000)
        assert (too_much.fate, too_much.is_error) == (Fate.UNKNOWN, True)
        assert "too large" in too_much.text
        liar = await caller.call("liar")
        assert (liar.fate, liar.is_error) == (Fate.UNKNOWN, True)
        assert (await waiting).text == "beside it"
        assert len(caller.lists) == 1


@in_loop
async def test_each_way_to_fail_costs_one_call_and_says_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs, ends, floods without a line's end, or is not there: within the call's time, and no process is left."""
    monkeypatch.setattr(owner, "OPEN_SECONDS", 2.0)
    starts = tmp_path / "starts"
    for server in (
        program("silent", starts), program("exits", starts), program("endless", starts),
        McpServer(name="gone", command="/nowhere/at-all"), McpServer(name="cwd", command=sys.executable, cwd=str(tmp_path / "gone")),
        McpServer(name="file", command=str(LIBRARY_SERVER)),
    ):  # fmt: skip
        async with calling(server) as caller:
            before = time.monotonic()
            failed = await caller.call("echo", 20)
            assert (failed.fate, failed.is_error) == (Fate.NOT_MADE, True), server
            assert failed.text.startswith("Not done: "), server
            assert time.monotonic() - before < 20, server
            again = await caller.call("echo", 20)
            assert "tried again in" in again.text, server
        assert alive(starts) == [], server


@in_loop
async def test_a_call_that_may_have_happened_is_told_from_one_that_has_not(tmp_path: Path) -> None:
    """A server that dies in the call, and one that is late: unknown. The next call starts it anew."""
    starts = tmp_path / "starts"
    async with calling(program("good", starts)) as caller:
        late = await caller.call("wait", 0.5, seconds=5)
        assert (await caller.call("echo", text="a")).text == "a"
        beside = asyncio.create_task(caller.call("wait", seconds=5))
        await asyncio.sleep(0.2)
        died = await caller.call("die")
        assert [each.fate for each in (late, died, await beside)] == [Fate.UNKNOWN] * 3
        assert (await caller.soon("echo", text="b")).text == "b"
        assert len(alive(starts)) == 1
    assert alive(starts) == []


@in_loop
async def test_a_server_that_hangs_as_a_whole_is_started_anew(tmp_path: Path) -> None:
    """After three calls without an answer in time."""
    starts = tmp_path / "starts"
    async with calling(program("good", starts)) as caller:
        assert (await caller.call("echo", text="a")).text == "a"
        (number,) = alive(starts)
        os.kill(number, signal.SIGSTOP)
        for _ in range(owner.MAX_TIMEOUTS):
            assert (await caller.call("echo", 0.3, text="b")).fate is Fate.UNKNOWN
        assert (await caller.soon("echo", text="c")).text == "c"
        assert number not in alive(starts)


@in_loop
async def test_what_a_server_prints_beside_its_messages_is_skipped() -> None:
    """Log lines on its output, also long ones and such as look like JSON."""
    async with calling(program("prints")) as caller:
        assert (await caller.call("echo", text="heard")).text == "heard"


@in_loop
async def test_a_caller_that_is_cancelled_ends_its_call_alone() -> None:
    """Its neighbours have their answers, the session goes on, and the cancellation is the caller's own."""
    async with calling(program("good")) as caller:
        await caller.call("echo")
        first, second = (asyncio.create_task(caller.call("wait", seconds=0.5, text=text)) for text in ("first", "second"))
        await asyncio.sleep(0.1)
        first.cancel()
        assert (await second).text == "second"
        assert first.cancelled()
        assert (await caller.call("echo", text="after")).text == "after"
        assert len(caller.lists) == 1


@in_loop
async def test_a_session_that_nobody_uses_is_closed(tmp_path: Path) -> None:
    """And opened again for the next call."""
    starts = tmp_path / "starts"
    async with calling(program("good", starts, idle_seconds=0.3)) as caller:
        assert (await caller.call("wait", seconds=0.6, text="longer than that")).text == "longer than that"
        await asyncio.to_thread(wait_for, lambda: not alive(starts), 10, "the end of the program")
        assert (await caller.call("echo", text="again")).text == "again"


@in_loop
async def test_a_program_that_will_not_end_is_killed_with_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever signals they ignore, within seconds."""
    monkeypatch.setattr(stdio, "CLOSE_SECONDS", 0.2)
    starts = tmp_path / "starts"
    async with calling(program("stays", starts)) as caller:
        assert (await caller.call("echo", text="a")).text == "a"
        assert len(alive(starts)) == 2
    await asyncio.sleep(0.2)
    assert alive(starts) == []


def children() -> set[int]:
    """The processes that are this one's children, the dead that nobody has asked for included."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if file.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.add(int(file.parent.name))
    return found


def pipes() -> int:
    """How many descriptors are open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@in_loop
async def test_the_children_of_servers_do_not_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 23rd complaint: 53 processes and more. Servers that end, die in a call or never answer, twenty times: no process, no pipe."""
    monkeypatch.setattr(owner, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(owner, "LONGEST_SECONDS", 0.01)
    monkeypatch.setattr(owner, "OPEN_SECONDS", 0.3)
    starts = tmp_path / "starts"
    before, open_before = children(), pipes()
    callers = {kind: Caller(program(kind, starts, idle_seconds=0.05)) for kind in ("exits", "silent", "good")}
    for _ in range(6):
        for kind, tool in (("exits", "echo"), ("silent", "echo"), ("good", "die")):
            await callers[kind].call(tool, 2)
            await asyncio.sleep(0.02)
    for caller in callers.values():
        await caller.owner.aclose()
    await asyncio.to_thread(wait_for, lambda: children() <= before, 5, "the end of all children")
    assert len(starts.read_text().split()) > 10
    assert alive(starts) == []
    assert pipes() <= open_before + 1


HASTY = """
import asyncio, gc, sys
from supervisor_worker.mcp import owner, stdio
from tests.support.mcp_owners import calling, program
owner.OPEN_SECONDS, stdio.REAP_SECONDS = 0.5, 0.0
sys.unraisablehook = lambda found: print("raised", repr(found.exc_value))
async def main():
    async with calling(program("silent")) as caller:
        print((await caller.call("echo", 2)).fate)
asyncio.run(main())
gc.collect()
"""


def test_nothing_of_a_program_is_left_to_the_garbage_collector() -> None:
    """Also where its end cannot be waited for: the collector would close its pipes behind the end of the loop."""
    done = subprocess.run(
        [sys.executable, "-c", HASTY], capture_output=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    assert [line for line in done.stdout.splitlines() if b"mcp_failed" not in line] == [b"not_made"]


HOLDER = """
import asyncio, sys
from pathlib import Path
from tests.support.mcp_owners import Caller, program
async def main():
    caller = Caller(program("stays", Path(sys.argv[1])))
    print((await caller.call("echo", text="up")).text, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_no_program_outlives_a_worker_that_is_killed(tmp_path: Path) -> None:
    """It is killed by -9: the guard ends the program and its children, though they ignore everything else."""
    starts = tmp_path / "starts"
    worker = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(starts)], stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"up\n"
        assert len(alive(starts)) == 2
    finally:
        worker.kill()
        worker.communicate()
    wait_for(lambda: not alive(starts), 5, "the end of the program")


@in_loop
async def test_a_turn_that_waits_for_a_server_holds_no_thread() -> None:
    """200 calls of 0.3 s by one owner, beside one another, by a server of the package itself."""
    server = McpServer(name="library", command=sys.executable, args=(str(LIBRARY_SERVER),), at_once=200)
    async with calling(server) as caller:
        assert (await caller.call("add", a=1, b=2)).text == "3"
        before, began = threading.active_count(), time.monotonic()
        calls = [asyncio.create_task(caller.call("wait", seconds=0.3)) for _ in range(200)]
        await asyncio.sleep(0.2)
        assert threading.active_count() == before
        assert {each.text for each in await asyncio.gather(*calls)} == {"waited"}
        assert time.monotonic() - began < 30  # one after the other they take a minute
        assert len(caller.lists) == 1


@in_loop
async def test_no_more_calls_are_under_way_than_the_operator_allows(tmp_path: Path) -> None:
    """The others wait their turn, and one whose time ends meanwhile was not made."""
    done = tmp_path / "done"
    async with calling(program("good", at_once=2)) as caller:
        await caller.call("echo")
        first = [asyncio.create_task(caller.call("wait", seconds=0.6)) for _ in range(2)]
        await asyncio.sleep(0.1)
        late = await caller.call("append", 0.2, text=str(done))
        assert late.fate is Fate.NOT_MADE
        assert (await caller.call("append", text=str(done))).fate is Fate.ANSWERED
        await asyncio.gather(*first)
    assert done.read_text() == "done\n"


@in_loop
async def test_a_program_that_cannot_be_reached_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded number of calls waits; the one beyond is refused at once."""
    monkeypatch.setattr(owner, "MAX_WAITING", 3)
    async with calling(program("good")) as caller:
        await caller.call("echo")
        waiting = [asyncio.create_task(caller.call("wait", seconds=0.3)) for _ in range(3)]
        await asyncio.sleep(0.1)
        refused = await caller.call("echo")
        assert (refused.fate, "waiting" in refused.text) == (Fate.NOT_MADE, True)
        await asyncio.gather(*waiting)


@in_loop
async def test_closing_answers_everybody_who_waits(tmp_path: Path) -> None:
    """A call under way may have happened; one that comes afterwards has not."""
    starts = tmp_path / "starts"
    caller = Caller(program("good", starts))
    await caller.call("echo")
    waiting = asyncio.create_task(caller.call("wait", seconds=30))
    await asyncio.sleep(0.2)
    await caller.owner.aclose()
    assert (await waiting).fate is Fate.UNKNOWN
    assert (await caller.call("echo")).fate is Fate.NOT_MADE
    assert alive(starts) == []
