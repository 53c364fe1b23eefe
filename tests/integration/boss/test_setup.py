"""`boss setup` against accounts that are played by the providers' published contracts."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.config.loading import load_settings
from tests.support.dns_server import DnsServer
from tests.support.fork_server import fork
from tests.support.processes import ROOT, WebProcess, WorkerProcess, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.setup_place import (
    ACCOUNT,
    CLAUDE,
    FULL,
    HOST,
    KEYS,
    NEW_ACCOUNTS,
    NUMBER,
    PERSON,
    PUBLIC,
    TOKEN,
    SetupPlace,
    accounts_sandbox,
    key_like,
    text_of,
)  # fmt: skip
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(120)
LOGINS = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY")
CHANGES = "twilio.number_update,twilio.service_update,sendgrid."


@pytest.fixture(scope="module")
def web_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def _sandbox(web_port: int) -> Iterator[SandboxProcess]:
    with accounts_sandbox(f"http://127.0.0.1:{web_port}") as running:
        yield running


@pytest.fixture
def sandbox(_sandbox: SandboxProcess) -> SandboxProcess:
    """New accounts: a number as it is sold, and nothing else."""
    _sandbox.reset()
    _sandbox.call("POST", "/sandbox/account", NEW_ACCOUNTS)
    return _sandbox


@pytest.fixture
def place(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[SetupPlace]:
    """An empty folder, with the DNS as it will be."""
    with DnsServer() as dns:
        found = SetupPlace(tmp_path / "boss", sandbox, dns)
        found.publish()
        yield found


def changes(sandbox: SandboxProcess) -> list[str]:
    """What was asked of the providers that changes something."""
    verbs = ("_update", "_make", "_delete", "_sign", "_validate")
    return [entry["kind"] for entry in sandbox.journal() if entry["kind"].endswith(verbs)]


def picture(place: SetupPlace) -> dict[str, Any]:
    """What stands at the providers and here, without what is random."""
    account, env = place.account, place.env
    at, tag = account["sendgrid"], re.compile(r"Bossline [0-9a-f]{8}")
    policies = {each["id"]: tag.sub("ours", each["name"]) for each in at["policies"]}
    return {
        "twilio": account["twilio"],
        "domains": [(each["domain"], each["valid"]) for each in at["domains"]],
        "parse": [(each["hostname"], each["url"], policies.get(each["security_policy"] or "")) for each in at["parse"]],
        "policies": sorted(policies.values()),
        "events": [
            (each["url"], tag.sub("ours", each["friendly_name"] or ""), each["signed"], each["events"]) for each in at["event_webhooks"]
        ],
        "keys": [(tag.sub("ours", each["name"]), each["scopes"]) for each in at["api_keys"]],
        "env": {name: value if name in {"PUBLIC_URL", "ENVIRONMENT", "BOSS_USERS_FILE"} else bool(value) for name, value in env.items()},
        "users": (place.folder / "users.toml").read_text() if (place.folder / "users.toml").exists() else None,
        "files": sorted(name for name in place.files() if not name.startswith("out")),
    }


# From nothing to the first answer


@pytest.mark.timeout(240)
def test_from_an_empty_folder_to_the_first_answered_text_and_mail(place: SetupPlace, web_port: int) -> None:
    """No step of ours by hand: the web process and the worker start with what was written, and the providers call where they were told to.

    Texts and mails come in signed and are answered with the key that may only send; status reports and events come back signed.
    """
    place.run()
    with EmbeddedServer() as server, server.client() as redis:
        settings = {"REDIS_URL": server.url, "PORT": str(web_port), "SMS_SETTLE_SECONDS": "0.05"}
        web, worker = WebProcess(settings), WorkerProcess(settings, redis)
        web.directory = worker.directory = place.folder
        with web.start(), worker.start():
            assert place.sandbox.send_sms("hello", from_=PERSON["PHONE"], to=NUMBER)["status"] == 200
            [text] = place.sandbox.wait("twilio.create", 1, timeout=30, accepted=True)
            assert (text["request"]["from"], text["request"]["to"]) == (NUMBER, PERSON["PHONE"])
            place.sandbox.wait("webhook.status", 1, timeout=10, accepted=True)
            assert place.sandbox.send_email("hello", from_=PERSON["EMAIL"], to=PERSON["BOSS_EMAIL"], subject="hi")["status"] == 200
            [mail] = place.sandbox.wait("sendgrid.send", 1, timeout=30, accepted=True)
            assert (mail["request"]["from"], mail["request"]["to"]) == (PERSON["BOSS_EMAIL"], PERSON["EMAIL"])
            place.sandbox.wait("webhook.events", 1, timeout=10, accepted=True)
            assert place.sandbox.count("webhook.events", accepted=False) == place.sandbox.count("webhook.status", accepted=False) == 0
        assert FULL not in web.output + worker.output


def test_what_stands_afterwards(place: SetupPlace) -> None:
    """Each webhook with its address and its proof; files for their owner alone; production has nothing to say against `.env`."""
    shown = place.run().stdout
    found, env = place.account, place.env
    [number] = found["twilio"]["numbers"]
    assert number["sms_url"] == number["sms_fallback_url"] == PUBLIC + "/sms/inbound#rc=3&rp=all&ct=2000&rt=4000&tt=15000"
    assert number["status_callback"] == ""  # each text has its own
    at = found["sendgrid"]
    assert [(each["domain"], each["valid"]) for each in at["domains"]] == [(HOST, True)]
    assert [(each["hostname"], each["url"]) for each in at["parse"]] == [(HOST, PUBLIC + "/email/inbound")]
    assert at["parse"][0]["security_policy"] == at["policies"][0]["id"]
    assert [(each["url"], each["signed"]) for each in at["event_webhooks"]] == [(PUBLIC + "/email/events", True)]
    assert [each["scopes"] for each in at["api_keys"]] == [["mail.send"]]
    assert env["SENDGRID_API_KEY"].split(".")[1] == at["api_keys"][0]["id"]
    assert place.files() == {".env": 0o600, "users.toml": 0o600, ".boss/setup/record.json": 0o600}
    assert "not registered" in shown
    assert "[found]" in shown
    assert "missing" not in shown


def test_a_second_run_has_nothing_to_do_and_changes_nothing(place: SetupPlace) -> None:
    """With the same answers, and with the keys that are kept alone."""
    place.run()
    first, text = picture(place), (place.folder / ".env").read_bytes()
    count = len(changes(place.sandbox))
    assert "Nothing is to be done." in place.run().stdout
    assert "Nothing is to be done." in place.run(without=("SENDGRID_API_KEY", "ANTHROPIC_API_KEY", "TWILIO_AUTH_TOKEN")).stdout
    assert (picture(place), (place.folder / ".env").read_bytes(), len(changes(place.sandbox))) == (first, text, count)


def test_without_yes_it_only_shows_and_show_changes_nothing(place: SetupPlace) -> None:
    """What would be done, and that nothing was."""
    for options, code in ((("--show",), 1), ((), 1)):
        result = place.run(*options, yes=False, code=code)
        assert f"Twilio {NUMBER}: texts go to {PUBLIC}/sms/inbound" in result.stdout
        assert (changes(place.sandbox), place.files()) == ([], {})


def test_texts_alone_or_mail_alone(place: SetupPlace) -> None:
    """What is not wanted is not asked about."""
    place.run(SENDGRID_API_KEY="")
    assert [kind for kind in changes(place.sandbox) if kind.startswith("sendgrid")] == []
    assert "email" not in (place.folder / "users.toml").read_text()
    place.run("--undo", without=())
    place.run(TWILIO_ACCOUNT_SID="")
    assert "phone" not in (place.folder / "users.toml").read_text()
    assert "TWILIO_AUTH_TOKEN" not in place.env


def test_comments_and_order_of_an_env_file_are_kept(place: SetupPlace) -> None:
    """And the secrets that stand there already."""
    before = "# mine\nSUPERVISOR_TOKEN=" + key_like("kept") + "\n\n# --- Place ---\n#PUBLIC_URL=\nBOSS_NAME='Our Boss' # indeed\n"
    (place.folder / ".env").write_text(before)
    (place.folder / ".env").chmod(0o644)
    place.run()
    text = (place.folder / ".env").read_text()
    kept = [line for line in before.splitlines() if line]
    assert [line for line in text.splitlines() if line in kept] == kept
    assert (
        text.index("#PUBLIC_URL=\nPUBLIC_URL=" + PUBLIC) < text.index("BOSS_NAME='Our Boss' # indeed\n") < text.index("TWILIO_AUTH_TOKEN=")
    )
    assert (place.files()[".env"], place.env["SUPERVISOR_TOKEN"]) == (0o600, key_like("kept"))


# Faults


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ANTHROPIC_API_KEY", key_like("wrong"), "Claude refuses the key (401)"),
        ("TWILIO_AUTH_TOKEN", key_like("wrong"), "Twilio refuses it (401)"),
        ("TWILIO_ACCOUNT_SID", "AC12", "an Account SID begins with AC"),
        ("SENDGRID_API_KEY", "SG." + key_like("wrong"), "SendGrid refuses it (401)"),
        ("PUBLIC_URL", "http://boss.example.com", "must be https://"),
        ("PHONE", "0151", "must be an E.164 number"),
        ("BOSS_EMAIL", "boss", "must be a mail address"),
        ("BOSS_PHONE", "+15550000000", "is none of those that there are"),
        ("USERNAME", "Ada L", "small letters"),
        ("TIMEZONE", "Mars", "IANA name"),
        ("TWILIO_AUTH_TOKN", "x", "nothing is asked under TWILIO_AUTH_TOKN"),
    ],
)
def test_a_wrong_answer_is_a_sentence_and_nothing_half_made(place: SetupPlace, name: str, value: str, words: str) -> None:
    """Which answer, why; no file, no change, and no key in what is said."""
    result = place.run(code=1, changed={name: value})
    assert words in result.output
    assert name in result.output or "refuses" in result.output
    assert not any(key in result.output for key in (*KEYS, value if "KEY" in name else "none of them"))
    assert (changes(place.sandbox), place.files()) == ([], {})


def test_a_key_that_may_only_send_is_not_enough(place: SetupPlace) -> None:
    """Which is said before anything is done."""
    place.sandbox.call("POST", "/sandbox/account", {"sendgrid": {"api_keys": [{"name": "x", "scopes": ["mail.send"]}]}})
    made = place.run().stdout and place.env["SENDGRID_API_KEY"]
    count = len(changes(place.sandbox))
    assert "Full Access" in place.run(code=1, SENDGRID_API_KEY=made).output
    assert len(changes(place.sandbox)) == count


@pytest.mark.parametrize("name", ["ANTHROPIC_BASE_URL", "TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL"])
def test_without_network_nothing_is_changed(place: SetupPlace, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever provider is out of reach."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    environment = place.environment | {name: f"http://127.0.0.1:{free_port()}"}
    monkeypatch.setattr(SetupPlace, "environment", property(lambda _: environment))
    result = place.run(code=1)
    assert "does not answer: nothing listens there; nothing was changed" in result.output
    assert (changes(place.sandbox), place.files()) == ([], {})


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "429", "on": "describe", "times": 3, "retry_after": 0},
        {"fault": "503", "on": "describe", "times": 2},
        {"fault": "429", "on": "change", "times": 2, "retry_after": 0},
        {"fault": "503", "on": "change", "times": 1},
        {"fault": "reset_after_accept", "on": "change", "times": 2},
        {"fault": "reset_before", "on": "change", "times": 2},
        {"fault": "broken_json", "on": "change", "times": 1},
    ],
)
def test_trouble_that_passes_is_waited_for(place: SetupPlace, fault: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A change whose outcome is not known is looked for, and made again only if it is not there: the end is the same."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    place.sandbox.faults(twilio={"fail": [fault]}, sendgrid={"fail": [fault]})
    place.run()
    found = place.account["sendgrid"]
    assert [len(found[name]) for name in ("domains", "parse", "policies", "event_webhooks", "api_keys")] == [1] * 5
    assert found["api_keys"][0]["id"] == place.env["SENDGRID_API_KEY"].split(".")[1]


def test_a_provider_that_stays_away_is_named_and_the_rest_is_done(place: SetupPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next run goes on from there."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    place.sandbox.faults(sendgrid={"fail": [{"fault": "503", "on": "change", "times": None, "match": "event/settings"}]})
    result = place.run(code=1)
    assert "SendGrid does not answer: it answers 503; whether it was done is seen when this is run again" in result.stdout
    found = place.account["sendgrid"]
    assert [len(found[name]) for name in ("domains", "parse", "policies", "event_webhooks", "api_keys")] == [1, 1, 1, 0, 1]
    place.sandbox.faults(sendgrid={"fail": []})
    place.run()
    assert len(place.account["sendgrid"]["event_webhooks"]) == 1


def test_what_a_provider_refuses_is_said_in_its_words(place: SetupPlace) -> None:
    """And the other steps are done."""
    refusal = {"errors": [{"message": "You have reached the maximum number of domains.", "field": None}]}
    place.sandbox.faults(sendgrid={"fail": [{"fault": "400", "on": "change", "match": "whitelabel", "body": refusal}]})
    result = place.run(code=1)
    assert "SendGrid refuses it (400): You have reached the maximum number of domains." in result.stdout
    assert "it waits for the step before it" in result.stdout
    assert place.account["twilio"]["numbers"][0]["sms_url"].startswith(PUBLIC)


def test_records_that_are_missing_are_printed_and_the_next_run_goes_on(place: SetupPlace) -> None:
    """The parse host waits for its domain; everything else is done."""
    place.sandbox.call("POST", "/sandbox/account", {"sendgrid": {"dns": "missing"}})
    place.dns.records.clear()
    result = place.run(code=1)
    assert f"CNAME s1._domainkey.{HOST}  s1.domainkey.u1.wl.sendgrid.net  [missing]" in result.stdout
    assert f"MX    {HOST}  10 mx.sendgrid.net  [missing]" in result.stdout
    assert "SendGrid does not see the records yet" in result.stdout
    assert [len(place.account["sendgrid"][name]) for name in ("domains", "parse", "policies", "api_keys")] == [1, 0, 1, 1]
    place.publish()
    account = place.account["sendgrid"]
    place.sandbox.call("POST", "/sandbox/account", {"sendgrid": {**account, "dns": "found"}})
    account_keys = place.env["SENDGRID_API_KEY"]
    result = place.run()
    assert [len(place.account["sendgrid"][name]) for name in ("domains", "parse", "policies", "api_keys")] == [1, 1, 1, 1]
    assert place.env["SENDGRID_API_KEY"] == account_keys


def test_a_mail_host_that_is_in_use_is_warned_of(place: SetupPlace) -> None:
    """Its mail goes elsewhere now."""
    place.dns.records[HOST, "MX"] = ["1 mx.example.net"]
    result = place.run(code=1)
    assert f"Mail to {HOST} goes to mx.example.net now." in result.stdout


# What is somebody else's


OTHERS: dict[str, Any] = {
    "twilio": {
        "numbers": [
            {"phone_number": NUMBER, "sms_url": "https://shop.example.net/sms", "sms_fallback_url": "https://spare.example.net/sms"}
        ]
    },
    "sendgrid": {
        "domains": [{"domain": HOST, "valid": True, "subdomain": "em100"}],
        "parse": [{"hostname": HOST, "url": "https://desk.example.net/in", "send_raw": True}],
        "event_webhooks": [{"url": "https://stats.example.net/events"}],
    },
}


def test_anothers_webhook_is_replaced_only_after_its_host_was_typed(place: SetupPlace) -> None:
    """`--yes` does not answer that; each host is its own question; what stood there is kept for its owner alone, and put back."""
    place.sandbox.call("POST", "/sandbox/account", OTHERS)
    before = place.account
    result = place.run(code=1)
    for host in ("shop.example.net", "spare.example.net", "desk.example.net"):
        assert f"{host} was not typed: it is left as it is" in result.stdout
    assert place.account["twilio"] == before["twilio"]
    assert place.account["sendgrid"]["parse"] == before["sendgrid"]["parse"]
    result = place.run(code=1, REPLACE="shop.example.net")
    [number] = place.account["twilio"]["numbers"]
    assert (number["sms_url"].startswith(PUBLIC), number["sms_fallback_url"]) == (True, "https://spare.example.net/sms")
    place.run(REPLACE="spare.example.net, DESK.example.net")
    [number] = place.account["twilio"]["numbers"]
    assert number["sms_fallback_url"].startswith(PUBLIC)
    [setting] = place.account["sendgrid"]["parse"]
    assert (setting["url"], setting["send_raw"], bool(setting["security_policy"])) == (PUBLIC + "/email/inbound", True, True)
    record = (place.folder / ".boss/setup/record.json").read_text()
    assert "https://shop.example.net/sms" in record
    assert "https://desk.example.net/in" in record
    place.run("--undo")
    after = place.account
    assert after["twilio"] == before["twilio"]
    assert after["sendgrid"] == before["sendgrid"]


def test_where_the_plan_allows_one_event_webhook_anothers_is_replaced_only_when_typed(place: SetupPlace) -> None:
    """And comes back whole."""
    place.sandbox.call(
        "POST", "/sandbox/account", {"sendgrid": {"max_event_webhooks": 1, "event_webhooks": OTHERS["sendgrid"]["event_webhooks"]}}
    )
    before = place.account["sendgrid"]["event_webhooks"]
    assert "stats.example.net was not typed" in place.run(code=1).stdout
    assert place.account["sendgrid"]["event_webhooks"] == before
    place.run(REPLACE="stats.example.net")
    [webhook] = place.account["sendgrid"]["event_webhooks"]
    assert (webhook["url"], webhook["signed"]) == (PUBLIC + "/email/events", True)
    place.run("--undo")
    assert [{**each, "friendly_name": None} for each in place.account["sendgrid"]["event_webhooks"]] == before


def test_a_tunnels_new_address_moves_everything_without_a_question(place: SetupPlace) -> None:
    """The old one was ours; nothing new is made."""
    place.run()
    new = "https://tunnel-2.example.com"
    place.run(PUBLIC_URL=new)
    found = place.account
    urls = [found["twilio"]["numbers"][0][name] for name in ("sms_url", "sms_fallback_url")]
    urls += [found["sendgrid"]["parse"][0]["url"], found["sendgrid"]["event_webhooks"][0]["url"], place.env["PUBLIC_URL"]]
    assert all(url.startswith(new) for url in urls)
    assert [len(found["sendgrid"][name]) for name in ("domains", "parse", "policies", "event_webhooks", "api_keys")] == [1] * 5
    place.run("--undo")
    assert place.account["twilio"]["numbers"][0]["sms_url"] == NEW_ACCOUNTS["twilio"]["numbers"][0]["sms_url"]
    assert [len(place.account["sendgrid"][name]) for name in ("domains", "parse", "policies", "event_webhooks", "api_keys")] == [0] * 5


def test_a_messaging_service_of_the_bosss_number_alone_is_set_to_leave_it_to_the_number(place: SetupPlace) -> None:
    """One with other numbers is explained and left alone."""
    number = {"phone_number": NUMBER}
    service = {"friendly_name": "family", "numbers": [NUMBER], "campaign": "VERIFIED"}
    place.sandbox.call("POST", "/sandbox/account", {"twilio": {"numbers": [number], "services": [service], "brand": "APPROVED"}})
    assert "is registered for A2P 10DLC" in place.run(SENDGRID_API_KEY="").stdout
    assert defers(place)
    place.run("--undo", SENDGRID_API_KEY="")
    assert not defers(place)
    others = [number, {"phone_number": "+15550000009"}]
    shared = {**service, "numbers": [NUMBER, "+15550000009"], "inbound_request_url": "https://shop.example.net/sms"}
    place.sandbox.call("POST", "/sandbox/account", {"twilio": {"numbers": others, "services": [shared]}})
    shown = place.run(SENDGRID_API_KEY="", BOSS_PHONE=NUMBER).stdout
    assert "sends the texts of all its numbers to shop.example.net. It has 1 that are not the Boss's" in shown
    assert not defers(place)


def defers(place: SetupPlace) -> bool:
    """Whether the Messaging Service leaves it to the number."""
    return bool(place.account["twilio"]["services"][0]["use_inbound_webhook_on_number"])


def test_an_account_without_policies_proves_mail_by_a_secret(place: SetupPlace) -> None:
    """It stands in the addresses and in `.env`, and is not shown."""
    place.sandbox.call("POST", "/sandbox/account", {"sendgrid": {"has_policies": False}})
    result = place.run()
    secret = place.env["EMAIL_WEBHOOK_SECRET"]
    assert place.account["sendgrid"]["parse"][0]["url"] == f"{PUBLIC}/email/inbound?token={secret}"
    assert secret not in result.output


# Interrupted


def killed(place: SetupPlace, at: int, out: Path) -> tuple[int, str]:
    """A run that dies before its change `at`; its exit status, and what it printed."""
    (out / "answers").write_text(text_of())
    with (out / "output").open("wb") as output:
        words = place.command("--yes")[4:]
        child = fork(
            "web",
            "tests.support.killed_setup",
            str(at),
            str(out / "answers"),
            *words,
            env=place.environment,
            directory=place.folder,
            output=output.fileno(),
        )
        status = child.wait(90)
    return status, (out / "output").read_text(errors="replace")


@pytest.mark.timeout(600)
def test_killed_before_any_of_its_changes_and_run_again_it_ends_the_same(sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Each request that changes something, and each file's new contents: kill -9 before it, then a whole run."""
    with DnsServer() as dns:
        first = SetupPlace(tmp_path / "whole", sandbox, dns)
        first.publish()
        status, printed = killed(first, 0, tmp_path)
        assert status == 0, printed
        expected, count = picture(first), printed.count("change ")
        assert count > 20
        for at in range(1, count + 1):
            sandbox.call("POST", "/sandbox/account", NEW_ACCOUNTS)
            place = SetupPlace(tmp_path / str(at), sandbox, dns)
            status, printed = killed(place, at, tmp_path)
            assert status == -signal.SIGKILL, printed
            assert not any(mode & 0o077 for mode in place.files().values())
            status, printed = killed(place, 0, tmp_path)
            assert status == 0, printed
            assert picture(place) == expected, f"killed before change {at}"


