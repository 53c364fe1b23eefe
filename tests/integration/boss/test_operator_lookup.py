"""From a complaint to its cause in one command: `boss messages find`, on what real webhooks and real scripts have left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.main import main
from shared.mailbox import Mailbox, calls, ledger
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import SendEmailResponse, SendSmsResponse
from shared.model.sms_admission import sms_id
from tests.payloads import sid
from tests.support.webhook_client import Web, opened

CASES: Final = json.loads((Path(__file__).parents[2] / "cases" / "sms" / "operator-lookup.json").read_text(encoding="utf-8"))["cases"]
USER, BOSS = "+15551234567", "+15559876543"
KEEP_MS: Final = 3_600_000
LIMITS: Final = calls.SendLimits(1000, 1000, KEEP_MS)
AGO: Final = re.compile(r"\(\d+ s ago\)")


def boss(*arguments: str, code: int = 0, says: str | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=says)
    assert result.exit_code == code, (result.output, result.exception)
    return result


@dataclass
class Office:
    """A web process that takes webhooks, and a mailbox whose turns are played by hand."""

    web: Web

    @property
    def mailbox(self) -> Mailbox:
        """Its mailbox."""
        return self.web.runtime.mailbox

    def text(self, name: str, **changes: Any) -> str:
        """A text from the user; its id of ours."""
        assert self.web.sms(MessageSid=sid(name), **changes).status_code == 200
        return sms_id(self.web.runtime.settings.twilio_account_sid, sid(name))

    def mail(self, **changes: Any) -> str:
        """A mail from the user; its id of ours."""
        response = self.web.mail(**changes)
        assert response.status_code == 200
        return response.headers["X-Bossline-Message"]

    def answer(self, message: str, *, pid: str = "", report: str = "", code: str = "", ending: str = "a1") -> str:
        """Claim the message's conversation and answer it; its reply. `report` is what the provider says of that in the end."""
        record = self.mailbox.message(message)
        assert record is not None
        token, turn = f"k-{ending * 12}", f"t-{ending * 12}"
        claim = self.mailbox.run(calls.claim(record.conversation, token, turn, lease_ms=60_000))
        assert claim.turn is not None, claim.outcome
        if record.channel == "sms":
            command: Any = SendSmsResponse(to=PhoneNumber(USER), from_=PhoneNumber(BOSS), message="Hi", user="user")
        else:
            command = SendEmailResponse(
                to=EmailAddress("user@example.com"), from_=EmailAddress("boss@example.com"), subject="Re: x", body="Hi", user="user",
                message_id=f"<r-{turn[2:]}@example.com>",
            )  # fmt: skip
        self.mailbox.run(calls.store_reply(record.conversation, token, claim.turn, command, limits=LIMITS))
        reply, attempt = "r-" + turn[2:], f"a-{ending * 12}"
        assert self.mailbox.run(calls.sending(record.conversation, token, reply, attempt, limits=LIMITS)).outcome == "ok"
        accepted = calls.outcome(
            reply, attempt, "accepted", retention_ms=KEEP_MS, provider_id=pid, conversation=record.conversation, token=token
        )
        self.mailbox.run(accepted)
        if report:
            self.mailbox.run(calls.status(pid, "undelivered", retention_ms=KEEP_MS, code=code))
        return reply

    def move(self, message: str, **before: float) -> datetime:
        """Let a message have come so much earlier; when that was."""
        moment = datetime.now(UTC) - timedelta(**before)
        at = int(moment.timestamp() * 1000)
        record = self.mailbox.message(message)
        assert record is not None
        redis = self.web.redis
        redis.hset(f"boss:msg:{message}", "accepted_at", at)
        for key in ("boss:recent", *(key.decode() for key in redis.scan_iter("boss:index:*"))):
            redis.zadd(key, {message: at}, xx=True)
        return moment


