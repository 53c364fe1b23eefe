"""Simple requests lead to the calls that they need, in English and German, whatever the offered tools are called."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandbox.anthropic import assistant_answers, simulated_model
from sandbox.engine.faults import AnthropicFaults

CLOCK = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)
NOTE = "\u27e6Received on Monday, 30 November 2026, 21:00 (Europe/Berlin)\u27e7\n\n"
TEXT: Any = {"type": "string"}


def tool(name: str, *required: str, **properties: Any) -> Any:
    return {"name": name, "input_schema": {"type": "object", "properties": properties, "required": list(required)}}


REPEAT: Any = {
    "type": "object",
    "properties": {"every": {"type": "string", "enum": ["daily", "weekdays", "weekly"]}, "days": {"type": "array"}},
}
TOOLS: Any = [
    tool("set_reminder", "text", text=TEXT, in_minutes={"type": "integer"}, at=TEXT, repeat=REPEAT),
    tool("list_reminders"),
    tool("cancel_reminder", "id", id=TEXT),
    tool("remember", "text", text=TEXT),
    tool("forget", "id", id=TEXT),
    tool("list_memory"),
    tool("add_to_list", "list", "items", list={"type": "string", "enum": ["shopping", "todo"]}, items={"type": "array", "items": TEXT}),
    tool("check_off", "list", "item", list=TEXT, item=TEXT),
    tool("show_list", "list", list=TEXT),
    tool("search_history", "query", query=TEXT),
    tool("send_copy", text=TEXT),
    tool("status"),
    {"type": "web_search_20260318", "name": "web_search"},
]


def answer(*contents: Any, tools: Any = TOOLS) -> assistant_answers.AssistantAnswer | None:
    messages = [{"role": ("user", "assistant")[number % 2], "content": content} for number, content in enumerate(contents)]
    return assistant_answers.answer({"messages": messages, "tools": tools}, CLOCK)


def calls(*contents: Any, tools: Any = TOOLS) -> list[Any]:
    found = answer(*contents, tools=tools)
    return list(found.calls) if found is not None else []


def test_reminders_are_set_when_they_were_asked_for() -> None:
    """Relative times in minutes, others as the user's local time, by the note of the newest message; what repeats says how often."""
    for words, text, when in (
        ("remind me in 20 minutes to call mum", "call mum", {"in_minutes": 20}),
        ("Please remind me to call mum in an hour.", "call mum", {"in_minutes": 60}),
        ("remind me in half an hour about the oven", "the oven", {"in_minutes": 30}),
        ("remind me in two weeks to pay", "pay", {"in_minutes": 20_160}),
        ("remind me tomorrow at 9 to call the dentist", "call the dentist", {"at": "2026-12-01T09:00"}),
        ("remind me tomorrow at nine to call the dentist", "call the dentist", {"at": "2026-12-01T09:00"}),
        ("remind me at eleven pm to sleep", "sleep", {"at": "2026-11-30T23:00"}),
        ("can you remind me to water the plants tomorrow?", "water the plants", {"at": "2026-12-01T09:00"}),
        ("remind me at 10:30 pm to sleep", "sleep", {"at": "2026-11-30T22:30"}),
        ("remind me at 8 to get up", "get up", {"at": "2026-12-01T08:00"}),
        ("remind me on friday at 5pm that Tom comes", "Tom comes", {"at": "2026-12-04T17:00"}),
        ("remind me on 24 December at noon to cook", "cook", {"at": "2026-12-24T12:00"}),
        ("remind me every day at 8 to take the pill", "take the pill", {"at": "2026-12-01T08:00", "repeat": {"every": "daily"}}),
        (
            "remind me every monday at 9 to water the plants",
            "water the plants",
            {"at": "2026-12-07T09:00", "repeat": {"every": "weekly", "days": ["mon"]}},
        ),
        ("Erinnere mich in 20 Minuten daran, Mama anzurufen", "Mama anzurufen", {"in_minutes": 20}),
        ("erinner mich in einer Stunde an den Ofen", "Ofen", {"in_minutes": 60}),
        ("Erinnere mich morgen um 9 Uhr an den Zahnarzt", "Zahnarzt", {"at": "2026-12-01T09:00"}),
        ("erinnere mich morgen um neun an den Zahnarzt", "Zahnarzt", {"at": "2026-12-01T09:00"}),
        ("erinnere mich \u00fcbermorgen um 18:30 an Tom", "Tom", {"at": "2026-12-02T18:30"}),
        ("erinnere mich am Freitag um 8 ans Aufstehen", "ans Aufstehen", {"at": "2026-12-04T08:00"}),
        ("erinnere mich am 24.12. um 10 an den Baum", "Baum", {"at": "2026-12-24T10:00"}),
        ("erinnere mich jeden Tag um 7 an die Tablette", "Tablette", {"at": "2026-12-01T07:00", "repeat": {"every": "daily"}}),
    ):
        assert calls(NOTE + words) == [("set_reminder", {"text": text, **when})], words
    later = "\u27e6What was sent on Sunday, 29 November 2026, 10:00 did not reach the person\u27e7\n"
    assert calls(NOTE + later + "remind me at 22 to sleep") == [("set_reminder", {"text": "sleep", "at": "2026-11-30T22:00"})]
    assert calls("remind me at 9 to sleep") == [("set_reminder", {"text": "sleep", "at": "2026-11-30T21:00"})]
    assert calls("remind me at 09:00 to sleep") == [("set_reminder", {"text": "sleep", "at": "2026-12-01T09:00"})]
    assert calls("remind me at 7 to run") == [("set_reminder", {"text": "run", "at": "2026-12-01T07:00"})]
    assert calls("remind me tomorrow morning to run") == [("set_reminder", {"text": "run", "at": "2026-12-01T09:00"})]
    assert calls("remind me at 21 to sleep") == [("set_reminder", {"text": "sleep", "at": "2026-11-30T21:00"})]
    for words in (
        "remind me of you",
        "remind me at 29 to sleep",
        "remind me on 31 February to call",
        "remind me tomorrow",
        "reminders are fun",
    ):
        assert calls(NOTE + words) == [], words


