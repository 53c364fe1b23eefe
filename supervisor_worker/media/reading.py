"""Reads a file that somebody sent: what kind it is, and what of it the model may be shown.

Everything that parses runs in a child process with limits of memory and time, of which two run at once on a host. The worker itself
looks at the first bytes of pictures only. What a child says is checked like anything from outside.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args

from shared.model.text import clean
from shared.observability import logs
from supervisor_worker.media import reader_slots
from supervisor_worker.media.image_header import NotAPicture, Picture, read_picture
from supervisor_worker.media.reader_process import MAX_OUTPUT, Output, run
from supervisor_worker.media.readers.extract import MAX_TEXT_BYTES, Fault, frame, unframe
from supervisor_worker.media.readers.kinds import KINDS, PDF, PICTURE, UNKNOWN, claimed_kind

MAX_BYTES: Final = 32_000_000
"""Of a file; a larger one is not read."""
MAX_DOCUMENT_BYTES: Final = 10_000_000
"""Of a PDF that is given to the model as it is: Anthropic takes 32 MB a request, of which base64 makes 24 MB, beside the pictures."""
MAX_DOCUMENT_PAGES: Final = 100
CHILD_SECONDS: Final = 20.0
_MOST: Final = 10_000_000
_FAULTS: Final = frozenset(get_args(Fault))
LOG: Final = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file as the model is shown it.

    `kind` is in plain words. `document` is a PDF within Anthropic's limits, as it came; its text is in `text` all the same (at most
    20,000 bytes of UTF-8; `cut` where there was more). With a `fault`, the text is what could be read before it. A recording has no text:
    it lasts at most `seconds`.
    """

    kind: str
    text: str = field(default="", repr=False)
    picture: Picture | None = field(default=None, repr=False)
    document: bytes | None = field(default=None, repr=False)
    pages: int = 0
    cut: bool = False
    fault: Fault = ""
    seconds: int = 0


async def read_file(content: bytes, name: str, content_type: str, *, seconds: float) -> ReadFile:
    """Read a file in at most `seconds`, with the wait for a place, and never longer than 20 s in the child.

    `name` and `content_type` are what its sender calls it, and may be anything; so may the content. Raises nothing but CancelledError.
    """
    try:
        return ReadFile(PICTURE, picture=read_picture(content))
    except NotAPicture:
        pass  # no picture, or one that a child has to convert
    claimed = claimed_kind(name, content_type)
    if len(content) > MAX_BYTES:
        return ReadFile(claimed, fault="too_large")
    try:
        async with asyncio.timeout(seconds) as limit:
            place = await reader_slots.take()
            left = cast("float", limit.when()) - asyncio.get_running_loop().time()
    except TimeoutError:
        return ReadFile(claimed, fault="too_slow")
    except reader_slots.NoPlace:
        LOG.exception("The places of the readers cannot be used", action="file_unread")
        return ReadFile(claimed, fault="unknown")
    request = frame({"name": name[-200:], "type": content_type[:200]})
    stopped = threading.Event()
    running = asyncio.get_running_loop().run_in_executor(None, run, request, content, min(left, CHILD_SECONDS), stopped)
    running.add_done_callback(lambda _: os.close(place))  # not before the child is gone, also where the caller was cancelled
    try:
        output = await asyncio.shield(running)
    except asyncio.CancelledError:
        stopped.set()
        raise
    except OSError:
        LOG.exception("No process could be started to read a file", action="file_unread")
        return ReadFile(claimed, fault="unknown")
    return _checked(output, content)


def _checked(output: Output, content: bytes) -> ReadFile:
    """What a child said, if it may say so; where it said nothing whole, how it ended."""
    try:
        head, rest = unframe(output.data[:MAX_OUTPUT])
        kind = head["kind"] if head["kind"] in KINDS else UNKNOWN
    except (ValueError, KeyError, TypeError):
        return ReadFile(UNKNOWN, fault=_fault_of(output))
    try:
        said, picture = unframe(rest)
        return _file(kind, said, picture, content)
    except (ValueError, KeyError, TypeError):
        return ReadFile(kind, fault=_fault_of(output))


def _file(kind: str, said: dict[str, Any], picture: bytes, content: bytes) -> ReadFile:
    """The file by its child's words. Raises ValueError, KeyError or TypeError where they are not what a child says."""
    fault, pages, seconds = str(said["fault"]), int(said["pages"]), int(said["seconds"])
    text = clean(str(said["text"])).encode()[:MAX_TEXT_BYTES].decode("utf-8", "ignore")
    if fault not in _FAULTS or not 0 <= pages <= _MOST or not 0 <= seconds <= _MOST:
        raise ValueError("no fault or figures of ours")
    document = said["document"] is True and kind == PDF and len(content) <= MAX_DOCUMENT_BYTES and 0 < pages <= MAX_DOCUMENT_PAGES
    return ReadFile(
        kind,
        text=text,
        picture=read_picture(picture) if picture else None,
        document=content if document and not fault else None,
        pages=pages,
        cut=said["cut"] is True,
        fault=cast("Fault", fault),
        seconds=seconds,
    )


def _fault_of(output: Output) -> Fault:
    """Why a child said nothing: it was late, or it ended by its limit of CPU time, or over the file."""
    return "too_slow" if output.late or output.code == -signal.SIGXCPU else "damaged"
