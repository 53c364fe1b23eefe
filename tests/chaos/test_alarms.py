"""A thousand reminders over two processes that are killed again and again, under a server's clock that steps: each rings once, in time."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import random
import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, Final, TypeVar, cast

import pytest
from redis import Redis

from shared.mailbox import AsyncMailbox, answer
from shared.mailbox.call import Call
from shared.mailbox.ledger import latest
from shared.mailbox.scripts import arguments, script
from shared.model.addresses import Identities, PhoneNumber
from shared.model.recurrence import MINUTE, Recurrence
from shared.model.users import LOCAL_USER, Users
from shared.storage.clients import for_loop
from supervisor_worker.turns.alarms import AlarmRinger
from tests.support.effects import run_effect
from tests.support.mailbox_state import CLOCK, START, Scripts, scripted_clock

T = TypeVar("T")
REMINDERS: Final = 1_000
WITHIN_MS: Final = 14_000
IN_TIME_MS: Final = 5_000
SPEED: Final = 2
TICK_SECONDS: Final = 0.01
POLL_SECONDS: Final = 0.1
STEPS: Final = {4_000: -3_000, 8_000: 3_000, 11_000: -5_000}
"""By how much the clock steps, when it has gone so far."""
IDENTITIES: Final = Identities(b"x")
PEOPLE: Final = [
    replace(LOCAL_USER, username=f"u{n}", id=f"u{n}", phone=PhoneNumber(f"+1555123{n:04}"), email=None, boss_email=None) for n in range(20)
]


class ClockedMailbox(AsyncMailbox):
    """The scripts as they are, under the test's clock."""

    async def run(self, call: Call[T]) -> T:
        """Ask them."""
        return answer(call, await cast("Any", self.redis).eval(scripted_clock(script(call.name)[0]), 0, *arguments(call)))


def worker(url: str) -> None:
    """A process that looks and rings, until it is killed."""

    async def ring() -> None:
        context = SimpleNamespace(mailbox=ClockedMailbox(for_loop(url)), users=Users(PEOPLE), identities=IDENTITIES)
        ringer = AlarmRinger(cast("Any", context))
        while True:
            await ringer.ring_due()
            await asyncio.sleep(POLL_SECONDS)

    asyncio.run(ring())


def tick(redis: Redis, stop: threading.Event) -> None:
    """The server's clock, which steps."""
    began, stepped, steps = time.monotonic(), 0, dict(STEPS)
    while not stop.wait(TICK_SECONDS):
        gone = int((time.monotonic() - began) * 1000 * SPEED)
        for at in [at for at in steps if at <= gone]:
            stepped += steps.pop(at)
        redis.set(CLOCK, START + gone + stepped)


def set_all(redis: Redis) -> dict[str, int]:
    """The reminders, by when they are due; each tenth repeats."""
    dice, scripts, found = random.Random(1), Scripts(redis), {}  # noqa: S311 - times, no secrets
    for number in range(REMINDERS):
        due = START + 1_000 + dice.randrange(WITHIN_MS)
        local = datetime.fromtimestamp(due / 1000, UTC).replace(tzinfo=None)
        rule = str(Recurrence(local, "daily")) if number % 10 == 0 else ""
        args = {"text": "tea", "kind": "reminder", "channel": "sms", "source": "", "recurrence": rule, "due": str(due), "zone": "UTC"}
        user = IDENTITIES.user(PEOPLE[number % len(PEOPLE)].username)
        person = f"p-{number % len(PEOPLE)}"
        result = run_effect(scripts, "remind", {**args, "local": local.strftime(MINUTE)}, call=str(number), user=user, person=person)
        found[result["reminder"]["id"]] = due
    return found


@pytest.mark.timeout(120)
def test_a_thousand_reminders_ring_once_each_and_in_time(redis: Redis, redis_url: str) -> None:
    """Whatever dies between the look and the firing; where the clock steps ahead, in time from there."""
    redis.set(CLOCK, START)
    due = set_all(redis)
    forked = multiprocessing.get_context("fork")
    processes: list[Any] = []

    def start() -> None:
        processes.append(forked.Process(target=worker, args=(redis_url,), daemon=True))
        processes[-1].start()

    start()
    start()
    stop = threading.Event()
    clock = threading.Thread(target=tick, args=(redis, stop))
    clock.start()
    killed = 0
    deadline = time.monotonic() + 60
    try:
        while int(cast("Any", redis.hget("boss:counts", "reminder_due")) or 0) < REMINDERS:
            assert time.monotonic() < deadline, f"{redis.hget('boss:counts', 'reminder_due')!r} have rung"
            time.sleep(0.5)
            processes[killed % 2].kill()
            processes[killed % 2].join()
            processes[killed % 2] = forked.Process(target=worker, args=(redis_url,), daemon=True)
            processes[killed % 2].start()
            killed += 1
        time.sleep(1)
    finally:
        stop.set()
        clock.join()
        for process in processes:
            process.kill()
            process.join()
    lines = [line for line in latest(redis, 50_000) if line.type == "reminder_due"]
    rings = Counter(cast("bytes", redis.hget(f"boss:reminder:{name}", "fired")) for name in due)
    assert (len(lines), rings, killed > 5) == (REMINDERS, {b"1": REMINDERS}, True)
    stand = [redis.lrange(key, 0, -1) for key in redis.scan_iter("boss:priority:*")]
    assert Counter(itertools.chain.from_iterable(cast("Any", stand))) == Counter(line.fields["msg"].encode() for line in lines)
    ahead = max(STEPS.values())
    late = sorted(int(line.fields["ms"]) for line in lines)
    assert late[-1] <= IN_TIME_MS + ahead
    assert sum(1 for ms in late if ms > IN_TIME_MS) <= REMINDERS * ahead // WITHIN_MS  # those that the step passed over
