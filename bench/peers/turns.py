"""The work of a turn, the same for all contenders, in the form that is cheapest for each.

`light`: one question to Claude over HTTP, then a datagram that says "done". On a loop all jobs share one aiohttp session. Each thread
has a kept-alive connection of http.client, which costs less CPU than any pooled client, and less than a loop in another thread. A
process for one job opens its connection for that job.

`whole`: Bossline's own turn: claim, history, Claude by its SDK, store, Twilio by its SDK, finish. It is a coroutine, so contenders
with threads run it on one loop in a thread of the process. All of a process's turns share what `open_resources` opens.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from functools import cache
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import aiohttp

    from supervisor_worker.process.resources import WorkerResources

TIMEOUT_SECONDS: Final = 100
BODY: Final = b'{"model": "claude-bench", "max_tokens": 1024, "messages": [{"role": "user", "content": "What is on my list today?"}]}'
HEADERS: Final = {"Content-Type": "application/json", "x-api-key": "bench", "anthropic-version": "2023-06-01"}


def mark(name: str) -> None:
    """Report to the stub providers that `name` is done."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as marks:
        marks.sendto(name.encode(), os.environ["BENCH_MARKS"])


# light


async def light(name: str) -> None:
    """Ask Claude on the loop, then mark."""
    async with _session().post(os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages", data=BODY, headers=HEADERS) as answer:
        assert answer.status == 200
        await answer.read()
    mark(name)


@cache
def _session() -> aiohttp.ClientSession:
    import aiohttp  # noqa: PLC0415 - the forking contenders do not use it

    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(TIMEOUT_SECONDS))


_THREAD = threading.local()


def light_in_thread(name: str) -> None:
    """Ask Claude and wait, then mark."""
    connection: HTTPConnection | None = getattr(_THREAD, "connection", None)
    if connection is None:
        place = urlsplit(os.environ["ANTHROPIC_BASE_URL"])
        connection = _THREAD.connection = HTTPConnection(str(place.hostname), place.port, timeout=TIMEOUT_SECONDS)
    connection.request("POST", "/v1/messages", BODY, HEADERS)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    mark(name)


# whole


class _SharedResources:
    """The resources that all turns of the process share, opened by the first of them."""

    def __init__(self) -> None:
        self._opening: asyncio.Task[WorkerResources] | None = None

    async def resources(self) -> WorkerResources:
        """The resources; the first caller opens them."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        return await asyncio.shield(self._opening)

    async def _open(self) -> WorkerResources:
        from shared.config.loading import load_settings  # noqa: PLC0415 - a light turn needs none of it
        from shared.observability import logs  # noqa: PLC0415
        from shared.runtime import open_runtime  # noqa: PLC0415
        from supervisor_worker.process.resources import open_resources  # noqa: PLC0415

        logs.configure("worker", "json")
        runtime = open_runtime(load_settings(_env_file=None), "worker")
        self._stack = AsyncExitStack()
        return await self._stack.enter_async_context(open_resources(runtime))


_RESOURCES: Final = _SharedResources()


async def whole(conversation: str) -> None:
    """Run the turn of a conversation that has one."""
    from supervisor_worker.turns.turn import run_turn  # noqa: PLC0415 - a light turn needs none of it

    resources = await _RESOURCES.resources()
    assert not await run_turn(conversation, f"k-{uuid.uuid4().hex}", resources.context)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 - the forking contenders do not use it

    loop = uvloop.new_event_loop()
    threading.Thread(target=loop.run_forever, name="turns", daemon=True).start()
    return loop


_LOCK: Final = threading.Lock()


def _on_loop(work: Coroutine[Any, Any, None]) -> None:
    with _LOCK:
        loop = _loop()
    asyncio.run_coroutine_threadsafe(work, loop).result(TIMEOUT_SECONDS)


def whole_in_thread(conversation: str) -> None:
    """Run the turn on the process's loop, and wait."""
    _on_loop(whole(conversation))


def nothing(sid: str, sender: str, recipient: str, text: str) -> None:
    """What a webhook enqueues; no worker runs it."""


def import_sdks() -> None:
    """Load what a whole turn needs, before the first one and before any fork."""
    import supervisor_worker.jobs  # noqa: F401, PLC0415


if os.environ.get("BENCH_SDKS"):
    import_sdks()
