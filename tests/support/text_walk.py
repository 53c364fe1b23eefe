"""Which files of ours a text passes, from its webhook until Twilio is asked to send the reply: the interpreter writes them down.

    python -m tests.support.text_walk        # with REDIS_URL, SANDBOX_PORT and BOSS_DATA_DIR

Web process and worker run on one event loop here, so that one interpreter sees both. A first text opens connections and fills caches;
the second one is followed. Only the loop's own thread is: what other threads do (heartbeats, registration) is on no text's way.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import closing
from contextvars import ContextVar
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any, Final, Self

import greenlet
from redis import Redis

from shared.config.loading import load_settings
from shared.mailbox import keys
from shared.process.tasks import cancel_and_wait
from shared.runtime import Runtime, open_runtime
from supervisor_worker.process.worker import work
from tests.payloads import FORM, form_body, sms_fields
from tests.support.processes import ROOT
from tests.support.webhook_client import PUBLIC_URL, twilio_signature
from webhook_api.app import INTAKE, create_app
from webhook_api.http.rsgi import Application

OURS: Final = ("boss", "bridge", "rq_async", "shared", "supervisor_worker", "webhook_api")
SCRIPTS: Final = "shared/mailbox/scripts.py"
PROVIDER: Final = "supervisor_worker/providers/exchange.py"
POOL: Final = "supervisor_worker/providers/http_pool.py"
"""The way ends where `PROVIDER` asks this for a connection: the request to Twilio leaves."""
ASIDE: Final = (
    "shared/observability/",  # lines of the log
    "shared/errors.py",
    "shared/config/",  # values that everybody reads
    "shared/storage/sentinel.py",  # the class of redis-py's connections
    "shared/mailbox/keys.py",
    "supervisor_worker/process/worker.py",  # starts and ends what a process has
)
BACKGROUND: Final = (
    "supervisor_worker/process/clock_watch.py",
    "supervisor_worker/process/stored_indexes.py",
    "supervisor_worker/process/sweep.py",
    "supervisor_worker/reconciler/",
    "supervisor_worker/turns/cross_channel_notice.py",
)
"""What a worker does beside its jobs, on the same loop and whenever its time comes: neither it nor what it calls is on a text's way."""
PLACES: Final = tuple(f"{ROOT}/{place}" for place in BACKGROUND)
SECONDS: Final = 30.0
_task_in_background: ContextVar[bool] = ContextVar("task_in_background", default=False)


class Walk:
    """While it is entered: the files whose functions are called, each once, in the order in which they are first entered."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.ended = False
        self._at_provider = False

    def __enter__(self) -> Self:
        greenlet.settrace(lambda *_: sys.setprofile(self._called))  # each greenlet has a profiler of its own
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        greenlet.settrace(None)
        sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or self.ended or not name.startswith(f"{ROOT}/") or frame.f_code.co_name == "<module>":
            return
        if in_background(frame):
            return
        file = Path(name).relative_to(ROOT).as_posix()
        self._enter(file)
        if file == SCRIPTS and (call := frame.f_locals.get("call")) is not None:
            self._enter(f"shared/mailbox/lua/{call.name}.lua")
        self.ended = self._at_provider and file == POOL
        self._at_provider = self._at_provider or file == PROVIDER

    def _enter(self, file: str) -> None:
        if file.split("/", maxsplit=1)[0] in OURS and not file.startswith(ASIDE) and file not in self.files:
            self.files.append(file)


def in_background(frame: FrameType) -> bool:
    """Whether it runs for one of `BACKGROUND`, whose frame stands above it as far as the task in which it runs, or began that task."""
    caller: FrameType | None = frame
    while caller is not None and not _task_in_background.get():
        _task_in_background.set(caller.f_code.co_filename.startswith(PLACES))  # a task that it begins inherits this
        caller = caller.f_back
    return _task_in_background.get()


class Protocol:
    """granian's side of a request, as far as the application asks for it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.status = 0

    async def __call__(self) -> bytes:
        """The whole body."""
        return self._body

    def response_bytes(self, status: int, _headers: list[tuple[str, str]], _body: bytes) -> None:
        """The answer."""
        self.status = status


async def post(app: Application, number: int) -> None:
    """A text as Twilio posts it, signed."""
    path, body = "/sms/inbound", form_body(sms_fields(MessageSid=f"SM{number:032x}", Body=f"Hello {number}"))
    headers = {"content-type": FORM, "content-length": str(len(body)), "x-twilio-signature": twilio_signature(PUBLIC_URL + path, body)}
    scope: Any = SimpleNamespace(
        method="POST", path=path, query_string="", http_version="1.1", scheme="https", client="192.0.2.1:40000",
        server="127.0.0.1:8787", authority="boss.example.com", headers=headers,
    )  # fmt: skip
    protocol: Any = Protocol(body)
    await app.__rsgi__(scope, protocol)
    if protocol.status != 200:
        raise SystemExit(f"the text was answered with {protocol.status}")


async def until(condition: Callable[[], bool]) -> None:
    """Look again and again, for as long as a busy machine may take."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - in other processes, and in the profiler
            await asyncio.sleep(0.01)


async def walk(web: Runtime, worker: Runtime) -> list[str]:
    """The files that the second text passes."""
    flask = create_app(web)
    app = Application(flask, many=64)
    app.__rsgi_init__(asyncio.get_running_loop())
    redis: Redis = web.redis
    working = asyncio.create_task(work(worker))
    followed = Walk()
    try:
        await post(app, 1)
        await until(lambda: not redis.zcard(keys.OPEN) and redis.zcard("rq:finished:boss") == 1)
        with followed:
            await post(app, 2)
            await until(lambda: followed.ended)
    finally:
        await cancel_and_wait([working])
        flask.extensions[INTAKE].close()
    return followed.files


def main() -> None:
    """Print the files as JSON."""
    settings = load_settings(sandbox="on", public_url=PUBLIC_URL, sms_settle_seconds=0.0, reconcile_minutes=0.0, _env_file=None)
    with closing(open_runtime(settings, "web")) as web, closing(open_runtime(settings, "worker")) as worker:
        print(json.dumps(asyncio.run(walk(web, worker))), flush=True)  # noqa: T201 - what it is for
    os._exit(0)  # threads of the application are for a process's life


if __name__ == "__main__":
    main()
