"""What a simple sentence asks an assistant for, in English and German: "remind me in 20 minutes to call mum", "was steht auf der Liste"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sandbox.anthropic import spoken_times
from sandbox.anthropic.spoken_times import SpokenTime

MAX_LINE: Final = 300
"""Characters of a line that is looked at: a request for a tool is short."""
_POLITE: Final = r"(?:(?:hi|hey|hello|hallo|ok|okay|please|bitte|boss|can you|could you|kannst du|k\u00f6nntest du)[ ,!]+)*"
_END: Final = r"(?:[ ,]+(?:please|bitte|thanks|thank you|danke))?[\s.!?]*"
_LIST: Final = r"(?P<list>(?:[\w-]{1,30} ){0,3}?)list"
_LISTE: Final = r"(?P<list>(?:[\w-]{1,30}[ -])?[\w-]{0,30}?)liste"
_ON: Final = rf"(?:to|on|onto) (?:my |the |our )?{_LIST}"
_AUF: Final = rf"auf (?:die |meine |der |meiner |unsere |unserer ){_LISTE}"
_OFF: Final = rf"(?: (?:from|off|of|on) (?:my |the |our )?{_LIST})?"
_VON: Final = rf"(?: (?:von|auf) (?:der |meiner |unserer ){_LISTE})?"
_MINE: Final = r"(?:what(?: is|'s| are)|show(?: me)?|list|which) (?:all )?(?:of )?(?:my |the )?"
ENGLISH: Final[dict[str, tuple[str, ...]]] = {
    "remind": (r"remind me (?P<text>.+)", r"set (?:me )?a reminder (?P<text>.+)"),
    "briefing": (
        r"(?P<text>(?:every|each) .+?) (?:tell|text|send|mail) me (?P<id>.+)",
        r"(?:tell|text|send|mail) me (?P<text>(?:every|each) (?:day|morning|weekday|evening|\w+day)(?: at \S+(?: ?[ap]m)?)?) (?P<id>.+)",
    ),
    "reminders": (rf"{_MINE}reminders(?: do i have)?(?: are set)?", r"what reminders (?:do i have|are there)"),
    "drop_reminder": (r"(?:cancel|delete|drop|remove) (?:the |my )?reminder (?:to |about |for |of )?(?P<id>.+)",),
    "move_reminder": (r"(?:move|change|put) (?:the |my )?(?:reminder )?(?:to |about |for |of )?(?P<id>.+) to (?P<text>[^ ].*)",),
    "remember": (r"remember(?: that|:)? (?!when\b|how\b)(?P<text>.+)", r"keep in mind(?: that|:)? (?P<text>.+)"),
    "forget": (r"forget (?:that |about |fact |what i said about )?(?!it\b)(?P<id>.+)",),
    "facts": (
        r"what do you (?:know|remember) about me",
        r"what (?:do|did) you remember",
        r"(?:show|list)(?: me)? (?:my |your )?(?:memory|facts)",
    ),
    "add": (rf"(?:add|put) (?P<items>.+?) {_ON}",),
    "check_off": (
        rf"(?:check off|cross off|tick off) (?P<id>.+?){_OFF}",
        rf"(?:check|cross|tick) (?P<id>.+?) off(?: (?:from |of )?(?:my |the |our )?{_LIST})?",
    ),
    "remove_item": (rf"(?:remove|delete|take) (?P<id>.+?) (?:from|off|of) (?:my |the |our )?{_LIST}",),
    "show": (rf"what(?: is|'s) on (?:my |the |our )?{_LIST}", rf"show(?: me)? (?:my |the |our )?{_LIST}"),
    "search": (
        r"(?:search|look)(?: for)? what i (?:said|wrote) about (?P<text>.+)",
        r"what (?:did|have) i (?:say|said|write|written|tell you|told you) about (?:the |my |a )?(?P<text>.+)",
        r"when did i (?:last )?(?:mention|write about|talk about) (?P<text>.+)",
    ),
    "page": (r"(?:read|open|summarise|summarize) (?P<text>https?://\S+)",),
    "web": (r"(?:search the (?:web|internet) for|google|look up) (?P<text>.+)",),
    "copy": (
        r"(?:send|text) me (?:that|this|it|a copy)(?: by (?:mail|e-mail|email|text))?",
        r"(?:mail|e-mail|email) me (?:that|this|it|a copy)",
        r"send (?:that|this|it|a copy) to my (?:mail|e-mail|email|phone)",
    ),
    "status": (r"what is your status",),
    "now": (r"what time is it(?: now)?", r"what(?: is|'s) the time", r"what day is (?:it(?: today)?|today)"),
    "abilities": (r"what can you do(?: for me)?", r"what do you do", r"help me", r"how does this work"),
}
GERMAN: Final[dict[str, tuple[str, ...]]] = {
    "remind": (r"erinner(?:e|st du)? mich (?P<text>.+)",),
    "reminders": (
        r"(?:welche|was f\u00fcr) erinnerungen (?:habe ich|gibt es|stehen an)",
        r"zeig(?:e)?(?: mir)? (?:meine |alle )?erinnerungen",
    ),
    "drop_reminder": (r"(?:l\u00f6sche|streiche?|vergiss) (?:die |meine )?erinnerung (?:an |zu )?(?:die |den |das )?(?P<id>.+)",),
    "remember": (r"merk(?:e)? dir(?:,? dass|:)? (?P<text>.+)",),
    "forget": (r"vergiss(?:,? dass)? (?P<id>.+)",),
    "facts": (r"was wei\u00dft du (?:\u00fcber|von) mi(?:ch|r)", r"was hast du dir gemerkt"),
    "add": (rf"(?:setz(?:e)?|schreib(?:e)?|pack(?:e)?|tu) (?P<items>.+?) {_AUF}",),
    "remove_item": (rf"(?:nimm|streich(?:e)?|entfern(?:e)?) (?P<id>.+?) von (?:der |meiner |unserer ){_LISTE}",),
    "check_off": (rf"hak(?:e)? (?P<id>.+?){_VON} ab", rf"streich(?:e)? (?P<id>.+?){_VON}"),
    "show": (rf"was steht {_AUF}", rf"zeig(?:e)?(?: mir)? (?:die |meine |unsere ){_LISTE}"),
    "search": (
        r"(?:such(?:e)?|finde?),? was ich \u00fcber (?P<text>.+?) (?:geschrieben|gesagt) habe",
        r"wann habe ich (?P<text>.+?) erw\u00e4hnt",
        r"was habe ich (?:\u00fcber|zu[mr]?) (?P<text>.+?) (?:gesagt|geschrieben|erz\u00e4hlt)",
    ),
    "page": (r"(?:lies|\u00f6ffne) (?P<text>https?://\S+)",),
    "web": (r"such(?:e)? im (?:internet|netz|web) nach (?P<text>.+)", r"google (?:mal )?(?P<text>.+)"),
    "copy": (
        r"schick(?:e)? mir (?:das|es)(?: per (?:mail|e-mail|sms))?",
        r"schick(?:e)? (?:das|es) an (?:meine mail|meine e-mail|mein telefon)",
    ),
    "status": (r"wie ist dein status",),
    "now": (r"wie sp\u00e4t ist es", r"wie ?viel uhr ist es", r"welcher tag ist heute"),
    "abilities": (r"was kannst du(?: alles| f\u00fcr mich tun)?", r"hilf mir"),
}
_COMPILED: Final = [
    (kind, german, re.compile(rf"{_POLITE}(?:{pattern}){_END}", re.IGNORECASE))
    for german, table in ((False, ENGLISH), (True, GERMAN))
    for kind, patterns in table.items()
    for pattern in patterns
]
_LEADING: Final = re.compile(r"^(?:[\s,:]|(?:that|to|about|of|daran|dass|an|den|die|das|mich)\b)+", re.IGNORECASE)
_SHALL_DO: Final = re.compile(r"^(?:to|that|about|daran,?|an|dass) \w+", re.IGNORECASE)
_SPLIT: Final = re.compile(r",|\band\b|\bund\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One thing that the user wants. `words` are what it is about: the reminder's text, the item to check off, the words to search for."""

    kind: str
    german: bool = False
    words: str = ""
    items: tuple[str, ...] = ()
    list_name: str = ""
    when: SpokenTime | None = None


