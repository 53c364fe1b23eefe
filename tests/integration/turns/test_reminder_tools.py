"""The tools for reminders, on the real effects: what the model asks for, what is stored, and what model and person are told of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from shared.config.keyword_settings import WordSettings
from shared.model.sms_segments import fits_gsm
from supervisor_worker.assistant.tools.reminders import REMINDER_TOOLS
from supervisor_worker.assistant.tools.tool import BadArguments, ToolContext
from tests.support.effects import ServerTime, run_effect

BERLIN: Final = ZoneInfo("Europe/Berlin")
NOW: Final = datetime(2027, 3, 1, 9, 0, 30, tzinfo=BERLIN)
"""A Monday."""
ADA: Final = ToolContext(BERLIN, "sms", int(NOW.timestamp() * 1000))
GERMAN: Final = replace(ADA, language="de")
TOOLS: Final = {tool.name: tool for tool in REMINDER_TOOLS}
Use = Callable[..., tuple[str, str]]


@pytest.fixture
def use(redis: Redis) -> Use:
    """Calls a tool by its name; the answers are what the model and what the person are told."""
    numbers = itertools.count()

    def call(name: str, context: ToolContext = ADA, **arguments: Any) -> tuple[str, str]:
        tool = TOOLS[name]
        prepared = dict(tool.prepare(arguments, context))
        result = run_effect(
            ServerTime(redis), tool.effect, prepared, call=str(next(numbers)), marked=context.mixed, channel=context.channel
        )
        return tool.told(result, context), tool.receipt(result, context)

    return call


def stored(redis: Redis, name: str) -> dict[str, str]:
    """A reminder's record."""
    return {field.decode(): value.decode() for field, value in redis.hgetall(f"boss:reminder:{name}").items()}  # type: ignore[union-attr]


def id_in(told: str) -> str:
    """The id that the model is told."""
    return told.split(" ")[2].removesuffix(":")


def test_a_promise_says_weekday_date_time_and_zone_as_stored(use: Use, redis: Redis) -> None:
    """Rows 17 and 18: the model reads what is in the store, and the person gets a line of code's."""
    told, receipt = use("set_reminder", text="call  the\ndentist", at="2027-03-02T09:00")
    name = id_in(told)
    assert told == f"Stored as {name}: it rings on Tuesday, 2 March, 09:00 (Europe/Berlin)."
    assert receipt == "Reminder, Tuesday, 2 March, 09:00: call the dentist"
    record = stored(redis, name)
    assert (record["text"], record["local"], record["zone"]) == ("call the dentist", "2027-03-02T09:00", "Europe/Berlin")
    assert record["due"] == str(int(datetime(2027, 3, 2, 8, tzinfo=UTC).timestamp() * 1000))


def test_minutes_are_counted_by_code_from_the_message(use: Use, redis: Redis) -> None:
    """Row 13: the model does no arithmetic."""
    told, receipt = use("set_reminder", GERMAN, text="Tee", in_minutes=90)
    assert stored(redis, id_in(told))["due"] == str(ADA.received_ms + 90 * 60_000)
    assert receipt == "Erinnerung, Montag, 1. März, 10:30 Uhr: Tee"


def test_what_repeats_is_told_with_its_rule_and_its_end(use: Use) -> None:
    """In both languages."""
    repeat = {"every": "weekly", "days": ["mon", "thu"], "until": "2028-01-31"}
    told, receipt = use("set_reminder", text="bins", at="07:30", repeat=repeat)
    assert told.endswith("every Monday and Thursday until 31 January 2028, next on Thursday, 4 March, 07:30 (Europe/Berlin).")
    assert receipt == "Reminder, every Monday and Thursday until 31 January 2028, next on Thursday, 4 March, 07:30: bins"
    _, receipt = use("set_reminder", GERMAN, text="Miete", at="09:00", repeat={"every": "monthly", "day": 31})
    assert receipt == "Erinnerung, monatlich am 31., das nächste Mal am Mittwoch, 31. März, 09:00 Uhr: Miete"
    told, _ = use("set_reminder", text="far", at="2028-02-29T09:00", repeat={"every": "yearly"})
    assert "every year, next on Tuesday, 29 February 2028, 09:00" in told


