"""The sandbox's parts that need no network: what is signed, counted, kept, forgotten and refused."""

from __future__ import annotations

import ast
import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError
from twilio.request_validator import RequestValidator

import sandbox
from sandbox.anthropic import simulated_model as simulation
from sandbox.engine import twilio_segments as segments
from sandbox.engine.faults import AnthropicKnobs, Knobs, TwilioKnobs
from sandbox.engine.journal import Journal, Query
from sandbox.engine.settings import Settings, SettingsError
from sandbox.engine.signing import SENDGRID_SIGNATURE, SENDGRID_TIMESTAMP, SendGridSigner, twilio_signature
from sandbox.engine.twilio_message_log import Filter, Message, MessageStore, date_range
from sandbox.engine.webhook_sender import Courier


def test_it_imports_nothing_of_the_product() -> None:
    """A fake that shares code with what it tests would share its mistakes."""
    folder = Path(next(iter(sandbox.__path__)))
    sources = [*folder.rglob("*.py")]
    assert len(sources) > 20
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names}.isdisjoint(
                {"boss", "bridge", "rq_async", "shared", "webhook_api", "supervisor_worker"}
            )


@pytest.mark.parametrize("url", ["https://h/sms", "https://h/sms?a=1&b=%20x", "http://127.0.0.1:8787/sms/inbound"])
def test_twilio_signatures_satisfy_twilios_own_validator(url: str) -> None:
    """Empty values, other alphabets and capital names included."""
    params = {"Body": "Grüße +1 & 🎉", "ToCity": "", "From": "+15551234567", "body": "x", "NumMedia": "0"}
    assert RequestValidator("token").validate(url, params, twilio_signature("token", url, params))
    assert not RequestValidator("other").validate(url, params, twilio_signature("token", url, params))


def test_sendgrid_signatures_verify_over_timestamp_and_body() -> None:
    """A spoilt one is well formed and wrong."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    signer = SendGridSigner.load(pem.replace("\n", "\\n"))
    for spoil in (False, True):
        headers = signer.headers(b"body", spoil=spoil)
        signature = base64.b64decode(headers[SENDGRID_SIGNATURE])
        signed = headers[SENDGRID_TIMESTAMP].encode() + b"body" + (b"?" if spoil else b"")
        key.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("🎉" * 36, 2),
        ("a" * 307, 3),
    ],
)
def test_segments(text: str, count: int) -> None:
    """GSM-7 and UCS-2, escape and surrogate pairs."""
    assert segments.count(text) == count


def test_settings_name_everything_that_is_wrong() -> None:
    """One error, all faults; empty values are unset; the public URL follows the webhook URL."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_environ({"SANDBOX_HOST": "0.0.0.0", "SANDBOX_PORT": "x", "SANDBOX_WEBHOOK_URL": "http://10.0.0.1"})  # noqa: S104
    assert all(name in str(caught.value) for name in ("SANDBOX_HOST", "SANDBOX_PORT", "SANDBOX_WEBHOOK_URL"))
    settings = Settings.from_environ({"SANDBOX_WEBHOOK_URL": "http://localhost:1/", "TWILIO_AUTH_TOKEN": " "})
    assert (settings.public_url, settings.twilio_auth_token) == ("http://localhost:1", None)


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://boss.example/sms/status?x=1", "http://127.0.0.1:1/sms/status?x=1"),
        ("https://boss.example/sms/status#rc=2", "http://127.0.0.1:1/sms/status"),
        ("http://localhost:5/cb", "http://localhost:5/cb"),
        ("https://boss.example.evil/sms", None),
        ("https://elsewhere.example/", None),
    ],
)
def test_webhooks_only_reach_this_machine(url: str, destination: str | None) -> None:
    """The public URL leads back here, every other host nowhere."""
    settings = Settings(webhook_url="http://127.0.0.1:1", public_url="https://boss.example")
    assert Courier(settings=settings).destination(url) == destination


def test_faults_are_used_up_in_order() -> None:
    """The first that fits is taken; `on`, `match` and `times` decide what fits."""
    faults = [{"fault": "500", "on": "list"}, {"fault": "503", "match": "poison", "times": 2}, 429]
    knobs = TwilioKnobs.model_validate({"fail": faults})
    taken = [knobs.take("create", {"body": body}) for body in ("poison", "fine", "poison", "poison")]
    assert [fault.fault if fault else None for fault in taken] == ["503", "429", "503", None]
    listed = knobs.take("list", {})
    assert listed is not None
    assert knobs.fail == []


def test_fault_defaults_depend_on_the_fault() -> None:
    """Acting or not, once or for ever."""
    faults = ["reset_after_accept", "reset_before", {"fault": "hang", "rate": 0.5}, {"fault": "hang", "accept": True}]
    parsed = TwilioKnobs.model_validate({"fail": faults}).fail
    assert [fault.accept for fault in parsed] == [True, False, False, True]
    assert [fault.times for fault in parsed] == [1, 1, None, 1]


