"""The mailbox's law as a model: what each script may answer and what it must leave behind, kept apart from its records.

`Oracle` sends every call to the real scripts, judges the answer by its own books and then compares inboxes, agenda and
end states. The clock is the model's: the scripts are the product's, but for the body of `now()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Any, Final, TypeVar, cast

from redis import Redis
from redis.exceptions import NoScriptError

from shared.mailbox import box, calls
from shared.mailbox.types import Call, Claim, Closed, Due, Kind, Outcome, Retried, Sending, Stored, Turn

T = TypeVar("T")

LEASE: Final = 60_000
SEND: Final = 15_000
MARGIN: Final = 5_000
SETTLE: Final = 500
RECHECK: Final = 10_000
RETENTION: Final = 3_600_000
START: Final = 1_700_000_000_000
MAX_ERRORS: Final = 5
MAX_LOST: Final = 6
HOUR: Final = 3_600_000
CLOCK: Final = "test:clock"
_NOW: Final = "local function now() return tonumber(redis.call('GET', 'test:clock')) end\n"

ADVANCE: Final = """
redis.call('INCRBY', 'test:clock', ARGV[1])
for i = 2, #ARGV do
  local left = redis.call('PTTL', ARGV[i])
  if left >= 0 then redis.call('PEXPIRE', ARGV[i], left - ARGV[1]) end
end
"""

Mutation = tuple[str, str]
"""For tests that break the law: a text of the Lua, and what stands there instead."""


class Breach(AssertionError):
    """The scripts broke the law."""


def must(holds: object, promise: str) -> None:
    """Raise Breach unless `holds`."""
    if not holds:
        raise Breach(promise)


def scripted_clock(text: str) -> str:
    """A script's text with the model's clock in the place of the server's."""
    before, _, rest = text.partition("-- clock: begin\n")
    body, _, after = rest.partition("-- clock: end\n")
    assert "redis.call('TIME')" in body, "common.lua has lost its clock markers"
    return before + _NOW + after


class Scripts:
    """Runs calls against the real scripts, with the model's clock and, if asked, one rule broken."""

    def __init__(self, redis: Redis, mutation: Mutation | None = None) -> None:
        self.redis = redis
        self._mutation = mutation or ("", "")
        self._texts: dict[str, tuple[str, str]] = {}

    def run(self, call: Call[T]) -> T:
        """Send one call and parse its answer."""
        text, sha = self._script(call.name)
        arguments = [box._argument(value) for value in call.args]
        try:
            raw = self.redis.evalsha(sha, 0, *arguments)
        except NoScriptError:
            raw = self.redis.eval(text, 0, *arguments)
        return box.answer(call, raw)

    def _script(self, name: str) -> tuple[str, str]:
        if name not in self._texts:
            text = scripted_clock(box.script(name)[0])
            old, new = self._mutation
            text = text.replace(old, new) if old else text
            self._texts[name] = text, sha1(text.encode(), usedforsecurity=False).hexdigest()
        return self._texts[name]


@dataclass
class Said:
    """A message as the model knows it. `rank` is its place in its conversation; a retry gives it a new one."""

    id: str
    conv: str
    kind: Kind
    rank: int
    state: str = "open"
    errors: int = 0
    lost: int = 0
    reply: str = ""
    copies: int = 0


@dataclass
class Tried:
    """A reply as the model knows it: its messages, its attempts and what is known of them."""

    id: str
    conv: str
    messages: list[str]
    attempts: dict[str, str] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    terminal: str = ""

    @property
    def unresolved(self) -> list[str]:
        """Attempts of unknown fate."""
        return [name for name, result in self.attempts.items() if not result]

    @property
    def accepted(self) -> bool:
        """Whether one attempt is known to have been taken."""
        return "accepted" in self.attempts.values()


