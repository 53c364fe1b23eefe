"""The operator's hand: parked messages with their reasons, one user's pause, and who did what in the ledger."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.main import main
from boss.operator import login_name
from shared.mailbox import Mailbox, calls
from shared.mailbox.calls import Cost, DayBounds, Settled
from shared.mailbox.ledger import latest
from shared.mailbox.records import Kind
from shared.model.addresses import ConversationKey, EmailAddress, Identities, PhoneNumber
from shared.model.events import EmailReceived, Received, SmsReceived
from shared.runtime import identity_salt
from tests.support.forked_worker import ForkedWorker

ADA, BEN = PhoneNumber("+15551230001"), PhoneNumber("+15551230002")
ADA_MAIL = EmailAddress("ada@example.com")
BOSS, BOSS_MAIL = PhoneNumber("+15559876543"), EmailAddress("boss@example.com")
USERS = """
[[users]]
username = "ada"
phone = "+15551230001"
boss_phone = "+15559876543"
email = "ada@example.com"
boss_email = "boss@example.com"

[[users]]
username = "ben"
phone = "+15551230002"
boss_phone = "+15559876543"
"""


class Office:
    """A mailbox with two users, and the command."""

    def __init__(self, redis: Redis, settings: dict[str, str]) -> None:
        self.redis = redis
        self.settings = settings
        self.mailbox = Mailbox(redis)
        self.identities = Identities(identity_salt(redis))

    def text(self, sender: PhoneNumber, name: str, kind: Kind = "text") -> str:
        """A text, or something over the bridge; its conversation."""
        return self._accept(SmsReceived(id=name, from_=sender, to=BOSS, message="secret", user=self._name(sender), provider_id=name), kind)

    def mail(self, name: str) -> str:
        """Ada's mail; its conversation."""
        event = EmailReceived(
            id=name, from_=ADA_MAIL, to=BOSS_MAIL, subject="secret", body="secret", user="ada", message_id="<x@example.com>"
        )
        return self._accept(event, "mail")

    def _accept(self, event: Received, kind: Kind) -> str:
        key: ConversationKey = event.key()
        conversation = self.identities.conversation(key)
        pair, sender = self.identities.pair(event.to, event.from_), self.identities.sender(event.from_)
        self.mailbox.run(calls.accept(event, kind=kind, conversation=conversation, sender=sender, pair=pair))
        return conversation

    def _name(self, sender: PhoneNumber) -> str:
        return "ada" if sender == ADA else "ben"

    def claim(self, conversation: str) -> str:
        """How a job's claim ends."""
        token = uuid.uuid4().hex
        return self.mailbox.run(calls.claim(conversation, f"k-{token}", f"t-{token}", lease_ms=60_000)).outcome

    def park(self, name: str, reason: str) -> None:
        """Ada's text, parked."""
        conversation, token = self.text(ADA, name), uuid.uuid4().hex
        turn = self.mailbox.run(calls.claim(conversation, f"k-{token}", f"t-{token}", lease_ms=60_000)).turn
        assert turn
        self.mailbox.run(calls.park(conversation, f"k-{token}", reason, looked_up=False, retention_ms=60_000))

    def told(self, *kinds: str) -> list[tuple[str, str, str]]:
        """Type, operator and user of the ledger's lines."""
        lines = [line for line in latest(self.redis, 1000) if line.type in kinds]
        return [(line.type, line.fields["by"], line.fields["user"]) for line in lines]


