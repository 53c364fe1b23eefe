"""All tools of ours, in the order in which the model is shown them: the same for everybody, so that the prompt's beginning is cached."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from supervisor_worker.assistant.tools.copies import COPY_TOOLS
from supervisor_worker.assistant.tools.history import HISTORY_TOOLS
from supervisor_worker.assistant.tools.lists import LIST_TOOLS
from supervisor_worker.assistant.tools.memory import MEMORY_TOOLS
from supervisor_worker.assistant.tools.reminders import REMINDER_TOOLS
from supervisor_worker.assistant.tools.status import STATUS_TOOLS
from supervisor_worker.assistant.tools.tool import Tool

TOOLS: Final[tuple[Tool, ...]] = (*REMINDER_TOOLS, *LIST_TOOLS, *MEMORY_TOOLS, *HISTORY_TOOLS, *COPY_TOOLS, *STATUS_TOOLS)


@cache
def definitions() -> tuple[dict[str, Any], ...]:
    """As the Messages API takes them."""
    return tuple(tool.definition for tool in TOOLS)
