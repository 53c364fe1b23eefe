"""The tool by which the Boss says how it stands with it (`own_status.py` looks). Pure."""

from __future__ import annotations

from typing import Final

from shared.model.prices import MICROS_PER_DOLLAR
from supervisor_worker.assistant.tools.tool import Result, Tool, ToolContext, no_receipt
from supervisor_worker.channels.notes import theirs


def _told(result: Result, _context: ToolContext) -> str:
    lines = [
        f"Bossline {result['version']}. {theirs(result['waits'])}",
        f"Kept of the person: {result['reminders']} reminders, {result['facts']} facts, {result['lists']} lists.",
    ]
    if not result["played"]:
        (today, month), (day_bound, month_bound) = result["spent"], result["bounds"]
        lines.append(f"Spent on them: today {_dollars(today, day_bound)}; this month {_dollars(month, month_bound)}.")
    states = [f"{name} {f'cannot be used now ({why})' if why else 'is ready'}" for name, why in (result["servers"] or {}).items()]
    return "\n".join([*lines, *([f"Servers: {'; '.join(states)}."] if states else [])])


def _dollars(used: int, bound: int) -> str:
    spent = f"${used / MICROS_PER_DOLLAR:.2f}"
    return f"{spent} of ${bound / MICROS_PER_DOLLAR:.2f}" if bound else f"{spent}, without a bound"


STATUS_TOOLS: Final = (
    Tool(
        "show_status",
        "Shows how it stands with you: which of the person's messages wait, how many reminders, facts and lists are kept, what is left of "
        "their budget, and which servers serve. Changes nothing.",
        "own_status", lambda _given, _context: {}, _told, no_receipt,
    ),
)  # fmt: skip
