"""What the person reads of a reminder that was refused: what they can do about it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from supervisor_worker.assistant.tools import reminders
from supervisor_worker.assistant.tools.tool import ToolContext


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("too_many", "you have 200 reminders"),
        ("repeat_of_others", 'Send "new chat", then ask again'),
        ("briefing_of_others", 'Send "new chat", then ask again'),
        ("unknown", "no reminder was changed"),
    ],
)
def test_a_reminder_that_was_refused_is_told_with_what_to_do(reason: str, told: str) -> None:
    """By code, in the person's language: the model's own words are not relied upon."""
    result = {"ok": False, "reason": reason, "most": 200}
    english = reminders.receipt_set(result, ToolContext(ZoneInfo("UTC"), "sms", 0))
    german = reminders.receipt_set(result, ToolContext(ZoneInfo("UTC"), "sms", 0, language="de"))
    assert told in english
    assert english.startswith("Not done: ")
    assert german.startswith("Nicht erledigt: ")
