"""Reminders from end to end: what is due is sent by code, at its time, whatever holds up what the model is asked."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import calls, keys
from shared.mailbox.records import Beginning
from shared.model.recurrence import MINUTE, Recurrence
from shared.model.users import LOCAL_USER, Users
from supervisor_worker.assistant.history import shown_history
from supervisor_worker.assistant.prompt import build_prompt
from supervisor_worker.assistant.tools.reminders import REMINDER_TOOLS
from supervisor_worker.media.turn_media import NO_MEDIA
from tests.support.effects import ServerTime, run_effect
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

BERLIN: Final = "Europe/Berlin"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ADA: Final = replace(LOCAL_USER, timezone=BERLIN)
BY_TEXT: Final = replace(ADA, email=None, boss_email=None)


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    found.users = Users([ADA])
    yield found
    found.close()


def remind(environment: TurnEnvironment, late_ms: int = 0, *, text: str = "tea", channel: str = "sms", rule: str = "", **more: Any) -> str:
    """A reminder that is due, or was so long ago."""
    due_ms = int(time.time() * 1000) - late_ms
    local = datetime.fromtimestamp(due_ms / 1000, ZoneInfo(BERLIN)).replace(tzinfo=None, second=0, microsecond=0)
    args = {
        "text": text,
        "kind": more.pop("kind", "reminder"),
        "channel": channel,
        "source": more.pop("source", ""),
        "recurrence": rule,
        "zone": BERLIN,
    }
    user = more.pop("user", environment.identities.user("user"))
    result = run_effect(
        ServerTime(environment.redis), "remind", {**args, "due": str(due_ms), "local": local.strftime(MINUTE)}, call=text, user=user, **more
    )
    return str(result["reminder"]["id"])


def work(environment: TurnEnvironment, kind: str = "twilio.create", count: int = 1) -> list[dict[str, Any]]:
    """Work until so many were sent; the requests."""
    environment.drive(lambda: environment.sandbox.count(kind) >= count and not environment.redis.exists("boss:priority_due", "boss:untold"))
    return [entry["request"] for entry in environment.sandbox.journal(kind, accepted=True)]


def bodies(environment: TurnEnvironment, count: int = 1) -> list[str]:
    """The texts that were sent."""
    return [request["body"] for request in work(environment, count=count)]


def text_of(mail: dict[str, Any]) -> str:
    """What a mail says, in one line."""
    return " ".join(mail["text"].split())


def test_a_reminder_rings_while_claude_is_away_and_others_wait(environment: TurnEnvironment) -> None:
    """Row 16: its text is sent by code, before all that asks the model, and within seconds of its time."""
    environment.sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    events = [environment.text(f"question {number}") for number in range(3)]
    environment.once(events[0])
    remind(environment, -1_000, text="call *Tom* at 5")
    assert bodies(environment) == ["Reminder: call *Tom* at 5"]
    (line,) = environment.ledger("reminder_due")
    assert int(line.fields["ms"]) < 5_000
    assert {environment.state(event) for event in events} == {"pending"}


def test_in_an_hour_without_claude_each_reminder_is_sent_within_five_seconds(environment: TurnEnvironment, sandbox: SandboxProcess) -> None:
    """The day's bound is used up as well, and a hundred texts wait in that conversation, the first of them for most of the hour."""
    hosts = dict.fromkeys(("TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"), sandbox.url)
    real = {"SANDBOX": "off", **hosts, **{name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}}
    environment.environment |= {"DAILY_TOKENS": 100_000, "SENDER_DAILY_SHARE": 1, **real}
    sandbox.faults(anthropic={"fail": [{"fault": "529", "times": None}]})
    events = [environment.text(f"question {number}") for number in range(100)]
    environment.once(events[0])
    (backed_off,) = environment.ledger("backoff")
    assert backed_off.fields["reason"].startswith("claude_")
    redis, conversation = environment.redis, environment.conversation(events[0])
    for event in events:
        for field in ("accepted_at", "active_at"):
            redis.hincrby(f"boss:msg:{event.id}", field, -50 * 60_000)
    redis.hset(f"boss:conv:{conversation}", mapping={"not_before": int(time.time() * 1000) + 600_000, "wait": 600_000})
    redis.zadd("boss:due", {conversation: int(time.time() * 1000) + 600_000})
    redis.hset(keys.spent(int(time.time())), "tokens", 100_000)
    due: dict[str, float] = {}
    for number in range(5):
        due[f"tea {number}"] = time.time() + 0.3
        remind(environment, -300, text=f"tea {number}")
        body = f"Reminder: tea {number}"
        environment.run(
            lambda context, body=body: environment._drive(context, lambda: sandbox.count("twilio.create", contains=body) == 1, 10)  # type: ignore[misc]
        )
        if number == 2:  # and the day's bound holds up the texts themselves
            redis.hset(f"boss:conv:{conversation}", mapping={"not_before": 0, "wait": 0})
            redis.zadd("boss:due", {conversation: 0})
    told = {entry["request"]["body"].removeprefix("Reminder: "): entry["at"] for entry in sandbox.journal("twilio.create", accepted=True)}
    late = {text: told[text] - at for text, at in due.items()}
    assert all(-0.1 < seconds < 5 for seconds in late.values()), late
    assert sum(line.fields["conv"] == conversation for line in environment.ledger("reminder_due")) == len(due)
    assert {environment.state(event) for event in events} == {"pending"}


