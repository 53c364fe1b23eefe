"""A person's whole life with a Boss: all that anybody may write, say or leave, one word in each of it; and somebody who is asked for them.

The web application and a worker's inside run in the test's own process, on a real server and the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis

from shared.mailbox import calls, keys
from shared.mailbox.call import DAY_MS
from shared.model.events import Received
from shared.model.outgoing import OutgoingMessage
from shared.model.users_file import load_users
from shared.operations.people import People
from shared.operations.person_ids import PersonIds, gather
from shared.operations.person_keys import PersonKey, keys_of
from shared.operations.person_records import PersonRecords
from shared.submit import route_to
from supervisor_worker.mcp.results import CallResult, Fate
from supervisor_worker.turns.summaries import Summarizer
from tests.integration.turns.test_outside_calls import Server, tool
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, calling
from tests.support.webhook_client import Web, opened

WORD: Final = "zqxjwvkh"
"""In everything that the person, or who writes to them, may choose."""
PHONE: Final = "+15551234567"
USERS: Final = f"""
[[users]]
username = "user"
name = "{WORD} Lee"
email = "user@example.com"
boss_email = "boss@example.com"
phone = "{PHONE}"
boss_phone = "+15559876543"
timezone = "Europe/Berlin"
forwarding = [{{ address = "contact@example.com", tag = "contact" }}]

