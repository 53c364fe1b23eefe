"""What a tool of ours tells the model has at most 20 kB, whatever is kept, and no note of ours is cut."""

from __future__ import annotations

import re
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.assistant.tool_loop import RESULT_BYTES, bounded
from supervisor_worker.assistant.tools.catalog import TOOLS
from supervisor_worker.assistant.tools.tool import ToolContext
from supervisor_worker.channels.marked_text import END
from supervisor_worker.channels.notes import note

CONTEXT: Final = ToolContext(ZoneInfo("Europe/Berlin"), "sms", 0)
REST: Final = note("the rest is left out: ask for less")
LETTERS: Final = ("a", "\u00fc", "\u20ac", "\U0001f600")
NOTES: Final = re.compile("\u27e6[^\u27e6\u27e7]*\u27e7")


def tool(name: str) -> Any:
    return next(each for each in TOOLS if each.name == name)


@pytest.mark.parametrize("letter", LETTERS)
def test_what_holds_the_most_is_told_in_whole_lines_within_the_bound(letter: str) -> None:
    """Fifty facts that are forgotten, of five hundred letters each; two hundred that are listed."""
    facts = [{"id": f"f{n}", "text": letter * 500, "at": 1, "channel": "sms", "marked": False, "pinned": False} for n in range(200)]
    forgotten = bounded(tool("forget").told({"ok": True, "forgotten": facts[:50], "count": 0}, CONTEXT))
    listed = bounded(tool("list_memory").told({"ok": True, "facts": facts, "count": 200}, CONTEXT))
    for told in (forgotten, listed):
        assert RESULT_BYTES - 3_000 < len(told.encode()) <= RESULT_BYTES
        assert told.endswith(REST)
    *lines, _ = listed.splitlines()
    assert {len(line) for line in lines[1:10]} == {len(lines[1])}


def test_what_fits_is_told_as_it_is() -> None:
    """To the last byte."""
    assert bounded("x" * RESULT_BYTES) == "x" * RESULT_BYTES
    assert bounded("") == ""


@given(
    st.lists(
        st.sampled_from(["a" * 700, "\u20ac" * 300, note("a note of ours"), note(END), "\U0001f600", "\n", note("x" * 500)]), max_size=60
    )
)
def test_no_note_is_cut_and_no_words_of_others_are_left_without_their_end(parts: list[str]) -> None:
    """Wherever the bound falls."""
    told = "".join(parts)
    shown = bounded(told)
    assert len(shown.encode()) <= RESULT_BYTES
    assert not set(NOTES.sub("", shown)) & {"\u27e6", "\u27e7"}
    assert (shown == told) is (len(told.encode()) <= RESULT_BYTES)
    if shown != told and note(END) in told:
        assert note(END) in shown
