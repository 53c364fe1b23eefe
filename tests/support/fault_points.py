"""Where a process of ours dies, freezes or is told to end, as a test's plans say: a way in, so that the product needs no hooks.

A plan is the file `<conversation>.plan` in CRASH_DIR, one line for each thing that shall happen, in this order:

    SIGKILL before:claim        the first process that comes there sends itself that signal
    SIGKILL after:sending       and then, another there

Moments: `before:` and `after:` (once granted) each call of the mailbox by a worker; `after:take` and `before:give_back` of RQ's
job; `before:` and `during:` a `think`, `send`, `find` or `transcribe` request to a provider, or a `call` of an MCP server; in the web
process `before:accept` and `after:accept` of a webhook, and `before:replay` and `after:replay` of what was spooled. SIGCONT lets a moment
pass: the next line is of the next time. What happened stands in
`<conversation>.hit`, a line each: the time, the signal, the pid. A process that was frozen and is past that call leaves
`<conversation>.past`. Who claimed a conversation last stands in `<conversation>.pid`, and in `swept`, with the time, whose
wake-ups went with those who died in the sweep.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from structlog.contextvars import get_contextvars

from shared.mailbox import AsyncMailbox, Mailbox
from shared.mailbox.call import Call
from shared.storage.replication import StorageResult

if TYPE_CHECKING:
    from rq_async.queue_client import QueueClient
    from rq_async.run import Run

Result = TypeVar("Result")
GRANTED: Final = {"claim": "taken", "store_reply": "stored", "sending": "ok", "step": "ok", "calling": "call"}
"""`after:` one of these means after it was granted."""
UNDER_WAY_SECONDS: Final = 0.12
"""How long after its beginning a request is under way: by then the provider has it, and takes longer to answer."""

HEARD_SECONDS: Final = 0.05
"""What a loop needs to hear a signal that its own process sent."""


class FaultPoints:
    """The plans of one directory, carried out by this process; with `group`, what kills it takes its parent and children along."""

    def __init__(self, directory: Path, *, group: bool = False) -> None:
        self.directory = directory
        self.group = group
        self._lock = threading.Lock()

    def planned(self, moment: str, conversation: str) -> bool:
        """Whether the next thing to happen in that conversation happens here."""
        plan = self.directory / f"{conversation}.plan"
        if not conversation or not plan.exists():
            return False
        try:
            return plan.read_text().partition("\n")[0].partition(" ")[2] == moment
        except FileNotFoundError:
            return False

    def reach(self, moment: str, conversation: str, *others: str) -> bool:
        """Do here what is planned, unless another process has done it; True when frozen, and thawed again.

        `others` are further conversations that the same call is of: what strikes it strikes them as well, so that it counts for each.
        """
        with self._lock:
            for other in others:
                self._take(moment, other)
            number = self._take(moment, conversation)
            return number is not None and self._happen(number)

    def _take(self, moment: str, conversation: str) -> signal.Signals | None:
        """Take what is planned here off the plan, and leave word of it."""
        if not self.planned(moment, conversation):
            return None
        plan = self.directory / f"{conversation}.plan"
        taken = plan.with_suffix(f".{os.getpid()}")
        try:
            plan.rename(taken)
        except FileNotFoundError:
            return None
        first, _, rest = taken.read_text().partition("\n")
        if rest:
            taken.write_text(rest)
            taken.rename(plan)
        number = signal.Signals[first.partition(" ")[0]]
        with plan.with_suffix(".hit").open("a") as file:
            file.write(f"{time.time()} {number.name} {os.getpid()}\n")
        return number

    def _happen(self, number: signal.Signals) -> bool:
        if self.group:
            os.killpg(os.getpgid(0), number)
        else:
            os.kill(os.getpid(), number)
        return number == signal.SIGSTOP

    def past(self, conversation: str) -> None:
        """Leave word that a thawed process is past the call at which it was frozen."""
        (self.directory / f"{conversation}.past").touch()

    def swept(self, conversations: Iterable[str]) -> None:
        """Leave word of whose wake-ups go with this process."""
        with (self.directory / "swept").open("a") as file:
            file.writelines(f"{time.time()} {conversation}\n" for conversation in conversations)

    def claimed(self, conversation: str) -> None:
        """Leave word of who holds the conversation."""
        part = self.directory / f"{conversation}.{os.getpid()}"
        part.write_text(str(os.getpid()))
        part.rename(self.directory / f"{conversation}.pid")


def conversation_of(call: Call[Any]) -> str:
    """The conversation that a call belongs to; what came of a call outside names its turn alone, and belongs to the job's."""
    return str(call.args.get("conv", "")) or (str(get_contextvars().get("conversation", "")) if call.name == "called" else "")


def arm_worker(fault_points: FaultPoints) -> None:
    """Put the moments of a turn around the mailbox's calls, RQ's jobs and the requests to the providers."""
    _arm_mailbox(fault_points)
    _arm_queue(fault_points)
    _arm_requests(fault_points)