def find(text: str, now: datetime) -> list[Intent]:
    """What the lines of a text ask for, in their order; a line that asks for nothing known is passed over."""
    lines = [line.strip() for line in text.splitlines()]
    return [intent for line in lines if 0 < len(line) <= MAX_LINE and (intent := _of_line(line, now)) is not None]


def _of_line(line: str, now: datetime) -> Intent | None:
    for kind, german, pattern in _COMPILED:
        found = pattern.fullmatch(line)
        if found is not None and (intent := _intent(kind, found.groupdict(), now, german=german)) is not None:
            return intent
    return None


def _intent(kind: str, values: dict[str, str | None], now: datetime, *, german: bool) -> Intent | None:
    words = values.get("text") or values.get("id") or ""
    if kind == "remind":
        when, rest = spoken_times.find(words, now)
        rest = _LEADING.sub("", rest).strip(" ,.;:!?")
        if when is None and rest and _SHALL_DO.search(words):
            return Intent(kind="when", german=german, words=rest)
        return Intent(kind=kind, german=german, words=rest, when=when) if when and rest else None
    if kind == "briefing":
        when = spoken_times.find((values.get("text") or "").replace("every morning", "every day"), now)[0]
        return Intent(kind=kind, german=german, words=(values.get("id") or "").strip(" ,.!?"), when=when) if when else None
    if kind == "move_reminder":
        named = values.get("text") or ""
        when = spoken_times.find(named, now)[0] or spoken_times.find(f"at {named}", now)[0]
        return Intent(kind=kind, german=german, words=(values.get("id") or "").strip(" ,.!?"), when=when) if when else None
    items = tuple(item for each in _SPLIT.split(values.get("items") or "") if (item := each.strip(" ,.")))
    return Intent(kind=kind, german=german, words=words.strip(" ,.!?"), items=items, list_name=(values.get("list") or "").strip())