def test_a_mail_that_rings_begins_a_thread_of_its_own(environment: TurnEnvironment) -> None:
    """An answer to it finds its conversation."""
    remind(environment, channel="email", text="water the <plants>")
    (mail,) = work(environment, "sendgrid.send")
    assert (mail["subject"], text_of(mail)) == ("Reminder: water the <plants>", "Reminder: water the <plants>")
    assert {name.lower() for name in mail["headers"]} & {"in-reply-to", "references"} == set()
    root = mail["headers"]["Message-ID"]
    answer = environment.mail("In an hour", in_reply_to=root, references=(root,), subject=f"Re: {mail['subject']}")
    (due,) = environment.ledger("reminder_due")
    assert environment.conversation(answer) == due.fields["conv"]


def test_the_history_shows_what_rang_as_what_code_said(environment: TurnEnvironment) -> None:
    """Never as the model's own words; and words of others between notes."""
    remind(environment, text="tea")
    bodies(environment)
    remind(environment, text="pay", marked=True, source="Tom Lee")
    bodies(environment, 2)
    environment.text("thanks")
    (conversation,) = {line.fields["conv"] for line in environment.ledger("reminder_due")}
    claimed = environment.mailbox.run(calls.claim(conversation, "k-1", "t-1", lease_ms=5_000, history_bytes=100_000))
    assert claimed.turn is not None
    event = claimed.turn.messages[0].event
    assert event is not None
    history = shown_history(claimed.turn.history, Beginning(), 1_000, ZoneInfo("UTC"))
    shown = build_prompt("sms", [event], history, NO_MEDIA.pictures, user=ADA, now=datetime.now(ZoneInfo("UTC")))
    (only,) = shown.messages
    assert only.role == "user"
    assert "This program, and not you, told the person: Reminder: tea" in only.text
    assert "names are as others call themselves\u27e7\nReminder: From the mail of Tom Lee: pay" in only.text


def test_what_is_late_says_so(environment: TurnEnvironment) -> None:
    """With weekday, date and time as it was asked for, in the person's language."""
    environment.users = Users([replace(ADA, language="de")])
    remind(environment, HOUR_MS, text="Tee")
    (body,) = bodies(environment)
    at = datetime.fromtimestamp(time.time() - 3_600, ZoneInfo(BERLIN))
    assert body.startswith("Erinnerung, verspätet (fällig am ")
    assert body.endswith("Uhr): Tee")
    assert f"{at.day}. " in body


def test_what_is_a_day_late_is_told_as_missed_in_one_message(environment: TurnEnvironment) -> None:
    """Row 20: the person hears of a miss; what is not so late rings by itself."""
    for number in range(30):
        remind(environment, 2 * DAY_MS + number * 60_000, text=f"old {number}")
    remind(environment, HOUR_MS, text="fresh")
    told = sorted(bodies(environment, 2), key=len)
    assert "fresh" in told[0]
    assert told[1].startswith("I could not reach you when these reminders were due:")
    assert len(environment.ledger("reminder_due", n="30")) == 1
    assert environment.sandbox.count("twilio.create") == 2


def test_of_what_repeats_the_newest_rings_once(environment: TurnEnvironment) -> None:
    """Row 14: after days without us it rings once, late, and the next one is at its own time of the wall."""
    start = datetime.now(ZoneInfo(BERLIN)).replace(tzinfo=None, second=0, microsecond=0)
    rule = Recurrence(start, "daily")
    name = remind(environment, 5 * DAY_MS, rule=str(rule))
    assert len(bodies(environment)) == 1
    record = cast("dict[bytes, bytes]", environment.redis.hgetall(f"boss:reminder:{name}"))
    following = rule.next(int(time.time() * 1000), ZoneInfo(BERLIN))
    assert following is not None
    assert record[b"due"] == str(following.due_ms).encode()
    environment.drive(lambda: environment.redis.zcard("boss:priority_due") == 0)
    assert len(environment.sandbox.journal("twilio.create")) == 1


def test_a_reminder_goes_to_the_other_channel_where_its_own_is_closed(environment: TurnEnvironment) -> None:
    """With its text: the person opted out of texts, and not of mails."""
    environment.mailbox.run(calls.opt_out(environment.identities.pair(*ADA.ends("sms")), out=True))  # type: ignore[misc]
    remind(environment, text="tea")
    (mail,) = work(environment, "sendgrid.send")
    assert text_of(mail) == "Reminder: tea"