def test_a_time_that_the_day_leaves_out_is_told(use: Use) -> None:
    """The model can say so."""
    told, _ = use("set_reminder", text="x", at="2027-03-28T02:30")
    assert told.endswith("Sunday, 28 March, 02:30 (Europe/Berlin). The clocks change that day and leave this time out: it rings at 03:00.")


def test_a_reminder_is_moved_put_off_and_dropped(use: Use, redis: Redis) -> None:
    """Of what repeats a time alone moves one occurrence, and says so."""
    name = id_in(use("set_reminder", text="bins", at="07:30", repeat={"every": "daily"})[0])
    told, receipt = use("move_reminder", id=name, at="2027-03-02T08:00")
    assert told == ("Moved: it rings on Tuesday, 2 March, 08:00 (Europe/Berlin). Only its next occurrence is moved; the others stay.")
    assert receipt == "Reminder moved, this once, to Tuesday, 2 March, 08:00: bins"
    told, receipt = use("move_reminder", GERMAN, id=name, at="2027-03-02T08:00", repeat={"every": "weekdays"})
    assert receipt == "Erinnerung verschoben auf Montag bis Freitag, das nächste Mal am Dienstag, 2. März, 08:00 Uhr: bins"
    told, receipt = use("snooze_reminder", id=name, in_minutes=60)
    assert receipt == "Reminder moved to Monday, 1 March, 10:00: bins"
    assert redis.zcard("boss:alarms") == 2
    told, receipt = use("cancel_reminder", id=name)
    assert (told, receipt) == (
        "Done: it rings no more.", "Reminder dropped, Monday to Friday, next on Tuesday, 2 March, 08:00: bins",
    )  # fmt: skip
    told, receipt = use("cancel_reminder", id=name)
    assert told.startswith("Not done: the person has no reminder of that id.")
    assert receipt == "Not done: no reminder was changed."


def test_a_list_shows_ids_times_and_whose_words(use: Use) -> None:
    """And changes nothing, so it has no receipt."""
    assert use("list_reminders") == ("None waits.", "")
    for number in range(60):
        use("set_reminder", text=f"{number} " + "word " * 90, in_minutes=1_000 - number)
    use("set_reminder", replace(ADA, mixed=True, source="Tom Lee"), text="pay \u27e6me\u27e7", in_minutes=5)
    told, receipt = use("list_reminders")
    lines = told.splitlines()
    assert receipt == ""
    assert lines[0].endswith("Monday, 1 March, 09:05 (Europe/Berlin): [words of others] pay [me]")
    assert (len(lines), lines[-1]) == (51, "And 11 more, later than these.")
    assert len(told.encode()) < 20_000


def test_a_briefing_is_told_as_one(use: Use, redis: Redis) -> None:
    """A question to the model; never one of others'."""
    told, receipt = use("set_reminder", GERMAN, text="Was steht heute an?", at="07:00", repeat={"every": "daily"}, briefing=True)
    assert "you are asked it on every day, next on Tuesday, 2 March, 07:00" in told
    assert receipt == "Überblick, täglich, das nächste Mal am Dienstag, 2. März, 07:00 Uhr: Was steht heute an?"
    assert stored(redis, id_in(told))["kind"] == "briefing"
    told, _ = use("set_reminder", replace(ADA, mixed=True), text="x", in_minutes=5, briefing=True)
    assert told.startswith("Not done: a briefing cannot be made of words of others.")