def _arm_mailbox(fault_points: FaultPoints) -> None:
    run = AsyncMailbox.run

    async def armed(mailbox: AsyncMailbox, call: Call[Result]) -> Result:
        conversation = conversation_of(call)
        thawed = fault_points.reach(f"before:{call.name}", conversation)
        result = await run(mailbox, call)
        wanted = GRANTED.get(call.name)
        if call.name == "sweep":
            due = [item.conversation for item in getattr(result, "due", ())]
            if planned := [one for one in due if fault_points.planned("after:sweep", one)]:
                fault_points.swept(due)
                conversation, thawed = planned[0], fault_points.reach("after:sweep", *planned)
        elif wanted is None or getattr(result, "outcome", "") == wanted:
            if call.name == "claim":
                fault_points.claimed(conversation)
            thawed = fault_points.reach(f"after:{call.name}", conversation) or thawed
        if thawed:
            fault_points.past(conversation)
        return result

    AsyncMailbox.run = armed  # type: ignore[method-assign,assignment]


def _arm_queue(fault_points: FaultPoints) -> None:
    from rq_async.queue_client import QueueClient  # noqa: PLC0415 - the worker has imported it; here it is at hand

    dequeue, requeue = QueueClient.dequeue, QueueClient.requeue

    async def armed_dequeue(client: QueueClient, room: int) -> list[Run]:
        runs = await dequeue(client, room)
        if any(fault_points.planned("after:take", str(run.job.args[0])) for run in runs):
            _reach_each(fault_points, "after:take", runs)
            await asyncio.sleep(HEARD_SECONDS)
        return runs

    async def armed_requeue(client: QueueClient, runs: list[Run], idle_state: str) -> None:
        _reach_each(fault_points, "before:give_back", runs)
        await requeue(client, runs, idle_state)
        _reach_each(fault_points, "after:give_back", runs)

    QueueClient.dequeue, QueueClient.requeue = armed_dequeue, armed_requeue  # type: ignore[method-assign,assignment]


def _reach_each(fault_points: FaultPoints, moment: str, runs: Iterable[Run]) -> None:
    for run in runs:
        conversation = str(run.job.args[0])
        if fault_points.reach(moment, conversation):
            fault_points.past(conversation)


def _arm_requests(fault_points: FaultPoints) -> None:
    from supervisor_worker.assistant.claude.client import Claude  # noqa: PLC0415
    from supervisor_worker.channels.sendgrid.email import SendGridEmail  # noqa: PLC0415 - as above
    from supervisor_worker.channels.twilio.sms import TwilioSms  # noqa: PLC0415
    from supervisor_worker.mcp.tools import McpTools  # noqa: PLC0415
    from supervisor_worker.media.transcription import Transcriber  # noqa: PLC0415

    requests = (
        (Claude, "think"), (TwilioSms, "send"), (SendGridEmail, "send"), (TwilioSms, "find"), (Transcriber, "transcribe"),
        (McpTools, "call"),
    )  # fmt: skip
    for kind, name in requests:
        setattr(kind, name, _armed_request(fault_points, name, getattr(kind, name)))


def _armed_request(fault_points: FaultPoints, name: str, request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A request with a moment before it, and one in its midst."""

    async def armed(*arguments: Any) -> Any:
        conversation = str(get_contextvars().get("conversation", ""))
        thawed = fault_points.reach(f"before:{name}", conversation)
        asked = asyncio.ensure_future(request(*arguments))
        try:
            if fault_points.planned(f"during:{name}", conversation):
                await asyncio.wait({asked}, timeout=UNDER_WAY_SECONDS)
                thawed = fault_points.reach(f"during:{name}", conversation) or thawed
            return await asked
        finally:
            asked.cancel()
            if thawed:
                fault_points.past(conversation)

    return armed


def arm_web(fault_points: FaultPoints) -> None:
    """Put the moments of a message's arrival around the calls that store it."""
    from shared.runtime import Runtime  # noqa: PLC0415
    from webhook_api.intake import records  # noqa: PLC0415

    run, send = Mailbox.run_confirmed, records.send

    def armed_run(mailbox: Mailbox, call: Call[Result]) -> StorageResult[Result]:
        conversation = conversation_of(call) if call.name == "accept" else ""
        fault_points.reach("before:accept", conversation)
        result = run(mailbox, call)
        fault_points.reach("after:accept", conversation)
        return result

    def armed_send(runtime: Runtime, calls: list[Call[Any]]) -> StorageResult[list[Any]]:
        conversations = [conversation_of(call) for call in calls if call.name == "accept"]
        for conversation in conversations:
            fault_points.reach("before:replay", conversation)
        answers = send(runtime, calls)
        for conversation in conversations:
            fault_points.reach("after:replay", conversation)
        return answers

    Mailbox.run_confirmed, records.send = armed_run, armed_send  # type: ignore[method-assign,assignment]
