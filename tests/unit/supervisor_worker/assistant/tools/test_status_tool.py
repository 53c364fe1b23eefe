"""The tool that shows how it stands with the Boss: sentences for the model, and no receipt."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from supervisor_worker.assistant.tools.status import STATUS_TOOLS
from supervisor_worker.assistant.tools.tool import ToolContext

CONTEXT = ToolContext(ZoneInfo("Europe/Berlin"), "sms", 0)
(STATUS,) = STATUS_TOOLS
RESULT: dict[str, Any] = {
    "ok": True, "version": "1.2.3", "waits": "None of your messages waits for an answer.", "reminders": 3, "facts": 12, "lists": 2,
    "spent": [120_000, 2_340_000], "bounds": [1_000_000, 0], "played": False, "servers": {"home": "it ended", "mail": ""},
}  # fmt: skip


def test_what_is_kept_and_what_is_left_is_said() -> None:
    """In dollars, where the model costs any."""
    assert STATUS.told(RESULT, CONTEXT).splitlines() == [
        "Bossline 1.2.3. None of your messages waits for an answer.",
        "Kept of the person: 3 reminders, 12 facts, 2 lists.",
        "Spent on them: today $0.12 of $1.00; this month $2.34, without a bound.",
        "Servers: home cannot be used now (it ended); mail is ready.",
    ]
    played = STATUS.told({**RESULT, "played": True, "servers": {}}, CONTEXT)
    assert "$" not in played
    assert "Servers" not in played
    assert (STATUS.receipt(RESULT, CONTEXT), STATUS.prepare({"user": "eve"}, CONTEXT)) == ("", {})
