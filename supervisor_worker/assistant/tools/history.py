"""The tool that searches what a person and the Boss have said to each other (`history_search.py` looks). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared.model.channels import CHANNELS
from supervisor_worker.assistant import time_notes
from supervisor_worker.assistant.tools.arguments import object_schema, one_line
from supervisor_worker.assistant.tools.tool import Arguments, BadArguments, Result, Tool, ToolContext, no_receipt
from supervisor_worker.channels.marked_text import END
from supervisor_worker.channels.notes import note, theirs

MAX_WORDS: Final = 200
_BAD_TIME: Final = "Not done: `since` and `until` look like 2026-11-03, or 2026-11-03T09:00, in the person's own time."
_OTHERS: Final = "What follows comes from others"
_KINDS: Final = {name: channel.kind for name, channel in CHANNELS.items()}


def _sought(given: Arguments, context: ToolContext) -> Arguments:
    words = one_line(given.get("words"))[:MAX_WORDS]
    since, until = (_moment(given.get(name), context, last=name == "until") for name in ("since", "until"))
    return {"words": words, "since": since, "until": until}


def _moment(value: object, context: ToolContext, *, last: bool) -> int:
    """A local date or time in ms, of a date its first moment or its last; 0 for none. Raises BadArguments."""
    if value is None or value == "":
        return 0
    try:
        local = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        local = None
    if local is None or not isinstance(value, str) or local.tzinfo is not None:
        raise BadArguments(_BAD_TIME)
    day = len(value) <= len("2026-11-03")
    try:
        moment = (local + timedelta(days=1) if last and day else local).replace(tzinfo=context.zone).timestamp()
    except (OverflowError, ValueError, OSError):
        raise BadArguments(_BAD_TIME) from None
    return max(1, int(moment * 1000) - (1 if last and day else 0))


def _found(result: Result, context: ToolContext) -> str:
    exchanges = result["exchanges"] or []
    where = "this chat, for several people use it" if result["only_here"] else "all chats"
    far = "" if result["all"] else " There are older ones, which `until` finds."
    head = f"Looked through {result['looked']:,} messages of {where}.{far}"
    if not exchanges:
        return f"{head} Nothing was found."
    return "\n\n".join([head, *("\n".join(_exchange(each, context)) for each in exchanges)])


def _exchange(each: Mapping[str, Any], context: ToolContext) -> Iterator[str]:
    yield f"{time_notes.moment(int(each['at']), context.zone)}, by {_KINDS.get(each['channel'], 'message')} ({each['id']}):"
    if each["said"]:
        yield f"They wrote: {theirs(each['said'])}"
    if each["of_others"]:
        yield from _between(each["of_others"], each["source"])
    if not each["answer"]:
        return
    if each["answer_marked"]:
        yield from _between(each["answer"], "the answer, made of such words")
    else:
        yield f"{'This program told them' if each['by_code'] else 'You answered'}: {theirs(each['answer'])}"


def _between(text: str, source: str) -> list[str]:
    named = f"{_OTHERS}: {' '.join(theirs(source).split())}" if source else _OTHERS
    return [note(named), theirs(text), note(END)]


_TIME: Final = "Local date or time of the person, without an offset: 2026-11-03."
HISTORY_TOOLS: Final = (
    Tool(
        "search_history",
        "Searches what this person and you have said to each other, in this chat and all others, by words and by time: those that say most "
        "of the words first. Use it where they refer to something that you are not shown. Few words are best, in the language of the time.",
        "search", _sought, _found, no_receipt,
        object_schema(
            [],
            words={"type": "string", "description": "Words to look for, also parts of words. Without any, the newest are shown."},
            since={"type": "string", "description": _TIME},
            until={"type": "string", "description": _TIME},
        ),
    ),
)  # fmt: skip
