"""What the process holds while it runs: one object, passed by the application, no globals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.engine.faults import Knobs
from sandbox.engine.journal import Journal
from sandbox.engine.twilio_media import MediaStore
from sandbox.engine.twilio_message_log import MessageStore

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sandbox.engine.settings import Settings
    from sandbox.engine.webhook_sender import Courier


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """The sandbox's whole state."""

    settings: Settings
    courier: Courier
    knobs: Knobs
    journal: Journal = field(default_factory=Journal)
    messages: MessageStore = field(default_factory=MessageStore)
    media: MediaStore = field(default_factory=MediaStore)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something run on beside the requests; it ends with the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def let_go(self) -> None:
        """End all hanging requests."""
        self.release.set()
        self.release = asyncio.Event()

    def reset(self) -> None:
        """Forget everything: as after a fresh start, except that journal numbers go on."""
        self.stop_tasks()
        self.let_go()
        self.knobs = Knobs()
        self.messages = MessageStore()
        self.media = MediaStore()
        self.journal.clear()

    def stop_tasks(self) -> None:
        """Cancel callbacks and events that are still to come."""
        for task in self._tasks:
            task.cancel()


STATE: web.AppKey[Sandbox] = web.AppKey("state", Sandbox)
