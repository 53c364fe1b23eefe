"""The law of the lease: who holds a conversation, what its turn is made of, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Claim, Closed, DayBounds
from shared.mailbox.records import Turn
from tests.support.mailbox_money_model import PRICE, Asked, Money, books_of, offset_of, person_of
from tests.support.mailbox_state import (
    ADVANCE,
    CLOCK,
    LEASE,
    LIFE,
    MAX_LOST,
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

NO_ROOM: Final = ("spent", "spend_stop", "share", "reserved")
WAITS: Final = (*NO_ROOM, "busy", "alone")


class TurnModel:
    """Sends the calls that take, keep and end a turn, and judges their answers."""

    def __init__(self, redis: Redis, conversations: int = 3, mutation: Mutation | None = None, bounds: DayBounds | None = None) -> None:
        self.redis = redis
        self.money = Money(redis, bounds or DayBounds())
        self.told: set[tuple[str, int]] = set()
        self.told_of_month: set[tuple[str, int]] = set()
        self.stops: dict[str, str] = {}
        self.steps: dict[str, dict[str, str]] = {}
        self.bound: dict[str, list[str]] = {}
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
        self.requested: dict[str, str] = {}
        self.requests: set[str] = set()
        self.signs: dict[str, int] = {}
        self.doubted: dict[str, set[str]] = {}
        self._looked = self._trusted = self._gap = self._shown = 0
        self._time = START
        self._elapsed = self._vague_until = 0
        self._advance = cast("Any", redis.register_script(ADVANCE))
        redis.set(CLOCK, START)

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The clock, in ms."""
        return self._time

    @property
    def elapsed(self) -> int:
        """A clock that never steps, in ms."""
        return self._elapsed

    def too_old(self, name: str) -> bool:
        """Whether a message is not to be answered any more."""
        return self.talks[self.said[name].conv].active - self.said[name].since > OLDEST

    def advance(self, ms: int) -> None:
        """Move the clock; marks that live by the server's own clock age with it."""
        self._time += ms
        self._elapsed += ms
        for talk in self.talks.values():
            talk.active += 0 if self.paused or talk.pair in self.held else ms
        self._advance(args=[ms, *(f"boss:wake:{conv}" for conv in self.talks)])

    def step_back(self, ms: int) -> None:
        """The server's clock is behind what it was; what lies further ahead than what it was set to is cut when it is read."""
        self._shown = int(cast("Any", self.redis.hget("boss:looked", "clock")) or 0)
        self._time -= ms
        self.redis.decrby(CLOCK, ms)
        for talk in self.talks.values():
            talk.active -= ms
        self.signs = {process: min(at, self.now) for process, at in self.signs.items()}
        self._vague_until = self.elapsed + 3 * LEASE

    def read_attempts(self, tried: Tried) -> None:
        """A script reads a reply's attempts."""
        tried.runs_from = {attempt: min(at, self.now) for attempt, at in tried.runs_from.items()}
        tried.looked = {attempt: min(at, self.now) for attempt, at in tried.looked.items()}

    # -- who lives ----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Somebody looks: a claim, a sweep, a sign of life."""
        if self.now - self._looked > LIFE // 2:
            self._trusted, self._gap = self.now + 2 * LIFE, self._looked
        self._trusted = min(self._trusted, self.now + 2 * LIFE)
        self._looked = self._shown = self.now

    @property
    def vague(self) -> bool:
        """Whether TIME has stepped back so lately that a sender's place may not have been read since."""
        return self.elapsed < self._vague_until

    @property
    def kept_until(self) -> int:
        """Until when a lease that ended in the last gap is a living holder's."""
        return self._trusted + LEASE // 2

    def over(self, talk: Talk) -> str:
        """Why a conversation's lease is over; '' while it lives."""
        if talk.process == "ended":
            return "ended"
        if talk.process and self.now - self.signs.get(talk.process, -LIFE) >= LIFE and self.now >= self._trusted:
            return "silent"
        kept = talk.process and talk.lease_end >= self._gap and self.now < self.kept_until
        return "" if talk.lease_end > self.now or kept else "expired"

    def heartbeat(self, process: str) -> None:
        """A process lives: what counted against its messages because it was silent is taken back."""
        self.look()
        self.scripts.run(calls.heartbeat(process, life_ms=LIFE))
        self.signs[process] = self.now
        for said in (self.said[name] for name in self.doubted.pop(process, ())):
            said.lost -= said.state == "open" and said.lost > 0

    def ended(self, process: str) -> None:
        """A process has ended, says its host."""
        must(not self.scripts.run(calls.ended(process)), "it held a few at most")
        self.signs.pop(process, None)
        for talk in self.talks.values():
            if talk.holder and talk.process == process and not talk.let_go:
                talk.process = "ended"
                for urgent in (True, False):
                    due = self._times(talk.id, urgent=urgent)[0]
                    empty = not talk.waiting(urgent=urgent)
                    must(empty or (due is not None and due <= self.now), "what an ended process held is due at once")

    def _times(self, conv: str, *, urgent: bool = False) -> tuple[float | None, bytes | None]:
        prefix = "priority_" if urgent else ""
        score = self.redis.zscore(f"boss:{prefix}due", conv)
        return score, cast("bytes | None", self.redis.hget(f"boss:conv:{conv}", f"{prefix}not_before"))

    # -- the lease ----------------------------------------------------------------------------------------------

    def claim(self, conv: str, token: str, call: Call[Claim]) -> Claim:
        """A job asks for its turn."""
        talk = self.talks[conv]
        waits = {urgent: self._not_before(conv, urgent=urgent) for urgent in (True, False)}
        self.look()
        process = str(call.args["process"])
        self.signs[process] = self.now
        found = self.scripts.run(call)
        if talk.holder != token and found.outcome != "finished":  # then the lease was not looked at
            talk.lease_end = min(talk.lease_end, self.now + LEASE) if talk.holder else talk.lease_end
        cause = self.over(talk) if talk.holder else ""
        must(not self.redis.exists(f"boss:wake:{conv}"), "a claim clears the wake-up's mark")
        if talk.holder == token:
            must(found.outcome == "taken", "a repeated claim is taken")
            must(found.lease_end_ms == talk.lease_end, "a repeated claim returns the stored lease end")
            must(found.turn and [message.id for message in found.turn.messages] == talk.turn, "a repeated claim returns the same turn")
            return found
        must(talk.last_closed(token) is None or found.outcome in ("finished", "paused"), "a token that has finished never claims again")
        if found.outcome not in ("held", "finished", "newer"):
            self.money.end(conv)
        if found.outcome in ("paused", "held", "finished"):
            must(found.outcome != "paused" or self.paused or talk.pair in self.held, "paused only in a pause")
            must(found.outcome != "held" or (talk.holder and not cause), "held only by a live lease")
            must(found.outcome != "finished" or token in talk.holders, "finished only after it")
            return found
        must(not talk.holder or cause, "a live lease refuses the next claim")
        may = self.alarm is not None and self.now >= self.alarm.probe_at
        if found.outcome != "empty":
            must(not self.paused or may, "nothing is claimed in a pause, but for what tries it")
            must(talk.pair not in self.held, "nothing of a paused user's is claimed")
        worst = self._count_lost(talk, cause) if found.outcome != "empty" else 0
        if worst > 1:
            waits[talk.urgent] = int(self._times(conv, urgent=talk.urgent)[1] or 0)
            must(0 < waits[talk.urgent] - self.now <= LEASE // 10 * 2 ** (worst - 1), "the wait grows with the lost leases")
        if found.outcome == "empty":
            must(not talk.inbox and not talk.priority, "empty only without messages")
            must(not self.on_agenda(conv), "an empty conversation leaves the agenda")
            talk.holder, talk.turn, talk.process = "", [], ""
            return found
        self._judge_served(talk, token, call, found, waits)
        return found

    def _judge_served(self, talk: Talk, token: str, call: Call[Claim], found: Claim, waits: dict[bool, int]) -> None:
        """The inbox that is served, and what it may wait for. `waits` are the not-befores: of commands (True) and of what else waits."""
        urgent, conv = self._served(talk, waits), talk.id
        if urgent is None:
            must(found.outcome == "early", "nothing is claimed before its time")
            due = {box: self._times(conv, urgent=box)[0] for box in (True, False) if talk.waiting(urgent=box)}
            soonest = min(waits[talk.urgent if talk.stored else box] for box in due)
            must(min(cast("float", at) for at in due.values()) == soonest, "the agenda looks again after the wait")
            return
        paid = () if urgent or self._resumed(talk) else NO_ROOM
        must(found.outcome in ("taken", "alone", *(() if urgent else ("busy",)), *paid), "what asks nothing now waits for no money")
        if found.outcome in WAITS:
            self._judge_waiting(talk, found.outcome, urgent=urgent)
        if urgent:
            must(not found.reserved, "what code answers reserves nothing")
        else:
            self._hold_over(talk, call, found, token)
        if found.outcome == "taken":
            self._taken(talk, token, found, str(call.args["process"]), urgent=urgent)

    def _served(self, talk: Talk, waits: dict[bool, int]) -> bool | None:
        """Which inbox is served now, by the law: a stored reply's before both, then what code answers; None while none may be."""
        if talk.stored:
            return talk.urgent if waits[talk.urgent] <= self.now else None
        return next((box for box in (True, False) if talk.waiting(urgent=box) and waits[box] <= self.now), None)

    def _resumed(self, talk: Talk) -> str:
        """The turn with a step that the first inbox is held by: the one that was under way, or one that was brought back."""
        return talk.bound or (self.said[talk.inbox[0]].of if talk.inbox else "")

    def on_agenda(self, conv: str) -> bool:
        """Whether somebody will look at a conversation, for either inbox."""
        return any(self._times(conv, urgent=urgent)[0] is not None for urgent in (True, False))

    def _judge_waiting(self, talk: Talk, outcome: str, *, urgent: bool) -> None:
        """Its time has come, and yet it waits: for money, for a place, or for another message's last try."""
        due = self._times(talk.id, urgent=urgent)[0]
        must(due is not None and due >= self.now, "who waits is looked at again")
        if outcome == "busy":
            must(self.vague or len(self._under_way(talk)) >= SHARE, "a sender waits only when it has its share")
            must(due is not None and due > self.now, "who waits for a place is not looked at before one may be free")
        elif outcome == "alone":
            last = [each for each in self.talks.values() if each.holder and each is not talk and self._most_lost(each.turn) >= MAX_LOST - 1]
            must(last, "a last try waits for another one only")
            must(self._most_lost(talk.waiting(urgent=urgent)) >= MAX_LOST - 1, "only a last try waits for another one")
            must(due is not None and due > self.now, "a last try is looked at again")
        else:
            must(not talk.stored, "only who has a question waits for money")
            must(due is not None and due <= self.now + 30_000, "who waits for money is looked at again soon")

    def _hold_over(self, talk: Talk, call: Call[Claim], found: Claim, token: str) -> None:
        """Money: what waited has not aged, and whether there is room is judged by the books."""
        if talk.stored:
            must(not found.reserved, "what is paid for reserves nothing")
            return
        for said in (self.said[name] for name in talk.inbox if talk.held_at is not None):
            said.since += max(0, talk.active - max(said.since, cast("int", talk.held_at)))
        talk.held_at = None
        if self._resumed(talk):
            must(not found.reserved and not found.stop, "a turn with a step reserves for its next question by itself")
            return
        if self.said[talk.inbox[0]].kind == "notice":
            must(found.outcome in ("taken", "busy") and not found.reserved, "what asks no model waits for no money")
            return
        amount, answer = int(call.args["question.fixed"]), int(call.args["question.answer"])
        micros = PRICE.most(amount - answer, answer) if call.args["question.tiers"] else 0
        offset = offset_of(talk.person, str(call.args["question.zones"]))
        books = books_of(self.now, person_of(self.redis, talk.person), offset)
        stop = self.money.refusal(talk.sender, amount, self.now, micros, books)
        day = self.now // calls.DAY_MS
        if stop in ("month", "own_month"):
            must(found.outcome in ("taken", "busy", "alone") and not found.reserved, "for what the month has no room nothing is reserved")
            told = (talk.sender, day) in self.told_of_month and self.said[self.head_of(talk)[0]].kind != "bridge"
            must(found.outcome != "taken" or found.stop == ("told" if told else stop), "its sender is told once a day")
            if found.turn:
                self.stops[found.turn.id] = found.stop
            return
        must(not found.stop, "only a month's money ends messages")
        if stop in ("", "dear"):
            must(found.outcome in ("taken", "busy", "alone"), f"there is room, and it waits as {found.outcome}")
            must(found.reserved == (0 if stop or found.outcome != "taken" else amount), "a question is reserved before it is asked")
            if found.reserved:
                asked = Asked(talk.id, token, talk.sender, day, amount, found.lease_end_ms, micros=micros, books=books)
                self.money.reserve(str(call.args["model_call"]), asked)
            return
        talk.held_at = talk.active
        own = stop == "share" and not self.money.over_share(talk.sender, amount, self.now)
        day = (self.now + (offset if own else 0)) // calls.DAY_MS
        if found.outcome not in NO_ROOM:
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

    def _not_before(self, conv: str, *, urgent: bool) -> int:
        prefix = "priority_" if urgent else ""
        at, wait = cast("Any", self.redis.hmget(f"boss:conv:{conv}", f"{prefix}not_before", f"{prefix}wait"))
        return min(int(at or 0), self.now + int(wait or 0))

    def _under_way(self, talk: Talk) -> list[Talk]:
        """Which other conversations of its sender have a place: are under a lease, and ask the model."""
        others = [other for other in self.talks.values() if other.sender == talk.sender and other is not talk]
        return [other for other in others if other.holder and not other.urgent and other.lease_end > self.now]

    def _most_lost(self, names: list[str]) -> int:
        return max((self.said[name].lost for name in names), default=0)

    def _count_lost(self, talk: Talk, cause: str) -> int:
        lost = [self.said[name] for name in talk.turn if talk.holder and self.said[name].state == "open"]
        for said in lost:
            said.lost += 1
        if cause == "silent" and lost:
            self.doubted.setdefault(talk.process, set()).update(said.id for said in lost)
        talk.holder, talk.process = "", ""
        return max((said.lost for said in lost), default=0)

    def _taken(self, talk: Talk, token: str, found: Claim, process: str, *, urgent: bool) -> None:
        must(found.turn is not None, "a claim has a turn")
        turn = cast("Turn", found.turn)
        ids = [message.id for message in turn.messages]
        must(ids, "a turn has messages")
        living = [other for other in self._under_way(talk) if not other.let_go and other.process != "ended"]
        # After a step back of TIME a place and its lease are cut when each is read: for a lease's length one turn more may be under way.
        must(urgent or self.vague or len(living) < SHARE, "no sender has more than its share")
        must(found.lease_end_ms == self.now + LEASE, "a lease has its length")
        must(self._times(talk.id, urgent=urgent)[0] == found.lease_end_ms, "the agenda looks again at the lease's end")
        if talk.stored:
            must(turn.reply and turn.reply.id == talk.stored, "a stored reply is resumed as it is")
            must(ids == self.replies[talk.stored].messages, "a resumed turn has its own messages")
            self.read_attempts(self.replies[talk.stored])
        elif not urgent and (bound := self._resumed(talk)):
            must((turn.id, ids) == (bound, self.bound[bound]), "a turn with a step keeps its id and its messages")
            must(dict(turn.steps) == self.steps[bound], "a turn with a step has all that was stored of it")
            talk.bound = bound
            if turn.reply:
                talk.stored = turn.reply.id
                self.read_attempts(self.replies[turn.reply.id])
        else:
            must(turn.reply is None and not turn.steps, "a new turn has no reply, and no step")
            must(ids == (talk.priority[:1] if urgent else self.head_of(talk)), "a turn is formed from the head of the inbox")
        must(len({message.id for message in turn.messages}) == len(ids), "no message twice in a turn")
        talk.holder, talk.lease_end, talk.turn = token, found.lease_end_ms, ids
        talk.turn_id = turn.id
        talk.holders.add(token)
        talk.let_go, talk.process, talk.urgent = False, process, urgent
        if self.alarm:
            wait = self.alarm.wait
            self.alarm = Alarm(self.alarm.since, self.now + wait, min(2 * wait, WATCH.longest_ms), token)
        must(self._most_lost(ids) < MAX_LOST - 1 or not self._other_last_try(talk), "a last try is made alone")

    def _other_last_try(self, talk: Talk) -> bool:
        return any(
            other is not talk and other.holder and not self.over(other) and self._most_lost(other.turn) >= MAX_LOST - 1
            for other in self.talks.values()
        )

    def head_of(self, talk: Talk) -> list[str]:
        """The messages of the next turn, by the law."""
        turn: list[str] = []
        for said in (self.said[name] for name in talk.inbox):
            if said.of:
                return turn
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
        must(self._times(conv, urgent=talk.urgent)[0] == end, "the agenda looks again at the lease's end")
        talk.lease_end = end
        talk.let_go = False
        return True

    # -- the end of a turn --------------------------------------------------------------------------------------

    def finish(self, conv: str, token: str, call: Call[Closed]) -> Closed:
        """The holder is done."""
        if self.talks[conv].holder == token and call.args["reason"] == "nothing_to_say":
            self.money.settled_by(call)
            self.money.count_turn(str(call.args["settled.model_call"]))
            for name in self.talks[conv].turn:
                self.said[name].silent = True
        if self.talks[conv].holder == token and call.args["reason"] == "month_spent":
            for name in self.talks[conv].turn:
                self.said[name].silent = True
        return self._closing(conv, token, call, lambda talk, found: self._close(talk, token, "answered", found.outcome))

    def backoff(self, conv: str, token: str, delay: int, *, counted: bool, call: Call[Closed]) -> Closed:
        """The holder gives up for a while."""

        def effect(talk: Talk, found: Closed) -> None:
            for name in talk.turn if counted else []:
                self.said[name].errors += self.said[name].state == "open"
            self._released(talk, token, found.outcome)
            if talk.waiting(urgent=talk.urgent):
                due, not_before = self._times(conv, urgent=talk.urgent)
                must(due == self.now + delay, "due is the retry time")
                must(int(not_before or 0) == self.now + delay, "not-before is the retry time")

        return self._closing(conv, token, call, effect)

    def park(self, conv: str, token: str, *, looked_up: bool, call: Call[Closed]) -> Closed:
        """The holder sets its turn aside."""

        def effect(talk: Talk, found: Closed) -> None:
            tried = self.replies.get(talk.stored)
            unresolved = bool(tried and tried.pending)
            taken = bool(tried and tried.accepted)
            look_up = unresolved and not looked_up and not taken
            must((found.outcome == "look_up") == look_up, "what is unresolved is looked up before it is parked")
            if not look_up:
                maybe = self.redis.hget(f"boss:reply:{talk.stored}", "maybe_sent") == b"1"
                must(maybe == bool(tried and tried.uncertain and not taken), "parked with an attempt of unknown outcome: marked maybe_sent")
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
        must(result == ("more" if talk.inbox or talk.priority else "empty"), "more says whether messages remain")
        for urgent in (True, False):
            left = talk.waiting(urgent=urgent)
            must(left or self._times(talk.id, urgent=urgent)[0] is None, "nothing left: not on the agenda")
        talk.holder, talk.turn, talk.process = "", [], ""
        talk.closed.append((token, result))

    def _close(self, talk: Talk, token: str, state: str, result: str) -> None:
        for name in talk.turn:
            said = self.said[name]
            if said.state == "open":
                said.state = "ignored" if (state, said.kind) == ("parked", "notice") else state
                said.reply = talk.stored
            if said.state != "parked":
                said.of = ""
        talk.bound = "" if talk.bound == talk.turn_id else talk.bound
        self.forget_steps(talk.turn_id)
        talk.inbox = [name for name in talk.inbox if name not in talk.turn]
        talk.priority = [name for name in talk.priority if name not in talk.turn]
        self._find_notice(talk)
        talk.stored = ""
        self._released(talk, token, result)
        for urgent in (True, False):
            due, not_before = self._times(talk.id, urgent=urgent)
            at = int(not_before or 0)
            must(not talk.waiting(urgent=urgent) or due == (at if at > self.now else self.now + 1_000), "what is left is looked at soon")

    def forget_steps(self, turn: str) -> None:
        """What a turn has stored goes when none of its messages is open or parked any more."""
        if not any(self.said[name].of == turn for name in self.bound.get(turn, ())):
            self.steps.pop(turn, None)

    def _find_notice(self, talk: Talk) -> None:
        """A park may append one sentence of ours at the tail; its id is the script's."""
        for name in (raw.decode() for raw in cast("Any", self.redis.lrange(f"boss:inbox:{talk.id}", -1, -1))):
            if name.startswith("n-") and name not in self.said:
                talk.ranks += 1
                self.said[name] = Said(name, talk.id, "notice", talk.ranks, since=talk.active)
                talk.inbox.append(name)
