"""A number that changes hands, a person who left, and erasing: real scripts, real SDKs, the command itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.main import main
from shared.mailbox import calls
from shared.model import codec
from tests.integration.turn_world import World
from tests.support.sandbox import SandboxProcess

SECRET = "the code of the alarm is 4711"


@pytest.fixture
def world(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = World(redis, redis_url, sandbox)
    yield found
    found.close()


def asked(world: World) -> str:
    """All that the model was shown."""
    return json.dumps([entry["request"] for entry in world.sandbox.journal("anthropic.messages")])


def test_who_gets_a_number_is_shown_nothing_of_the_former_person_s(world: World) -> None:
    """Neither words nor answers, with a record of this version or of one that did not say whose it is."""
    for number, older in enumerate((False, True)):
        phone = f"+1555012300{number}"
        former = world.text(SECRET, phone)
        world.once(former)
        if older:
            for key in world.redis.scan_iter("boss:*:?-*"):
                if world.redis.type(key) == b"hash":
                    world.redis.hdel(key, "user", "pair", "sender")
        before = len(world.sandbox.journal("anthropic.messages"))
        world.give(former, "tom")
        event = world.text("What is the code?", phone, user="tom")
        world.once(event)
        shown = json.dumps(world.sandbox.journal("anthropic.messages")[before:][0]["request"])
        assert "What is the code?" in shown
        assert "4711" not in shown
        again = world.text("And now?", phone, user="tom")
        world.once(again)
        assert "What is the code?" in asked(world).rpartition("And now?")[0][-5000:]


@pytest.mark.parametrize("to", ["", "tom"])
@pytest.mark.parametrize("channel", ["sms", "email"])
def test_what_waits_for_an_address_that_left_is_not_answered(world: World, to: str, channel: str) -> None:
    """It was taken out of the file, or given to another entry: no question, no request."""
    event = world.text(SECRET) if channel == "sms" else world.mail(SECRET)
    world.give(event, to)
    world.once(event)
    assert world.state(event) == "ignored:address_removed"
    assert [world.sandbox.count(kind, accepted=None) for kind in ("anthropic.messages", "twilio.create", "sendgrid.send")] == [0, 0, 0]


def test_a_reply_that_was_stored_for_an_address_that_left_is_not_sent(world: World) -> None:
    """Its provider was away when it was to go."""
    world.sandbox.faults(twilio={"fail": [{"fault": "429"}]})
    event = world.text()
    world.once(event)
    world.sandbox.faults(twilio={"fail": []})
    world.give(event, "tom")
    world.drive(lambda: world.state(event) == "ignored:address_removed")
    assert world.sandbox.count("twilio.create") == 0


def test_a_request_that_may_have_been_taken_is_cleared_up_before_an_address_is_given_up(world: World) -> None:
    """It was: then the message is answered, and the record says so."""
    world.sandbox.faults(twilio={"fail": [{"fault": "reset_after_accept", "times": 1}]})
    event = world.text()
    world.once(event)
    world.give(event, "")
    world.drive(lambda: world.state(event) in ("answered", "ignored:address_removed"))
    assert (world.state(event), world.sandbox.count("twilio.create")) == ("answered", 1)


def test_a_parked_message_of_a_former_person_stays_theirs(world: World) -> None:
    """Retried by the operator, it is not answered to whoever has the number now."""
    event = world.text(SECRET)
    conversation = world.conversation(event)
    turn = world.mailbox.run(calls.claim(conversation, "k-1", "t-1", lease_ms=60_000)).turn
    assert turn is not None
    world.mailbox.run(calls.park(conversation, "k-1", "too_old", looked_up=True, retention_ms=60_000))
    world.give(event, "tom")
    assert world.mailbox.run(calls.retry(event.id, "o-1")).outcome == "done"
    world.once(event)
    assert (world.state(event), asked(world)) == ("ignored:address_removed", "[]")


# -- erasing


@pytest.fixture
def erase(settings_env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The command, with the world's settings and a spool of its own."""
    for name, value in {
        **settings_env,
        "BOSS_DATA_DIR": str(tmp_path / "data"),
        "SEND_TIMEOUT_SECONDS": "1",
        "SEND_MARGIN_SECONDS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run(name: str, *options: str, says: str | None = None) -> Result:
        return CliRunner().invoke(main, ["users", "erase", name, *options], input=says)

    return run


def everything(redis: Redis) -> str:
    """All values in Redis."""
    reads = {
        b"hash": "HVALS",
        b"string": "GET",
        b"set": "SMEMBERS",
        b"list": "LRANGE {} 0 -1",
        b"zset": "ZRANGE {} 0 -1",
        b"stream": "XRANGE {} - +",
    }
    found = []
    for key in redis.scan_iter("*"):
        name, _, rest = reads[cast("bytes", redis.type(key))].partition(" ")
        found.append(str(cast("Any", redis).execute_command(name, key, *rest.split()[1:])))
    return "\n".join(found)


def test_nothing_of_an_erased_person_is_left_and_all_of_the_others(world: World, erase: Any, redis: Redis) -> None:
    """Answered, parked, waiting, under a lease: gone, with the replies; what another person said stays."""
    answered, mail = world.text(SECRET), world.mail(SECRET)
    for event in (answered, mail):
        world.once(event)
    other = world.text("mine", "+15550001111", user="tom")
    world.once(other)
    waiting = world.text(SECRET)
    held = world.mail(SECRET)
    assert world.mailbox.run(calls.claim(world.conversation(held), "k-1", "t-1", lease_ms=60_000)).outcome == "taken"
    assert SECRET in everything(redis)
    result = erase("user", "--yes")
    assert result.exit_code == 0, result.output
    assert "leases broken: 1" in result.stdout
    assert "4 messages" in result.stdout
    left = everything(redis)
    assert SECRET not in left
    assert "+15551234567" not in left
    assert "user@example.com" not in left
    assert [world.mailbox.message(event.id) for event in (answered, mail, waiting, held)] == [None] * 4
    assert world.state(other) == "answered"
    assert world.reply(other).attempts


def test_marks_and_opt_outs_outlive_an_erasure(world: World, erase: Any, redis: Redis) -> None:
    """A second delivery changes nothing, and nobody who said STOP is written to."""
    event = world.text(SECRET)
    world.mailbox.run(calls.opt_out(world.identities.pair(event.to, event.from_), out=True))
    erase("user", "--yes")
    assert len(list(redis.scan_iter("boss:optout:*"))) == 1
    call = calls.accept(event, kind="text", conversation=world.conversation(event), sender="s-1", pair="p-1")
    assert world.mailbox.run(call).outcome == "duplicate"


def test_a_request_under_way_is_waited_for(world: World, erase: Any) -> None:
    """Then its reply goes too."""
    event = world.text(SECRET)
    conversation = world.conversation(event)
    world.sandbox.faults(twilio={"fail": [{"fault": "reset_after_accept"}]})
    world.once(event)
    assert world.reply(event).pending
    result = erase("user", "--yes")
    assert "waiting for 1 request" in result.stderr
    assert (result.exit_code, everything(world.redis).count(SECRET)) == (0, 0)
    assert not world.redis.exists(f"boss:conv:{conversation}")


def test_what_waits_on_disk_is_erased_with_the_rest(world: World, erase: Any, tmp_path: Path) -> None:
    """In the line, set aside and insured; another person's entry stays, and what cannot be read is named."""
    event = world.text(SECRET)
    other = world.text("mine", "+15550001111", user="tom")
    for part in ("waiting", "aside", "insured"):
        directory = tmp_path / "data" / "spool" / part
        directory.mkdir(parents=True)
        for number, one in enumerate((event, other)):
            (directory / f"{number}").write_text(codec.dumps({"v": 1, "kind": "accept", "event": codec.encode(one), "keyword": ""}))
    (tmp_path / "data" / "spool" / "aside" / "broken").write_text("{")
    result = erase("user", "--yes")
    assert "3 waiting entries" in result.stdout
    assert "1 files of the spool cannot be read" in result.stdout
    left = sorted(str(path.relative_to(tmp_path / "data" / "spool")) for path in (tmp_path / "data" / "spool").rglob("*") if path.is_file())
    assert left == ["aside/1", "aside/broken", "insured/1", "waiting/1"]


def test_nothing_is_erased_unasked(world: World, erase: Any) -> None:
    """Without a yes the command ends."""
    event = world.text(SECRET)
    result = erase("user", says="n\n")
    assert result.exit_code == 1
    assert world.state(event) == "pending"


def test_a_person_of_whom_nothing_is_kept(erase: Any) -> None:
    """Says so; the name need not be in the users file."""
    result = erase("nobody", "--yes")
    assert (result.exit_code, "Nothing was in Redis." in result.stdout) == (0, True)
    assert "Twilio, SendGrid and Anthropic" in result.stdout