@pytest.fixture
def office(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Office]:
    del redis
    for name, value in {"REDIS_URL": redis_url, "SANDBOX": "on", "BOSS_DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with opened(redis_url, boss_data_dir=tmp_path) as web:
        yield Office(web)


# -- the cases that were found outside


def by_user(office: Office) -> None:
    """The list shows that the reply did not arrive, and why; the other one is of another hour."""
    lost, other = office.text("lost"), office.text("other")
    office.answer(lost, pid=sid("reply"), report="undelivered", code="30003")
    at = office.move(lost, hours=5)
    office.move(other, hours=4, minutes=55)
    clock = at.astimezone().strftime("%Y-%m-%d %H:%M")
    rows = boss("messages", "find", "user", "--at", clock).stdout.splitlines()
    assert [name in row for name, row in zip((other, lost), rows, strict=True)] == [True, True]
    assert [word for word in ("answered", "user", "reply undelivered", "30003", "The phone cannot be reached") if word not in rows[1]] == []


def by_sid(office: Office) -> None:
    """In or out: the message and its timeline."""
    message = office.text("in")
    office.answer(message, pid=sid("out"))
    office.text("another")
    for known in (sid("in"), sid("out")):
        shown = boss("messages", "find", known).stdout
        assert [word for word in (message, "timeline", "sms_received", "reply_stored", "sent") if word not in shown] == []


def by_ledger_id(office: Office) -> None:
    """As `boss tail` prints it, cut or whole: the message, or the conversation's messages."""
    message = office.text("in")
    reply = office.answer(message, pid=sid("out"), ending="bc")
    record = office.mailbox.message(message)
    assert record is not None
    tail = boss("tail", "--no-follow", "-n", "100").stdout
    for known in (message, reply, "t-" + reply[2:], "a-" + "bc" * 12, record.conversation):
        assert known[:10] in tail
        for given in (known, known[:10]):
            assert message in boss("messages", "find", given).stdout, given
    other = office.text("later")
    assert [row["id"] for row in json.loads(boss("messages", "find", record.conversation[:10], "--json").stdout)] == [other, message]


def ignored_shows_whom(office: Office) -> None:
    """Who wrote to whom, masked, Twilio's id, what the reason means and what helps."""
    office.text("stranger", From="+15550001111")
    office.text("short", From="12345")
    for name, mask, meaning, helps in (
        ("stranger", "+1…11", "no user of that Boss", "boss messages strangers"),
        ("short", "1…", "no phone number", "Nobody can be answered there"),
    ):
        shown = boss("messages", "find", sid(name)).stdout
        assert [word for word in (mask, "+1…43", sid(name), meaning, helps) if word not in shown] == []
        assert "+15550001111" not in shown
        assert AGO.sub("", boss("messages", "find", mask).stdout) == AGO.sub("", shown)
    for number in range(4):
        text = office.text(f"echo-{number}", Body="the same words")
        if office.mailbox.message(text).state == "ignored":  # type: ignore[union-attr]
            break
        office.answer(text, pid=sid(f"reply-{number}"), ending=f"{number}e")
    shown = boss("messages", "find", text).stdout
    assert [
        word for word in ("ignored (echo)", "+1…67", "+1…43", sid(f"echo-{number}"), "robots", "something else") if word not in shown
    ] == []


LOOKUPS: Final[dict[str, Callable[[Office], None]]] = {
    "by-user": by_user, "by-sid": by_sid, "by-ledger-id": by_ledger_id, "ignored-shows-whom": ignored_shows_whom,
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_one_command_leads_from_a_complaint_to_its_cause(office: Office, case: dict[str, str]) -> None:
    """The cases that were found outside."""
    LOOKUPS[case["id"]](office)


# -- everything else that an operator may have in hand


def test_a_person_is_found_by_number_address_and_mask(office: Office) -> None:
    """Whole or masked, written in any usual way; a mail's sender as well. Nothing of them is shown whole."""
    text, mail = office.text("in"), office.mail()
    for given in (USER, "+1 555 123-4567", "1 (555) 123 4567", "001 555 1234567"):
        shown = boss("messages", "find", given).stdout
        assert text in shown, given
        assert mail not in shown
        assert USER not in shown
    for given in ("user@example.com", "User Example <USER@example.com>"):
        shown = boss("messages", "find", given).stdout
        assert (mail in shown, text in shown, "user@example.com" in shown) == (True, False, False)
    for given in ("+1…67", "+1...67", "u…@example.com", "user"):
        shown = boss("messages", "find", given).stdout
        assert (mail in shown, text in shown) == (True, True)


def test_a_number_is_read_from_the_terminal(office: Office) -> None:
    """So that it stands in no list of processes."""
    text = office.text("in")
    assert text in boss("messages", "find", "-", says=f"{USER}\n").stdout
    assert "no message is known" in boss("messages", "find", "-", says="", code=3).stderr


def test_a_mail_is_found_by_its_message_id_also_by_that_of_its_reply(office: Office) -> None:
    """With its brackets or without; a mail that was not taken, too. The key that it is found by does not hold it."""
    mail = office.mail(headers="Message-ID: <one@user.example>\nFrom: user@example.com\nTo: boss@example.com\nSubject: x\n")
    reply = office.answer(mail, pid="sendgrid-id")
    for given in ("<one@user.example>", "one@user.example", f"<{reply}@example.com>", "sendgrid-id", "sendgrid-id.recvd-1-2.0"):
        assert mail in boss("messages", "find", given).stdout, given
    keys = " ".join(key.decode() for key in office.web.redis.scan_iter("boss:index*"))
    assert "user.example" not in keys


def test_who_is_unknown_has_no_messages_and_a_time_without_any_says_when_the_last_one_came(office: Office) -> None:
    """And what to do."""
    assert "boss messages reconcile" in boss("messages", "find", "nobody", code=3).stderr
    office.move(office.text("in"), hours=30)
    said = boss("messages", "find", "user", "--since", "1h", code=3).stderr
    assert re.search(r"the last one came at \d{4}-", said)
    assert json.loads(boss("messages", "find", "user", "--since", "1h", "--json", code=3).stdout) == []


def test_a_list_shows_who_the_reply_s_state_and_why(office: Office) -> None:
    """By name, or masked; a time narrows it down."""
    lost = office.text("lost")
    office.answer(lost, pid=sid("reply"), report="undelivered", code="30003")
    stranger = office.text("stranger", From="+15550001111")
    office.move(lost, hours=3)
    rows = {name: row for row in boss("messages", "list").stdout.splitlines() for name in (lost, stranger) if name in row}
    assert [word for word in ("user", "reply undelivered", "The phone cannot be reached") if word not in rows[lost]] == []
    assert [word for word in ("+1…11", "stranger", "no user of that Boss") if word not in rows[stranger]] == []
    assert lost not in boss("messages", "list", "--since", "2h").stdout
    assert "no message came in that time" in boss("messages", "list", "--since", "0s").stderr
    assert "a time is" in boss("messages", "list", "--at", "teatime", code=2).stderr
    assert "not both" in boss("messages", "list", "--at", "21:10", "--since", "2h", code=2).stderr
    assert "without texts" in boss("messages", "find", "user", "--body", "--json", code=2).stderr
    parked = json.loads(boss("messages", "parked", "--json").stdout)
    assert parked == []


def test_an_attempt_of_long_ago_is_found_while_its_line_is_kept(office: Office) -> None:
    """Behind thousands of other lines."""
    message = office.text("in")
    office.answer(message, pid=sid("out"), ending="bc")
    with office.web.redis.pipeline(transaction=False) as pipeline:
        for number in range(3_000):
            pipeline.xadd("boss:ledger", {"v": "1", "type": "refused", "n": str(number)})
        pipeline.execute()
    assert message in boss("messages", "find", "a-bcbcbc").stdout
    assert message in boss("messages", "find", "a-" + "bc" * 12).stdout
    assert "timeline" in boss("messages", "show", message).stdout
    assert "sms_received" in boss("messages", "show", message).stdout


def test_what_is_erased_is_not_found(office: Office) -> None:
    """By nothing that an operator may have in hand."""
    message = office.text("in")
    office.text("stop", Body="STOP")
    mail = office.mail()
    boss("users", "erase", "user", "--yes")
    for given in (USER, "user", "+1…67", sid("in"), message, mail, "user@example.com"):
        boss("messages", "find", given, code=3)
    left = [key.decode() for key in office.web.redis.scan_iter("boss:ind*")]
    assert (left, office.web.redis.exists("boss:conversations")) == ([], 0)


# -- the ledger, by type


def test_lines_of_a_type_are_counted_after_the_others_are_left_out(office: Office) -> None:
    """The last of that type, however far back they are."""
    for number in range(3):
        office.mailbox.run(calls.refuse("sms", f"bad-{number}", 403))
    for number in range(60):
        office.mailbox.run(calls.warn(f"w{number}"))
    shown = boss("tail", "--no-follow", "-n", "2", "--type", "refused").stdout.splitlines()
    assert [re.findall(r"bad-\d", row) for row in shown] == [["bad-1"], ["bad-2"]]
    assert len(boss("tail", "--no-follow", "-n", "20", "--type", "refused").stdout.splitlines()) == 3
    assert boss("tail", "--no-follow", "-n", "20", "--type", "parked").stdout == ""
    last = ledger.latest(office.web.redis, 1)[0].seq
    assert ledger.before(last) < last


def test_a_type_that_does_not_exist_is_refused_with_those_that_do(office: Office) -> None:
    """A typo would otherwise wait for ever."""
    del office
    refused = boss("tail", "--no-follow", "--type", "undeliverd", code=2).stderr
    assert "undeliverd" in refused
    assert "undelivered" in refused.replace("undeliverd", "")
