"""What became of all that was said: counted at the providers' journal, fault by fault; recoveries are read from the ledger."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.mailbox import ledger
from tests.support.installation import Installation, JsonObject, Person, reply_id, words_of_all

NOT_BY_A_WORKER = {"sms_received", "email_received", "sent", "delivered", "status", "ignored"}
"""Lines of the web process: they say nothing about a recovery."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a person, who says each word once in a channel; `fault` is what it met."""

    person: Person
    channel: str
    word: str
    fault: str


@dataclass(slots=True)
class Seen:
    """What one fault did to the messages that it met. `lost` counts the `parked` ones: answered was promised of all."""

    lost: int = 0
    parked: int = 0
    duplicates: int = 0
    marked: int = 0
    disorder: int = 0
    details: list[str] = field(default_factory=list)


def judge(installation: Installation, said: Iterable[Said]) -> dict[str, Seen]:
    """What became of messages, which are in the order in which they were sent."""
    seen: dict[str, Seen] = defaultdict(Seen)
    spoken: dict[tuple[Person, str], list[Said]] = defaultdict(list)
    for one in said:
        spoken[one.person, one.channel].append(one)
        _ = seen[one.fault]
    replies: dict[str, list[JsonObject]] = defaultdict(list)
    for kind in ("twilio.create", "sendgrid.send"):
        for entry in installation.sandbox.journal(kind, accepted=True):
            replies[entry["request"]["to"]].append(entry)
    for (person, channel), messages in spoken.items():
        _judge_one(installation, person, messages, replies[person.phone if channel == "sms" else person.email], seen)
    return seen


def _judge_one(
    installation: Installation, person: Person, messages: Sequence[Said], entries: Sequence[JsonObject], seen: dict[str, Seen]
) -> None:
    fault_of = {one.word: one.fault for one in messages}
    copies: Counter[str] = Counter()
    names: dict[str, str] = {}
    first_place: dict[str, int] = {}
    others: list[str] = []
    for entry in entries:
        text = entry["request"].get("body") or entry["request"].get("text")
        words = [word for word in person.words(text) if word in fault_of]
        others += [] if words else [str(text)]
        of, identity = seen[fault_of[words[0]]] if words else Seen(), reply_id(entry)
        if strangers := {tag for tag, _ in words_of_all(text)} - {person.tag}:
            seen[messages[0].fault].duplicates += 1
            seen[messages[0].fault].details.append(f"{person.tag} got a reply to {strangers}")
        copies[identity] += 1
        if copies[identity] > 1:
            same = names[identity] == _message_id(entry)  # so that a mailbox can fold a mail's copies
            mark = same and installation.marked(identity)
            of.marked += mark
            of.duplicates += not mark
            of.details += [] if mark else [f"{person.tag}: reply {identity} to {words} came again; {_story(installation, person, entry)}"]
            continue
        names[identity] = _message_id(entry)
        for word in words:
            if word in first_place:
                seen[fault_of[word]].duplicates += 1
                seen[fault_of[word]].details.append(f"{person.tag}: {word} was answered by another reply as well")
            first_place.setdefault(word, len(first_place))
    _lost_and_order(installation, person, messages, first_place, seen)
    if others and len(first_place) < len(messages):
        seen[messages[0].fault].details.append(f"{person.tag} got besides: {others}")


def _story(installation: Installation, person: Person, entry: JsonObject) -> str:
    """What the providers and the ledger tell of a reply that came again, in seconds before its copy."""
    identity, began = reply_id(entry), entry["at"]
    posts = installation.sandbox.journal("webhook.") + installation.sandbox.journal(entry["kind"])
    told = [
        (post["at"], f"{post['kind']} {post['status']} {post['fault'] or ''}") for post in posts if identity in json.dumps(post["request"])
    ]
    channel = "sms" if entry["kind"] == "twilio.create" else "email"
    turn = "t-" + identity.removeprefix("r-")
    lines = installation.lines(installation.conversation(person, channel))
    told += [(line.at_ms / 1000, line.type) for line in lines if {identity, turn} & set(line.fields.values())]
    return f"marked {installation.marked(identity)}: " + ", ".join(f"{at - began:+.1f} {what}" for at, what in sorted(told))


def _is_parked(installation: Installation, messages: Sequence[Said], one: Said) -> bool:
    """Whether a message, known by its place among its conversation's, was set aside and its sender told."""
    lines = installation.lines(installation.conversation(one.person, one.channel))
    arrived = [line.fields["msg"] for line in lines if line.type.endswith("_received")]
    noticed = {line.fields["msg"] for line in lines if line.type == "parked"}
    return len(arrived) == len(messages) and arrived[messages.index(one)] in noticed


def _traces(installation: Installation, one: Said) -> str:
    """What the providers and the ledger know of a message that nothing answers, in seconds after its arrival."""
    entries = [entry for entry in installation.sandbox.journal() if one.person.says(one.word) in json.dumps(entry["request"])]
    began = entries[0]["at"] if entries else 0.0
    told = [(entry["at"], f"{entry['kind']} {entry['status']} {entry['accepted']} {entry['fault'] or ''}") for entry in entries]
    told += [(line.at_ms / 1000, line.type) for line in installation.lines(installation.conversation(one.person, one.channel))]
    return ", ".join(f"{at - began:+.1f} {what}" for at, what in sorted(told) if at > began - 1)


def _lost_and_order(
    installation: Installation, person: Person, messages: Sequence[Said], first_place: dict[str, int], seen: dict[str, Seen]
) -> None:
    highest = -1
    for one in messages:
        place = first_place.get(one.word)
        if place is None:
            seen[one.fault].lost += 1
            seen[one.fault].parked += _is_parked(installation, messages, one)
            seen[one.fault].details.append(f"{person.tag}: {one.channel} {one.word} was not answered; {_traces(installation, one)}")
        elif place < highest:
            seen[one.fault].disorder += 1
            seen[one.fault].details.append(f"{person.tag}: {one.channel} {one.word} was answered after a later one")
        else:
            highest = place


def _message_id(entry: JsonObject) -> str:
    return str(entry["request"].get("headers", {}).get("Message-ID", ""))


def asked_again(installation: Installation, said: Iterable[Said]) -> Counter[str]:
    """How many messages of each fault Claude was asked about more than once."""
    faults = {(one.person.tag, one.word): one.fault for one in said}
    asked = Counter(pair for entry in installation.sandbox.journal("anthropic.messages") for pair in words_of_all(entry["request"]["text"]))
    return Counter(faults[pair] for pair, times in asked.items() if times > 1 and pair in faults)


@dataclass(frozen=True, slots=True)
class Death:
    """A process that died, or froze, while a conversation was in its hands; in ms of the server's clock."""

    fault: str
    conversation: str
    at_ms: int


def recoveries(installation: Installation, deaths: Iterable[Death]) -> list[tuple[Death, float]]:
    """For each death the seconds until a worker's next line about the conversation, counted from the last death before it.

    Left out is a death with which nothing was left to do.
    """
    times: dict[str, list[int]] = defaultdict(list)
    for line in ledger.latest(installation.redis, 100_000):
        if line.type not in NOT_BY_A_WORKER:
            times[line.fields.get("conv", "")].append(line.at_ms)
    last: dict[tuple[str, int], Death] = {}
    for death in sorted(deaths, key=lambda death: death.at_ms):
        later = times[death.conversation][bisect_right(times[death.conversation], death.at_ms) :]
        if later:
            last[death.conversation, later[0]] = death
    return [(death, (line_ms - death.at_ms) / 1000) for (_, line_ms), death in last.items()]
