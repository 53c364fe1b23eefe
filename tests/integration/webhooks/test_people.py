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
from shared.model.sms_admission import InboundSms
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment
from webhook_api.intake.records import UnjudgedMessage, encode
from webhook_api.sms.arrived import ArrivedText

SECRET = "the code of the alarm is 4711"


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


def asked(environment: TurnEnvironment) -> str:
    """All that the model was shown."""
    return json.dumps([entry["request"] for entry in environment.sandbox.journal("anthropic.messages")])


def test_who_gets_a_number_is_shown_nothing_of_the_former_person_s(environment: TurnEnvironment) -> None:
    """Neither words nor answers, with a record of this version or of one that did not say whose it is."""
    for number, older in enumerate((False, True)):
        phone = f"+1555012300{number}"
        former = environment.text(SECRET, phone)
        environment.once(former)
        if older:
            for key in environment.redis.scan_iter("boss:*:?-*"):
                if environment.redis.type(key) == b"hash":
                    environment.redis.hdel(key, "user", "pair", "sender")
        before = len(environment.sandbox.journal("anthropic.messages"))
        environment.give(former, "tom")
        event = environment.text("What is the code?", phone, user="tom")
        environment.once(event)
        shown = json.dumps(environment.sandbox.journal("anthropic.messages")[before:][0]["request"])
        assert "What is the code?" in shown
        assert "4711" not in shown
        again = environment.text("And now?", phone, user="tom")
        environment.once(again)
        assert "What is the code?" in asked(environment).rpartition("And now?")[0][-5000:]


@pytest.mark.parametrize("to", ["", "tom"])
@pytest.mark.parametrize("channel", ["sms", "email"])
def test_what_waits_for_an_address_that_left_is_not_answered(environment: TurnEnvironment, to: str, channel: str) -> None:
    """It was taken out of the file, or given to another entry: no question, no request."""
    event = environment.text(SECRET) if channel == "sms" else environment.mail(SECRET)
    environment.give(event, to)
    environment.once(event)
    assert environment.state(event) == "ignored:address_removed"
    assert [environment.sandbox.count(kind, accepted=None) for kind in ("anthropic.messages", "twilio.create", "sendgrid.send")] == [
        0,
        0,
        0,
    ]


def test_a_reply_that_was_stored_for_an_address_that_left_is_not_sent(environment: TurnEnvironment) -> None:
    """Its provider was away when it was to go."""
    environment.sandbox.faults(twilio={"fail": [{"fault": "429"}]})
    event = environment.text()
    environment.once(event)
    environment.sandbox.faults(twilio={"fail": []})
    environment.give(event, "tom")
    environment.drive(lambda: environment.state(event) == "ignored:address_removed")
    assert environment.sandbox.count("twilio.create") == 0


def test_a_request_that_may_have_been_taken_is_cleared_up_before_an_address_is_given_up(environment: TurnEnvironment) -> None:
    """It was: then the message is answered, and the record says so."""
    environment.sandbox.faults(twilio={"fail": [{"fault": "reset_after_accept", "times": 1}]})
    event = environment.text()
    environment.once(event)
    environment.give(event, "")
    environment.drive(lambda: environment.state(event) in ("answered", "ignored:address_removed"))
    assert (environment.state(event), environment.sandbox.count("twilio.create")) == ("answered", 1)


def test_a_parked_message_of_a_former_person_stays_theirs(environment: TurnEnvironment) -> None:
    """Retried by the operator, it is not answered to whoever has the number now."""
    event = environment.text(SECRET)
    conversation = environment.conversation(event)
    turn = environment.mailbox.run(calls.claim(conversation, "k-1", "t-1", lease_ms=60_000)).turn
    assert turn is not None
    environment.mailbox.run(calls.park(conversation, "k-1", "too_old", looked_up=True, retention_ms=60_000))
    environment.give(event, "tom")
    assert environment.mailbox.run(calls.retry(event.id, "o-1")).outcome == "done"
    environment.once(event)
    assert (environment.state(event), asked(environment)) == ("ignored:address_removed", "[]")


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


def test_nothing_of_an_erased_person_is_left_and_all_of_the_others(environment: TurnEnvironment, erase: Any, redis: Redis) -> None:
    """Answered, parked, waiting, under a lease: gone, with the replies; what another person said stays."""
    answered, mail = environment.text(SECRET), environment.mail(SECRET)
    for event in (answered, mail):
        environment.once(event)
    other = environment.text("mine", "+15550001111", user="tom")
    environment.once(other)
    waiting = environment.text(SECRET)
    held = environment.mail(SECRET)
    assert environment.mailbox.run(calls.claim(environment.conversation(held), "k-1", "t-1", lease_ms=60_000)).outcome == "taken"
    assert SECRET in everything(redis)
    result = erase("user", "--yes")
    assert result.exit_code == 0, result.output
    assert "leases broken: 1" in result.stdout
    assert "4 messages" in result.stdout
    left = everything(redis)
    assert SECRET not in left
    assert "+15551234567" not in left
    assert "user@example.com" not in left
    assert [environment.mailbox.message(event.id) for event in (answered, mail, waiting, held)] == [None] * 4
    assert environment.state(other) == "answered"
    assert environment.reply(other).attempts


