"""Forwarding addresses where something goes wrong: kills, an outage of Redis, an erased person, and two that write to each other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

from shared.mailbox import calls
from shared.mailbox.records import Message
from shared.model.withheld import DIGEST
from supervisor_worker.assistant.history import NOTHING_SAID
from tests.support.erasure import erase_person
from tests.support.forwarding import CONTACT, FILE, House, installation
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.turn_environment import token
from webhook_api.intake import records

DEAD: Final = 300
"""The lease of a holder that dies, in ms."""


@pytest.fixture
def house(redis: Redis, redis_url: str, sandbox: SandboxProcess, tmp_path: Path) -> Iterator[House]:
    """Nothing is answered: all goes into the digest."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    with installation(redis, redis_url, sandbox, tmp_path, forwarded_mails_per_day=0) as found:
        yield found


def digests(house: House) -> list[Message]:
    """All that there are."""
    names = [key.decode().removeprefix("boss:msg:") for key in house.web.redis.scan_iter("boss:msg:n-*")]
    return [record for name in names if (record := house.environment.mailbox.message(name)) and record.notice == DIGEST]


def killed_after_the_claim(house: House, digest: Message) -> None:
    """Nothing of it is stored."""
    call = calls.claim(digest.conversation, token(), f"t-{token()[2:]}", lease_ms=DEAD)
    assert house.environment.mailbox.run(call).outcome == "taken"


def killed_after_the_reply_was_stored(house: House, digest: Message, attempt: str = "") -> None:
    """What it says is fixed, and nothing has left."""
    own = token()
    turn = house.environment.mailbox.run(calls.claim(digest.conversation, own, f"t-{own[2:]}", lease_ms=DEAD)).turn
    assert turn is not None

    async def store(context: Any) -> None:
        generated = await context.replies.generate(turn, [digest.event], NOTHING_SAID, None)
        call = calls.store_reply(
            digest.conversation, own, turn, generated.command, limits=calls.SendLimits(1, 1, 10**9), attempt=attempt, answers="digest"
        )
        assert (await context.mailbox.run(call)).outcome == "stored"

    house.environment.run(store)


def killed_before_its_request(house: House, digest: Message) -> None:
    """An attempt stands there, and nobody knows that nothing left."""
    killed_after_the_reply_was_stored(house, digest, "a-1")


@pytest.mark.parametrize("kill", [killed_after_the_claim, killed_after_the_reply_was_stored, killed_before_its_request])
def test_a_digest_goes_out_once_whatever_its_holder_died_of(house: House, kill: Callable[[House, Message], None]) -> None:
    """With all that was withheld; and what comes afterwards that day is in the next one."""
    for number in range(1, 4):
        house.post(number, sender=f"a{number}@shop.example")
    (digest,) = digests(house)
    house.environment.due_now()
    kill(house, digest)
    time.sleep(DEAD / 1000)
    (sent,) = house.work(1)
    assert sent["subject"] == "[contact] 3 more mails"
    for number in range(1, 4):
        assert f"<a{number}@shop.example>" in sent["text"]
    late = house.post(4, sender="a4@shop.example")
    assert house.state(late) == "ignored forwarding_limited"
    assert len(digests(house)) == 2
    house.environment.drive(lambda: house.state(digest.id) == "answered")
    house.work(2)
    assert [mail["subject"] for mail in house.sent] == ["[contact] 3 more mails", "[contact] 1 more mail"]


def test_a_mail_that_waits_on_disk_is_the_same_when_it_is_replayed(house: House) -> None:
    """Its bounds, its marks and whose it is follow from the record; a second delivery is one all the same."""
    house.model.says = "x"
    message = house.post(1)
    record = house.environment.mailbox.message(message)
    assert record is not None
    assert record.event is not None
    again = records.decode(records.encode(records.ReceivedMessage(record.event)))
    assert again == records.ReceivedMessage(record.event)
    (call,) = records.to_calls(again, house.web.runtime)
    given = json.loads(str(call.args["forwarding"]))
    assert (given["most"], given["each"]) == (0, 1)
    assert (call.args["thread"], call.args["command"], call.args["digest"]) == ("", "", "")
    assert str(call.args["sender"]).startswith("f-")
    assert house.environment.mailbox.run(call).outcome == "duplicate"
    assert digests(house)[0].withheld_count == 1


