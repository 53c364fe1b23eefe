"""The tools for reminders. What the model asks for is checked here (`shared.model.reminder_times`); bounds, and whose they are, by effects.

The answer says what is stored: weekday, date, time and zone. A promise is made from that, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from shared.errors import BadInput
from shared.model.channels import CHANNELS
from shared.model.recurrence import EVERY, MINUTE, Recurrence, local_time
from shared.model.reminder_times import MAX_COUNT, WEEKDAYS, PlannedTime, plan
from shared.model.rings import Ring
from shared.model.text import one_line
from shared.model.words import said
from supervisor_worker.assistant import reminder_texts
from supervisor_worker.assistant.tools.tool import Arguments, BadArguments, Result, Tool, ToolContext, no_receipt
from supervisor_worker.channels.notes import theirs

MAX_TEXT: Final = 500
MAX_LISTED: Final = 200
"""Characters of each reminder that a list shows: fifty of them stay within what a result may hold."""
MAX_SOURCE: Final = 100
_KINDS: Final = {channel.kind: name for name, channel in CHANNELS.items()}

_TIMES: Final[dict[str, Any]] = {
    "at": {"type": "string", "description": "Local time of the person, without an offset: 2027-03-02T09:00. With `repeat`, 09:00 will do."},
    "in_minutes": {"type": "integer", "minimum": 1, "description": "In place of `at`: so many minutes after the person's message."},
}
_REPEAT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Only for what repeats. `weekly` takes `days`, `monthly` takes `day`: a month that lacks it has its last day instead.",
    "properties": {
        "every": {"type": "string", "enum": list(EVERY)},
        "days": {"type": "array", "items": {"type": "string", "enum": list(WEEKDAYS)}},
        "day": {"type": "integer", "minimum": 1, "maximum": 31},
        "until": {"type": "string", "description": "The last date, 2027-06-30."},
        "count": {"type": "integer", "minimum": 1, "maximum": MAX_COUNT, "description": "How often in all, in place of `until`."},
    },
    "required": ["every"],
    "additionalProperties": False,
}
_ID: Final = {"type": "string", "description": "The reminder's id, as list_reminders or set_reminder says it."}

_BAD_TIMES: Final = {
    "no_time": "Say when: either `at` or `in_minutes`.",
    "two_times": "Give `at` or `in_minutes`, not both; what repeats needs `at`.",
    "bad_time": "`at` must look like 2027-03-02T09:00.",
    "has_offset": "`at` is the person's local time: leave the offset out.",
    "no_such_time": "That date or time does not exist.",
    "bad_minutes": "`in_minutes` must be a whole number of at least 1.",
    "past": "That time has passed. Ask the person which one they mean, unless it is clear.",
    "too_far": "That is more than two years ahead, which is as far as reminders go.",
    "bad_repeat": f"`every` must be one of {', '.join(EVERY)}.",
    "bad_days": f"`days` must name some of {', '.join(WEEKDAYS)}.",
    "bad_day": "`day` must be a number from 1 to 31.",
    "bad_until": "`until` must be a date such as 2027-06-30.",
    "bad_count": f"`count` must be a number from 1 to {MAX_COUNT}.",
    "two_ends": "Give `until` or `count`, not both.",
    "never": "It would never ring: its end lies before its first time.",
}
_REFUSED: Final = {
    "too_many": "Not done: the person has 200 reminders, and no more fit. Ask which may go.",
    "too_long": "Not done: the text is too long.",
    "empty": "Not done: there is no text.",
    "unknown": "Not done: the person has no reminder of that id. list_reminders shows those that there are.",
    "rung": "Not done: it has rung already. Tell the person so.",
    "repeat_of_others": "Not done: what is made of words of others may ring once, and not repeat. Tell the person so.",
    "briefing_of_others": "Not done: a briefing cannot be made of words of others. Tell the person so.",
}
_TO_THE_PERSON: Final = {
    "too_many": "reminders_full",
    "repeat_of_others": "reminder_once_only",
    "briefing_of_others": "reminder_once_only",
}
"""What the person can do about a refusal; without one they are told that nothing was changed."""


def _text(arguments: Arguments) -> str:
    """A reminder's words, in one line."""
    text = arguments.get("text")
    if not isinstance(text, str) or not (text := " ".join(theirs(text).split())):
        raise BadArguments("`text` is missing: what to remind the person of, in their words.")
    if len(text) > MAX_TEXT:
        raise BadArguments(f"`text` may have {MAX_TEXT} characters; this has {len(text)}.")
    return text