def test_two_at_once_are_one_and_a_sentence(place: SetupPlace) -> None:
    """The second says so and does nothing; the first ends as if it were alone."""
    place.sandbox.faults(twilio={"delay_before_seconds": 1.0})
    first = place.start()
    place.sandbox.wait("twilio.account", 1, timeout=30)
    second = place.start()
    assert second.stdout is not None
    assert first.stdout is not None
    printed = second.stdout.read()
    assert second.wait(30) == 2
    assert "another `boss setup` is running in this directory" in printed
    place.sandbox.faults(twilio={"delay_before_seconds": 0})
    printed = first.stdout.read()
    assert first.wait(60) == 0, printed
    assert len(place.account["sendgrid"]["api_keys"]) == 1


# Undone


def test_undone_nothing_is_left(place: SetupPlace) -> None:
    """At the providers and here: an empty folder."""
    before = place.account
    place.run()
    place.run("--undo")
    assert place.account == before
    assert place.files() == {}
    assert "has done nothing here" in place.run("--undo").output


def test_what_was_changed_since_is_not_touched_by_undo(place: SetupPlace) -> None:
    """A webhook that was pointed elsewhere, a line of `.env` that was edited, people who were added."""
    place.run()
    found = place.account
    found["twilio"]["numbers"][0]["sms_url"] = "https://later.example.net/sms"
    place.sandbox.call("POST", "/sandbox/account", {"twilio": found["twilio"]})
    env = (place.folder / ".env").read_text()
    (place.folder / ".env").write_text(env.replace("ENVIRONMENT=production", "ENVIRONMENT=local"))
    with (place.folder / "users.toml").open("a") as users:
        users.write('\n[[users]]\nusername = "bob"\nphone = "+15550000002"\nboss_phone = "+15559876543"\n')
    place.run("--undo")
    assert place.account["twilio"]["numbers"][0]["sms_url"] == "https://later.example.net/sms"
    assert place.env == {"ENVIRONMENT": "local"}
    assert "bob" in (place.folder / "users.toml").read_text()


