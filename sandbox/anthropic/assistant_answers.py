"""What the simulated model does with simple requests when tools are offered: it calls the tool, and tells the result in a plain sentence.

So the first minutes with the product show what it can do. Everything else is answered with an echo.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sandbox.anthropic import intents, offered_tools, server_tools
from sandbox.anthropic.moments import NOTE, local_now, newest_words
from sandbox.anthropic.transcript import Call, ToolOutcome, calls_since_user, last_assistant_text, last_user_text, newest_outcomes
from sandbox.engine.json_types import JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.anthropic.intents import Intent

MAX_CALLS: Final = 10
MAX_RESULT: Final = 600
"""Characters of a result that are told."""
EXAMPLES: Final = {
    "remind": ("remind me in 20 minutes to call mum", "erinnere mich in 20 Minuten daran, Mama anzurufen"),
    "reminders": ("what are my reminders?", "welche Erinnerungen habe ich?"),
    "remember": ("remember that Ada is allergic to nuts", "merk dir, dass Ada keine N\u00fcsse vertr\u00e4gt"),
    "facts": ("what do you know about me?", "was wei\u00dft du \u00fcber mich?"),
    "add": ("add milk to the shopping list", "setz Milch auf die Einkaufsliste"),
    "show": ("what is on my shopping list?", "was steht auf der Einkaufsliste?"),
    "search": ("what did I say about the dentist?", "was habe ich zum Zahnarzt gesagt?"),
    "copy": ("send that to my mail", "schick das an meine Mail"),
}
FAILED: Final = ("That did not work: ", "Das ging nicht: ")
DONE: Final = ("Done.", "Erledigt.")
FOUND: Final = ("I searched the web and found a page: ", "Ich habe im Netz gesucht und eine Seite gefunden: ")
READ: Final = ("I read the page ", "Ich habe die Seite gelesen: ")
TRY: Final = ("I am a simulation. Try: ", "Ich bin eine Simulation. Versuch: ")
WHEN: Final = (
    "When shall I remind you? Write it in one text, such as: remind me tomorrow at 9 to {words}",
    "Wann soll ich dich erinnern? Schreib es in einer Nachricht, etwa: erinnere mich morgen um 9 an {words}",
)
NOW: Final = ("It is {now}.", "Es ist {now}.")
_ID: Final = re.compile(
    r"\bid[ :=]+\"?([\w:.-]*\w)|\[([\w:.-]*\d[\w:.-]*)\]|\(([\w:.@-]*\d[\w:.@-]*)\)|^\W*([a-z]?\d+)\b|^\W*([\da-f]{12,}):", re.IGNORECASE
)
_FILLERS: Final = frozenset(
    (
        *("a", "an", "the", "my", "our", "that", "of", "to", "about", "for"),
        *("der", "die", "das", "den", "dem", "meine", "meinen", "an", "zu"),
    )
)
"""Words of a request that need not stand in the entry that it is about."""
_IDS: Final = (
    (re.compile(r" \(\d+\.\d+@\d+\)"), ""),
    (re.compile(r"^(\W*)[\da-f]{12,}: ", re.MULTILINE), r"\1"),
    (re.compile(r"^f\d+ \(([^)]*)\): (.*)$", re.MULTILINE), r"- \2 (\1)"),
    (re.compile(r"^\d+ in all\.\n"), ""),
)
"""Ids are for the tools: what a person is told goes without them."""
_CHANGES: Final = frozenset({"add", "put", "set", "remove", "delete", "drop", "cancel", "move", "check", "remember", "forget"})
BRIEFING: Final = re.compile("\u27e6A briefing is due[^\u27e6\u27e7]* at this time: ([^\u27e6\u27e7]*)\u27e7")
"""A question that the asking program puts at a time, in a note of its own."""
_LOOKS: Final = frozenset({"list", "show", "view", "get", "read", "search", "find", "status", "look"})


@dataclass(frozen=True, slots=True)
class AssistantAnswer:
    """Calls to make, or a sentence to say, for which the web may have to be asked first, by a call of the API's own tools."""

    calls: tuple[Call, ...] = ()
    sentence: str = ""
    web: Call | None = None