def test_other_simple_requests_lead_to_their_calls() -> None:
    """Memory, lists, history, copies; several lines are several requests; what is no request leads to none."""
    for words, expected in (
        ("remember that Ada is allergic to nuts", [("remember", {"text": "Ada is allergic to nuts"})]),
        ("Merk dir, dass Ada keine N\u00fcsse vertr\u00e4gt.", [("remember", {"text": "Ada keine N\u00fcsse vertr\u00e4gt"})]),
        ("what do you know about me?", [("list_memory", {})]),
        ("was wei\u00dft du \u00fcber mich?", [("list_memory", {})]),
        ("forget fact 3", [("forget", {"id": "3"})]),
        ("add milk and two eggs to the shopping list", [("add_to_list", {"list": "shopping", "items": ["milk", "two eggs"]})]),
        ("put call Tom on my to-do list", [("add_to_list", {"list": "todo", "items": ["call Tom"]})]),
        ("Setz Milch auf die Einkaufsliste", [("add_to_list", {"list": "shopping", "items": ["Milch"]})]),
        ("what is on my list?", [("show_list", {"list": "shopping"})]),
        ("what's on the christmas list", [("show_list", {"list": "christmas"})]),
        ("was steht auf der Einkaufsliste?", [("show_list", {"list": "shopping"})]),
        ("check off milk", [("check_off", {"list": "shopping", "item": "milk"})]),
        ("cross the milk off my shopping list", [("check_off", {"list": "shopping", "item": "the milk"})]),
        ("hake Milch von der Einkaufsliste ab", [("check_off", {"list": "shopping", "item": "Milch"})]),
        ("what are my reminders?", [("list_reminders", {})]),
        ("zeig mir meine Erinnerungen", [("list_reminders", {})]),
        ("cancel reminder 2", [("cancel_reminder", {"id": "2"})]),
        ("when did I last mention the dentist?", [("search_history", {"query": "the dentist"})]),
        ("what did I say about the dentist?", [("search_history", {"query": "dentist"})]),
        ("was habe ich zum Zahnarzt gesagt?", [("search_history", {"query": "Zahnarzt"})]),
        ("what is your status?", [("status", {})]),
        ("add milk to the shopping list\nremember that Tom is 7", [TOOLS[6]["name"], TOOLS[3]["name"]]),
        ("add salt to the soup", []),
        ("what is on TV", []),
        ("remember when we met?", []),
        ("I remember that", []),
        ("hello there", []),
    ):
        found = calls(NOTE + words)
        assert [name for name, _ in found] == [each if isinstance(each, str) else each[0] for each in expected], words
        assert all(isinstance(each, str) or each == call for each, call in zip(expected, found, strict=True)), words
    assert calls("hi", "It is raining.", "mail me that") == [("send_copy", {"text": "It is raining."})]
    assert calls("hi", "Es regnet.", "schick das an meine Mail") == [("send_copy", {"text": "Es regnet."})]
    assert calls("hi", "It is raining.", "send that to my phone") == [("send_copy", {"text": "It is raining."})]


