"""One person with ten conversations and 5,000 messages: `python -m bench.one_person`.

Printed are how long a search of the history takes, by words that are rare, common and nowhere; the longest that one of its looks keeps the
server; and the CPU that making a question takes, with the facts and the other conversations that it shows. The records are written as the
product's own scripts read them, mails and texts of usual lengths in English and German.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from redis import Redis

from shared.mailbox import AsyncMailbox, calls
from shared.mailbox.calls import SoughtWord, TurnHolder, memory_of, search
from shared.mailbox.records import Beginning, Message, Reply
from shared.model import codec
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import EmailReceived, SendEmailResponse, SendSmsResponse, SmsReceived
from shared.model.users import LOCAL_USER
from shared.storage.clients import for_loop
from supervisor_worker.assistant import other_chats
from supervisor_worker.assistant.history import shown_history
from supervisor_worker.assistant.history_search import HistorySearch
from supervisor_worker.assistant.prompt import build_prompt
from supervisor_worker.assistant.time_notes import zone
from supervisor_worker.assistant.tools.memory import FACTS_BYTES
from tests.support.server import EmbeddedServer

CONVERSATIONS: Final = 10
MESSAGES: Final = 5_000
ROUNDS: Final = 20
HOLDER: Final = TurnHolder("c-0", "k", "t-asking", "per-1", "0", 60_000)
WORDS: Final = [
    "the",
    "a",
    "to",
    "of",
    "and",
    "for",
    "with",
    "from",
    "when",
    "where",
    "what",
    "train",
    "dinner",
    "friday",
    "mum",
    "school",
    "doctor",
    "invoice",
    "garden",
    "holiday",
    "shopping",
    "bread",
    "milk",
    "call",
    "tomorrow",
    "morning",
    "evening",
    "thanks",
    "please",
    "über",
    "schön",
    "für",
    "müssen",
    "Termin",
    "Rechnung",
    "Garten",
    "Zahnarzt",
    "heute",
    "morgen",
    "Straße",
]
PHONE, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
OWN, OURS = EmailAddress("user@example.com"), EmailAddress("boss@example.com")


def filled(redis: Redis, messages: int, dice: random.Random) -> int:
    """Write the records; the time of the last, in ms."""
    at = int(time.time() * 1000) - messages * 600_000
    redis.hset("boss:people", "u-1", "per-1")
    redis.hset("boss:person:per-1", mapping={"user": "u-1", "epoch": 0})
    for number in range(messages):
        at += 600_000
        conversation, name = f"c-{number % CONVERSATIONS}", f"m-{number}"
        mail = number % CONVERSATIONS >= CONVERSATIONS // 2
        asked, answered = (_words(dice, 60 if mail else 15) for _ in range(2))
        rare = " Feuerwehrübung" if number in (17, messages // 2) else ""
        event, command = _mail(name, asked + rare, answered) if mail else _text(name, asked + rare, answered)
        pipeline = redis.pipeline(transaction=False)
        both: Any = {"v": 1, "conv": conversation, "turn": f"t-{number}", "user": "u-1", "channel": event.channel}
        kept = {"id": name, "kind": "mail" if mail else "text", "state": "answered", "accepted_at": at, "event": codec.encode(event)}
        pipeline.hset(f"boss:msg:{name}", mapping=both | kept)
        reply = {"id": f"r-{number}", "state": "sent", "stored_at": at + 5_000, "attempts": "[]", "command": codec.encode(command)}
        pipeline.hset(f"boss:reply:r-{number}", mapping=both | reply)
        pipeline.zadd("boss:index:u-1", {name: at})
        pipeline.rpush(f"boss:history:{conversation}", f"m:{name}", f"r:r-{number}")
        pipeline.ltrim(f"boss:history:{conversation}", -40, -1)
        pipeline.zadd("boss:talks:per-1", {conversation: at})
        pipeline.execute()
    for number in range(1, 201):
        fact = {"id": f"f{number}", "text": _words(dice, 12), "at": at, "channel": "sms", "marked": False, "pinned": number < 5}
        redis.hset("boss:facts:per-1", f"f{number}", codec.dumps(fact))
    return at


def _words(dice: random.Random, number: int) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(number // 2, number * 2)))


def _mail(name: str, asked: str, answered: str) -> tuple[EmailReceived, SendEmailResponse]:
    event = EmailReceived(id=name, from_=OWN, to=OURS, subject="Plans", body=asked, message_id=f"<{name}@user.example>", user="user")
    html = f"<p>{answered}</p>"
    return event, SendEmailResponse(to=OWN, from_=OURS, subject="Re: Plans", body=answered, message_id="<r@x>", user="user", html=html)


def _text(name: str, asked: str, answered: str) -> tuple[SmsReceived, SendSmsResponse]:
    event = SmsReceived(id=name, from_=PHONE, to=BOSS, message=asked, user="user", provider_id=f"SM{name}")
    return event, SendSmsResponse(to=PHONE, from_=BOSS, message=answered, user="user")


async def _searches(mailbox: AsyncMailbox, till: int) -> None:
    looks = HistorySearch(mailbox, HOLDER, till, only_here=False)
    for what, words in (
        ("rare", "Feuerwehrübung"),
        ("common", "train friday"),
        ("half", "friday xylophone"),
        ("nowhere", "xylophone"),
        ("none", ""),
    ):
        times, before = [], await _cpu_ms(mailbox.redis)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            found = await looks({"words": words, "since": 0, "until": 0})
            times.append(1000 * (time.perf_counter() - began))
        cpu = (await _cpu_ms(mailbox.redis) - before) / ROUNDS
        told = f"{cpu:.0f} ms of CPU; {len(found['exchanges'])} found, {found['looked']:,} looked through"
        print(f"search, {what:8}  {statistics.median(times):6.1f} ms (median of {ROUNDS}), {max(times):6.1f} ms (longest); {told}")
    longest = 0.0
    offset: int | None = 0
    while offset is not None:
        began = time.perf_counter()
        sought = [SoughtWord(("the",), ("the",))]
        look = await mailbox.run(
            search("per-1", "0", sought, conversation="", turn="", since_ms=0, till_ms=till, offset=offset)
        )  # fmt: skip
        longest, offset = max(longest, 1000 * (time.perf_counter() - began)), look.next
    stats: Any = (await mailbox.redis.info("commandstats"))["cmdstat_evalsha"]
    print(
        f"one look          {stats['usec_per_call'] / 1000:6.2f} ms of the server (mean), {longest:6.1f} ms (longest, with its round trip)"
    )


async def _cpu_ms(redis: Any) -> float:
    """What the server and this process have used."""
    used = await redis.info("cpu")
    return 1000 * (time.process_time() + float(used["used_cpu_user"]) + float(used["used_cpu_sys"]))


async def _questions(mailbox: AsyncMailbox, redis: Any) -> None:
    names = [entry.decode()[2:] for entry in await redis.lrange("boss:history:c-0", 0, -1)]
    found = zip(
        await mailbox.messages([n for n in names if n[0] == "m"]), await mailbox.replies([n for n in names if n[0] == "r"]), strict=True
    )
    history: Sequence[Message | Reply] = [record for pair in found for record in pair if record is not None]
    known = await mailbox.run(memory_of("per-1", "c-0", facts_bytes=FACTS_BYTES, said_bytes=other_chats.RECORD_BYTES))
    event = SmsReceived(
        id="m-new", from_=PHONE, to=BOSS, message="When is my train?", user="user", provider_id="SM", received_at=time.time()
    )

    def make() -> None:
        notes = other_chats.notes_of(known.elsewhere, zone(LOCAL_USER))
        said = shown_history(history, Beginning(), 8_000, zone(LOCAL_USER))
        build_prompt(
            "sms", [event], said, {}, user=LOCAL_USER, now=datetime.now(UTC), remembered=known.facts, elsewhere=notes
        )  # fmt: skip

    times = []
    for _ in range(10 * ROUNDS):
        began = time.process_time()
        make()
        times.append(1000 * (time.process_time() - began))
    print(f"question, making  {statistics.median(times):6.2f} ms of CPU (median of {len(times)}), {max(times):6.2f} ms (longest)")
    began, rounds = time.process_time(), 10 * ROUNDS
    for _ in range(rounds):
        await mailbox.run(memory_of("per-1", "c-0", facts_bytes=FACTS_BYTES, said_bytes=other_chats.RECORD_BYTES))
    print(f"question, reading {1000 * (time.process_time() - began) / rounds:6.2f} ms of CPU (mean): facts, other conversations")


async def _measure(url: str, till: int) -> None:
    redis = for_loop(url)
    try:
        mailbox = AsyncMailbox(redis)
        await _searches(mailbox, till)
        await _questions(mailbox, redis)
    finally:
        await redis.aclose()


def main() -> None:
    """Fill a server and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    messages = parser.parse_args().messages
    with EmbeddedServer() as server:
        redis = Redis.from_url(server.url)
        till = filled(redis, messages, random.Random(1)) + calls.DAY_MS  # noqa: S311 - dice, no secret
        asyncio.run(_measure(server.url, till))


if __name__ == "__main__":
    main()