[[users]]
username = "mum"
email = "mum@example.com"
boss_email = "boss@example.com"
phone = "+15551230001"
boss_phone = "+15559876543"
"""


@dataclass
class Life:
    """Where it takes place."""

    web: Web
    environment: TurnEnvironment
    path: Path

    @property
    def redis(self) -> Redis:
        """The database."""
        return self.environment.redis

    @property
    def people(self) -> People:
        """Whom the operator knows."""
        return People(load_users(self.path).all, self.environment.identities)

    def records(self, username: str = "user") -> PersonRecords:
        """What is kept of somebody."""
        return PersonRecords(self.redis, self.people.whose(username), 90 * DAY_MS)

    def ids(self, username: str = "user") -> PersonIds:
        """Of what somebody's keys are made."""
        return gather(self.records(username), self.people.pairs(self.people.named(username)))

    def kept(self, username: str = "user") -> list[PersonKey]:
        """Somebody's keys."""
        return list(keys_of(self.redis, self.ids(username)))

    # -- what happens

    def said(self, event: Received, *script: dict[str, Any]) -> Received:
        """A message is answered by a model that says these."""
        self.environment.sandbox.script(*script)
        self.environment.once(event)
        assert self.environment.state(event) == "answered", self.environment.story()
        return event

    def settle(self) -> None:
        """Until nothing waits any more."""
        for agenda in (keys.DUE, keys.PRIORITY_DUE):
            for name in cast("list[bytes]", self.redis.zrange(agenda, 0, -1)):
                self.redis.zadd(agenda, {name: 0})
        self.environment.drive(lambda: not self.redis.exists(keys.DUE, keys.PRIORITY_DUE))

    def lives(self) -> None:
        """All of it, one after the other. What is under way at the end stays under way."""
        self.is_asked()
        self.talks()
        self.asks_another()
        self.is_written_to()
        self.meets_faults()
        self.leaves_things_open()

    def talks(self) -> None:
        """Facts, lists, reminders that wait and have rung, files, a long chat with a summary, a new chat, a copy, the bridge."""
        environment = self.environment
        self.said(environment.text("Milk"), calling("add_to_list", list=f"{WORD} list", items=[f"{WORD} milk"]), {"text": ""})
        self.said(environment.mail(f"Remind me {WORD}"), calling("set_reminder", text=f"call {WORD}", in_minutes=60), {"text": ""})
        self.said(environment.text("And soon"), calling("set_reminder", text=f"ring {WORD}", in_minutes=1), {"text": ""})
        self._ring(f"ring {WORD}")
        environment.sandbox.script({"text": f"I read {WORD}."})
        self.mail("user@example.com", "boss@example.com", f"{WORD} plan", attachment1=(f"{WORD}.txt", f"file {WORD}".encode()))
        self.settle()
        for number in range(13):
            self.said(environment.text(f"Thing {number} {WORD} " + "and so on " * 30), {"text": f"So it is {WORD}."})
        talk = environment.conversation(self.said(environment.text("The last"), {"text": "Yes."}))
        environment.sandbox.script({"text": f"They said {WORD}."})
        assert environment.run(lambda context: Summarizer(context).make(talk)) == "ok"
        environment.text("/new")
        self.settle()
        self.said(environment.text("Send that to my mail"), calling("send_copy", text=f"copied {WORD}"), {"text": ""})
        self.said(environment.text(f"By the bridge {WORD}", kind="bridge"), {"text": "Here."})
        self.settle()

    def _ring(self, text: str) -> None:
        """A reminder's time has come."""
        for name in cast("list[bytes]", self.redis.zrange(keys.ALARMS, 0, -1)):
            record = keys.reminder(name.decode())
            if self.redis.hget(record, "text") == text.encode():
                due = int(cast("bytes", self.redis.hget(record, "due"))) - 60_000
                self.redis.hset(record, "due", due)
                self.redis.zadd(keys.ALARMS, {name: due})
        self.environment.drive(lambda: bool(self.redis.keys("boss:rung:*")))
        self.settle()

    def is_asked(self) -> None:
        """Calls that wait for a yes of their own: one is allowed for ever, one is made once. Before that a fact is told."""
        environment = self.environment
        self.said(environment.text(f"Remember {WORD}"), calling("remember", text=f"likes {WORD}"), {"text": "I will."})
        for answer in ("always", "yes"):
            environment.sandbox.script(*_calls("send", f"{answer} {WORD}"), {"text": "Done."})
            environment.text(f"Please send {WORD}")
            self.settle()
            environment.text(answer)
            self.settle()
        self.said(environment.text("Look"), *_calls("look", f"at {WORD}"))

    def asks_another(self) -> None:
        """The second question waits at the end, the first is an older one about the same."""
        environment = self.environment
        for _ in range(2):
            environment.sandbox.script(*_calls("pay", f"for {WORD}"))
            environment.mail(f"Please pay {WORD}")
            self.settle()

    def is_written_to(self) -> None:
        """By strangers who use their forwarding address, beyond its day as well, and by somebody who claims to be them."""
        for number in range(3):
            self.environment.sandbox.script({"text": f"A stranger says {WORD}."})
            self.mail(f"tom{WORD}@shop.example", "contact@example.com", f"{WORD} {number}")
            self.settle_today()
        forged: dict[str, Any] = {"from": f"{WORD} <user@example.com>", "dkim": "none", "SPF": "fail", "subject": WORD, "text": WORD}
        self.web.mail(**forged)

    def mail(self, sender: str, to: str, subject: str, **more: Any) -> None:
        """A mail comes in by its webhook."""
        head = f"From: {WORD} <{sender}>\nTo: {to}\nSubject: {subject}\nMessage-ID: <{subject.replace(' ', '.')}@shop.example>\n"
        envelope = json.dumps({"to": [to], "from": sender})
        dkim = f"{{@{sender.partition('@')[2]} : pass}}"
        fields: dict[str, Any] = {
            "envelope": envelope,
            "from": f"{WORD} <{sender}>",
            "to": to,
            "subject": subject,
            "dkim": dkim,
            "headers": head,
        }
        answer = self.web.mail(**fields, text=f"Words of {WORD}", **more)
        assert answer.status_code == 200, answer.text

    def settle_today(self) -> None:
        """What is due now; a digest waits for the end of the day."""
        latest = cast("Any", self.redis.time())[0] * 1_000 + 600_000
        for name, score in cast("list[tuple[bytes, float]]", self.redis.zrange(keys.DUE, 0, -1, withscores=True)):
            if score < latest:
                self.redis.zadd(keys.DUE, {name: 0})
        self.environment.drive(lambda: not self.redis.zcount(keys.DUE, 0, latest) and not self.redis.exists(keys.PRIORITY_DUE))

    def meets_faults(self) -> None:
        """A bound of the hour, a parked text that is retried, a reply that did not arrive and is told elsewhere, a refused provider."""
        environment = self.environment
        run = environment.mailbox.run
        parked = environment.text(f"Parked {WORD}")
        talk = environment.conversation(parked)
        for number in range(2):
            run(calls.claim(talk, f"k-p{number}", f"t-p{number}", lease_ms=60_000))
            run(calls.park(talk, f"k-p{number}", "too_old", looked_up=True, notice="outage", retention_ms=DAY_MS))
            if number == 0:
                self.settle_today()
                run(calls.retry(parked.id, f"o-{number}"))
        run(calls.request_retry(parked.id, "o-9", by="ops"))
        environment.sandbox.script({"text": f"Lost {WORD}"})
        lost = environment.text(f"To be lost {WORD}")
        self.settle_today()
        reply = environment.reply(lost)
        attempt = reply.attempts[-1]
        run(calls.status(attempt.provider_id, "undelivered", reply=reply.id, attempt=attempt.id, retention_ms=DAY_MS))
        self.settle_today()
        environment.turns_per_hour = 1
        environment.text(f"Too many {WORD}")
        environment.turns_per_hour = 1_000
        self.settle_today()
        run(calls.opt_out(environment.identities.pair(lost.to, lost.from_), out=True))
        run(calls.opt_out(environment.identities.pair(lost.to, lost.from_), out=False))

    def leaves_things_open(self) -> None:
        """A turn under a lease with a step, a reply that is being sent, texts that wait, a reminder that is due, a doubted holder."""
        environment = self.environment
        run = environment.mailbox.run
        held = environment.mail(f"Held {WORD}")
        talk, dearest = environment.conversation(held), calls.Dearest(fixed=10, tiers="0 1000 1000", model="m")
        claim = run(calls.claim(talk, "k-1", "t-held", lease_ms=600_000, process="p-1", dearest=dearest))
        assert claim.turn is not None
        holder = calls.TurnHolder(talk, "k-1", "t-held", claim.turn.person, claim.turn.epoch, 600_000)
        assert run(calls.step(holder, "answer:1", {"text": WORD}, figures={}, settled=calls.Settled("q-1"))).outcome == "ok"
        cost = calls.Cost(10, "m", "")
        assert run(calls.reserve(talk, "k-1", "q-1-1", 10, lease_ms=600_000, bounds=calls.DayBounds(), cost=cost)) == "ok"
        run(calls.searched("q-1-1", 1))
        assert run(calls.reserve(talk, "k-1", "q-1-2", 10, lease_ms=600_000, bounds=calls.DayBounds(), cost=cost)) == "ok"
        texts = environment.text(f"Waits {WORD}")
        environment.text("status")
        self._is_to_be_written_to()
        run(calls.zones({environment.identities.user("user"): "Europe/Berlin"}))
        self._as_months_bring_it(held, environment.conversation(texts))
        pair = environment.identities.pair(texts.to, texts.from_)
        run(calls.opt_out(pair, out=True))
        run(calls.pause("away", by="ops", user=environment.identities.user("user"), pairs=[pair]))

    def _is_to_be_written_to(self) -> None:
        """What a program has the Boss write waits for the end of the quiet hours."""
        now = int(cast("Any", self.redis.time())[0])
        message = OutgoingMessage(
            id="m-api-1",
            user="user",
            channel="sms",
            text=f"Program {WORD}",
            expires_ms=(now + 9_000) * 1000,
            token="t-1",
            key="k",
            body="b",
        )
        identities, user = self.environment.identities, self.people.named("user")
        route = route_to(identities, user, "sms", message.id, "", now)
        quiet = [(now * 1000 - 1_000, (now + 8_000) * 1000)]
        call = calls.outgoing(message, route, identities.user("user"), key=identities.idempotency("t-1", "k"), body="b", quiet=quiet)
        assert self.environment.mailbox.run(call).outcome == "accepted"

    def _as_months_bring_it(self, held: Received, talk: str) -> None:
        """What takes a bound of money, a silent process or a lost answer to be written: as its scripts write it."""
        redis, environment = self.redis, self.environment
        sender = environment.identities.sender(held.from_)
        pair = environment.identities.pair(held.to, held.from_)
        reply = min(self.ids().replies)
        day = cast("Any", redis.time())[0] // 86_400
        for name in (f"told:waits:{day}:{sender}", f"told:month:{day}:{sender}", f"told:elsewhere:{pair}"):
            redis.set(f"{keys.PREFIX}{name}", "1")
        redis.rpush(f"{keys.PREFIX}owed:{pair}", reply)
        redis.zadd(f"{keys.PREFIX}unsure:{talk}", {reply: 1})
        redis.zadd(f"{keys.PREFIX}untold", {reply: 1})
        redis.zadd(f"{keys.PREFIX}waiting:{sender}", {talk: 1})
        redis.sadd(f"{keys.PREFIX}doubted:p-9", held.id)
        redis.hset(keys.message(held.id), "doubted_by", "p-9")
        redis.hset(f"{keys.PREFIX}alone", mapping={"conv": talk, "token": "k-9"})
        redis.hset(f"{keys.PREFIX}denied:claude", mapping={"sender": sender, "message": held.id})
        redis.zadd(keys.ALARMS_READ, {min(self.ids().reminders): 1})
        self.environment.mailbox.run(calls.settle(calls.Settled("q-1-1", None, "bad")))


def _calls(name: str, to: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A model that asks for a call of the server's tool, and says something."""
    return (calling(f"mail__{name}", to=to), {"text": f"Asked {WORD}."})


@contextmanager
def life(redis: Redis, redis_url: str, sandbox: SandboxProcess, directory: Path) -> Iterator[Life]:
    """An installation with the two."""
    path = directory / "users.toml"
    path.write_text(USERS)
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    with opened(redis_url, boss_users_file=path, forwarded_mails_per_day=2) as web:
        environment = TurnEnvironment(redis, redis_url, sandbox, {"history_tokens": 1_000})
        environment.users = load_users(path)
        environment.mcp = Server((tool("pay", approver="mum"), tool("send", recipient="to"), tool("look", approval="always")))
        environment.mcp.result = CallResult(f"It is {WORD}.", Fate.ANSWERED)
        yield Life(web, environment, path)
        environment.close()