def test_fields_are_filled_by_their_names_and_types() -> None:
    """Other names, one item a call, a number; and no call where something required is not known."""
    one = tool("todo_add", "entry", "list_name", entry=TEXT, list_name=TEXT)
    assert calls("add milk and eggs to the shopping list", tools=[one]) == [
        ("todo_add", {"entry": "milk", "list_name": "shopping"}),
        ("todo_add", {"entry": "eggs", "list_name": "shopping"}),
    ]
    numbered = tool("delete_reminder", "reminder_id", reminder_id={"type": "integer"})
    assert calls("cancel reminder #2", tools=[numbered]) == [("delete_reminder", {"reminder_id": 2})]
    assert calls("remember that Tom is 7", tools=[tool("remember", "text", "topic", text=TEXT, topic=TEXT)]) == []
    assert calls("remind me tomorrow to call", tools=[tool("set_reminder", "text", "in_minutes", text=TEXT, in_minutes=TEXT)]) == []


def test_what_is_named_by_its_words_is_looked_up_first() -> None:
    """The id stands in the result of another tool, as a line or as JSON; where it is not found, the result is told."""
    asked = "cancel the reminder to call mum"
    looked = {"type": "tool_use", "id": "toolu_1", "name": "list_reminders", "input": {}}
    assert calls(asked) == [("list_reminders", {})]
    for text, known in (
        ("r-7: pay rent, tomorrow (id r-7)\ncall mum, Friday (id r-9)", "r-9"),
        ("[r1] pay rent\n[r2] Call Mum", "r2"),
        ("1. pay rent\n2. call mum", "2"),
        ('{"reminders": [{"id": "a", "text": "pay rent"}, {"id": "b", "text": "call mum"}]}', "b"),
    ):
        assert calls(asked, [looked], [result(text)]) == [("cancel_reminder", {"id": known})]
    found = answer(asked, [looked], [result("There are no reminders.")])
    assert found is not None
    assert (found.calls, found.sentence) == ((), "There are no reminders.")


def result(text: str, **fields: Any) -> Any:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": text, **fields}


def test_results_are_told_and_abilities_named() -> None:
    """In the language of the request; what cannot be done with the offered tools is not named."""
    made = {"type": "tool_use", "id": "toolu_1", "name": "remember", "input": {"text": "x"}}
    told = answer("remember that x", [made], [result("Remembered.")])
    assert told is not None
    assert told.sentence == "Done."
    looked = {"type": "tool_use", "id": "toolu_1", "name": "show_list", "input": {}}
    for text, plain in (
        ("shopping, 2 items:\n[ ] milk (1.1@1)\n[x] eggs (1.2@3)", "shopping, 2 items:\n[ ] milk\n[x] eggs"),
        ("1 in all.\nf1 (1 December 2026, by text): I am allergic to nuts", "- I am allergic to nuts (1 December 2026, by text)"),
        ("- aaaabbbbccccdddd: Tuesday, 1 December, 05:00 (UTC): call Ann", "- Tuesday, 1 December, 05:00 (UTC): call Ann"),
    ):
        shown = answer("what is on my list?", [looked], [result(text)])
        assert shown is not None
        assert shown.sentence == plain
    failed = answer("merk dir, dass x", [made], [result("Zu lang.", is_error=True)])
    assert failed is not None
    assert failed.sentence == "Das ging nicht: Zu lang."
    able = answer("What can you do?", tools=TOOLS[:1])
    assert able is not None
    assert able.sentence == 'I am a simulation. Try: "remind me in 20 minutes to call mum"'
    assert answer("What can you do?", tools=TOOLS[-1:]) is None