def _time(arguments: Arguments, context: ToolContext) -> dict[str, str]:
    """When, as the effects take it."""
    try:
        planned = plan(arguments, received_ms=context.received_ms, zone=context.zone.key)
    except BadInput as error:
        raise BadArguments(_BAD_TIMES.get(error.code, "That time cannot be read.")) from None
    return _fields(planned)


def _fields(planned: PlannedTime) -> dict[str, str]:
    rule = str(planned.recurrence) if planned.recurrence else ""
    return {"due": str(planned.due_ms), "local": planned.local.strftime(MINUTE), "zone": planned.zone, "recurrence": rule}


def _id(arguments: Arguments) -> str:
    name = arguments.get("id")
    if not isinstance(name, str) or not name:
        raise BadArguments("`id` is missing: list_reminders shows it.")
    return name[:MAX_SOURCE]


def _channel(arguments: Arguments, context: ToolContext) -> str:
    wanted = arguments.get("by")
    if wanted is None:
        return context.channel
    if wanted not in _KINDS:
        raise BadArguments(f"`by` must be one of {', '.join(_KINDS)}.")
    return _KINDS[wanted]


def prepare_set(arguments: Arguments, context: ToolContext) -> Arguments:
    """For the effect `remind`."""
    return {
        "text": _text(arguments), "kind": "briefing" if arguments.get("briefing") is True else "reminder",
        "channel": _channel(arguments, context), "source": context.source[:MAX_SOURCE],
        **_time(arguments, context),
    }  # fmt: skip


def prepare_moved(arguments: Arguments, context: ToolContext) -> Arguments:
    """For the effects that give another time."""
    return {"id": _id(arguments), **_time(arguments, context)}


def prepare_snoozed(arguments: Arguments, context: ToolContext) -> Arguments:
    """The same, and it never repeats."""
    if arguments.get("repeat") is not None:
        raise BadArguments("What is put off rings once.")
    return prepare_moved(arguments, context)


def prepare_named(arguments: Arguments, _context: ToolContext) -> Arguments:
    """For the effect that needs no more than an id."""
    return {"id": _id(arguments)}


def prepare_list(_arguments: Arguments, _context: ToolContext) -> Arguments:
    """For the effect that shows all."""
    return {"all": True}


# -- what is stored, in words ------------------------------------------------------------------------------------


def _when(reminder: Mapping[str, Any], language: str, today: date, *, zone: bool = False) -> str:
    """Weekday, date and time as stored, with the rule of what repeats. A time that its day leaves out is told by what comes after it."""
    local = datetime.strptime(str(reminder["local"]), MINUTE)  # noqa: DTZ007 - by the wall's clock
    when = reminder_texts.when(local, language, today.year)
    if reminder["recurrence"]:
        when = said("repeated", language, rule=reminder_texts.rule(Recurrence.parse(str(reminder["recurrence"])), language), when=when)
    return f"{when} ({reminder['zone']})" if zone else when


def _gap(reminder: Mapping[str, Any], context: ToolContext) -> str:
    shown = local_time(int(reminder["due"]), context.zone)
    if str(reminder["zone"]) != context.zone.key or shown.strftime(MINUTE) <= str(reminder["local"]):
        return ""
    return f" The clocks change that day and leave this time out: it rings at {shown:%H:%M}."


def _words(reminder: Mapping[str, Any], language: str) -> str:
    """A reminder's words for the person; whose they are is said of those of others."""
    marked, source = bool(reminder["marked"]), str(reminder["source"])
    ring = Ring(str(reminder["id"]), str(reminder["text"]), 0, datetime.min, "", marked, source)  # noqa: DTZ901 - not asked for
    return reminder_texts.words_of(ring, language)


def _today(context: ToolContext) -> date:
    return local_time(context.received_ms, context.zone).date()


def _refusal(result: Result) -> str:
    return _REFUSED.get(str(result.get("reason")), "Not done.")


def told_set(result: Result, context: ToolContext) -> str:
    """What was stored."""
    if not result["ok"]:
        return _refusal(result)
    reminder = result["reminder"]
    when = _when(reminder, "en", _today(context), zone=True)
    does = "you are asked it" if reminder["kind"] == "briefing" else "it rings"
    return f"Stored as {reminder['id']}: {does} on {when}.{_gap(reminder, context)}"


def told_moved(result: Result, context: ToolContext) -> str:
    """What was stored, and what of it had rung."""
    if not result["ok"]:
        return _refusal(result)
    reminder = result["reminder"]
    local = {**reminder, "recurrence": ""} if result["once"] else reminder
    moved = f"Moved: it rings on {_when(local, 'en', _today(context), zone=True)}.{_gap(reminder, context)}"
    once = " Only its next occurrence is moved; the others stay." if result["once"] else ""
    return moved + once + (" It had rung already, and rings once more." if result["rung"] else "")


