"""The mailbox's law as a model: what each script may answer and what it must leave behind, kept apart from its records.

`MailboxModel` sends every call to the real scripts, judges the answer by its own books and then compares inboxes, agenda and
end states. The clock is the model's: the scripts are the product's, but for the body of `now()`.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

from shared.mailbox import calls
from shared.mailbox.call import Call
from shared.mailbox.calls import Accepted, NotFound, Outcome, Reserved, Retried, Sending, Stored, Swept
from shared.mailbox.records import Kind, Turn
from shared.model.commands import CommandName
from tests.support.mailbox_money_model import Asked, books_of, offset_of, person_of
from tests.support.mailbox_state import (
    AGAIN,
    LEASE,
    LIFE,
    MARGIN,
    RECHECK,
    RETENTION,
    SEND,
    SEND_LIMITS,
    WATCH,
    Alarm,
    Said,
    Talk,
    Tried,
    must,
)
from tests.support.mailbox_turn_model import TurnModel

REPEATS: Final = SEND_LIMITS.repeats
CLOCK_SLACK: Final = 1_000
AGENDAS: Final = ("boss:priority_due", "boss:due")


class MailboxModel(TurnModel):
    """The rest of the law: messages in, the reply and its attempts, the operator, the bridge and the agenda."""

    # -- messages in --------------------------------------------------------------------------------------------

    def accept(self, message: str, kind: Kind, conv: str, call: Call[Accepted]) -> bool:
        """A message from outside; True when it was taken now."""
        talk, command = self.talks[conv], cast("CommandName", call.args["command"])
        before = self._times(conv)
        outcome = self.scripts.run(call)
        same = self._times(conv) == before
        must(same or not (talk.inbox or command), "what stands behind others, or elsewhere, touches neither due nor not-before")
        if message in self.said:
            must(outcome.outcome == "duplicate", "a known id is a duplicate")
            return False
        must(outcome.outcome != "duplicate", "a new id is no duplicate")
        talk.ranks += 1
        self.said[message] = said = Said(message, conv, kind, talk.ranks, copied=call.args["copy"] == 1, since=talk.active, command=command)
        if outcome.outcome == "ignored":
            must(talk.pair in self.opted_out or call.args["keyword"], "a message is ignored only after an opt-out")
            said.state = "ignored"
            return False
        if command:
            must(talk.priority or self._times(conv, urgent=True)[0] == self.now + 1_000, "a command makes its conversation due")
        elif not talk.inbox:
            self._is_due(conv, int(call.args["settle"]))
        talk.waiting(urgent=bool(command)).append(message)
        return True

    def _is_due(self, conv: str, settle: int) -> None:
        due, not_before = self._times(conv)
        must(int(not_before or 0) == self.now + settle, "a first message waits for others to join it")
        must(due == self.now + (settle or 1_000), "a first message makes its conversation due")

    def opt_out(self, pair: str, *, out: bool) -> None:
        """The user's word, however it was learnt."""
        self.scripts.run(calls.opt_out(pair, out=out))
        (self.opted_out.add if out else self.opted_out.discard)(pair)

    def pause(self) -> None:
        """The operator's, which takes the place of an alarm's."""
        must(self.scripts.run(calls.pause("test")) == (not self.paused or self.alarm is not None), "a pause is new once")
        self.paused, self.alarm = True, None

    def refused(self, conv: str) -> None:
        """Twilio refuses our key, in a turn of this conversation."""
        found = self.scripts.run(calls.alarm(conv, "twilio", "test", sure=True, watch=WATCH))
        must(found == ("held" if self.paused else "paused"), "an alarm pauses once")
        if not self.paused:
            self.paused, self.alarm = True, Alarm(self.now, self.now + WATCH.probe_ms, WATCH.probe_ms)

    def resume(self) -> None:
        """The operator's."""
        must(self.scripts.run(calls.resume()) == self.paused, "there was a pause")
        self.paused, self.alarm = False, None

    def _taken_at(self, at: int) -> None:
        """Twilio took what was asked for at that time: one that was let through ends an alarm's pause."""
        if self.alarm and at > self.alarm.since:
            self.paused, self.alarm = False, None

    def hold(self, pair: str) -> None:
        """The operator's, of one user."""
        must(self.scripts.run(calls.pause("test", user=f"u-{pair}", pairs=[pair])) == (pair not in self.held), "a user's pause is new once")
        self.held.add(pair)

    def let_go(self, pair: str) -> None:
        """The operator's."""
        must(self.scripts.run(calls.resume(user=f"u-{pair}")) == (pair in self.held), "there was a user's pause")
        self.held.discard(pair)

    # -- the reply ----------------------------------------------------------------------------------------------

    def outlived(self, talk: Talk, turn: Turn) -> bool:
        """Whether a turn is made of what was erased since its claim."""
        del talk, turn
        return False

    def store_reply(self, conv: str, token: str, turn: Turn, call: Call[Stored]) -> Stored:
        """The thinker's result."""
        talk = self.talks[conv]
        known = turn.reply_id in self.replies
        self.money.settled_by(call)
        found = self.scripts.run(call)
        if found.outcome == "lost":
            mine = talk.holder == token and talk.turn_id == turn.id
            must(not mine or talk.lease_end <= self.now or (self.outlived(talk, turn) and not known), "the holder stores its reply")
            return found
        if found.outcome == "finished" and talk.holder != token:
            must(talk.last_closed(token) == ("more" if found.more else "empty"), "a repeat returns the first result")
            return found
        must(talk.holder == token, "only the holder stores a reply")
        must(known or not self.outlived(talk, turn), "no reply is stored of an older epoch")
        handed = [name for name in talk.turn if self.said[name].state == "handed_over"]
        must((found.outcome == "handed_over") == bool(handed), "a handed over message refuses the reply")
        if not handed and not known:
            self.money.end(conv)
            self.money.count_turn(str(call.args["settled.model_call"]))
            if self.stops.get(turn.id):
                self.told_of_month.add((talk.sender, self.now // calls.DAY_MS))
        if not handed:
            self.replies.setdefault(turn.reply_id, Tried(turn.reply_id, conv, list(talk.turn)))
            talk.stored = turn.reply_id
            marked = self.redis.hget(f"boss:reply:{turn.reply_id}", "maybe_duplicate") == b"1"
            must(marked or not any(self.said[name].copied for name in talk.turn), "what may be a second answer is marked")
            must(
                (found.outcome == "finished") == (self.said[talk.turn[0]].kind == "bridge"),
                "a bridge message is answered by its stored reply",
            )
        if found.outcome == "finished":
            self._close(talk, token, "answered", "more" if found.more else "empty")
        if found.permit:
            attempt = str(call.args["attempt"])
            others = [name for name in self.replies[turn.reply_id].pending if name != attempt]
            self._judge_permit(talk, token, turn.reply_id, attempt, others, found.permit)
        return found

    def sending(self, conv: str, token: str, reply: str, attempt: str, call: Call[Sending]) -> Sending:
        """The permit to send. Only `ok` allows a request, and this is where most of the promises are kept."""
        others = [name for name in self.replies[reply].pending if name != attempt]
        found = self.scripts.run(call)
        if self.talks[conv].holder == token and self.talks[conv].stored == reply:
            self.read_attempts(self.replies[reply])
        self._judge_permit(self.talks[conv], token, reply, attempt, others, found)
        return found

    def _judge_permit(self, talk: Talk, token: str, reply: str, attempt: str, others: list[str], found: Sending) -> None:  # noqa: PLR0917
        tried = self.replies[reply]
        if talk.holder != token or talk.stored != reply:
            allowed = {"lost"} | ({"opted_out"} if talk.was_closed(token) else set()) | {"sent"}
            must(found.outcome in allowed, f"only the holder sends, not one told {found.outcome}")
            return
        if found.outcome == "ok":
            self._may_send(talk, tried, attempt, others)
            tried.attempts.setdefault(attempt, "")
            tried.at[attempt] = tried.runs_from[attempt] = self.now
            tried.left_at[attempt] = self.elapsed
        elif found.outcome == "look_up":
            must(tried.pending and found.attempt and found.attempt.id in tried.pending, "what is resolved is not looked up")
        elif found.outcome == "sent":
            must(tried.accepted, "sent only when a provider took it")
        elif found.outcome == "short":
            must(talk.lease_end - self.now <= SEND + MARGIN, "short only with a short lease")
        elif found.outcome == "lost":
            must(attempt in tried.attempts, "the holder is lost only in a repeat that cannot be judged")
        else:
            must(not tried.pending, "unresolved attempts are looked up before any verdict")
            self._refused_permit(talk, token, tried, found)

    def _may_send(self, talk: Talk, tried: Tried, attempt: str, others: list[str]) -> None:
        must(talk.pair not in self.opted_out, "an opted out pair gets nothing")
        probes = self.alarm is not None and self.alarm.probe == talk.holder
        must((not self.paused or probes) and talk.pair not in self.held, "nothing is sent in a pause, but for what tries it")
        must(talk.lease_end - self.now >= SEND + MARGIN, "the lease outlasts the request")
        must(not others, "an unresolved attempt is looked up before the next")
        must(not tried.accepted, "what was taken is not sent again")
        must(not tried.attempts.get(attempt), "a resolved attempt gets no second permit")
        must(attempt not in tried.attempts or list(tried.attempts)[-1] == attempt, "only the last attempt gets a second permit")
        must(not any(self.too_old(name) for name in tried.messages), "no old message is answered")
        must(tried.absent - tried.forgiven <= REPEATS, "what may have been taken is not repeated without end")
        first = min(self.said[name].rank for name in tried.messages)
        beside = [said for said in self.said.values() if said.conv == talk.id and bool(said.command) == talk.urgent]
        earlier = [said for said in beside if said.rank < first and said.state == "open"]
        must(not earlier, "replies go out in the order of the messages")

    def _refused_permit(self, talk: Talk, token: str, tried: Tried, found: Sending) -> None:
        if found.outcome == "too_old":
            must(any(self.too_old(name) for name in tried.messages), "too old only after its time")
            return
        if found.outcome == "unknown":
            must(tried.absent - tried.forgiven > REPEATS, "set aside only after so many repeats")
            return
        if found.outcome == "opted_out":
            must(talk.pair in self.opted_out, "opted out only after an opt-out")
            self._close(talk, token, "ignored", "more" if found.more else "empty")
            return
        must(found.outcome == "paused" and (self.paused or talk.pair in self.held), "paused only in a pause")
        self._released(talk, token, "more" if found.more else "empty")
        wait = int(self._times(talk.id, urgent=talk.urgent)[1] or 0) - self.now
        must(0 < wait <= 2 * 30_000, "a pause makes a conversation wait a while")

    def outcome(self, reply: str, attempt: str, result: str, call: Call[Outcome]) -> Outcome:
        """What a provider, or its list, says of an attempt."""
        tried = self.replies[reply]
        known = tried.attempts.get(attempt)
        if known is not None and known != "accepted" and result != "unknown":
            tried.attempts[attempt] = result
            if result == "accepted":
                self._taken_at(tried.at[attempt])
        found = self.scripts.run(call)
        self._judge(tried, found)
        if result == "accepted" and attempt in tried.attempts:
            must(
                self.redis.get(f"boss:provider:{call.args['provider_id']!s}") == reply.encode(), "a provider's id is recorded for its reply"
            )
        if call.args["token"]:
            self._judge_close(tried, str(call.args["token"]), found)
        return found

    def _judge_close(self, tried: Tried, token: str, found: Outcome) -> None:
        """The holder asked to finish its turn with an accepted attempt."""
        talk = self.talks[tried.conv]
        must((found.closed is not None) == tried.accepted, "a turn is finished with an accepted attempt, and with no other")
        if found.closed is None:
            return
        if talk.holder != token:
            must(found.closed.outcome in ("lost", talk.last_closed(token)), "a holder that lost its lease finishes nothing")
            return
        must(found.closed.outcome != "lost", "the holder closes its turn")
        self._close(talk, token, "answered", found.closed.outcome)

    def unseen(self, reply: str, attempt: str, asked: int, call: Call[NotFound]) -> NotFound:
        """A look-up did not show an attempt."""
        tried = self.replies[reply]
        known = tried.attempts[attempt]
        self.read_attempts(tried)
        found = self.scripts.run(call)
        first = tried.looked.get(attempt)
        if known:
            must(found.outcome == known, "what is resolved stays so")
        elif first is None:
            must(not found.outcome and found.wait_ms == AGAIN, "a first look proves nothing")
            tried.looked[attempt] = self.now
        else:
            must((found.outcome == "absent") == (min(asked, self.now) - first >= AGAIN), "absent only after a second look")
            tried.attempts[attempt] = str(found.outcome)
        return found

    def status(self, reply: str, attempt: str, state: str, call: Call[Outcome]) -> Outcome:
        """A provider's report: whatever came of the request, it was taken."""
        tried = self.replies[reply]
        if tried.attempts.get(attempt, "accepted") != "accepted":
            tried.attempts[attempt] = "accepted"
            self._taken_at(tried.at[attempt])
        new = not tried.terminal and state in ("undelivered", "failed")
        found = self.scripts.run(call)
        self._judge(tried, found)
        must(not tried.terminal or found.state == tried.terminal, "a terminal state is never left")
        first = self.said[tried.messages[0]]
        if new and attempt in tried.attempts and (first.kind in ("text", "mail") or (first.kind == "notice" and not first.elsewhere)):
            self.untold.add(tried.id)
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
                turn, said.state, said.of = said.of, "answered", ""
                self.forget_steps(turn)

    def _let_go(self, scores: dict[tuple[str, str], float]) -> set[str]:
        """What a silent process held is due now; and so may be who waited for one of its senders' places, which are the answer."""
        senders = set()
        gone = {process for process, at in self.signs.items() if self.now - at >= LIFE and self.now >= self._trusted}
        for talk in self.talks.values():
            if talk.holder and not talk.let_go and self.over(talk) == "silent" and talk.process in gone:
                talk.let_go = True
                senders.add(talk.sender)
                for agenda in AGENDAS:
                    if (agenda, talk.id) in scores:
                        scores[agenda, talk.id] = min(scores[agenda, talk.id], self.now)
        for process in gone:
            del self.signs[process]  # who comes back without a sign, and goes again, is looked for at its lease's end
        return {talk.id for talk in self.talks.values() if talk.sender in senders and not talk.holder}

    # -- the operator, the bridge and the agenda ----------------------------------------------------------------

    def request_retry(self, message: str, operation: str) -> None:
        """The operator asks the workers for an answer after all."""
        found = self.scripts.run(calls.request_retry(message, operation, by="ada"))
        if operation not in self.requested:
            self.requested[operation] = message
            if self.said[message].state == "parked":
                self.requests.add(operation)
        must((found.result == "") == (operation in self.requests), "a request has its result when it has ended")

    def retry(self, message: str, operation: str) -> Retried:
        """The operator wants an answer after all."""
        said = self.said[message]
        ended = operation in self.requested and operation not in self.requests
        found = self.scripts.run(calls.retry(message, operation))
        self.requests.discard(operation)
        if operation in self.operations or ended:
            return found
        must((found.outcome == "done") == (said.state == "parked"), "only a parked message is retried")
        if found.outcome == "done":
            self.operations.add(operation)
            talk = self.talks[said.conv]
            if tried := self.replies.get(said.reply) if said.of else None:
                tried.forgiven = tried.absent
            for name in self.bound[said.of] if said.of else [message]:  # of a turn with a step, all that is parked of it
                each = self.said[name]
                if each.state == "parked":
                    talk.ranks += 1
                    each.state, each.rank, each.errors, each.lost, each.since = "open", talk.ranks, 0, 0, talk.active
                    each.reply = each.reply if each.of else ""
                    talk.waiting(urgent=bool(each.command)).append(name)
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
            turn, said.state, said.of = said.of, "ignored", ""
            self.forget_steps(turn)
        return found

    def hand_over(self, message: str) -> str:
        """An old bridge client takes the answer upon itself."""
        said = self.said[message]
        talk = self.talks[said.conv]
        found = self.scripts.run(calls.hand_over(message, retention_ms=RETENTION))
        replied = said.state == "open" and (bool(said.of) or (bool(talk.stored) and message in self.replies[talk.stored].messages))
        if replied:
            must(found == "replied", "what has its reply is not handed over")
        elif said.state == "open":
            must(found == "handed_over", "an open message is handed over")
            said.state = "handed_over"
            talk.waiting(urgent=bool(said.command)).remove(message)
            if not talk.inbox and not talk.priority and not talk.holder:
                must(not self.on_agenda(talk.id), "nothing to do: not on the agenda")
        else:
            must(found != "handed_over" or said.state == "handed_over", "what has ended is not handed over")
        return found

    def elsewhere(self, reply: str, call: Call[str]) -> str:
        """A user is told, in another conversation, that a reply did not reach them."""
        talk = self.talks[str(call.args["conv"])]
        before = self._times(talk.id)
        found = self.scripts.run(call)
        must((found == "gone") == (reply not in self.untold), "who did not get a reply is told, or not, once")
        self.untold.discard(reply)
        if found == "told":
            must(talk.pair not in self.opted_out, "who opted out is not told")
            must(not talk.inbox or self._times(talk.id) == before, "a notice behind others touches neither due nor not-before")
            name = "n-" + reply[2:]
            must(name not in self.said, "one notice a reply")
            talk.ranks += 1
            self.said[name] = Said(name, talk.id, "notice", talk.ranks, since=talk.active, elsewhere=True)
            talk.inbox.append(name)
        return found

    def _settle_left_behind(self) -> None:
        """Calls whose holders have no lease any more."""
        for name, asked in self.money.calls.items():
            talk = self.talks[asked.conv]
            if asked.state != "live" or self.now < asked.look <= self.now + LEASE:
                continue
            if talk.holder == asked.token:
                talk.lease_end = min(talk.lease_end, self.now + LEASE)
            if talk.holder == asked.token and not self.over(talk):
                asked.look = talk.lease_end if talk.lease_end > self.now else self.kept_until
            else:
                self.money.settle(name, -1, "bad")

    def reserve(self, conv: str, token: str, call: Call[Reserved]) -> Reserved:
        """One more question of the holder's turn."""
        talk, name = self.talks[conv], str(call.args["model_call"])
        self.money.settled_by(call)
        found = self.scripts.run(call)
        must((found == "lost") == (talk.holder != token), "only the holder asks")
        if found != "lost":
            talk.lease_end, talk.let_go = self.now + LEASE, False
        if found == "lost" or name in self.money.calls:
            must(found in ("lost", "ok"), "a repeat gets the first answer")
            return found
        bridge = bool(talk.turn) and self.said[talk.turn[0]].kind == "bridge"
        probes = self.alarm is not None and self.alarm.probe == token
        out, halted = talk.pair in self.opted_out and not bridge, (self.paused and not probes) or talk.pair in self.held
        must((found == "opted_out") == out and (found == "paused") == (halted and not out), "the holder hears the world")
        if not (out or halted):
            self.reserved_next(talk, token, call, found)
        return found

    def reserved_next(self, talk: Talk, token: str, call: Call[Any], found: str, table: str = "") -> None:
        """The verdict on the next question of a turn, which may begin: a repeat gets the first; else there is room by the books, or not.

        `table`: where the call's arguments name the question.
        """
        name, amount = str(call.args[f"{table}model_call"]), int(call.args[f"{table}amount"])
        if name in self.money.calls:
            must(found == "ok", "a repeat gets the first answer")
            return
        self.money.end(talk.id)
        micros = int(call.args["price.micros"])
        books = books_of(self.now, person_of(self.redis, talk.person), offset_of(talk.person, str(call.args["price.zones"])))
        stop = self.money.refusal(talk.sender, amount, self.now, micros, books)
        must(found == (stop or "ok"), f"{found} is not {stop}")
        if found == "ok":
            day = self.now // calls.DAY_MS
            self.money.reserve(name, Asked(talk.id, token, talk.sender, day, amount, talk.lease_end, micros=micros, books=books))

    def sweep(self, oldest_wait: int = 0) -> Swept:
        """One tick: who is woken, which replies did not reach their users, and which request is to be served."""
        scores = {
            (agenda, name.decode()): score
            for agenda in AGENDAS
            for name, score in cast("Any", self.redis.zrange(agenda, 0, -1, withscores=True))
        }
        marks = {conv: self.redis.get(f"boss:wake:{conv}") for _, conv in scores}
        marked = {conv for conv, mark in marks.items() if mark is not None and int(cast("Any", mark)) <= self.now}
        back = max(self._looked, self._shown) - self.now
        for place, score in scores.items():
            if back > CLOCK_SLACK and score > self.now:
                scores[place] = max(self.now, score - back)
        self.look()
        next_in_line = self._let_go(scores)
        self._settle_left_behind()
        swept = self.scripts.run(calls.sweep(recheck_ms=RECHECK, oldest_wait_ms=oldest_wait, life_ms=LIFE, lease_ms=LEASE, retries=1))
        found = swept.due
        must(set(swept.untold) <= self.untold, "only what did not arrive is told elsewhere")
        first = [row[1] for agenda in AGENDAS for row in cast("Any", self.redis.zrange(agenda, 0, 0, withscores=True))]
        must(swept.next_ms == (max(0, int(min(first)) - self.now) if first else None), "a sweep says when the next one's time comes")
        names = [due.conversation for due in found]
        ready = {conv for (_, conv), score in scores.items() if score <= self.now}
        awaited = set(names) - next_in_line
        must(awaited == ready - marked - next_in_line, "those whose time has come, and who are not queued already")
        must(ready - marked <= set(names) and len(names) == len(set(names)), "each of them once")
        places = [
            next((n, at) for n, agenda in enumerate(AGENDAS) if (at := scores.get((agenda, name), math.inf)) <= self.now)
            for name in names
            if name in awaited
        ]
        must(places == sorted(places), "commands first, and the oldest of each first")
        for agenda, conv in [place for place, score in scores.items() if score <= self.now]:
            score = self.redis.zscore(agenda, conv)
            must(score is not None and score > self.now, "looked at again later")
            must(self.redis.pttl(f"boss:wake:{conv}") > 0, "a wake-up is known to be queued")
        for request in swept.retries:
            must(request.operation in self.requests, "only a request that has not ended is served")
            must(request.message == self.requested[request.operation], "and for its message")
        return swept