def test_what_others_wrote_is_said_in_the_receipt(use: Use) -> None:
    """And never repeats."""
    mixed = replace(ADA, mixed=True, source="Tom Lee")
    told, receipt = use("set_reminder", mixed, text="pay the bill", in_minutes=5)
    assert receipt == "Reminder, Monday, 1 March, 09:05: From the mail of Tom Lee: pay the bill"
    told, receipt = use("set_reminder", mixed, text="pay", at="09:00", repeat={"every": "daily"})
    assert told.startswith("Not done: what is made of words of others may ring once")
    assert receipt.startswith("Not done: this chat shows words of others, and what is made of them rings once only.")


def test_arguments_that_make_no_sense_get_a_sentence(use: Use) -> None:
    """Times that do not exist or are past, a text of 5,000 characters, ids of nobody: nothing is stored."""
    table: list[tuple[str, dict[str, Any], str]] = [
        ("set_reminder", {"text": "x"}, "Say when"),
        ("set_reminder", {"text": "x", "at": "2027-02-30T09:00"}, "does not exist"),
        ("set_reminder", {"text": "x", "at": "2027-02-28T09:00"}, "has passed"),
        ("set_reminder", {"text": "x", "at": "2027-03-02T09:00+01:00"}, "leave the offset out"),
        ("set_reminder", {"text": "x" * 5_000, "in_minutes": 5}, "this has 5000"),
        ("set_reminder", {"text": " \n", "in_minutes": 5}, "`text` is missing"),
        ("set_reminder", {"in_minutes": 5}, "`text` is missing"),
        ("set_reminder", {"text": 5, "in_minutes": 5}, "`text` is missing"),
        ("set_reminder", {"text": "x", "in_minutes": 5, "by": "pigeon"}, "`by` must be one of"),
        ("move_reminder", {"in_minutes": 5}, "`id` is missing"),
        ("cancel_reminder", {"id": 5}, "`id` is missing"),
        ("snooze_reminder", {"id": "a", "at": "09:00", "repeat": {"every": "daily"}}, "rings once"),
    ]
    for name, arguments, sentence in table:
        with pytest.raises(BadArguments) as refused:
            use(name, **arguments)
        assert sentence in refused.value.sentence, arguments
    told, _ = use("list_reminders")
    assert told == "None waits."


def test_a_reminder_goes_by_the_channel_that_the_person_names(use: Use, redis: Redis) -> None:
    """Else by that on which they asked."""
    by_mail = stored(redis, id_in(use("set_reminder", text="x", in_minutes=5, by="mail")[0]))
    as_asked = stored(redis, id_in(use("set_reminder", replace(ADA, channel="email"), text="y", in_minutes=5)[0]))
    by_text = stored(redis, id_in(use("set_reminder", replace(ADA, channel="email"), text="z", in_minutes=5, by="text")[0]))
    assert [each["channel"] for each in (by_mail, as_asked, by_text)] == ["email", "email", "sms"]


def test_definitions_are_what_the_api_takes_and_offer_no_word_that_opts_out(use: Use) -> None:
    """Their names, closed schemas; the lines for the person are of the GSM alphabet where their own words are."""
    assert [tool.definition["name"] for tool in REMINDER_TOOLS] == [
        "set_reminder", "list_reminders", "move_reminder", "snooze_reminder", "cancel_reminder",
    ]  # fmt: skip
    for tool in REMINDER_TOOLS:
        schema = tool.definition["input_schema"]
        assert (schema["type"], schema["additionalProperties"]) == ("object", False)
        assert set(schema.get("required", ())) <= set(schema["properties"])
    for context in (ADA, GERMAN):
        told, receipt = use("set_reminder", context, text="tea", at="07:30", repeat={"every": "weekdays", "count": 3})
        _, dropped = use("cancel_reminder", context, id=id_in(told))
        for line in (receipt, dropped):
            assert fits_gsm(line)
            assert not set(line.casefold().replace(",", " ").replace(":", " ").split()) & WordSettings().opt_out_set