def answer(request: JsonObject, clock: datetime) -> AssistantAnswer | None:
    """Calls for what the user's last words ask for, or a sentence on what the tools have answered; None where neither is known."""
    messages, tools = request["messages"], request["tools"]
    now = local_now(request, clock)
    asked = newest_words(last_user_text(messages))
    briefing = BRIEFING.search(asked)
    wanted = intents.find(briefing[1] if briefing else NOTE.sub("\n", asked), now)
    wanted = [replace(intent, words=last_assistant_text(messages)) if intent.kind == "copy" else intent for intent in wanted]
    outcomes, made = newest_outcomes(messages), calls_since_user(messages)
    calls = [call for intent in wanted for call in _calls(intent, tools, outcomes, made) if call not in made]
    if calls:
        return AssistantAnswer(calls=tuple(calls[:MAX_CALLS]))
    german = any(intent.german for intent in wanted)
    if outcomes:
        return AssistantAnswer(sentence=" ".join(dict.fromkeys(_told(outcome, german=german) for outcome in outcomes)))
    web = next((_of_the_web(intent) for intent in wanted if intent.kind in ("web", "page")), None)
    if web and web[0] in server_tools.offered(request):
        where = "" if web[0] == "web_fetch" else f"https://{server_tools.HOST}{server_tools.PATH}"
        return AssistantAnswer(sentence=(READ if web[0] == "web_fetch" else FOUND)[german] + (where or web[1]["url"]), web=web)
    if spoken := next((intent for intent in wanted if intent.kind in ("when", "now")), None):
        return AssistantAnswer(
            sentence=(WHEN if spoken.kind == "when" else NOW)[german].format(words=spoken.words, now=f"{now:%A, %d %B %Y, %H:%M}")
        )
    if any(intent.kind == "abilities" for intent in wanted):
        known = [said[german] for kind, said in EXAMPLES.items() if offered_tools.tool_for(kind, tools) is not None]
        return AssistantAnswer(sentence=TRY[german] + "; ".join(f'"{each}"' for each in known)) if known else None
    return None


def _of_the_web(intent: Intent) -> Call:
    return ("web_fetch", {"url": intent.words}) if intent.kind == "page" else ("web_search", {"query": intent.words})


def _calls(intent: Intent, tools: list[JsonObject], outcomes: list[ToolOutcome], made: list[Call]) -> list[Call]:
    """The calls of an intent. A tool that wants an id is called when another has shown what there is."""
    tool = offered_tools.tool_for(intent.kind, tools)
    if tool is None or any(name == tool["name"] for name, _ in made):
        return []
    if calls := offered_tools.calls_for(intent, tool, _id_of(intent.words, outcomes)):
        return calls
    look = offered_tools.LOOKS_FOR.get(intent.kind)
    looked = offered_tools.tool_for(look, tools) if look is not None else None
    if look is None or looked is None or any(name == looked["name"] for name, _ in made):
        return []
    return offered_tools.calls_for(intents.Intent(kind=look, list_name=intent.list_name), looked)


def _id_of(words: str, outcomes: list[ToolOutcome]) -> str | None:
    """The id of what these words are about, by the first line or object of the results that holds them all."""
    wanted = [word for word in words.lower().split() if word not in _FILLERS]
    for outcome in outcomes:
        for text, known in _entries(outcome.text):
            if wanted and known is not None and all(word in text.lower() for word in wanted):
                return known
    return None


def _entries(text: str) -> Iterator[tuple[str, str | None]]:
    """The entries of a result, each with its id: the objects of a JSON document, or the lines."""
    try:
        yield from _objects(json.loads(text))
    except ValueError:
        for line in text.splitlines():
            found = _ID.search(line)
            yield line, next((group for group in found.groups() if group), None) if found else None


def _objects(value: object) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict) and "id" in value:
        yield json.dumps(value, ensure_ascii=False), str(value["id"])
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _objects(each)


def _told(outcome: ToolOutcome, *, german: bool) -> str:
    text = outcome.text.strip()
    words = set(re.split(r"[_-]+", outcome.name.lower()))
    if not outcome.failed and (words & _CHANGES or not words & _LOOKS):
        return DONE[german]
    for pattern, told in _IDS:
        text = pattern.sub(told, text)
    text = text or DONE[german]
    text = text if len(text) <= MAX_RESULT else text[:MAX_RESULT].rstrip() + "..."
    return FAILED[german] + text if outcome.failed else text