def test_without_tools_and_under_settings_nothing_changes() -> None:
    """An echo, and what the settings say; with tools the answer calls, unless no call is allowed."""
    request: Any = {"max_tokens": 100, "messages": [{"role": "user", "content": "remember that x"}], "model": "m"}
    echo = "[simulated] You wrote: remember that x (user turns: 1)"
    assert simulated_model.answer(request, AnthropicFaults()).content[0]["text"] == echo
    request["tools"] = TOOLS
    reply = simulated_model.answer(request, AnthropicFaults())
    assert (reply.stop_reason, reply.content[0]["name"]) == ("tool_use", "remember")
    settings: list[dict[str, Any]] = [{"text": "no"}, {"length": 50}, {"obey": True}, {"content": []}, {"stop_reason": "refusal"}]
    for faults in settings:
        assert simulated_model.answer(request, AnthropicFaults.model_validate(faults)).stop_reason != "tool_use"
    assert simulated_model.answer({**request, "tool_choice": {"type": "none"}}, AnthropicFaults()).content[0]["text"] == echo


def test_what_is_said_without_a_tool_is_of_use() -> None:
    """A reminder without a time is asked about; the time of day is the note's; what stands before the newest words is no request."""
    for words, said in (
        ("remind me to buy bread", "When shall I remind you? Write it in one text, such as: remind me tomorrow at 9 to buy bread"),
        (
            "erinnere mich an das Brot",
            "Wann soll ich dich erinnern? Schreib es in einer Nachricht, etwa: erinnere mich morgen um 9 an Brot",
        ),
        ("what time is it?", "It is Monday, 30 November 2026, 21:00."),
    ):
        found = answer(NOTE + words)
        assert found is not None
        assert (found.calls, found.sentence) == ((), said)
    facts = "\u27e6What you remember\u27e7\nremember that Ada is seven\n\u27e6End\u27e7\n\n"
    assert calls(facts + NOTE + "good evening") == []


def test_entries_are_changed_by_what_they_say() -> None:
    """As our own tools show them: an item by its id and version, a fact, a reminder; the small words do not have to stand there."""
    ids = tool("check_off", "ids", ids={"type": "array", "items": TEXT})
    removes = tool("remove_from_list", "ids", ids={"type": "array", "items": TEXT})
    forgets = tool("forget", "ids", ids={"type": "array", "items": TEXT})
    moves = tool("move_reminder", "id", id=TEXT, at=TEXT)
    offered = [ids, removes, forgets, moves, tool("show_list"), tool("list_memory"), tool("list_reminders")]
    items = "shopping, 2 items:\n[x] milk (1.1@2)\n[ ] eggs (1.2@1)"
    facts = "1 in all.\nf7 (1 December 2026, by text): I am allergic to nuts"
    reminders = "- aaaabbbbccccdddd: Tuesday, 1 December, 05:00 (UTC): call Ann"
    for words, looks, text, call in (
        ("check off the eggs", "show_list", items, ("check_off", {"ids": ["1.2@1"]})),
        ("remove milk from the shopping list", "show_list", items, ("remove_from_list", {"ids": ["1.1@2"]})),
        ("forget the nuts", "list_memory", facts, ("forget", {"ids": ["f7"]})),
        (
            "move the call to Ann to 6 pm",
            "list_reminders",
            reminders,
            ("move_reminder", {"id": "aaaabbbbccccdddd", "at": "2026-12-01T18:00"}),
        ),
    ):
        looked = {"type": "tool_use", "id": "toolu_1", "name": looks, "input": {}}
        assert [name for name, _ in calls(NOTE + words, tools=offered)] == [looks], words
        assert calls(NOTE + words, [looked], [result(text)], tools=offered) == [call], words


def test_a_briefing_is_set_and_answered() -> None:
    """Its question is put in a note of the asking program's, at its time."""
    offered = [tool("set_reminder", "text", text=TEXT, at=TEXT, repeat=REPEAT, briefing={"type": "boolean"}), tool("show_list", list=TEXT)]
    expected = {"text": "what is on my shopping list", "at": "2026-12-01T08:00", "repeat": {"every": "daily"}, "briefing": True}
    for words in ("every day at 8 tell me what is on my shopping list", "tell me every morning at 8 what is on my shopping list"):
        assert calls(NOTE + words, tools=offered) == [("set_reminder", expected)], words
    due = "\u27e6A briefing is due. It is to be answered at this time: what is on my shopping list\u27e7"
    assert calls(NOTE + due, tools=offered) == [("show_list", {"list": "shopping"})]