def told_snoozed(result: Result, context: ToolContext) -> str:
    """What was stored."""
    if not result["ok"]:
        return _refusal(result)
    reminder = result["reminder"]
    return f"Put off, as {reminder['id']}: it rings on {_when(reminder, 'en', _today(context), zone=True)}."


def told_cancelled(result: Result, _context: ToolContext) -> str:
    """That it is gone."""
    if not result["ok"]:
        return _refusal(result)
    return "Done: it rings no more." + (" One that was about to be sent is taken back." if result["withdrawn"] else "")


def told_list(result: Result, context: ToolContext) -> str:
    """All of them; words of others are named as such."""
    waiting, rung = list(result["reminders"] or ()), list(result["rung"] or ())
    lines = [_line(each, context) for each in waiting] or ["None waits."]
    if (more := int(result["number"]) - len(waiting)) > 0:
        lines.append(f"And {more} more, later than these.")
    if rung:
        lines += ["Rung within the last day:", *(_line(each, context) for each in rung)]
    return "\n".join(lines)


def _line(reminder: Mapping[str, Any], context: ToolContext) -> str:
    others = " [words of others]" if reminder["marked"] else ""
    text = one_line(theirs(str(reminder["text"])), MAX_LISTED)
    return f"- {reminder['id']}: {_when(reminder, 'en', _today(context), zone=True)}:{others} {text}"


def _receipt(name: str, result: Result, context: ToolContext, reminder: Mapping[str, Any] | None = None) -> str:
    if not result["ok"]:
        return said(_TO_THE_PERSON.get(str(result.get("reason")), "reminder_not_done"), context.language)
    reminder = reminder or result["reminder"]
    when = _when(reminder, context.language, _today(context))
    return said(name, context.language, when=when, text=_words(reminder, context.language))


def receipt_set(result: Result, context: ToolContext) -> str:
    """That it is set."""
    briefing = result["ok"] and result["reminder"]["kind"] == "briefing"
    return _receipt("briefing_set" if briefing else "reminder_set", result, context)


def receipt_moved(result: Result, context: ToolContext) -> str:
    """Where it was moved to, and whether that is of one occurrence only."""
    if result["ok"] and result["once"]:
        return _receipt("reminder_moved_once", result, context, {**result["reminder"], "recurrence": ""})
    return _receipt("reminder_moved", result, context)


def receipt_snoozed(result: Result, context: ToolContext) -> str:
    """Until when it is put off."""
    return _receipt("reminder_moved", result, context)


def receipt_cancelled(result: Result, context: ToolContext) -> str:
    """That it is gone."""
    return _receipt("reminder_dropped", result, context)


def _schema(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


REMINDER_TOOLS: Final[tuple[Tool, ...]] = (
    Tool(
        "set_reminder",
        "Reminds the person at a time, once or again and again: this program sends them the text, by itself. Promise a reminder only "
        "after this has answered, and with the time that it answers.",
        "remind", prepare_set, told_set, receipt_set,
        _schema(
            ["text"], text={"type": "string", "description": "What to remind of, in the person's language, as it is to be sent."}, **_TIMES,
            repeat=_REPEAT, by={"type": "string", "enum": list(_KINDS), "description": "Only if the person names it; else as they wrote."},
            briefing={"type": "boolean", "description": "True: at that time the text is asked of you, and your answer is sent."},
        ),
    ),
    Tool(
        "list_reminders",
        "Shows the person's reminders with their ids: those that wait, the next first, and those that have rung within a day.",
        "list_reminders", prepare_list, told_list, no_receipt,
    ),
    Tool(
        "move_reminder",
        "Gives a reminder another time. Of one that repeats, a time alone moves the next occurrence only; with `repeat` it repeats anew.",
        "move_reminder", prepare_moved, told_moved, receipt_moved, _schema(["id"], id=_ID, **_TIMES, repeat=_REPEAT),
        changes_kept=True,
    ),
    Tool(
        "snooze_reminder",
        "Rings once more what has just rung, as when the person answers it with: in an hour. One that repeats goes on beside it.",
        "snooze_reminder", prepare_snoozed, told_snoozed, receipt_snoozed, _schema(["id"], id=_ID, **_TIMES),
        changes_kept=True,
    ),
    Tool(
        "cancel_reminder",
        "Drops a reminder, with all that it would still repeat.",
        "cancel_reminder", prepare_named, told_cancelled, receipt_cancelled, _schema(["id"], id=_ID),
        changes_kept=True,
    ),
)  # fmt: skip
"""In the order in which the model is shown them."""