def test_what_leads_mails_to_the_conversations_of_an_erased_person_goes(environment: TurnEnvironment, erase: Any, redis: Redis) -> None:
    """Ids of theirs and of our answers, and their subjects. Other people's stay, also one's who has the erased person's address now."""
    first = environment.mail(SECRET)
    environment.once(first)
    environment.mail(SECRET, in_reply_to=cast("Any", environment.reply(first).command).message_id)
    mine = set(redis.scan_iter("boss:thread:*"))
    assert len(mine) == 4
    environment.mail("mine", "tom@example.com", subject="Another")
    environment.give(first, "tom")
    successor = environment.mail("mine", subject="A third")
    environment.redis.hset(f"boss:msg:{successor.id}", "user", environment.identities.user("tom"))
    others = set(redis.scan_iter("boss:thread:*")) - mine
    assert len(others) == 4
    assert erase("user", "--yes").exit_code == 0
    assert set(redis.scan_iter("boss:thread:*")) == others


def test_marks_and_opt_outs_outlive_an_erasure(environment: TurnEnvironment, erase: Any, redis: Redis) -> None:
    """A second delivery changes nothing, and nobody who said STOP is written to."""
    event = environment.text(SECRET)
    environment.mailbox.run(calls.opt_out(environment.identities.pair(event.to, event.from_), out=True))
    erase("user", "--yes")
    assert len(list(redis.scan_iter("boss:optout:*"))) == 1
    call = calls.accept(event, kind="text", conversation=environment.conversation(event), sender="s-1", pair="p-1")
    assert environment.mailbox.run(call).outcome == "duplicate"


def test_a_request_under_way_is_waited_for(environment: TurnEnvironment, erase: Any) -> None:
    """Then its reply goes too."""
    event = environment.text(SECRET)
    conversation = environment.conversation(event)
    environment.sandbox.faults(twilio={"fail": [{"fault": "reset_after_accept"}]})
    environment.once(event)
    assert environment.reply(event).pending
    result = erase("user", "--yes")
    assert "waiting for 1 request" in result.stderr
    assert (result.exit_code, everything(environment.redis).count(SECRET)) == (0, 0)
    assert not environment.redis.exists(f"boss:conv:{conversation}")


def test_what_waits_on_disk_is_erased_with_the_rest(environment: TurnEnvironment, erase: Any, tmp_path: Path) -> None:
    """In the line, set aside and insured; another person's entry stays, and what cannot be read is named."""
    event = environment.text(SECRET)
    other = environment.text("mine", "+15550001111", user="tom")
    for part in ("waiting", "aside", "insured"):
        directory = tmp_path / "data" / "spool" / part
        directory.mkdir(parents=True)
        for number, one in enumerate((event, other)):
            (directory / f"{number}").write_text(codec.dumps({"v": 1, "kind": "accept", "event": codec.encode(one), "keyword": ""}))
        for number, phone in enumerate((str(event.from_), "+15550001112"), 2):  # from before they were known, and a stranger's
            arrived = ArrivedText("m-9", InboundSms("SM9", "AC9", phone, str(event.to), SECRET), signed=True, received_at=1.0)
            (directory / f"{number}").write_bytes(encode(UnjudgedMessage("sms", arrived.fields())))
    (tmp_path / "data" / "spool" / "aside" / "broken").write_text("{")
    result = erase("user", "--yes")
    assert "6 waiting entries" in result.stdout
    assert "1 files of the spool cannot be read" in result.stdout
    left = sorted(str(path.relative_to(tmp_path / "data" / "spool")) for path in (tmp_path / "data" / "spool").rglob("*") if path.is_file())
    assert left == ["aside/1", "aside/3", "aside/broken", "insured/1", "insured/3", "waiting/1", "waiting/3"]


def test_nothing_is_erased_unasked(environment: TurnEnvironment, erase: Any) -> None:
    """Without a yes the command ends."""
    event = environment.text(SECRET)
    result = erase("user", says="n\n")
    assert result.exit_code == 1
    assert environment.state(event) == "pending"


def test_a_person_of_whom_nothing_is_kept(erase: Any) -> None:
    """Says so; the name need not be in the users file."""
    result = erase("nobody", "--yes")
    assert (result.exit_code, "Nothing was in Redis." in result.stdout) == (0, True)
    assert "what SendGrid and Anthropic keep" in result.stdout
    assert "--at-provider" in result.stdout
