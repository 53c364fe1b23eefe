"""Who goes to Redis and who to the spool: nobody is overtaken, in whatever order things happen."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from webhook_api.intake.ordering import SILENCE_SECONDS, Sequencer, Way

CONVERSATIONS = 3


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def seconds(self) -> float:
        """For `monotonic`."""
        return self.now

    def ticks(self) -> int:
        """For `time_ns`."""
        return int(self.now * 1e9)


def order(clock: Clock, last: int = 0) -> Sequencer:
    return Sequencer(last, clock=clock.ticks, monotonic=clock.seconds)


def nothing() -> bool:
    return True


def something() -> bool:
    return False


def test_tickets_rise_when_the_clock_stands_still_or_goes_back() -> None:
    """And a new process goes on above what is on disk."""
    clock = Clock()
    mine = order(clock)
    first = [mine.take_ticket(nothing)[0] for _ in range(3)]
    clock.now = 1.0
    tickets = [*first, *(mine.take_ticket(something)[0] for _ in range(3)), order(clock, last=first[-1] + 50).take_ticket(nothing)[0]]
    assert tickets == sorted(set(tickets))


def test_who_finds_something_waiting_stands_behind_it() -> None:
    """So does who comes while a file is being written, or behind others; and nobody when all that is over."""
    mine = order(Clock())
    first, way = mine.take_ticket(something)
    assert way is Way.BEHIND
    second, way = mine.take_ticket(nothing)
    assert way is Way.BEHIND
    mine.to_disk(first)
    assert not mine.may_go_direct(second, nothing), "a file with an earlier ticket is being written"
    mine.release(first)
    assert not mine.may_go_direct(second, something)
    assert mine.may_go_direct(second, nothing)
    mine.redis_replied(second)
    assert mine.take_ticket(nothing)[1] is Way.DIRECT


def test_a_failed_attempt_keeps_its_ticket_and_lets_nobody_pass() -> None:
    """From the failure to the file there is no moment in which another goes to Redis, or a later entry is replayed."""
    mine = order(Clock())
    early, way = mine.take_ticket(nothing)
    assert way is Way.DIRECT
    late, _ = mine.take_ticket(something)
    mine.to_disk(late)
    mine.release(late)
    assert mine.replay_limit() == early
    mine.to_disk(early)
    assert mine.replay_limit() == early
    other, way = mine.take_ticket(nothing)
    assert way is Way.BEHIND
    mine.release(early)
    assert mine.replay_limit() == other
    assert mine.may_go_direct(other, nothing)
    assert mine.replay_limit() == other
    mine.redis_replied(other)
    assert mine.replay_limit() > other


def test_nobody_waits_for_a_redis_that_is_silent() -> None:
    """While all that were sent hang, further ones go to disk; an answer to any of them ends that."""
    clock = Clock()
    mine = order(clock)
    first, _ = mine.take_ticket(nothing)
    clock.now += SILENCE_SECONDS / 2
    second, way = mine.take_ticket(nothing)
    assert way is Way.DIRECT
    clock.now += SILENCE_SECONDS
    third, way = mine.take_ticket(nothing)
    assert way is Way.DISK
    mine.release(third)
    mine.redis_replied(second)
    assert mine.take_ticket(nothing)[1] is Way.DIRECT
    assert mine.replay_limit() == first
    behind, _ = mine.take_ticket(something)
    clock.now += SILENCE_SECONDS * 2
    assert not mine.may_go_direct(behind, nothing)


def test_the_limit_follows_another_process_that_is_ahead() -> None:
    """Its entries are replayed as well, whatever its clock says."""
    clock = Clock()
    mine = order(clock)
    ahead = clock.ticks() + 10**12
    assert mine.replay_limit() < ahead
    assert mine.replay_limit(newest=ahead) > ahead


@dataclass
class Sender:
    """Sends its next message when the last one was answered; `concurrently` sends on without waiting."""

    number: int
    concurrently: bool
    sent: int = 0
    waits: int = 0


@dataclass
class World:
    """Redis, a directory, senders and a replayer, each a step at a time, in an order that chance chooses."""

    chance: random.Random
    clock: Clock = field(default_factory=Clock)
    up: bool = True
    redis: list[tuple[int, int]] = field(default_factory=list)  # (conversation, number), in the order of arrival
    disk: dict[int, tuple[int, int]] = field(default_factory=dict)
    under_way: list[Callable[[], None]] = field(default_factory=list)
    spooled: set[tuple[int, int]] = field(default_factory=set)  # what was never sent to Redis but from the disk
    listed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """A new process."""
        self.order = order(self.clock)

    def store(self, message: tuple[int, int]) -> None:
        """Redis knows each once."""
        if message not in self.redis:
            self.redis.append(message)

    def send(self, sender: Sender) -> None:
        """A message arrives."""
        message = (sender.number, sender.sent)
        sender.sent += 1
        sender.waits += 1
        ticket, way = self.order.take_ticket(lambda: not self.disk)
        if way is Way.DIRECT:
            self.under_way.append(lambda: self.end_direct(sender, ticket, message))
        elif way is Way.BEHIND:
            self.under_way.append(lambda: self.stand_behind(sender, ticket, message))
        else:
            self.spooled.add(message)
            self.to_disk(sender, ticket, message)

    def stand_behind(self, sender: Sender, ticket: int, message: tuple[int, int]) -> None:
        """Its turn comes, or it waits on, or it is tired of that."""
        if self.order.may_go_direct(ticket, lambda: not self.disk):
            self.under_way.append(lambda: self.end_direct(sender, ticket, message))
        elif self.chance.random() < 0.5:
            self.under_way.append(lambda: self.stand_behind(sender, ticket, message))
        else:
            self.spooled.add(message)
            self.to_disk(sender, ticket, message)

    def to_disk(self, sender: Sender, ticket: int, message: tuple[int, int]) -> None:
        """A file is begun."""
        self.order.to_disk(ticket)
        self.under_way.append(lambda: self.end_write(sender, ticket, message))

    def end_direct(self, sender: Sender, ticket: int, message: tuple[int, int]) -> None:
        """The call ends: taken, failed, or failed as far as its sender can see."""
        if self.up or self.chance.random() < 0.2:
            self.store(message)
        if self.up and self.chance.random() < 0.9:
            self.order.redis_replied(ticket)
            sender.waits -= 1
        else:
            self.to_disk(sender, ticket, message)

    def end_write(self, sender: Sender, ticket: int, message: tuple[int, int]) -> None:
        """The file is there, and its sender is answered."""
        self.disk[ticket] = message
        self.order.release(ticket)
        sender.waits -= 1

    def replay(self) -> None:
        """A step of the replayer: a listing, or one entry of the last listing."""
        if not self.listed:
            limit = self.order.replay_limit()
            self.under_way.append(lambda: self.look(limit))
        elif self.up:
            ticket = self.listed.pop(0)
            self.store(self.disk[ticket])
            del self.disk[ticket]

    def look(self, limit: int) -> None:
        """The listing comes a while after the limit."""
        if not self.listed:
            self.listed = sorted(ticket for ticket in self.disk if ticket < limit)

    def step(self, senders: list[Sender]) -> None:
        """Something happens."""
        self.clock.now += self.chance.choice([0, 0.01, 0.1])
        what = self.chance.random()
        ready = [sender for sender in senders if sender.concurrently or not sender.waits]
        if what < 0.02:
            self.up = not self.up
        elif what < 0.35 and ready:
            self.send(self.chance.choice(ready))
        elif what < 0.7 and self.under_way:
            self.under_way.pop(self.chance.randrange(len(self.under_way)))()
        else:
            self.replay()


@pytest.mark.many_inputs
@pytest.mark.parametrize("seeds", [range(start, start + 15) for start in range(0, 150, 15)], ids=str)
def test_in_every_schedule_nothing_is_lost_and_nobody_is_overtaken(seeds: range) -> None:
    """Who waits for each answer is kept in order; who does not is not overtaken by one of their own that went to the spool later."""
    for seed in seeds:
        assert_kept_in_order(seed)


def assert_kept_in_order(seed: int) -> None:
    world = World(random.Random(seed))  # noqa: S311 - chance chooses the schedule
    senders = [Sender(number, concurrently=number == 0) for number in range(CONVERSATIONS)]
    for _ in range(400):
        world.step(senders)
    world.up = True
    while world.under_way or world.disk or world.listed:
        world.under_way.pop(0)() if world.under_way else world.replay()
    for sender in senders:
        arrived = [number for conversation, number in world.redis if conversation == sender.number]
        assert sorted(arrived) == list(range(sender.sent))
        if not sender.concurrently:
            assert arrived == sorted(arrived)
        for number in (number for conversation, number in world.spooled if conversation == sender.number):
            assert set(arrived[: arrived.index(number)]) >= set(range(number))


@dataclass
class Process:
    """One life of a web process: its order, and what it holds until it is answered for."""

    order: Sequencer
    held: dict[int, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Directory:
    """Several processes with clocks of their own on one directory, each step by itself: Redis is away until the end."""

    chance: random.Random
    clock: Clock = field(default_factory=Clock)
    disk: list[tuple[int, int, tuple[int, int]]] = field(default_factory=list)  # ticket, writer, message
    highest: int = 0
    redis: list[tuple[int, int]] = field(default_factory=list)
    writers: int = 0

    def __post_init__(self) -> None:
        """Three of them."""
        self.processes = [self.start() for _ in range(3)]
        self.sent = [0] * CONVERSATIONS
        self.acknowledged = [True] * CONVERSATIONS

    def start(self) -> Process:
        """A life whose clock is wrong by up to a minute."""
        skew = self.chance.uniform(-60, 60)
        last = max((ticket for ticket, _, _ in self.disk), default=0)
        return Process(Sequencer(last, clock=lambda: int((self.clock.now + skew) * 1e9), monotonic=self.clock.seconds))

    def send(self, sender: int) -> None:
        """A text, or once more one that was not taken, to any of the processes."""
        process = self.chance.choice(self.processes)
        waits = bool(self.disk)
        ticket, _ = process.order.take_ticket(lambda: not waits, self.highest if waits else 0)
        process.order.to_disk(ticket)
        process.held[ticket] = (sender, self.sent[sender])
        self.acknowledged[sender] = False

    def write(self, process: Process) -> None:
        """One of those that a process holds is on disk, and its sender is answered."""
        ticket = self.chance.choice(list(process.held))
        message = process.held.pop(ticket)
        self.highest = max(self.highest, ticket)
        self.writers += 1
        self.disk.append((ticket, self.writers, message))
        process.order.release(ticket)
        self.sent[message[0]] += 1
        self.acknowledged[message[0]] = True

    def restart(self, number: int) -> None:
        """What it held is gone, and was nobody's."""
        for sender, _ in self.processes[number].held.values():
            self.acknowledged[sender] = True  # it sends the same once more
        self.processes[number] = self.start()

    def replay(self, most: int) -> None:
        """The first of what one process may replay."""
        order = self.chance.choice(self.processes).order
        limit = order.replay_limit()
        order.replay_limit(max((ticket for ticket, _, _ in self.disk), default=0))
        for entry in [entry for entry in sorted(self.disk) if entry[0] < limit][:most]:
            self.redis.append(entry[2])
            self.disk.remove(entry)

    def step(self) -> None:
        """Something happens."""
        self.clock.now += self.chance.choice([0, 0.01, 1])
        what, ready = self.chance.random(), [number for number, free in enumerate(self.acknowledged) if free]
        holding = [process for process in self.processes if process.held]
        if what < 0.02:
            self.restart(self.chance.randrange(3))
        elif what < 0.45 and ready:
            self.send(self.chance.choice(ready))
        elif what < 0.9 and holding:
            self.write(self.chance.choice(holding))
        elif what > 0.95:
            self.replay(3)


@pytest.mark.many_inputs
@pytest.mark.parametrize("seeds", [range(start, start + 10) for start in range(0, 100, 10)], ids=str)
def test_writers_with_any_clocks_and_lives_keep_the_order_of_each_sender(seeds: range) -> None:
    """Who waits for each answer is handed over in order and once, whichever processes took the texts; entries ahead of all clocks too."""
    for seed in seeds:
        assert_handed_over_in_order(seed)


def assert_handed_over_in_order(seed: int) -> None:
    world = Directory(random.Random(seed))  # noqa: S311 - chance chooses the schedule
    for _ in range(400):
        world.step()
    for number in range(3):
        world.restart(number)
    for _ in range(2 * len(world.disk) + 2):
        world.replay(3)
    assert world.disk == []
    for sender, count in enumerate(world.sent):
        assert [number for conversation, number in world.redis if conversation == sender] == list(range(count))
