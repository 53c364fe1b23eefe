"""The world around the mailbox: users, the operator and the provider's reports beside the workers, and the promises.

The provider keeps its own log, and what was sent twice, or out of order, is judged by that log alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, cast

from shared.mailbox import calls
from shared.mailbox.calls import DayBounds
from shared.mailbox.records import Kind
from shared.model.commands import CommandName
from shared.model.events import Keyword, SendSmsResponse
from tests.support.mailbox_state import LEASE, MARGIN, RETENTION, SEND, SETTLE, Said, must
from tests.support.mailbox_workers import Workers, received

COMMANDS: Final[dict[int, CommandName]] = {3: "status", 10: "new"}
KINDS: Final[tuple[Kind, ...]] = ("text", "text", "text", "text", "mail", "mail", "bridge")
SNAPSHOT: Final = """
local count, talks, messages = tonumber(ARGV[1]), {}, {}
for i = 2, #ARGV do
  local id = ARGV[i]
  if i <= count + 1 then
    talks[#talks + 1] = {redis.call('LRANGE', 'boss:inbox:' .. id, 0, -1), redis.call('ZSCORE', 'boss:due', id),
      redis.call('HGET', 'boss:conv:' .. id, 'not_before'), redis.call('PTTL', 'boss:wake:' .. id),
      redis.call('ZRANGE', 'boss:index:' .. id, 0, -1), redis.call('LRANGE', 'boss:priority:' .. id, 0, -1),
      redis.call('ZSCORE', 'boss:priority_due', id), redis.call('HGET', 'boss:conv:' .. id, 'priority_not_before')}
  else
    local record = redis.call('HMGET', 'boss:msg:' .. id, 'state', 'errors', 'lost')
    record[4] = redis.call('PTTL', 'boss:msg:' .. id)
    messages[#messages + 1] = record
  end
end
return {talks, messages, redis.call('ZRANGE', 'boss:parked', 0, -1), redis.call('ZRANGE', 'boss:open', 0, -1),
  redis.call('ZRANGE', 'boss:untold', 0, -1), redis.call('ZRANGE', 'boss:retries', 0, -1)}
"""


@dataclass
class Environment(Workers):
    """Everything that can happen, and what must hold all the same."""

    ended: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._snapshot = self.redis.register_script(SNAPSHOT)

    # -- users ---------------------------------------------------------------------------------------------------

    def write(self, conv: int, kind: int, *, wake: bool = True, keyword: Keyword = "", copied: bool = False) -> None:
        """A message from outside; its wake-up may be lost. `copied`: the reconciler brings it, and it may have been answered.

        Of seven numbers, one is a command's: without a roll, as above.
        """
        kind_name = KINDS[kind % len(KINDS)] if not keyword else "text"
        talk = self.oracle.talks[f"c-{conv % 3}"]
        message = self.name("m")
        call = calls.accept(
            received(message, kind_name), kind=kind_name, conversation=talk.id, sender=talk.sender, pair=talk.pair,
            settle_ms=SETTLE if kind_name == "text" else 0, turns_per_hour=100_000, keyword=keyword,
            via="reconciler" if copied else "", maybe_duplicate=copied, user=talk.person,
            command=COMMANDS.get(self.serial % 14, "") if not keyword else "",
        )  # fmt: skip
        self.inbound.append((message, kind_name, talk.id, call))
        if keyword:
            (self.oracle.opted_out.add if keyword == "stop" else self.oracle.opted_out.discard)(talk.pair)
        if self.oracle.accept(message, kind_name, talk.id, call) and wake:
            self.enqueue(talk.id)

    def deliver_again(self, which: int) -> None:
        """The provider posts the same message once more."""
        if self.inbound:
            self.oracle.accept(*self.inbound[which % len(self.inbound)])

    def opt_out(self, conv: int, *, out: bool) -> None:
        """The user writes STOP or START."""
        pair = f"p-{conv % 3}"
        self.remember(lambda: self.oracle.opt_out(pair, out=out))

    def pause(self, *, alarm: bool) -> None:
        """The operator's; or a worker's, whose key was refused."""
        if not alarm:
            self.oracle.pause()
            return
        conv = f"c-{self.serial % 3}"
        self.remember(lambda: self.oracle.refused(conv))

    # -- what happens beside the workers -------------------------------------------------------------------------

    def callback(self, which: int, state: int, *, with_ids: bool = True) -> None:
        """The provider reports on something that it took: at any time, in any order, more than once."""
        if not self.log:
            return
        copy = self.log[which % len(self.log)]
        word = ("sent", "delivered", "undelivered", "failed")[state % 4]
        owner = self.redis.get(f"boss:provider:{copy.pid}")
        if not with_ids and owner is None:
            return
        reply, attempt = (copy.reply, copy.attempt) if with_ids else ("", "")
        call = calls.status(copy.pid, cast("Any", word), retention_ms=RETENTION, reply=reply, attempt=attempt)
        self.remember(lambda: self.oracle.status(copy.reply, copy.attempt, word, call))

    def operate(self, which: int, *, retry: bool) -> None:
        """The operator retries a parked message, after looking it up, or discards it."""
        parked = [said for said in self.oracle.said.values() if said.state == "parked"]
        if not parked:
            return
        said = parked[which % len(parked)]
        operation = self.name("o")
        if not retry:
            self.remember(lambda: self.oracle.discard(said.id, operation))
            return
        tried = self.oracle.replies.get(said.reply)
        for attempt in tried.uncertain if tried else []:
            if tried and self.oracle.now >= tried.runs_from[attempt] + SEND + MARGIN and which % 3:
                self._find(tried.id, attempt, self._body(tried.id))
        if said.state == "parked":
            act = self.oracle.request_retry if which % 2 else self.oracle.retry
            self.remember(lambda: act(said.id, operation))

    def _body(self, reply: str) -> str:
        record = self.record_of(reply)
        return cast("SendSmsResponse", record.command).message if record else ""

    def hand_over(self, which: int) -> None:
        """An old bridge client takes over a message."""
        names = [said.id for said in self.oracle.said.values() if said.kind == "bridge" or said.state == "open"]
        if names:
            name = names[which % len(names)]
            self.remember(lambda: self.oracle.hand_over(name))

    # -- the promises --------------------------------------------------------------------------------------------

    def check(self) -> None:
        """What holds after every step."""
        oracle = self.oracle
        watched = [said for said in oracle.said.values() if said.id not in self.ended]
        keys = [len(oracle.talks), *oracle.talks, *(said.id for said in watched)]
        talks, messages, parked, waiting, untold, requests = cast("Any", self._snapshot)(args=keys)
        for talk, (inbox, score, not_before, mark, index, *urgent) in zip(oracle.talks.values(), talks, strict=True):
            places = max(other.lease_end for other in oracle.talks.values() if other.sender == talk.sender)
            latest = max(oracle.now + 30_000 + max(mark, 0), places, oracle.kept_until, oracle.now + LEASE * oracle.vague)
            bound = int(urgent[2] or 0) if talk.stored and talk.urgent else int(not_before or 0) if talk.stored else 0
            for held, found, at, wait in ((talk.inbox, inbox, score, not_before), (talk.priority, *urgent)):
                names = [raw.decode() for raw in found]
                must(names == held, f"the inbox holds exactly what is open, in order: {names} is not {held}")
                must(not names or at is not None, "who has messages is on the agenda")
                must(not names or float(at) <= max(latest, bound, int(wait or 0)), "somebody looks again in time")
            written = {said.id for said in oracle.said.values() if said.conv == talk.id and said.kind != "notice"}
            must({raw.decode() for raw in index} == written, "a conversation's messages are found by its id")
        for said, (state, errors, lost, ttl) in zip(watched, messages, strict=True):
            self._check_message(said, state.decode() if state else "gone", (int(errors or 0), int(lost or 0)), ttl)
        for said in oracle.said.values():
            must(said.copies < 2 or self._marked(said.id), "a second copy is marked")
        open_ones = {name for talk in oracle.talks.values() for name in (*talk.inbox, *talk.priority)}
        must({raw.decode() for raw in waiting} == open_ones, "what waits is counted")
        listed = {raw.decode() for raw in parked}
        must(listed == {said.id for said in oracle.said.values() if said.state == "parked"}, "what is parked is on the list")
        oracle.money.check()
        must({raw.decode() for raw in requests} == oracle.requests, "a request stays until it is served")
        must({raw.decode() for raw in untold} == oracle.untold, "whose user is not told yet is on the list")

    def _check_message(self, said: Said, word: str, counts: tuple[int, int], ttl: int) -> None:
        must({"pending": "open", "in_turn": "open"}.get(word, word) == said.state, f"{said.id} is {said.state}, its record says {word}")
        if said.state == "open":
            must(counts == (said.errors, said.lost), f"{said.id} has {said.errors} errors and {said.lost} lost leases, not {counts}")
        if said.state in ("open", "parked"):
            must(ttl == -1, "what waits for somebody does not expire")
        else:
            must(ttl > 0, "an ended message expires in time")
            self.ended.add(said.id)

    def _marked(self, message: str) -> bool:
        if self.redis.hget(f"boss:msg:{message}", "maybe_duplicate") == b"1":
            return True
        replies = {copy.reply for copy in self.log if message in self.oracle.replies[copy.reply].messages}
        return any(self.redis.hget(f"boss:reply:{reply}", "maybe_duplicate") == b"1" for reply in replies)

    def settle(self) -> None:
        """A quiet hour with a good provider: everything comes to an end."""
        self.workers.clear()
        if self.oracle.paused:
            self.oracle.resume()
        for pair in tuple(self.oracle.held):
            self.oracle.let_go(pair)
        bounded = self.bounds != DayBounds()
        for tick in range(600 if bounded else 120):
            self.oracle.advance(11_000 if tick % 20 or not bounded else calls.DAY_MS // 3)
            self.sweep()
            while self.jobs:
                self.start_job(0)
                while self.workers:
                    self.step(0)
                self.check()
            if not self.redis.exists("boss:due", "boss:priority_due", "boss:untold", "boss:retries"):
                break
        self.ended.clear()
        self.check()
        lines = Counter(fields[b"type"] for _, fields in cast("Any", self.redis.xrange("boss:ledger")))
        counts = {name: int(number) for name, number in cast("Any", self.redis.hgetall("boss:counts")).items() if b":" not in name}
        must(counts == lines, f"what happened is counted: {counts} is not {lines}")
        for reply in self.oracle.replies.values():
            kept = any(self.oracle.said[name].state == "parked" for name in reply.messages)
            for key in (f"boss:reply:{reply.id}", f"boss:turn:t-{reply.id[2:]}"):
                must(kept or self.redis.pttl(key) > 0, "a text that nobody needs expires in time")
        must(not self.redis.exists("boss:due", "boss:priority_due"), "in the end nobody is on the agenda")
        must(not self.redis.exists("boss:untold"), "in the end everybody is told")
        unsettled = {raw.decode() for raw in cast("Any", self.redis.zrange("boss:unsettled", 0, -1))}
        waiting = {reply.id for reply in self.oracle.replies.values() if reply.accepted and not reply.terminal}
        must(unsettled == waiting, "what has no final report is asked about, and nothing else")
        for said in self.oracle.said.values():
            must(said.state != "open", f"{said.id} came to an end")
            truly = said.copies or said.kind == "bridge" or said.silent
            must(said.state != "answered" or truly, f"{said.id} was really answered")
