"""Two hundred turns at once, of processes that are killed: no bound in dollars or tokens is passed at any moment, on a real server."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
import uuid
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import Mailbox, calls
from shared.mailbox.calls import Cost, DayBounds, Dearest, Settled, reserve
from shared.mailbox.calls.turns import first_model_call_id
from tests.support.mailbox_workers import received

PERSONS: Final = 20
CONVERSATIONS: Final = 200
LEASE_MS: Final = 400
AT_ONCE: Final = 50
LONGER: Final = 10 if os.environ.get("BOSSLINE_CHAOS") == "full" else 1
"""By how much `make chaos` runs it longer, with as much more to spend."""
SECONDS: Final = 4.0 * LONGER
TOKENS, ANSWER, MICROS = 100, 30, 130
BOUNDS: Final = DayBounds(
    tokens=60_000 * LONGER, day=45_000 * LONGER, month=70_000 * LONGER, own_day=3_000 * LONGER, own_month=5_000 * LONGER
)
FIGURES: Final = Dearest(fixed=TOKENS, answer=ANSWER, tiers="0 1000 2000", model="m")


def work(url: str, seed: int) -> None:
    """Hold fifty turns at once, over and over: some are left behind, some ask once more, most say what they have used."""
    dice = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    with Redis.from_url(url, protocol=2) as redis:
        box = Mailbox(redis)
        while True:
            held = [found for conv in dice.sample(range(CONVERSATIONS), AT_ONCE) if (found := take(box, f"c-{conv}"))]
            for conv, token in held:
                name, used = first_model_call_id(token), dice.randrange(TOKENS)
                settled = Settled(name, used, "good", min(MICROS, used + ANSWER))
                if dice.random() < 0.2:
                    continue
                if dice.random() < 0.3:
                    box.run(
                        reserve(conv, token, f"{name}-2", TOKENS, lease_ms=LEASE_MS, bounds=BOUNDS, cost=Cost(MICROS, "m"), settled=settled)
                    )
                    settled = Settled(f"{name}-2", None if dice.random() < 0.2 else used, "bad", used)
                box.run(calls.backoff(conv, token, 0, "test", counted=False, settled=settled))


def take(box: Mailbox, conv: str) -> tuple[str, str] | None:
    """A conversation's turn, if it may be had."""
    token = f"k-{uuid.uuid4().hex}"
    found = box.run(calls.claim(conv, token, f"t-{token[2:]}", lease_ms=LEASE_MS, bounds=BOUNDS, dearest=FIGURES))
    return (conv, token) if found.turn else None


def books(redis: Redis) -> dict[str, dict[str, int]]:
    """All of them, by name."""
    client: Any = redis
    names = [raw.decode() for raw in client.keys("boss:spent:*")]
    with client.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(name)
        found = pipe.execute()
    return {
        name.removeprefix("boss:spent:"): {field.decode(): int(value) for field, value in book.items()}
        for name, book in zip(names, found, strict=True)
    }


def bound_of(name: str) -> int:
    """A book's bound in dollars: a month has a dash in its name, a person's a colon."""
    own, month = ":" in name, "-" in name.rpartition(":")[2]
    return (BOUNDS.own_month if month else BOUNDS.own_day) if own else (BOUNDS.month if month else BOUNDS.day)


def test_no_bound_is_passed_by_two_hundred_turns_at_once_that_are_killed(redis: Redis, redis_url: str) -> None:
    """At every look; and in the end nothing is reserved, and what the persons spent is what all have spent."""
    box = Mailbox(redis)
    for number in range(CONVERSATIONS):
        person = number % PERSONS
        call = calls.accept(
            received(f"m-{number}", "text"), kind="text", conversation=f"c-{number}", sender=f"s-{person}", pair=f"p-{number}",
            turns_per_hour=10_000, user=f"u-{person}",
        )  # fmt: skip
        assert box.run(call).outcome == "accepted"
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=work, args=(redis_url, seed), daemon=True) for seed in range(4)]
    for worker in workers:
        worker.start()
    looks, kills, most, end = 0, 0, 0, time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            found = books(redis)
            assert all(book.get("money", 0) + book["money_reserved"] <= bound_of(name) for name, book in found.items()), found
            assert all(book["tokens"] + book.get("reserved", 0) <= BOUNDS.tokens for book in found.values() if "turns" in book)
            most = max([most, *(book.get("open", 0) for book in found.values())])
            looks += 1
            if looks % 10 == 0:
                kills += 1
                os.kill(cast("int", workers[kills % 4].pid), signal.SIGKILL)
                workers[kills % 4] = fork.Process(target=work, args=(redis_url, 4 + kills), daemon=True)
                workers[kills % 4].start()
            time.sleep(0.02)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    time.sleep(LEASE_MS / 1000)
    while redis.zcard("boss:reserved"):
        box.run(calls.sweep(recheck_ms=100, lease_ms=LEASE_MS))
        time.sleep(0.05)
    found = books(redis)
    for whole in [name for name in found if ":" not in name]:
        parts = [book for name, book in found.items() if name.endswith(f":{whole}")]
        assert sum(book["money"] for book in parts) == found[whole]["money"]
        assert all(book["money_reserved"] == 0 for book in (found[whole], *parts))
    month = max((book["money"] for name, book in found.items() if ":" not in name and "-" in name), default=0)
    assert kills >= 5
    assert month > 0.8 * BOUNDS.day, "the bounds were reached"
    assert most > 100, f"{most} turns at once"