def test_undo_without_one_of_the_keys_keeps_its_part_for_later(place: SetupPlace) -> None:
    """And says so."""
    place.run()
    result = place.run("--undo", code=1, SENDGRID_API_KEY="")
    assert "run `boss setup --undo` again" in result.stdout
    assert len(place.account["sendgrid"]["api_keys"]) == 1
    place.run("--undo")
    assert len(place.account["sendgrid"]["api_keys"]) == 0
    assert place.files() == {}


# Keys


def test_of_sendgrid_only_the_key_that_may_send_is_kept(place: SetupPlace) -> None:
    """The full one is nowhere below the folder, nor in what was printed; the others stand in `.env` alone."""
    (place.folder / ".env").write_text(f"SENDGRID_API_KEY={FULL}\n")
    printed = place.run().output
    for name in place.files():
        text = (place.folder / name).read_text()
        for key in KEYS:
            allowed = name == ".env" and key != FULL
            # The line of `.env` that was replaced is kept for --undo, which the operator had put there.
            assert allowed or key not in text or (key == FULL and name.endswith("record.json")), name
    assert not any(
        key in printed for key in (*KEYS, place.env["SENDGRID_API_KEY"], place.env["SUPERVISOR_TOKEN"], place.env["CONSOLE_PASSWORD"])
    )
    assert load_settings(_env_file=place.folder / ".env", boss_users_file=place.folder / "users.toml").environment == "production"