@dataclass
class Talk:
    """A conversation: the inbox, the holder of the lease, and the turn that the holder is in."""

    id: str
    pair: str
    inbox: list[str] = field(default_factory=list)
    ranks: int = 0
    holder: str = ""
    lease_end: int = 0
    turn: list[str] = field(default_factory=list)
    stored: str = ""
    holders: set[str] = field(default_factory=set)
    closed: list[tuple[str, str]] = field(default_factory=list)

    def last_closed(self, token: str) -> str | None:
        """The result of the last finish, if that was this token's."""
        return self.closed[-1][1] if self.closed and self.closed[-1][0] == token else None

    def was_closed(self, token: str) -> bool:
        """Whether a turn of this token ended, at any time."""
        return any(token == name for name, _ in self.closed)


class Oracle:
    """Sends calls and judges the answers; see the module. `step` methods are named after the scripts."""

    def __init__(self, redis: Redis, conversations: int = 3, mutation: Mutation | None = None) -> None:
        self.redis = redis
        self.scripts = Scripts(redis, mutation)
        self.talks = {f"c-{n}": Talk(f"c-{n}", f"p-{n}") for n in range(conversations)}
        self.said: dict[str, Said] = {}
        self.replies: dict[str, Tried] = {}
        self.opted_out: set[str] = set()
        self.paused = False
        self.operations: set[str] = set()
        self._time = START
        self._advance = cast("Any", redis.register_script(ADVANCE))
        redis.set(CLOCK, START)

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The clock, in ms."""
        return self._time

    def advance(self, ms: int) -> None:
        """Move the clock; marks that live by the server's own clock age with it."""
        self._time += ms
        self._advance(args=[ms, *(f"boss:wake:{conv}" for conv in self.talks)])

    # -- messages in --------------------------------------------------------------------------------------------

    def accept(self, message: str, kind: Kind, conv: str, call: Call[calls.Accepted]) -> bool:
        """A message from outside; True when it was taken now."""
        talk = self.talks[conv]
        before = self._times(conv)
        outcome = self.scripts.run(call)
        must(not talk.inbox or self._times(conv) == before, "a message behind others touches neither due nor not-before")
        if message in self.said:
            must(outcome.outcome == "duplicate", "a known id is a duplicate")
            return False
        must(outcome.outcome != "duplicate", "a new id is no duplicate")
        talk.ranks += 1
        self.said[message] = said = Said(message, conv, kind, talk.ranks)
        if outcome.outcome == "ignored":
            must(talk.pair in self.opted_out or call.args[10], "a message is ignored only after an opt-out")
            said.state = "ignored"
            return False
        if not talk.inbox:
            self._is_due(conv, int(call.args[8]))
        talk.inbox.append(message)
        return True

    def _times(self, conv: str) -> tuple[float | None, bytes | None]:
        return cast("Any", (self.redis.zscore("boss:due", conv), self.redis.hget(f"boss:conv:{conv}", "not_before")))

    def _is_due(self, conv: str, settle: int) -> None:
        due, not_before = self._times(conv)
        must(int(not_before or 0) == self.now + settle, "a first message waits for others to join it")
        must(due == self.now + (settle or 1_000), "a first message makes its conversation due")

    def opt_out(self, pair: str, *, out: bool) -> None:
        """The user's word, however it was learnt."""
        self.scripts.run(calls.opt_out(pair, out=out))
        (self.opted_out.add if out else self.opted_out.discard)(pair)

    def pause(self) -> None:
        """The operator's, or an alarm's."""
        must(self.scripts.run(calls.pause("test")) != self.paused, "a pause is new once")
        self.paused = True

    def resume(self) -> None:
        """The operator's."""
        must(self.scripts.run(calls.resume()) == self.paused, "there was a pause")
        self.paused = False

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
        if found.outcome in ("paused", "held", "finished"):
            must(found.outcome != "paused" or self.paused, "paused only in a pause")
            must(found.outcome != "held" or (talk.holder and talk.lease_end > self.now), "held only by a live lease")
            must(found.outcome != "finished" or token in talk.holders, "finished only after it")
            return found
        must(not (talk.holder and talk.lease_end > self.now), "a live lease refuses the next claim")
        must(not self.paused or found.outcome == "empty", "nothing is claimed in a pause")
        worst = self._count_lost(talk) if found.outcome != "empty" else 0
        if worst:
            must((found.outcome == "early") == (worst > 1 or not_before > self.now), "from the second lost lease on a conversation waits")
            self._waits(conv, worst)
        if found.outcome == "empty":
            must(not talk.inbox, "empty only without messages")
            must(self.redis.zscore("boss:due", conv) is None, "an empty conversation leaves the agenda")
        elif found.outcome == "taken":
            must(not_before <= self.now, "nothing is claimed before its time")
            must(found.turn is not None, "a claim has a turn")
            self._taken(talk, token, found, cast("Turn", found.turn))
        return found

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
        talk.holders.add(token)

    def head_of(self, talk: Talk) -> list[str]:
        """The messages of the next turn, by the law."""
        turn: list[str] = []
        for said in (self.said[name] for name in talk.inbox):
            alone = said.kind != "text" or said.errors >= 2 or said.lost >= 2
            if alone or (turn and self.said[turn[0]].kind != "text"):
                return turn or [said.id]
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

    # -- the reply ----------------------------------------------------------------------------------------------

    def store_reply(self, conv: str, token: str, turn: Turn, call: Call[Stored]) -> Stored:
        """The thinker's result."""
        talk = self.talks[conv]
        found = self.scripts.run(call)
        if found.outcome == "lost":
            must(talk.holder != token or talk.lease_end <= self.now, "the holder stores its reply")
            return found
        if found.outcome == "finished" and talk.holder != token:
            must(talk.last_closed(token) == ("more" if found.more else "empty"), "a repeat returns the first result")
            return found
        must(talk.holder == token, "only the holder stores a reply")
        handed = [name for name in talk.turn if self.said[name].state == "handed_over"]
        must((found.outcome == "handed_over") == bool(handed), "a handed over message refuses the reply")
        if not handed:
            self.replies.setdefault(turn.reply_id, Tried(turn.reply_id, conv, list(talk.turn)))
            talk.stored = turn.reply_id
            must((found.outcome == "finished") == (self.said[talk.turn[0]].kind == "bridge"), "a bridge message is answered by its stored reply")
        if found.outcome == "finished":
            self._close(talk, token, "answered", "more" if found.more else "empty")
        return found

    def sending(self, conv: str, token: str, reply: str, attempt: str, call: Call[Sending]) -> Sending:
        """Leave to send. Only `ok` allows a request, and this is where most of the promises are kept."""
        talk, tried = self.talks[conv], self.replies[reply]
        others = [name for name in tried.unresolved if name != attempt]
        found = self.scripts.run(call)
        if talk.holder != token:
            allowed = {"lost"} | ({"opted_out"} if talk.was_closed(token) else set()) | {"sent"}
            must(found.outcome in allowed, f"only the holder sends, not one told {found.outcome}")
            return found
        if found.outcome == "ok":
            self._may_send(talk, tried, attempt, others)
            tried.attempts.setdefault(attempt, "")
            tried.at.setdefault(attempt, self.now)
        elif found.outcome == "look_up":
            must(tried.unresolved and found.attempt and found.attempt.id in tried.unresolved, "what is resolved is not looked up")
        elif found.outcome == "sent":
            must(tried.accepted, "sent only when a provider took it")
        elif found.outcome == "short":
            must(talk.lease_end - self.now <= SEND + MARGIN, "short only with a short lease")
        elif found.outcome == "lost":
            must(attempt in tried.attempts, "the holder is lost only in a repeat that cannot be judged")
        else:
            must(not tried.unresolved, "unresolved attempts are looked up before any verdict")
            self._refused_leave(talk, token, found)
        return found

    def _may_send(self, talk: Talk, tried: Tried, attempt: str, others: list[str]) -> None:
        must(talk.pair not in self.opted_out, "an opted out pair gets nothing")
        must(not self.paused, "nothing is sent in a pause")
        must(talk.lease_end - self.now >= SEND + MARGIN, "the lease outlasts the request")
        must(not others, "an unresolved attempt is looked up before the next")
        must(not tried.accepted, "what was taken is not sent again")
        must(not tried.attempts.get(attempt), "a resolved attempt gets no second leave")
        must(attempt not in tried.attempts or list(tried.attempts)[-1] == attempt, "only the last attempt gets a second leave")
        first = min(self.said[name].rank for name in tried.messages)
        earlier = [said for said in self.said.values() if said.conv == talk.id and said.rank < first and said.state == "open"]
        must(not earlier, "replies go out in the order of the messages")

    def _refused_leave(self, talk: Talk, token: str, found: Sending) -> None:
        if found.outcome == "opted_out":
            must(talk.pair in self.opted_out, "opted out only after an opt-out")
            self._close(talk, token, "ignored", "more" if found.more else "empty")
            return
        must(found.outcome == "paused" and self.paused, "paused only in a pause")
        self._released(talk, token, "more" if found.more else "empty")
        wait = int(cast("Any", self.redis.hget(f"boss:conv:{talk.id}", "not_before"))) - self.now
        must(0 < wait <= 2 * 30_000, "a pause makes a conversation wait a while")

    def outcome(self, reply: str, attempt: str, result: str, call: Call[Outcome]) -> Outcome:
        """What a provider, or its list, says of an attempt."""
        tried = self.replies[reply]
        known = tried.attempts.get(attempt)
        if known is not None and known != "accepted" and (result != "absent" or not known):
            tried.attempts[attempt] = result
        found = self.scripts.run(call)
        self._judge(tried, found)
        if result == "accepted" and attempt in tried.attempts:
            must(self.redis.get(f"boss:provider:{call.args[3]}") == reply.encode(), "a provider's id is recorded for its reply")
        return found

    def status(self, reply: str, attempt: str, state: str, call: Call[Outcome]) -> Outcome:
        """A provider's report: whatever came of the request, it was taken."""
        tried = self.replies[reply]
        if attempt in tried.attempts:
            tried.attempts[attempt] = "accepted"
        found = self.scripts.run(call)
        self._judge(tried, found)
        must(not tried.terminal or found.state == tried.terminal, "a terminal state is never left")
        if state in ("delivered", "undelivered", "failed"):
            tried.terminal = str(found.state)
            must(found.state in ("delivered", "undelivered", "failed"), "a terminal report is terminal")
        return found

    def _judge(self, tried: Tried, found: Outcome) -> None:
        results = list(tried.attempts.values())
        must(found.decided == (bool(results) and all(result == "refused" for result in results)), "a refusal decides when all were refused")
        if not tried.accepted:
            return
        must(found.state in ("sent", "delivered", "undelivered", "failed"), "one accepted attempt makes a reply sent for good")
        must(found.state != "failed" or tried.terminal == "failed" or not tried.terminal, "an accepted reply has not failed")
        for name in tried.messages:
            said = self.said[name]
            if said.state == "parked" and said.reply == tried.id:
                said.state = "answered"

    # -- the end of a turn --------------------------------------------------------------------------------------

    def finish(self, conv: str, token: str, call: Call[Closed]) -> Closed:
        """The holder is done."""
        return self._closing(conv, token, call, lambda talk, found: self._close(talk, token, "answered", found.outcome))

    def backoff(self, conv: str, token: str, delay: int, *, counted: bool, call: Call[Closed]) -> Closed:
        """The holder gives up for a while."""

        def effect(talk: Talk, found: Closed) -> None:
            for name in talk.turn if counted else []:
                self.said[name].errors += self.said[name].state == "open"
            self._released(talk, token, found.outcome)
            if talk.inbox:
                must(self.redis.zscore("boss:due", conv) == self.now + delay, "due is the retry time")
                must(int(cast("Any", self.redis.hget(f"boss:conv:{conv}", "not_before"))) == self.now + delay, "not-before is the retry time")

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
                must(maybe == (unresolved and not taken), "parked with an attempt of unknown fate: marked maybe_sent")
                self._close(talk, token, "answered" if taken else "parked", found.outcome)

        return self._closing(conv, token, call, effect)

    def _closing(self, conv: str, token: str, call: Call[Closed], effect: Callable[[Talk, Closed], None]) -> Closed:
        talk = self.talks[conv]
        held = talk.holder == token
        found = self.scripts.run(call)
        if not held:
            last = talk.last_closed(token)
            must(found.outcome == "lost" or found.outcome == last, "a holder that lost its lease changes nothing")
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
                self.said[name] = Said(name, talk.id, "notice", talk.ranks)
                talk.inbox.append(name)

    # -- the operator, the bridge and the agenda ----------------------------------------------------------------

    def retry(self, message: str, operation: str) -> Retried:
        """The operator wants an answer after all."""
        said = self.said[message]
        found = self.scripts.run(calls.retry(message, operation))
        if operation in self.operations:
            return found
        must((found.outcome == "done") == (said.state == "parked"), "only a parked message is retried")
        if found.outcome == "done":
            self.operations.add(operation)
            talk = self.talks[said.conv]
            talk.ranks += 1
            said.state, said.rank, said.errors, said.lost, said.reply = "open", talk.ranks, 0, 0, ""
            talk.inbox.append(message)
        return found

    def discard(self, message: str, operation: str) -> Retried:
        """The operator gives up."""
        said = self.said[message]
        found = self.scripts.run(calls.discard(message, operation, retention_ms=RETENTION))
        if operation in self.operations:
            return found
        must((found.outcome == "done") == (said.state == "parked"), "only a parked message is discarded")
        if found.outcome == "done":
            self.operations.add(operation)
            said.state = "ignored"
        return found

    def hand_over(self, message: str) -> str:
        """An old bridge client takes the answer upon itself."""
        said = self.said[message]
        talk = self.talks[said.conv]
        found = self.scripts.run(calls.hand_over(message, retention_ms=RETENTION))
        replied = said.state == "open" and bool(talk.stored) and message in self.replies[talk.stored].messages
        if replied:
            must(found == "replied", "what has its reply is not handed over")
        elif said.state == "open":
            must(found == "handed_over", "an open message is handed over")
            said.state = "handed_over"
            talk.inbox.remove(message)
            if not talk.inbox and not talk.holder:
                must(self.redis.zscore("boss:due", talk.id) is None, "nothing to do: not on the agenda")
        else:
            must(found != "handed_over" or said.state == "handed_over", "what has ended is not handed over")
        return found

    def sweep(self, oldest_wait: int = 0) -> tuple[Due, ...]:
        """One tick."""
        scores = {name.decode(): score for name, score in cast("Any", self.redis.zrange("boss:due", 0, -1, withscores=True))}
        marked = {conv for conv in scores if self.redis.exists(f"boss:wake:{conv}")}
        found = self.scripts.run(calls.sweep(recheck_ms=RECHECK, oldest_wait_ms=oldest_wait))
        names = [due.conversation for due in found]
        ready = {conv for conv, score in scores.items() if score <= self.now}
        must(set(names) == ready - marked and len(names) == len(set(names)), "those whose time has come, and who are not queued already")
        must([scores[name] for name in names] == sorted(scores[name] for name in names), "oldest first")
        for conv in ready:
            score = self.redis.zscore("boss:due", conv)
            must(score is not None and cast("float", score) > self.now, "looked at again later")
            must(cast("int", self.redis.pttl(f"boss:wake:{conv}")) > 0, "a wake-up is known to be queued")
        return found