def test_a_restarted_server_knows_what_was_counted(sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Killed: the budget is used up as before, and the digest is there with what it names."""
    with (
        EmbeddedServer() as server,
        server.client() as redis,
        installation(redis, server.url, sandbox, tmp_path, forwarded_mails_per_day=1) as house,
    ):
        states = [house.state(house.post(number, sender=f"a{number}@shop.example")) for number in (1, 2)]
        assert states == ["pending", "ignored forwarding_limited"]
        time.sleep(1.2)  # the append-only file is written once a second
        server.kill9()
        server.start()
        assert house.state(house.post(3, sender="a3@shop.example")) == "ignored forwarding_limited"
        assert [record.withheld_count for record in digests(house)] == [2]


def everything(redis: Redis) -> str:
    """All that stands in the server, ledger and queue as well."""
    found: list[Any] = []
    for key in redis.scan_iter("*"):
        kind = redis.type(key)
        readers: dict[bytes, Callable[[Any], Any]] = {
            b"string": redis.get, b"hash": redis.hgetall, b"set": redis.smembers, b"stream": redis.xrange,
            b"list": lambda name: redis.lrange(name, 0, -1), b"zset": lambda name: redis.zrange(name, 0, -1),
        }  # fmt: skip
        found += [key, readers[kind](key)]  # type: ignore[index]
    return str(found)


def test_erasing_a_person_erases_what_strangers_wrote_to_them(
    redis: Redis, redis_url: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """Told, withheld, and named in a digest, with what counts in the bounds of the address."""
    with installation(redis, redis_url, sandbox, tmp_path, forwarded_mails_per_day=1) as house:
        for number in range(1, 4):
            house.post(number, sender=f"a{number}@shop.example", text=f"secret{number}")
        house.environment.drive(lambda: len(house.sent) >= 1)
        assert "secret2" in everything(redis)
        assert "shop.example" in everything(redis)
        user = house.environment.identities.user("user")
        erased = erase_person(redis, "user", user, request_ms=0)
        assert erased.left == 0
        left = everything(redis)
        for word in ("secret", "shop.example", "Lunch"):
            assert word not in left, word
        assert redis.zcard("boss:due") == 0
        assert not redis.keys("boss:forwarded:f-*")


def test_files_of_strangers_leave_half_of_the_room_to_the_person(
    redis: Redis, redis_url: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """The third mail of a stranger finds no room, and the person's own does."""
    with installation(redis, redis_url, sandbox, tmp_path, forwarded_mails_per_day=20, files_max_mb=4) as house:

        def faults(name: str) -> list[str]:
            record = house.environment.mailbox.message(name)
            assert record is not None
            assert record.event is not None
            return [file.fault for file in record.event.files]

        attached: dict[str, Any] = {"attachments": "1", "attachment1": ("a.txt", b"x" * 900_000)}
        strangers = [faults(house.post(number, sender=f"a{number}@shop.example", **attached)) for number in range(3)]
        assert strangers == [[""], [""], ["no_room"]]
        assert faults(house.post(9, to="boss@example.com", sender="user@example.com", **attached)) == [""]


def swapped(file: str, own: str, boss: str, contact: str) -> str:
    """A users file with other addresses; no phones."""
    lines = [line for line in file.splitlines() if "phone" not in line]
    return "\n".join(lines).replace("user@example.com", own).replace("boss@example.com", boss).replace(CONTACT, contact)


@pytest.mark.parametrize("stripped", [False, True])
def test_two_installations_whose_forwarding_addresses_point_at_each_other_end(
    redis: Redis, redis_url: str, sandbox: SandboxProcess, tmp_path: Path, *, stripped: bool
) -> None:
    """At once where the headers say what our mails are; where a gateway strips all of them, at a quarter of a day's bound and a digest."""
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    ends = {
        "a": ("contact@b.example", "boss@a.example", "contact@a.example"),
        "b": ("contact@a.example", "boss@b.example", "contact@b.example"),
    }
    with EmbeddedServer() as server, server.client() as other:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        with (
            installation(redis, redis_url, sandbox, tmp_path / "a", file=swapped(FILE, *ends["a"])) as one,
            installation(other, server.url, sandbox, tmp_path / "b", file=swapped(FILE, *ends["b"])) as two,
        ):
            houses = {"contact@a.example": one, "contact@b.example": two}
            one.post(1, to="contact@a.example", sender="tom@shop.example")
            carried = days = 0

            def carry() -> bool:
                """Each mail that went out comes in at the other one; whether one did."""
                nonlocal carried
                before = carried
                for sent in one.sent[carried:]:
                    carried += 1
                    headers = "" if stripped else "".join(f"{name}: {value}\n" for name, value in sent["headers"].items())
                    head = headers if "Message-ID" in headers else f"Message-ID: <{carried}@gateway.example>\n{headers}"
                    deliver(houses[sent["to"]], sent, head)
                return carried > before

            def quiet() -> None:
                """Until nothing waits for now, in neither."""
                for _ in range(40):
                    for each in (one, two):
                        each.environment.drive(lambda each=each: not waiting(each))  # type: ignore[misc]
                    if not carry() and not any(map(waiting, (one, two))):
                        return
                pytest.fail("it does not end")

            quiet()
            told = carried
            assert told == (11 if stripped else 1), "one about Tom's mail, and a quarter of twenty each about the other's"
            for days in range(1, 4):  # noqa: B007 - as many as there were
                for each in (one, two):
                    end_the_day(each)
                quiet()
            assert told <= carried <= told + (2 * days if stripped else 0), "no more than a digest of each a day"


def deliver(house: House, sent: dict[str, Any], head: str) -> None:
    """A mail of one comes in at the other, as SendGrid posts it."""
    fields: dict[str, Any] = {
        "headers": f"From: {sent['from']}\nSubject: {sent['subject']}\n{head}",
        "envelope": json.dumps({"to": [sent["to"]], "from": sent["from"]}),
        "from": sent["from"], "to": sent["to"], "subject": sent["subject"], "text": sent["text"], "dkim": "{@x.example : pass}",
    }  # fmt: skip
    assert house.web.mail(**fields).status_code == 200


def waiting(house: House) -> bool:
    """Whether anything is to be answered now: a digest is not, before its day has ended."""
    return int(house.web.redis.zcount("boss:open", "-inf", int(time.time() * 1000))) > 0


def end_the_day(house: House) -> None:
    """The digest of the day is due, and so is none of a later one."""
    first = sorted(digests(house), key=lambda record: house.web.redis.zscore("boss:due", record.conversation) or float("inf"))[:1]
    for record in first:
        if record.state == "pending":
            house.web.redis.hset(f"boss:conv:{record.conversation}", "not_before", 0)
            house.web.redis.zadd("boss:due", {record.conversation: 0})
            house.web.redis.zadd("boss:open", {record.id: 0})
