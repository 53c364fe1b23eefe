"""Which lines code tells a person of what a turn has done, and which of them the model's own words make needless. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from shared.model import words
from shared.model.recurrence import MINUTE
from shared.model.sentences import written_times
from shared.model.sentences.languages import in_language
from supervisor_worker.assistant.tools.tool import Result
from supervisor_worker.channels import sentences

_SENTENCES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("set_reminder", "move_reminder", "snooze_reminder", "cancel_reminder"), "reminder_not_done"),
    **dict.fromkeys(("remember", "forget", "pin_fact"), "memory_not_done"),
    **dict.fromkeys(("add_to_list", "check_off", "remove_from_list"), "list_not_done"),
}
_WORD: Final = re.compile(r"\w+")
_TOKEN: Final = re.compile(r"[^\W_]+(?::[0-9]+)*")
"""A word, or a time."""
_NOON: Final = 12
Ways = tuple[str, ...]
"""Ways to write one thing: patterns for what `_plain` makes of a sentence."""


def not_done(tool: str, language: str) -> str:
    """The line for a call of a tool of ours that was refused, or made no sense; nothing was changed by it."""
    return words.said(_SENTENCES.get(tool, "tool_not_done"), language)


def in_order(found: Sequence[tuple[str, str, bool]]) -> list[str]:
    """The lines to tell, of the tool, the line and whether it was done. What was not done is told once, and only where it stayed so."""
    lines: list[str] = []
    for place, (tool, line, done) in enumerate(found):
        later = any(other == tool and was_done for other, _, was_done in found[place + 1 :])
        if line and (done or not (later or line in lines)):
            lines.append(line)
    return lines


def says_no_more(own: str, lines: Sequence[str]) -> bool:
    """Whether the model's words repeat what the lines say, and nothing else."""
    mine, told = _WORD.findall(own.casefold()), _WORD.findall(" ".join(lines).casefold())
    return bool(mine) and any(told[place : place + len(mine)] == mine for place in range(len(told) - len(mine) + 1))


def says(own: str, tool: str, result: Result, language: str) -> bool:
    """Whether one sentence of the model's holds all that the line of a call would: its date, its time and its words."""
    pieces = [[re.compile(way) for way in ways] for ways in _pieces(tool, result, language)]
    return bool(pieces) and any(all(any(way.search(sentence) for way in ways) for ways in pieces) for sentence in _sentences(own))


def _sentences(own: str) -> Iterable[str]:
    start = 0
    for end in (*sentences.ends(own), len(own)):
        yield _plain(own[start:end])
        start = end


def _plain(text: str) -> str:
    """Its words, between blanks: so that 9:00 is not found in 19:00."""
    return f" {' '.join(_TOKEN.findall(text.casefold()))} "


def _words(text: str) -> str:
    """The pattern for these words."""
    return re.escape(_plain(text))


def _pieces(tool: str, result: Result, language: str) -> Iterator[Ways]:
    """What a sentence must hold; nothing for a line that is always told: what repeats, what others wrote, what was not done."""
    if not result.get("ok"):
        return
    if tool == "set_reminder":
        yield from _pieces_of(result["reminder"], language)
    elif tool == "remember" and not result.get("already") and not result["fact"].get("marked"):
        yield (_words(str(result["fact"]["text"])),)
    elif tool == "add_to_list" and not any(item.get("marked") for item in result["added"] or ()):
        for text in (result["list"], *(item["text"] for item in result["added"] or ())):
            yield (_words(str(text)),)


def _pieces_of(reminder: Mapping[str, Any], language: str) -> Iterator[Ways]:
    if reminder["recurrence"] or reminder["marked"] or reminder["kind"] == "briefing":
        return
    at = datetime.strptime(str(reminder["local"]), MINUTE)  # noqa: DTZ007 - by the wall's clock
    month = words.month(at, language).casefold()
    yield tuple(f" {way.format(day=at.day, month=month)} " for way in in_language(written_times.DAYS, language))
    full = in_language(written_times.FULL_HOURS, language) if at.minute == 0 else ()
    times = ("{hour}:{minute}", *in_language(written_times.TIMES, language), *full)
    yield tuple(f" {way.format(hour=f'0?{at.hour}', minute=f'{at:%M}')} " for way in times)
    if 0 < at.hour <= _NOON:  # 5:00 in the afternoon is not what was stored as 5:00
        half_days = in_language(written_times.HALF_DAYS, language)
        yield (f"^(?!.* (?:{'|'.join(half_days)}) )",)
    yield (_words(str(reminder["text"])),)