@pytest.mark.timeout(180)
def test_at_a_terminal_keys_are_asked_for_without_an_echo(place: SetupPlace) -> None:
    """No key is in what the terminal shows, in an argument, or in the environment of the process; a wrong one may be given again."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place.folder)
        words = [word for word in place.command() if word != "--yes"]
        os.execve(sys.executable, words, place.environment)  # noqa: S606 - it is to be the terminal's own process
    talk = Talk(terminal)
    script = [
        ("Claude API key", key_like("wrong")), ("Claude API key", CLAUDE), ("https:// address", PUBLIC), ("Account SID", ACCOUNT),
        ("Auth Token", TOKEN), ("Full Access", FULL), ("Boss's number", "1"), ("Boss's mail address", PERSON["BOSS_EMAIL"]),
        ("username", "ada"), ("calls them", ""), ("own number", PERSON["PHONE"]), ("own mail", PERSON["EMAIL"]), ("time zone", ""),
        ("Do this?", "y"),
    ]  # fmt: skip
    for question, answer in script:
        talk.expect(re.escape(question) + r"[^\n]*: $")
        shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        assert not any(key.encode() in shown for key in KEYS)
        talk.answer(answer, hidden=answer in (*KEYS, key_like("wrong")))
    talk.expect("boss doctor")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, talk.seen
    assert "Claude refuses the key (401)" in talk.seen
    assert not any(key in talk.seen for key in (*KEYS, key_like("wrong")))
    assert place.account["twilio"]["numbers"][0]["sms_url"].startswith(PUBLIC)
    people = (place.folder / "users.toml").read_text()
    assert re.findall(r'^(?:name|timezone) = "(.*)"$', people, re.MULTILINE) == ["Ada", "UTC"]


class Talk:
    """The person's end of a terminal: all that it has shown, and what is typed."""

    def __init__(self, terminal: int) -> None:
        self.seen, self._terminal, self._read = "", terminal, 0

    def expect(self, pattern: str, seconds: float = 60) -> None:
        """Wait until the pattern is shown, behind what was expected before."""
        end = time.monotonic() + seconds
        while not (found := re.compile(pattern).search(self.seen, self._read)):
            assert time.monotonic() < end, f"{pattern} did not come; seen:\n{self.seen}"
            if select.select([self._terminal], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self._terminal, 65_536).decode(errors="replace").replace("\r", "")
                except OSError:
                    raise AssertionError(f"it ended without {pattern}; seen:\n{self.seen}") from None
        self._read = found.end()

    def answer(self, text: str, *, hidden: bool) -> None:
        """Type a line; a hidden one once the terminal has stopped echoing."""
        if hidden:
            wait_for(lambda: not termios.tcgetattr(self._terminal)[3] & termios.ECHO, 20, "the echo to be off")
        os.write(self._terminal, text.encode() + b"\n")