def test_a_reminder_that_does_not_arrive_is_told_on_the_other_channel(environment: TurnEnvironment) -> None:
    """Row 19: the provider's word decides; two in an hour are both told."""
    seen: set[str] = set()
    for number in (1, 2):
        remind(environment, text=f"tea {number}")
        bodies(environment, number)
        (reply,) = {line.fields["reply"] for line in environment.ledger("reply_stored", channel="sms")} - seen
        seen.add(reply)
        record = environment.mailbox.reply(reply)
        assert record is not None
        environment.mailbox.run(calls.status(record.attempts[0].provider_id, "undelivered", retention_ms=60_000, code="30003"))
        told = work(environment, "sendgrid.send", number)[-1]
        assert (told["subject"], text_of(told)) == ("A reminder", f"Reminder: tea {number}")


def test_a_person_asks_for_a_reminder_and_gets_it(environment: TurnEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the text to the ring: the answer holds the line of code's, and what rings is what was stored."""
    monkeypatch.setattr("supervisor_worker.assistant.reply.TOOLS", REMINDER_TOOLS)
    event = environment.text("Remind me in 1 minute to drink tea")
    environment.drive(lambda: environment.state(event) == "answered")
    assert re.match(r"Reminder, \w+, \d+ \w+, \d\d:\d\d: drink tea\n", environment.reply(event).command.text)
    ((name, due),) = cast("list[tuple[bytes, float]]", environment.redis.zrange("boss:alarms", 0, -1, withscores=True))
    assert abs(due - (environment.message(event).accepted_at + 60_000)) < 5_000
    environment.redis.hset(f"boss:reminder:{name.decode()}", "due", int(time.time() * 1000))
    environment.redis.zadd("boss:alarms", {name: 0})
    assert bodies(environment, 2)[1] == "Reminder: drink tea"


def test_a_briefing_is_answered_by_the_model(environment: TurnEnvironment) -> None:
    """By text and by mail, at its time."""
    remind(environment, text="what is new by text?", kind="briefing")
    environment.drive(lambda: environment.sandbox.count("twilio.create") == 1)
    remind(environment, text="what is new by mail?", channel="email", kind="briefing")
    environment.drive(lambda: environment.sandbox.count("sendgrid.send") == 1)
    asked = [str(entry["request"]) for entry in environment.sandbox.journal("anthropic.messages")]
    assert len(asked) == 2
    assert "what is new by text?" in asked[0]
    assert "what is new by mail?" in asked[1]
    assert [line.type for line in environment.ledger("reminder_due")] == ["reminder_due"] * 2


def test_who_is_taken_away_and_comes_back_is_reminded_then(environment: TurnEnvironment) -> None:
    """Until then the reminder waits; a person who is reached over the bridge alone gets none."""
    name = remind(environment, text="tea")
    for user, why in ((replace(ADA, username="other", id="other"), b"removed"), (replace(ADA, bridge_only=True), b"no_channel")):
        environment.users.replace([user])
        environment.redis.zadd("boss:alarms", {name: 0})
        environment.drive(lambda: environment.redis.hget(f"boss:reminder:{name}", "held") == why)  # noqa: B023 - it is called here
    environment.users.replace([ADA])
    environment.redis.zadd("boss:alarms", {name: 0})
    assert bodies(environment) == ["Reminder: tea"]


def test_a_reminder_that_cannot_be_computed_holds_up_no_other(environment: TurnEnvironment) -> None:
    """A rule of a newer version, a zone that this host does not know."""
    broken = remind(environment, 10_000, text="broken", rule='{"every":"hourly"}')
    remind(environment, text="tea")
    assert bodies(environment) == ["Reminder: tea"]
    assert environment.redis.hget(f"boss:reminder:{broken}", "state") == b"waiting"


def test_a_reminder_by_text_alone_waits_until_the_provider_is_back(environment: TurnEnvironment) -> None:
    """It is not given up: nobody else can tell it."""
    environment.users = Users([BY_TEXT])
    environment.environment = {"ANSWER_WITHIN_MINUTES": 0.02}
    environment.sandbox.faults(twilio={"fail": [{"fault": "503", "times": 3}], "status_callbacks": False})
    remind(environment, text="tea")
    environment.drive(lambda: bool(environment.ledger("backoff")))
    time.sleep(1.3)
    for conversation in cast("list[bytes]", environment.redis.zrange("boss:priority_due", 0, -1)):
        environment.redis.hset(f"boss:conv:{conversation.decode()}", "priority_not_before", 0)
    assert bodies(environment) == ["Reminder: tea"]
    assert not environment.ledger("parked")
