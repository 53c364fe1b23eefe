"""The law of the lease: who holds a conversation, what its turn is made of, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import calls
from shared.mailbox.spending import Budget
from shared.mailbox.types import Call, Claim, Closed, Turn
from tests.integration.mailbox_books import (
    ADVANCE,
    CLOCK,
    LEASE,
    OLDEST,
    SHARE,
    START,
    WATCH,
    Alarm,
    Mutation,
    Said,
    Scripts,
    Talk,
    Tried,
    must,
)
from tests.integration.mailbox_money import Asked, Money

WAITS: Final = ("spent", "spend_stop", "share", "reserved")


class TurnOracle:
    """Sends the calls that take, keep and end a turn, and judges their answers."""

    def __init__(self, redis: Redis, conversations: int = 3, mutation: Mutation | None = None, budget: Budget | None = None) -> None:
        self.redis = redis
        self.money = Money(redis, budget or Budget())
        self.told: set[tuple[str, int]] = set()
        self.scripts = Scripts(redis, mutation)
        self.talks = {f"c-{n}": Talk(f"c-{n}", f"p-{n}", f"s-{n // 2}") for n in range(conversations)}
        self.said: dict[str, Said] = {}
        self.replies: dict[str, Tried] = {}
        self.opted_out: set[str] = set()
        self.paused = False
        self.alarm: Alarm | None = None
        self.held: set[str] = set()
        self.untold: set[str] = set()
        self.operations: set[str] = set()
        self._time = START
        self._advance = cast("Any", redis.register_script(ADVANCE))
        redis.set(CLOCK, START)

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The clock, in ms."""
        return self._time

    def too_old(self, name: str) -> bool:
        """Whether a message is not to be answered any more."""
        return self.talks[self.said[name].conv].active - self.said[name].since > OLDEST

    def advance(self, ms: int) -> None:
        """Move the clock; marks that live by the server's own clock age with it."""
        self._time += ms
        for talk in self.talks.values():
            talk.active += 0 if self.paused or talk.pair in self.held else ms
        senders = {talk.sender for talk in self.talks.values()}
        self._advance(args=[ms, *(f"boss:wake:{conv}" for conv in self.talks), *(f"boss:told:waits:{sender}" for sender in senders)])

    def _times(self, conv: str) -> tuple[float | None, bytes | None]:
        return self.redis.zscore("boss:due", conv), cast("bytes | None", self.redis.hget(f"boss:conv:{conv}", "not_before"))

    # -- the lease ----------------------------------------------------------------------------------------------

    def claim(self, conv: str, token: str, call: Call[Claim]) -> Claim:
        """A job asks for its turn."""
        talk = self.talks[conv]
        not_before = int(cast("Any", self.redis.hget(f"boss:conv:{conv}", "not_before")) or 0)
        found = self.scripts.run(call)
        must(not self.redis.exists(f"boss:wake:{conv}"), "a claim clears the wake-up's mark")
        if talk.holder == token:
            must(found.outcome == "taken", "a repeated claim is taken")
            must(found.lease_end_ms == talk.lease_end, "a repeated claim returns the stored lease end")
            must(found.turn and [message.id for message in found.turn.messages] == talk.turn, "a repeated claim returns the same turn")
            return found
        must(talk.last_closed(token) is None or found.outcome in ("finished", "paused"), "a token that has finished never claims again")
        if found.outcome not in ("held", "finished", "newer"):
            self.money.end(conv)
        if found.outcome == "busy":
            self._judge_busy(talk)
            self._hold_over(talk, call, found, token)
            return found
        if found.outcome in ("paused", "held", "finished"):
            must(found.outcome != "paused" or self.paused or talk.pair in self.held, "paused only in a pause")
            must(found.outcome != "held" or (talk.holder and talk.lease_end > self.now), "held only by a live lease")
            must(found.outcome != "finished" or token in talk.holders, "finished only after it")
            return found
        must(not (talk.holder and talk.lease_end > self.now), "a live lease refuses the next claim")
        may = self.alarm is not None and self.now >= self.alarm.probe_at
        if found.outcome in WAITS:
            must(talk.inbox and not talk.stored, "only who has a question waits for money")
            must((not self.paused or may) and talk.pair not in self.held, "a pause comes first")
            self._count_lost(talk)
            self._hold_over(talk, call, found, token)
            due = self._times(conv)[0]
            must(due is not None and 0 <= due - self.now <= 30_000, "who waits for money is looked at again")
            return found
        must(not self.paused or may or found.outcome == "empty", "nothing is claimed in a pause, but for what tries it")
        must(talk.pair not in self.held or found.outcome == "empty", "nothing of a paused user's is claimed")
        worst = self._count_lost(talk) if found.outcome != "empty" else 0
        if worst:
            must((found.outcome == "early") == (worst > 1 or not_before > self.now), "from the second lost lease on a conversation waits")
            self._waits(conv, worst)
        if found.outcome == "empty":
            must(not talk.inbox, "empty only without messages")
            must(self.redis.zscore("boss:due", conv) is None, "an empty conversation leaves the agenda")
            talk.holder, talk.turn = "", []
        elif found.outcome == "taken":
            must(not_before <= self.now, "nothing is claimed before its time")
            must(found.turn is not None, "a claim has a turn")
            self._hold_over(talk, call, found, token)
            self._taken(talk, token, found, cast("Turn", found.turn))
            if self.alarm:
                wait = self.alarm.wait
                self.alarm = Alarm(self.alarm.since, self.now + wait, min(2 * wait, WATCH.longest_ms), token)
        return found

    def _hold_over(self, talk: Talk, call: Call[Claim], found: Claim, token: str) -> None:
        """Money: what waited has not aged, and whether there is room is judged by the books."""
        if talk.stored:
            must(not found.reserved, "what is paid for reserves nothing")
            return
        for said in (self.said[name] for name in talk.inbox if talk.held_at is not None):
            said.since += max(0, talk.active - max(said.since, cast("int", talk.held_at)))
        talk.held_at = None
        if self.said[talk.inbox[0]].kind == "notice":
            must(found.outcome in ("taken", "busy") and not found.reserved, "what asks no model waits for no money")
            return
        amount = int(call.args["question.fixed"])
        stop = self.money.refusal(talk.sender, amount, self.now)
        day = self.now // calls.DAY_MS
        if stop in ("", "dear"):
            must(found.outcome in ("taken", "busy"), f"there is room, and it waits as {found.outcome}")
            must(found.reserved == (0 if stop or found.outcome == "busy" else amount), "a question is reserved before it is asked")
            if found.reserved:
                asked = Asked(talk.id, token, talk.sender, day, amount, found.lease_end_ms)
                self.money.reserve(str(call.args["call"]), asked)
            return
        talk.held_at = talk.active
        if found.outcome not in WAITS:
            self._told(talk, stop, day)
            return
        must((stop, found.outcome) in ((stop, stop), ("spent", "spend_stop")), f"{stop} is not {found.outcome}")
        bridge = self.said[self.head_of(talk)[0]].kind == "bridge"
        told = bridge or (talk.sender, day) in self.told or talk.pair in self.opted_out
        must(stop == "reserved" or found.outcome == "spend_stop" or told, "who waits for tomorrow is told so")

    def _told(self, talk: Talk, stop: str, day: int) -> None:
        """The sender is told, at the head of the inbox, that it is tomorrow's."""
        must(stop in ("spent", "share") and (talk.sender, day) not in self.told, "once a day, and only who waits for tomorrow")
        must(talk.pair not in self.opted_out, "who opted out is not told")
        self.told.add((talk.sender, day))
        name = cast("list[bytes]", self.redis.lrange(f"boss:inbox:{talk.id}", 0, 0))[0].decode()
        must(name not in self.said, "a sentence of its own")
        self.said[name] = Said(name, talk.id, "notice", self.said[talk.inbox[0]].rank - 1, since=talk.active)
        talk.inbox.insert(0, name)

    def _under_way(self, talk: Talk) -> int:
        """How many other conversations of its sender are under a live lease."""
        return sum(
            other.sender == talk.sender and other is not talk and other.lease_end > self.now and bool(other.holder)
            for other in self.talks.values()
        )

    def _judge_busy(self, talk: Talk) -> None:
        self._count_lost(talk)
        must(talk.inbox, "only who has messages waits for a place")
        must(self._under_way(talk) >= SHARE, "a sender waits only when it has its share")
        due = self._times(talk.id)[0]
        must(due is not None and due > self.now, "who waits for a place is looked at again")

    def _count_lost(self, talk: Talk) -> int:
        lost = [self.said[name] for name in talk.turn if talk.holder and self.said[name].state == "open"]
        for said in lost:
            said.lost += 1
        talk.holder = ""
        return max((said.lost for said in lost), default=0)

    def _waits(self, conv: str, worst: int) -> None:
        due, not_before = self._times(conv)
        wait = int(not_before or 0) - self.now
        must(worst < 2 or 0 < wait <= 30_000 * worst, "the wait grows with the lost leases")
        must(worst < 2 or due == int(not_before or 0), "the agenda looks again after the wait")

    def _taken(self, talk: Talk, token: str, found: Claim, turn: Turn) -> None:
        ids = [message.id for message in turn.messages]
        must(ids, "a turn has messages")
        must(self._under_way(talk) < SHARE, "no sender has more than its share")
        must(found.lease_end_ms == self.now + LEASE, "a lease has its length")
        must(self.redis.zscore("boss:due", talk.id) == found.lease_end_ms, "the agenda looks again at the lease's end")
        if talk.stored:
            must(turn.reply and turn.reply.id == talk.stored, "a stored reply is resumed as it is")
            must(ids == self.replies[talk.stored].messages, "a resumed turn has its own messages")
        else:
            must(turn.reply is None, "a new turn has no reply")
            must(ids == self.head_of(talk), "a turn is formed from the head of the inbox")
        must(len({message.id for message in turn.messages}) == len(ids), "no message twice in a turn")
        talk.holder, talk.lease_end, talk.turn = token, found.lease_end_ms, ids
        talk.turn_id = turn.id
        talk.holders.add(token)

    def head_of(self, talk: Talk) -> list[str]:
        """The messages of the next turn, by the law."""
        turn: list[str] = []
        for said in (self.said[name] for name in talk.inbox):
            alone = said.kind != "text" or said.errors >= 2 or said.lost >= 2
            if alone or (turn and self.said[turn[0]].kind != "text"):
                return turn or [said.id]
            if turn and self.too_old(said.id) != self.too_old(turn[0]):
                return turn
            turn.append(said.id)
        return turn

    def renew(self, conv: str, token: str) -> bool:
        """The holder's heartbeat."""
        talk = self.talks[conv]
        end = self.scripts.run(calls.renew(conv, token, lease_ms=LEASE))
        if talk.holder != token:
            must(end == 0, "only the holder renews")
            return False
        must(end == self.now + LEASE, "the holder renews, also after expiry while nobody else took it")
        must(self._times(conv)[0] == end, "the agenda looks again at the lease's end")
        talk.lease_end = end
        return True

    # -- the end of a turn --------------------------------------------------------------------------------------

    def finish(self, conv: str, token: str, call: Call[Closed]) -> Closed:
        """The holder is done."""
        if self.talks[conv].holder == token and call.args["reason"] == "nothing_to_say":
            self.money.settled_by(call)
            self.money.count_turn(str(call.args["settled.call"]))
            for name in self.talks[conv].turn:
                self.said[name].silent = True
        return self._closing(conv, token, call, lambda talk, found: self._close(talk, token, "answered", found.outcome))

    def backoff(self, conv: str, token: str, delay: int, *, counted: bool, call: Call[Closed]) -> Closed:
        """The holder gives up for a while."""

        def effect(talk: Talk, found: Closed) -> None:
            for name in talk.turn if counted else []:
                self.said[name].errors += self.said[name].state == "open"
            self._released(talk, token, found.outcome)
            if talk.inbox:
                must(self.redis.zscore("boss:due", conv) == self.now + delay, "due is the retry time")
                must(
                    int(cast("Any", self.redis.hget(f"boss:conv:{conv}", "not_before"))) == self.now + delay, "not-before is the retry time"
                )

        return self._closing(conv, token, call, effect)

    def park(self, conv: str, token: str, *, looked_up: bool, call: Call[Closed]) -> Closed:
        """The holder sets its turn aside."""

        def effect(talk: Talk, found: Closed) -> None:
            tried = self.replies.get(talk.stored)
            unresolved = bool(tried and tried.unresolved)
            taken = bool(tried and tried.accepted)
            look_up = unresolved and not looked_up and not taken
            must((found.outcome == "look_up") == look_up, "what is unresolved is looked up before it is parked")
            if not look_up:
                maybe = self.redis.hget(f"boss:reply:{talk.stored}", "maybe_sent") == b"1"
                must(maybe == bool(tried and tried.unsure and not taken), "parked with an attempt of unknown fate: marked maybe_sent")
                self._close(talk, token, "answered" if taken else "parked", found.outcome)

        return self._closing(conv, token, call, effect)

    def _closing(self, conv: str, token: str, call: Call[Closed], effect: Callable[[Talk, Closed], None]) -> Closed:
        talk = self.talks[conv]
        held = talk.holder == token
        self.money.settled_by(call)
        if held:
            self.money.end(conv)
        found = self.scripts.run(call)
        if not held:
            last = talk.last_closed(token)
            must(found.outcome in ("lost", last), "a holder that lost its lease changes nothing")
            must(call.name != "finish" or last in (None, found.outcome), "a repeated finish returns its first result")
            return found
        must(found.outcome != "lost", "the holder closes its turn")
        effect(talk, found)
        return found

    def _released(self, talk: Talk, token: str, result: str) -> None:
        must(result == ("more" if talk.inbox else "empty"), "more says whether messages remain")
        must(talk.inbox or self._times(talk.id)[0] is None, "nothing left: not on the agenda")
        talk.holder, talk.turn = "", []
        talk.closed.append((token, result))

    def _close(self, talk: Talk, token: str, state: str, result: str) -> None:
        for name in talk.turn:
            said = self.said[name]
            if said.state == "open":
                said.state = "ignored" if (state, said.kind) == ("parked", "notice") else state
                said.reply = talk.stored
        talk.inbox = [name for name in talk.inbox if name not in talk.turn]
        self._find_notice(talk)
        talk.stored = ""
        self._released(talk, token, result)
        due, not_before = self._times(talk.id)
        must(not talk.inbox or due == max(int(not_before or 0), self.now + 1_000), "what is left is looked at soon")

    def _find_notice(self, talk: Talk) -> None:
        """A park may append one sentence of ours at the tail; its id is the script's."""
        for name in (raw.decode() for raw in cast("Any", self.redis.lrange(f"boss:inbox:{talk.id}", -1, -1))):
            if name.startswith("n-") and name not in self.said:
                talk.ranks += 1
                self.said[name] = Said(name, talk.id, "notice", talk.ranks, since=talk.active)
                talk.inbox.append(name)
