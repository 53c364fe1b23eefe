"""Calls of tools outside (MCP), treated as requests to a provider are: stored before they are made, and what came of each afterwards.

Whoever finds a call without a result waits until nobody can be waiting for its answer any more; then it is made again where the operator
says that it may be, else nobody knows whether it happened. A call that its turn no longer waits for goes on, and what comes of it is
recorded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.mailbox.calls import Calling, Figures
from shared.model.approvals import ApprovalCall, always_key
from shared.model.mcp_tools import SEPARATOR
from shared.model.words import said
from supervisor_worker.assistant.addresses import names_a_strangers
from supervisor_worker.assistant.approval_texts import spelled
from supervisor_worker.assistant.asking import WaitingCall
from supervisor_worker.assistant.turn_steps import ToolCall, TurnSteps, TurnStopped
from supervisor_worker.mcp.results import Fate
from supervisor_worker.mcp.tools import McpTool, ToolSource

MARGIN_SECONDS: Final = 5.0
"""After a call's longest time, before nobody waits for it."""
UNKNOWN: Final = (
    "It is not known whether this happened: the program that asked for it was interrupted. Tell the person, and do not try again."
)
NOT_SAFE: Final = "Not done: it could not be recorded safely just now. Tell the person; they can ask for it again."
WAITS: Final = (
    "Waits for a yes: this program asks for it in words of its own, with your answer. It is not done, and you are told when it is. Do not "
    "call it again, and do not ask for the yes yourself."
)
GONE: Final = (
    "Not done: the tool that was asked about is not there any more, or has changed since. Tell the person; they can ask for it again."
)

STRANGE_ADDRESS: Final = (
    "Not done: this chat shows words that the person did not write, and the call names an address that the person did not write either. "
    "Tell the person so; they can write the address themselves."
)


@dataclass
class OutsideCalls:
    """The tools of MCP servers for one person, and the calls of one turn. `in_flight` keeps calls that a turn no longer waits for."""

    source: ToolSource
    username: str
    in_flight: set[asyncio.Task[object]] = field(default_factory=set)

    @property
    def tools(self) -> Sequence[McpTool]:
        """Those that the person may use, by name."""
        return self.source.definitions(self.username)

    def named(self, name: str) -> McpTool | None:
        """One of them."""
        return next((tool for tool in self.tools if tool.name == name), None)

    async def make(self, steps: TurnSteps, call: ToolCall, seconds: float, *, mixed: bool, refusal: str = "") -> None:
        """Make a call, or find out what came of it; its result is among the steps then. `refusal`: why nothing is changed any more.

        What waits for a yes is not made: the next turn makes it, when it is approved. Raises TurnStopped or LeaseLost.
        """
        tool = self.named(call.name)
        if tool is None:
            return
        if not steps.has_begun(call) and await self._is_held(steps, call, tool, mixed=mixed, refusal=refusal):
            return
        needs = _always_of(tool, call) if tool.rule.approval == "ask" else ""
        permit = await self._permit(steps, call, tool, needs)
        if permit.outcome == "ask":
            await steps.store_result(call, _waits(tool, needs, marked=False))
            return
        await self._follow(permit, steps, call, tool, seconds)

    async def make_approved(self, steps: TurnSteps, call: ToolCall, approved: ApprovalCall, seconds: float) -> None:
        """Make a call to which somebody has said yes, as it was asked about; likewise."""
        tool = self.named(call.name)
        if not steps.has_begun(call) and (tool is None or tool.digest != approved.digest):
            await steps.store_result(call, {"refused": call.name, "error": GONE})
            return
        if tool is None:  # it was begun while the tool was there: what came of it is known, or will never be
            await steps.store_result(call, of_unknown_fate(call.name))
            return
        await self._follow(await self._permit(steps, call, tool), steps, call, tool, seconds)

    async def _permit(self, steps: TurnSteps, call: ToolCall, tool: McpTool, needs: str = "") -> Calling:
        wait_ms = int(1000 * (tool.rule.timeout_seconds + MARGIN_SECONDS))
        return await steps.calling(call, wait_ms, repeatable=tool.rule.repeat, needs=needs)

    async def _follow(self, permit: Calling, steps: TurnSteps, call: ToolCall, tool: McpTool, seconds: float) -> None:
        longest = min(seconds, tool.rule.timeout_seconds)
        if permit.outcome == "wait":
            raise TurnStopped("outside", permit.wait_ms)
        if permit.outcome == "unknown":
            await steps.store_result(call, _entry(tool, Fate.UNKNOWN, "error", UNKNOWN))
        elif permit.outcome == "not_replicated":  # after a failover nobody would know of the call, and it would be made again
            await steps.called(call, _entry(tool, Fate.NOT_MADE, "error", NOT_SAFE), {"tool": tool.name})
        elif permit.outcome == "call":
            await asyncio.shield(self._begin(steps, call, tool, longest))

    async def _is_held(self, steps: TurnSteps, call: ToolCall, tool: McpTool, *, mixed: bool, refusal: str) -> bool:
        """Whether a call is not made, whatever was said before: refused, or waiting for a yes. That is its result then."""
        if refusal and (not tool.rule.read_only or tool.rule.approval == "ask"):
            await steps.store_result(call, {"refused": call.name, "error": refusal})
        elif self._always_asks(steps, tool, mixed=mixed):
            await steps.store_result(call, _waits(tool, "", marked=mixed))
        elif mixed and _names_a_strangers(steps, call, tool):
            await steps.store_result(call, {"refused": call.name, "error": STRANGE_ADDRESS})
        else:
            return False
        return True

    def _always_asks(self, steps: TurnSteps, tool: McpTool, *, mixed: bool) -> bool:
        """Whether a tool waits for a yes whatever was said before: others' words start nothing, and nothing follows an unknown fate."""
        if mixed:
            return not tool.rule.read_only or tool.rule.approval == "ask"
        unknown = any(entry and entry.get("outside") == tool.name and entry.get("fate") == Fate.UNKNOWN for _, entry in steps.calls())
        return unknown and not tool.rule.read_only

    def waiting(self, steps: TurnSteps) -> Iterator[WaitingCall]:
        """The calls of tools outside that wait for a yes, in their order."""
        for call, entry in steps.calls():
            tool = self.named(call.name)
            if entry and "waits" in entry and tool:
                found = ApprovalCall(call.name, call.arguments, entry["digest"], entry["always"], entry["marked"])
                yield WaitingCall(found, tool.rule.approver)

    def _begin(self, steps: TurnSteps, call: ToolCall, tool: McpTool, seconds: float) -> asyncio.Task[object]:
        task: asyncio.Task[object] = asyncio.create_task(self._made(steps, call, tool, seconds))
        self.in_flight.add(task)
        task.add_done_callback(self.in_flight.discard)
        return task

    async def _made(self, steps: TurnSteps, call: ToolCall, tool: McpTool, seconds: float) -> None:
        began = time.monotonic()
        result = await self.source.call(tool.name, call.arguments, self.username, seconds)
        figures: Figures = {"tool": tool.name, "ms": int(1000 * (time.monotonic() - began)), "fate": str(result.fate)}
        await steps.called(call, _entry(tool, result.fate, "error" if result.is_error else "text", result.text), figures)


