"""Jobs for the tests of the worker class; they run in the worker's process and tell the test what happened through RQ."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from rq import Retry, get_current_job

from tests.support.rq_records import records

_met: list[str] = []
_all_here: list[asyncio.Event] = []


def _job() -> Any:
    job = get_current_job()
    assert job is not None
    return job


async def nothing() -> str:
    """End at once."""
    return str(_job().id)


async def meet(others: int) -> int:
    """Wait until `others` jobs of this very process are in here at the same time."""
    if not _all_here:
        _all_here.append(asyncio.Event())
    _met.append(_job().id)
    if len(_met) >= others:
        _all_here[0].set()
    await _all_here[0].wait()
    return len(_met)


async def nap(seconds: float) -> None:
    """Sleep; note how often this job was begun."""
    await asyncio.to_thread(_job().connection.incr, f"begun:{_job().id}")
    await asyncio.sleep(seconds)


async def until(key: str) -> None:
    """Run until the test sets a key."""
    connection = _job().connection
    await asyncio.to_thread(connection.incr, f"begun:{_job().id}")
    while not await asyncio.to_thread(connection.exists, key):  # noqa: ASYNC110 - the event is in another process
        await asyncio.sleep(0.02)


async def until_file(name: str) -> None:
    """Run until the test makes a file, and make another one at the end: for tests in which Redis is away."""
    await asyncio.to_thread(_job().connection.incr, f"begun:{_job().id}")
    path = Path(name)
    while not await asyncio.to_thread(path.exists):  # noqa: ASYNC110 - the event is in another process
        await asyncio.sleep(0.02)
    await asyncio.to_thread(path.with_suffix(".ended").touch)


def _write(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line)


_signs: dict[str, asyncio.Event] = {}


async def together(name: str) -> None:
    """Note in the file `name`.begun that this job was begun, then run until the test makes `name`; hundreds may do so at once."""
    await asyncio.to_thread(_write, Path(f"{name}.begun"), f"{_job().id}\n")
    if name not in _signs:
        _signs[name] = asyncio.Event()
        while not await asyncio.to_thread(Path(name).exists):  # noqa: ASYNC110 - the event is in another process
            await asyncio.sleep(0.02)
        _signs[name].set()
    await _signs[name].wait()


async def fail(text: str) -> None:
    """Raise."""
    raise ValueError(text)


async def leave() -> None:
    """Try to end the whole process."""
    raise SystemExit(7)


def plain() -> str:
    """A function that is not a coroutine."""
    return threading.current_thread().name


async def unserializable() -> Any:
    """Return what JSON cannot say."""
    return object()


looked: list[dict[str, Any]] = []
"""What `look` saw, for tests whose worker runs in their own process."""


def look() -> None:
    """Keep RQ's records as they are while a job runs."""
    looked.append(records(_job().connection))


def plain_answer() -> str:
    """Return something, from a thread."""
    return "plain"


async def answer(value: Any = 7) -> Any:
    """Return what the test wants."""
    return value


async def rename() -> None:
    """Change the job's own record, as a job may."""
    _job().description = "another"


async def vanish() -> str:
    """Delete the job while it runs."""
    await asyncio.to_thread(_job().delete)
    return "gone"


async def again() -> Any:
    """Ask for another try."""
    return Retry(max=1)


def note(job: Any, connection: Any, *_: Any) -> None:
    """Count a callback's calls."""
    connection.incr(f"noted:{job.id}")


async def fail_after_file(name: str) -> None:
    """As `until_file`, with a bad end."""
    await until_file(name)
    raise ValueError("in the dark")