def test_knobs_merge_and_survive_a_round_trip() -> None:
    """Given fields replace, others stay, and what GET shows can be posted back."""
    knobs = Knobs().merged({"twilio": {"latency_seconds": [0.1, 0.2], "fail": ["503"]}}).merged({"twilio": {"list_lag_seconds": 1}})
    assert knobs.twilio.latency_seconds == (0.1, 0.2)
    assert knobs.twilio.fail[0].fault == "503"
    assert Knobs().merged(knobs.model_dump(mode="json")) == knobs
    wrongs: list[dict[str, Any]] = [{"twilio": {"fail": ["600"]}}, {"twilio": {"latency_seconds": -1}}, {"nobody": {}}]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            Knobs().merged(wrong)


def test_journal_counts_exactly_beyond_what_it_keeps() -> None:
    """Totals outlive the entries, numbers go on after a clear, and an old webhook settles nothing new."""
    journal = Journal(capacity=10)
    entries = [journal.add("twilio.create", {"n": number}, accepted=number % 2 == 0) for number in range(25)]
    assert journal.count(Query(kinds=("twilio.create",), accepted=True)) == 13
    assert len(list(journal.find(Query()))) <= 10
    assert [entry.seq for entry in journal.find(Query(since=23))] == [24, 25]
    pending = journal.add("webhook.sms", {}, accepted=False)
    journal.settle(pending, 200, accepted=True)
    assert journal.count(Query(kinds=("webhook.",), accepted=True)) == 1
    journal.clear()
    journal.settle(entries[-1], 201, accepted=False)
    assert journal.count(Query()) == 0
    assert journal.add("x", {}).seq == 27


def test_journal_waiters_wake() -> None:
    """A waiter sees what is added and what is settled; patience ends."""

    async def scene() -> tuple[bool, bool]:
        journal = Journal()
        query = Query(kinds=("webhook.sms",), accepted=True)
        waiter = asyncio.create_task(journal.wait(query, 1, 5))
        entry = journal.add("webhook.sms", {}, accepted=False)
        await asyncio.sleep(0)
        journal.settle(entry, 200, accepted=True)
        return await waiter, await journal.wait(query, 2, 0.01)

    assert asyncio.run(scene()) == (True, False)


def test_conversations_are_forgotten_before_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old requests lose their messages, not their place."""
    monkeypatch.setattr("sandbox.engine.journal.KEEP_CONVERSATIONS", 2)
    journal = Journal()
    entries = [journal.add("anthropic.messages", {"messages": [1], "text": "x"}) for _ in range(3)]
    assert ["messages" in entry.request for entry in entries] == [False, True, True]


def message(sid: str, to: str = "+1", created: float = 100.5) -> Message:
    """Build a message."""
    return Message(sid=sid, account_sid="AC", to=to, sender="+2", body="", direction="outbound-api", status="queued", created=created)


def test_store_lists_newest_first_and_forgets_the_oldest() -> None:
    """By recipient and for all, within its capacity, whole seconds inclusive."""
    store = MessageStore(capacity=3)
    for number in range(5):
        store.add(message(f"SM{number}", to=f"+{number % 2}"))
    store.add(message("SM4"))
    assert [each.sid for each in store.newest_first(Filter())] == ["SM4", "SM3", "SM2"]
    assert [each.sid for each in store.newest_first(Filter(to="+0"))] == ["SM4", "SM2"]
    assert list(store.newest_first(Filter(after=101))) == []
    assert len(list(store.newest_first(Filter(after=100, before=100)))) == 3


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("1970-01-02", 86_400, 172_799),
        ("1970-01-01T00:00:10Z", 10, 10),
        ("1970-01-01T01:00:10+01:00", 10, 10),
        ("1970-01-01T01:00:10 01:00", 10, 10),
    ],
)
def test_date_filters(text: str, first: int, last: int) -> None:
    """Dates are days, datetimes seconds, and a form's unescaped plus is understood."""
    assert date_range(text) == (first, last)


def test_only_whole_messages_opt_out() -> None:
    """Twilio takes no notice of STOP in a sentence, nor of YES from somebody who never stopped."""
    store = MessageStore()
    assert store.heed("u", "b", "please stop") is None
    assert store.heed("u", "b", "yes") is None
    assert store.heed("u", "b", " Stop\n") is not None
    assert store.opted_out("u", "b")
    assert not store.opted_out("u", "other")
    assert store.heed("u", "b", "yes") is not None
    assert not store.opted_out("u", "b")


@pytest.mark.parametrize("length", [1, 11, 12, 50, 1601, 5000])
def test_essays_are_exactly_as_long_as_asked_for(length: int) -> None:
    """To the character, and marked as simulated when there is room for it."""
    text = simulation.essay(length)
    assert len(text) == length
    assert text == text.strip()
    assert text.startswith(simulation.MARK[:length])


def test_a_small_budget_cuts_the_answer() -> None:
    """max_tokens means something."""
    request = {"max_tokens": 5, "messages": [{"role": "user", "content": "tell me everything"}]}
    reply = simulation.answer(request, AnthropicKnobs())
    assert reply.stop_reason == "max_tokens"
    assert len(reply.content[0]["text"]) == 20


def test_an_echo_is_of_the_user_s_words_alone() -> None:
    """What the asking program puts around them is not read out on the page."""
    asked = {"messages": [{"role": "user", "content": "⟦A mail. Subject: Hello⟧\n\nhello there\n\n⟦End of the mail⟧"}], "max_tokens": 100}
    assert simulation.answer(asked, AnthropicKnobs()).content[0]["text"] == "[simulated] You wrote: hello there (user turns: 1)"