def _said_by(steps: TurnSteps, server: str) -> list[str]:
    """What a server has answered in this turn."""
    mine = [entry for _, entry in steps.calls() if entry and str(entry.get("outside", "")).partition(SEPARATOR)[0] == server]
    return [str(entry.get("text", entry.get("error", ""))) for entry in mine]


def _entry(tool: McpTool, fate: Fate, kind: str, text: str) -> dict[str, Any]:
    """What came of a call, as it is stored: `kind` is `text` or `error`."""
    return {"outside": tool.name, "fate": fate, "effect": not tool.rule.read_only, kind: text}


def _names_a_strangers(steps: TurnSteps, call: ToolCall, tool: McpTool) -> bool:
    """Whether a call names an address that neither the person nor, in this turn, the same server has written."""
    wrote = (steps.question or {}).get("wrote", ())
    return names_a_strangers(call.arguments, wrote, _said_by(steps, tool.name.partition(SEPARATOR)[0]))


def of_unknown_fate(name: str) -> dict[str, Any]:
    """What is stored of a call that may have been made, by its tool's name."""
    return {"outside": name, "fate": str(Fate.UNKNOWN), "effect": True, "error": UNKNOWN}


def _waits(tool: McpTool, always: str, *, marked: bool) -> dict[str, Any]:
    """What is stored of a call that waits for a yes."""
    return {"waits": tool.name, "digest": tool.digest, "always": always, "marked": marked, "text": WAITS}


def _always_of(tool: McpTool, call: ToolCall) -> str:
    """What an "always" to a call is kept under: where the rule names an argument, with what that says."""
    recipient = tool.rule.recipient
    return always_key(tool.name, spelled(call.arguments.get(recipient)) if recipient else "")


def receipt(entry: dict[str, Any], language: str) -> str:
    """The line for the person about a call outside, also one that was refused; "" for one that changes nothing by its nature."""
    server, _, name = str(entry.get("refused") or entry["outside"]).partition("__")
    if "refused" in entry or (entry["effect"] and entry["fate"] == Fate.NOT_MADE):
        return said("outside_refused", language, tool=name, server=server)
    if not entry["effect"]:
        return ""
    if entry["fate"] == Fate.UNKNOWN:
        return said("outside_unknown", language, tool=name, server=server)
    return said("outside_failed" if "error" in entry else "outside_done", language, tool=name, server=server)