# Files of others


def test_a_caddyfile_and_a_unit_are_written_on_request_and_never_over_anothers(place: SetupPlace) -> None:
    """The proxy passes on the webhooks alone; a file that was changed since is not written over; they go with --undo."""
    caddy, units = place.folder / "Caddyfile", place.folder / "units"
    units.mkdir()
    place.run("--caddy", str(caddy), "--systemd", str(units))
    text, unit = caddy.read_text(), (units / "bossline@.service").read_text()
    assert "boss.example.com {" in text
    assert "/metrics" not in [line.strip() for line in text.splitlines() if not line.startswith("#")]
    assert f"WorkingDirectory={place.folder}" in unit
    caddy.write_text(text + "# mine\n")
    result = place.run("--caddy", str(caddy), code=1, PUBLIC_URL="https://new.example.com")
    assert "did not write it as it is" in result.output
    assert caddy.read_text() == text + "# mine\n"
    caddy.write_text(text)
    place.run("--caddy", str(caddy), "--systemd", str(units), PUBLIC_URL="https://new.example.com")
    assert "new.example.com {" in caddy.read_text()
    place.run("--undo")
    assert [path.name for path in place.folder.rglob("*") if path.is_file()] == []


def test_answers_may_be_options_but_no_key_may(place: SetupPlace) -> None:
    """There is no option for one."""
    place.run("--public-url", "https://option.example.com", "--username", "bob")
    assert place.env["PUBLIC_URL"] == "https://option.example.com"
    assert 'username = "bob"' in (place.folder / "users.toml").read_text()
    for option in ("--anthropic-api-key", "--twilio-auth-token", "--sendgrid-api-key"):
        assert "No such option" in place.run(option, "x", code=2).output


def test_the_journal_of_a_run_names_no_key(place: SetupPlace) -> None:
    """What was asked of the providers holds the names of things and their addresses."""
    place.run()
    assert not any(key in json.dumps(entry["request"]) for entry in place.sandbox.journal() for key in KEYS)
    assert ROOT.exists()