def boss(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture
def office(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Office:
    (tmp_path / "users.toml").write_text(USERS)
    settings = {"REDIS_URL": redis_url, "SANDBOX": "on", "BOSS_DATA_DIR": str(tmp_path), "BOSS_USERS_FILE": str(tmp_path / "users.toml")}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return Office(redis, settings)


def test_a_user_s_pause_holds_all_that_they_write_and_nobody_else(office: Office) -> None:
    """Text, mail and bridge; `boss pause` alone says who is paused, by whom and why."""
    conversations = [office.text(ADA, "m-1"), office.mail("m-2"), office.text(ADA, "m-3", "bridge"), office.text(BEN, "m-4")]
    assert "boss resume --user ada" in boss("pause", "--user", "ada", "writes", "too", "much").stdout
    assert [office.claim(name) for name in conversations] == ["paused", "paused", "paused", "taken"]
    shown = boss("pause").stdout
    expected = ("Sending to ada (u-", "is paused: writes too much (for 0 s", f"by {login_name()})")
    assert [word for word in expected if word not in shown] == []
    assert "was paused already" in boss("pause", "--user", "ada", "again").stdout
    assert "PAUSED" not in boss("doctor", code=1).stdout
    assert "Sending to ada is resumed." in boss("resume", "--user", "ada").stdout
    assert "was not paused" in boss("resume", "--user", "ada").stdout
    assert boss("pause").stdout == "Nothing is paused.\n"
    assert [office.claim(name) for name in conversations[:2]] == ["taken", "taken"]


def test_a_pause_of_all_and_a_user_s_are_shown_and_ended_each_by_itself(office: Office) -> None:
    """What is still paused after a resume is said at once."""
    boss("pause", "--user", "ben", "away")
    boss("pause", "budget")
    assert boss("pause").stdout.startswith("All sending is paused: budget")
    assert "Sending to ben" in boss("resume").stdout
    assert len(office.mailbox.pauses()) == 1


def test_a_user_s_pause_without_a_reason_is_refused() -> None:
    """The next operator has to know why."""
    assert "say why" in boss("pause", "--user", "ada", code=2).stderr


def test_a_stranger_cannot_be_paused(office: Office) -> None:
    """A typing error must not look like a pause."""
    assert "nobody has this name" in boss("pause", "--user", "adda", "flood", code=2).stderr
    assert office.mailbox.pauses() == []


def test_what_is_paused_is_shown_also_while_the_users_file_is_broken(office: Office, tmp_path: Path) -> None:
    """By ids; and all sending can be paused and resumed."""
    boss("pause", "--user", "ada", "flood")
    (tmp_path / "users.toml").write_text("[[users]")
    assert "an unknown user (u-" in boss("pause").stdout
    boss("pause", "broken", "file")
    assert "Sending is resumed." in boss("resume").stdout
    assert [pause.user for pause in office.mailbox.pauses()] == [office.identities.user("ada")]


def test_a_user_who_left_the_users_file_can_be_resumed(office: Office, tmp_path: Path) -> None:
    """By the name that they had; until then they are shown by their id."""
    conversation = office.text(ADA, "m-1")
    boss("pause", "--user", "ada", "left")
    (tmp_path / "users.toml").write_text(USERS.partition("[[users]]\n")[0] + USERS[USERS.index('[[users]]\nusername = "ben"') :])
    assert "an unknown user (u-" in boss("pause").stdout
    boss("resume", "--user", "ada")
    assert office.claim(conversation) == "taken"


def test_an_opt_out_of_mail_is_lifted_by_an_operator_and_in_the_ledger(office: Office) -> None:
    """That of texts is not touched: it is the user's, and Twilio's."""
    mail, text = office.identities.pair(BOSS_MAIL, ADA_MAIL), office.identities.pair(BOSS, ADA)
    for pair in (mail, text):
        office.mailbox.run(calls.opt_out(pair, out=True))
    assert boss("opt-in", "--user", "ada").stdout == "ada gets mail again.\n"
    assert "had not opted out" in boss("opt-in", "--user", "ada").stdout
    assert [office.redis.exists(f"boss:optout:{pair}") for pair in (mail, text)] == [0, 1]
    told = [line.fields for line in latest(office.redis, 10) if line.type == "opted_in"]
    assert [(line["pair"], line["by"]) for line in told] == [(mail, login_name())]
    assert "has no mail address" in boss("opt-in", "--user", "ben", code=1).stderr


def test_parked_messages_are_listed_with_age_reason_and_a_plain_sentence(office: Office) -> None:
    """Newest first; in JSON, too."""
    assert "no message is parked" in boss("messages", "parked").stderr
    office.park("m-aaaaaaaaaaaa", "outage")
    office.park("m-bbbbbbbbbbbb", "twilio_21614")
    shown = boss("messages", "parked").stdout
    assert re.search(r"\d s old  twilio_21614", shown)
    assert [word for word in ("not a mobile number", "outage", "ANSWER_WITHIN_MINUTES") if word not in shown] == []
    assert shown.index("m-bbbb") < shown.index("m-aaaa")
    (first, _) = json.loads(boss("messages", "parked", "--json").stdout)
    assert (first["reason"], "mobile" in first["why"], first["age_seconds"] < 60) == ("twilio_21614", True, True)
    assert "not a mobile number" in boss("messages", "show", "m-bbbb").stdout
    assert "secret" not in shown


def test_what_an_operator_does_is_in_the_ledger_with_their_name(office: Office) -> None:
    """Pause, resume, retry and discard; the user by an id, and no name, number or address of theirs anywhere."""
    office.park("m-aaaaaaaaaaaa", "outage")
    office.park("m-bbbbbbbbbbbb", "outage")
    boss("pause", "--user", "ada", "flood")
    boss("resume", "--user", "ada")
    boss("pause", "budget")
    boss("resume")
    with ForkedWorker(office.settings, office.redis):
        boss("messages", "retry", "m-aaaa")
    boss("messages", "discard", "m-bbbb")
    me, ada = login_name(), office.identities.user("ada")
    assert office.told("paused", "resumed", "retried", "discarded") == [
        ("paused", me, ada), ("resumed", me, ada), ("paused", me, ""), ("resumed", me, ""), ("retried", me, ada), ("discarded", me, ada),
    ]  # fmt: skip
    shown = boss("tail", "--no-follow", "--lines", "100").stdout
    assert f"by={me} user={ada[:10]}" in shown
    assert [word for word in ("secret", "+1555", "ada@", "example.com") if word in shown] == []


def test_what_was_spent_is_shown_by_person_model_and_month(office: Office) -> None:
    """For the eye and as JSON; who left the users file has no name; nothing spent is nothing shown."""
    assert json.loads(boss("spending", "--json").stdout)["persons"] == []
    for name in (office.identities.user("ada"), "u-gone"):
        cost = Cost(2_500_000, "m:1")
        call = calls.reserve_job(f"q-{name}", 900, person=name, offset_ms=0, lasts_ms=60_000, cost=cost, bounds=DayBounds())
        assert office.mailbox.run(call) == "ok"
    office.mailbox.run(calls.settle(Settled("q-u-gone", 500, "good", 1_250_000)))
    found = json.loads(boss("spending", "--json").stdout)
    nothing = {"dollars": 0.0, "dollars_reserved": 0.0, "tokens": 0, "tokens_reserved": 0, "searches": 0}
    spent = {**nothing, "dollars": 1.25, "tokens": 500}
    assert [(each["username"], each["month"]) for each in found["persons"]] == [
        ("(no longer in the users file)", spent),
        ("ada", {**nothing, "dollars_reserved": 2.5, "tokens_reserved": 900}),
    ]
    assert found["models_today"] == found["models_month"] == {"m:1": spent}
    assert found["month"] == {**spent, "dollars_reserved": 2.5, "tokens_reserved": 900}
    shown = boss("spending").stdout
    assert "$1.2500, 500 tokens; reserved $2.5000, 900 tokens" in shown
    assert "  ada, this month" in shown
