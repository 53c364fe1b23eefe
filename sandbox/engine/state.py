"""What the process holds while it runs: one object, passed by the application, no globals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandbox.engine.answer_script import AnswerScript
from sandbox.engine.clock import SandboxClock
from sandbox.engine.faults import FaultSettings
from sandbox.engine.journal import Journal
from sandbox.engine.paused_answers import PausedAnswers
from sandbox.engine.prompt_cache import PromptCache
from sandbox.engine.rate_limits import RateLimits
from sandbox.engine.sendgrid_account import DEFAULT_EVENTS, DEFAULT_POLICY, SendGridAccount
from sandbox.engine.signing import Signers
from sandbox.engine.twilio_account import TwilioAccount
from sandbox.engine.twilio_media import MediaStore
from sandbox.engine.twilio_message_log import TwilioMessageLog

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sandbox.engine.settings import SandboxSettings
    from sandbox.engine.webhook_sender import WebhookSender


@dataclass(slots=True, kw_only=True)
class SandboxState:
    """All state of the sandbox."""

    settings: SandboxSettings
    webhooks: WebhookSender
    faults: FaultSettings
    journal: Journal = field(default_factory=Journal)
    messages: TwilioMessageLog = field(default_factory=TwilioMessageLog)
    media: MediaStore = field(default_factory=MediaStore)
    script: AnswerScript = field(default_factory=AnswerScript)
    cache: PromptCache = field(default_factory=PromptCache)
    limits: RateLimits = field(default_factory=RateLimits)
    clock: SandboxClock = field(default_factory=SandboxClock)
    paused: PausedAnswers = field(default_factory=PausedAnswers)
    twilio: TwilioAccount = field(init=False)
    sendgrid: SendGridAccount = field(init=False)
    signers: Signers = field(init=False)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process ends."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to end the requests that hang now; a new event replaces it for those that come later."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the accounts."""
        self.reset_accounts()

    def reset_accounts(self) -> None:
        """The accounts as after a start."""
        self.twilio = TwilioAccount.default(self.settings)
        self.sendgrid = SendGridAccount.default(self.settings)
        self.signers = Signers(self.settings.sendgrid_private_key or "", frozenset({DEFAULT_POLICY, DEFAULT_EVENTS}))

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the requests; it ends with the process."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def release_requests(self) -> None:
        """End all requests that hang."""
        self.released.set()
        self.released = asyncio.Event()

    def reset(self) -> None:
        """Forget everything, as after a start; only the journal's numbers go on."""
        self.stop_tasks()
        self.release_requests()
        self.faults = FaultSettings()
        self.messages = TwilioMessageLog()
        self.media = MediaStore()
        self.script = AnswerScript()
        self.cache = PromptCache()
        self.limits = RateLimits()
        self.clock = SandboxClock()
        self.paused = PausedAnswers()
        self.reset_accounts()
        self.journal.clear()

    def stop_tasks(self) -> None:
        """Cancel the callbacks and events that have not been posted yet."""
        for task in self._tasks:
            task.cancel()


STATE: web.AppKey[SandboxState] = web.AppKey("state", SandboxState)
