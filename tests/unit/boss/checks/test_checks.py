"""The doctor's checks: each says what it saw and what to do, and none can stop or silence another."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anthropic
import pytest
from click.testing import CliRunner
from redis.exceptions import ConnectionError as RedisAway

from boss.checks import machine, providers, replication, server
from boss.checks.reconciler import reconciler
from boss.checks.result import Finding, fail, ok, run_all, warn, worst
from boss.checks.spending import prices, spending
from boss.commands.doctor import _stored, doctor, line
from shared.config.loading import load_settings
from shared.config.providers import COSTS, NOTHING_LEAVES, SIMULATED
from shared.config.settings import Settings
from shared.errors import BosslineError
from shared.mailbox import Mailbox
from shared.mailbox.records import Pause
from shared.mailbox.statistics import Figures, Reminders, Spent, Waiting
from shared.model.addresses import Identities
from shared.model.users import LOCAL_USER
from shared.registry import KnownPeople

HEALTHY: dict[str, Any] = {
    "valkey_version": "9.1.2", "redis_version": "7.2.4", "maxmemory_policy": "noeviction", "maxmemory": 1000, "used_memory": 10,
    "aof_enabled": 1, "aof_last_write_status": "ok", "role": "master", "connected_slaves": 0,
}  # fmt: skip


class Fake:
    """A server that answers what it was told to."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **_kwargs: Any) -> Any:
            answer = self.answers.get(f"{name} {args[0]}" if args else name, self.answers.get(name))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def seen(**changes: Any) -> Figures:
    """What one look saw: nothing, but for the changes."""
    none, spent = Waiting(0, 0.0), Spent(0, 0, 0, 0, 0)
    nothing = Figures(none, none, 0, 0, 0.0, 0, paused=False, ledger_lines=0, workers=0, standbys=0, spent=spent, counts={})
    return replace(nothing, **changes)


def statuses(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.status for finding in findings}


def test_every_check_runs_also_beside_one_that_raises_and_one_that_hangs() -> None:
    """The order stays, and the hanging one is ended by the doctor's own patience."""

    def raises() -> list[Finding]:
        raise ZeroDivisionError("+15551234567")

    def refuses() -> list[Finding]:
        raise BosslineError("key=sk-verysecret123 refused")

    def hangs() -> list[Finding]:
        threading.Event().wait(30)
        return []

    started = time.monotonic()
    found = run_all({"a": hangs, "b": raises, "c": refuses, "d": lambda: [ok("d", "fine")]}, patience=0.5)
    assert time.monotonic() - started < 5
    assert statuses(found) == {"a": "fail", "b": "fail", "c": "fail", "d": "ok"}
    assert "verysecret" not in str(found)
    assert "+1555" not in str(found)


def test_a_warning_is_no_failure() -> None:
    """The worst status counts."""
    good, bad, worse = ok("a", ""), warn("b", "", ""), fail("c", "", "")
    assert [worst([good]), worst([good, bad]), worst([bad, worse, good])] == ["ok", "warn", "fail"]


def test_what_to_do_stands_below_the_finding() -> None:
    """Lines of several faults are indented alike."""
    assert line(fail("settings", "A: x\nB: y", "Mend.")).split("\n")[1:] == [" " * 22 + "B: y", " " * 22 + "-> Mend."]


@pytest.mark.parametrize(("mode", "status"), [(0o600, "ok"), (0o400, "ok"), (0o640, "warn"), (0o604, "warn"), (None, "ok")])
def test_an_env_file_that_others_can_read_is_a_warning(tmp_path: Path, mode: int | None, status: str) -> None:
    """Secrets belong to their owner."""
    path = tmp_path / ".env"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    assert machine.env_file(path)[0].status == status


@pytest.mark.parametrize(
    ("url", "sandbox", "status"),
    [
        ("", "on", "ok"),
        ("", "off", "fail"),
        ("https://boss.example.com", "off", "ok"),
        ("https://example.com/boss", "off", "ok"),
        ("http://boss.example.com", "off", "warn"),
        ("https://localhost", "off", "fail"),
        ("https://10.1.2.3", "off", "fail"),
        ("https://web", "off", "fail"),
        ("https://u:p@example.com", "off", "fail"),
        ("https://example.com/sms/inbound", "off", "fail"),
        ("https://example.com?x=1", "off", "fail"),
        ("http://127.0.0.1:8787", "on", "ok"),
    ],
)
def test_a_public_url_that_no_provider_could_call_is_named(tmp_path: Path, url: str, sandbox: str, status: str) -> None:
    """Scheme, host and path are judged before anybody wonders why nothing arrives."""
    found = machine.public_url(load_settings(public_url=url, sandbox=sandbox, boss_data_dir=tmp_path))
    assert found[0].status == status
    assert ":p@" not in found[0].detail


def test_the_mode_and_the_token_are_said(tmp_path: Path) -> None:
    """Each provider is played or real, that nothing leaves is said only when it is so, and the self-test fails without a token."""
    on, off = (load_settings(sandbox=mode, boss_data_dir=tmp_path) for mode in ("on", "off"))
    assert [machine.mode(each)[0].detail.count("played by the sandbox") for each in (on, off)] == [3, 0]
    assert (machine.mode(on)[0].detail.endswith(NOTHING_LEAVES), "leaves" in machine.mode(off)[0].detail) == (True, False)
    assert (machine.signature(on)[0].status, machine.signature(off)[0].status) == ("ok", "fail")
    assert (machine.users(on)[0].status, machine.users(off)[0].status) == ("ok", "warn")


def test_a_real_claude_behind_the_sandbox_phone_is_said_to_cost(tmp_path: Path) -> None:
    """The natural second step: it works, and it is no fault."""
    (found,) = machine.mode(load_settings(anthropic_api_key="mine", boss_data_dir=tmp_path))
    assert found.status == "ok"
    assert "Claude: real (key from the environment)" in found.detail
    assert "Twilio: played by the sandbox" in found.detail
    assert COSTS in found.detail
    assert "Nothing leaves" not in found.detail


def test_the_sandbox_s_own_secrets_are_no_fault_beside_a_real_claude(tmp_path: Path) -> None:
    """Those of who is played are published on purpose; the token that lets programs spend the key is not one of them."""
    (found,) = machine.weak_secrets(load_settings(anthropic_api_key="x", boss_data_dir=tmp_path))
    assert {line.partition(":")[0] for line in found.detail.splitlines()} == {"ANTHROPIC_API_KEY", "SUPERVISOR_TOKEN"}
    assert machine.weak_secrets(load_settings(boss_data_dir=tmp_path)) == []


def test_real_texts_with_simulated_answers_are_a_warning(tmp_path: Path) -> None:
    """A real Twilio with a played Claude: whoever texts hears an echo."""
    twilio = {"twilio_account_sid": "AC" + "1" * 32, "twilio_auth_token": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}
    (found,) = machine.mode(load_settings(**twilio, boss_data_dir=tmp_path))
    assert found.status == "warn"
    assert SIMULATED in found.detail
    assert machine.public_url(load_settings(**twilio, boss_data_dir=tmp_path))[0].status == "fail", "no text can arrive"


def test_the_line_about_the_users_says_how_many_forwarding_addresses_there_are(tmp_path: Path) -> None:
    """Where there are any."""
    users = tmp_path / "users.toml"
    both = 'forwarding = [{ address = "a@example.com", tag = "a" }, { address = "b@example.com", tag = "b" }]'
    users.write_text(f'[[users]]\nusername = "u"\nemail = "u@example.com"\nboss_email = "boss@example.com"\n{both}\n')
    users.chmod(0o600)
    (found,) = machine.users(load_settings(boss_users_file=users, boss_data_dir=tmp_path))
    assert found.detail == "1: 0 by text, 1 by mail, 2 forwarding addresses"


@pytest.mark.parametrize(("mode", "status"), [(0, "ok"), (0o040, "warn"), (0o004, "warn"), (0o001, "warn")])
def test_users_and_data_that_others_can_open_are_a_warning_with_the_line_that_mends_it(tmp_path: Path, mode: int, status: str) -> None:
    """Numbers and addresses stand in the one, messages in the other."""
    users, data = tmp_path / "the users.toml", tmp_path / "data"
    users.write_text('[[users]]\nusername = "u"\nphone = "+15551234567"\nboss_phone = "+15559876543"\n')
    users.chmod(0o600 | mode)
    data.mkdir()
    data.chmod(0o700 | mode)
    settings = load_settings(boss_users_file=users, boss_data_dir=data)
    (of_users,), (of_data,) = machine.users(settings), machine.data_dir(settings)
    assert (of_users.status, of_data.status) == (status, status)
    assert of_users.detail.startswith("1: 1 by text, 0 by mail")
    assert "forwarding" not in of_users.detail
    if mode:
        assert of_users.todo == f"Run: chmod 600 '{users}'"
        assert of_data.todo == f"Run: chmod 700 {data}"
        assert f"(mode {0o600 | mode:o})" in of_users.detail


def test_a_full_or_forbidden_data_directory_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is not there yet is judged by its parent."""
    settings = load_settings(boss_data_dir=tmp_path / "a" / "b")
    assert machine.data_dir(settings)[0].status == "ok"
    monkeypatch.setattr(machine, "ROOM_WARN", 1 << 60)
    assert machine.data_dir(settings)[0].status == "warn"
    monkeypatch.setattr(machine, "ROOM_FAIL", 1 << 60)
    assert machine.data_dir(settings)[0].status == "fail"
    (tmp_path / "file").touch()
    assert machine.data_dir(load_settings(boss_data_dir=tmp_path / "file"))[0].status == "fail"


@pytest.mark.parametrize(
    ("change", "name", "status"),
    [
        ({}, "redis", "ok"),
        ({"valkey_version": "6.0.16"}, "redis", "fail"),
        ({"maxmemory_policy": "allkeys-lru"}, "eviction", "fail"),
        ({"role": "slave"}, "replicas", "fail"),
        ({"connected_slaves": 1, "slave0": {"state": "online", "lag": 0}}, "replicas", "ok"),
        ({"connected_slaves": 1, "slave0": {"state": "online", "lag": 60}}, "replicas", "warn"),
        ({"connected_slaves": 1, "slave0": {"state": "wait_bgsave"}}, "replicas", "warn"),
        ({"maxmemory_policy": "volatile-lru", "maxmemory": 0}, "eviction", "warn"),
        ({"aof_enabled": 0}, "durability", "fail"),
        ({"aof_last_write_status": "err"}, "durability", "fail"),
        ({"used_memory": 850}, "memory", "warn"),
        ({"used_memory": 990}, "memory", "fail"),
    ],
)
def test_a_server_that_could_lose_messages_is_named(change: dict[str, Any], name: str, status: str) -> None:
    """Version, eviction, append-only file and room."""
    assert statuses(server.server(Fake(ping=True, info=HEALTHY | change, get=b"1")))[name] == status  # type: ignore[arg-type]


def test_data_of_a_newer_version_fails() -> None:
    """This Bossline must not touch it."""
    assert statuses(server.server(Fake(ping=True, info=HEALTHY, get=b"99")))["schema"] == "fail"  # type: ignore[arg-type]


@pytest.mark.parametrize(("skew", "status"), [(0, "ok"), (3, "warn"), (-3, "warn"), (61, "fail"), (-3600, "fail")])
def test_a_wrong_clock_is_named(skew: int, status: str) -> None:
    """Over 2 s it is a warning, over a minute a failure, in either direction."""
    assert server.clock(Fake(time=(int(time.time()) + skew, 0)))[0].status == status  # type: ignore[arg-type]


@pytest.mark.parametrize(("late", "status"), [(-5, "ok"), (1, "ok"), (8, "warn"), (90, "fail")])
def test_conversations_that_nobody_looks_at_are_named(late: int, status: str) -> None:
    """The sweep looks several times a second, so a few seconds mean that nobody sweeps."""
    assert server.due(seen(due=1, overdue=int(late > 0), most_overdue_seconds=max(0.0, late)))[0].status == status


@pytest.mark.parametrize(("count", "status"), [(0, "ok"), (79, "ok"), (80, "warn"), (100, "fail")])
def test_a_mailbox_that_fills_up_is_named(count: int, status: str) -> None:
    """From four fifths of what may wait it is a warning, and when nothing more is taken a failure."""
    settings = load_settings(sandbox="on", max_open_messages=100)
    (found,) = server.waiting(settings, seen(messages=Waiting(count, 10.0 if count else 0.0)))
    assert (found.status, found.detail.startswith(f"{count} of at most 100")) == (status, True)
    assert ("10 s" in found.detail) is bool(count)


def test_reminders_that_should_have_rung_are_named() -> None:
    """Row 20: those that nobody rings fail; those whose person cannot be reached wait for that."""
    table = {
        Reminders(): ("ok", "none"),
        Reminders(3): ("ok", "3 wait for their time"),
        Reminders(3, 2, 2, 900.0): ("ok", "3 wait for their time; 2 for their person, who is paused, opted out or out of reach"),
        Reminders(3, 2, 0, 900.0): ("fail", "3 wait for their time; 2 overdue, the first by 15 min"),
    }
    for reminders, told in table.items():
        (found,) = server.reminders(seen(reminders=reminders))
        assert (found.status, found.detail) == told


def test_what_waits_for_the_operator_is_named() -> None:
    """Parked messages warn."""
    assert (server.parked(seen(parked=0))[0].status, server.parked(seen(parked=2))[0].status) == ("ok", "warn")


def test_who_is_paused_is_said_with_a_name_and_a_reason(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of all fails, one user's warns; the reason comes without its control characters."""
    pauses: list[Pause] = []
    monkeypatch.setattr(Mailbox, "pauses", lambda _self: pauses)
    monkeypatch.setattr("shared.operations.people.people_now", lambda *_: KnownPeople((LOCAL_USER,)))
    redis: Any = Fake(set=True, get=b"00" * 32)
    assert server.paused(settings, redis)[0].status == "ok"
    pauses.append(Pause("flood\x1b[0m", Identities(bytes(32)).user("user"), "ada", 1))
    (found,) = server.paused(settings, redis)
    assert (found.status, "\x1b" in found.detail, "boss resume --user" in found.todo) == ("warn", False, True)
    assert [word for word in ("Sending to user (u-", "by ada", "flood") if word not in found.detail] == []
    pauses[:0] = [Pause("budget", by="alarm", since_ms=1)]
    pauses.append(Pause("moved away", "u-" + "0" * 24, "ada", 1))
    (found,) = server.paused(settings, redis)
    assert (found.status, "boss resume" in found.todo) == ("fail", True)
    expected = ("PAUSED: budget (for", "by alarm)", "flood", "an unknown user (u-00000000)")
    assert [word for word in expected if word not in found.detail] == []


def test_what_is_in_redis_is_not_checked_while_redis_is_away() -> None:
    """Redis's own line says that it is away; seven more would only hide it."""
    (found,) = _stored("workers", server.clock, Fake(time=RedisAway()))  # type: ignore[arg-type]
    assert (found.status, found.detail) == ("warn", "not checked: Redis does not answer")
    assert server.server(Fake(ping=RedisAway()))[0].status == "fail"  # type: ignore[arg-type]


def test_settings_that_cannot_be_used_are_all_listed_and_end_with_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every fault by its name, never with its value."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LEASE_SECONDS=secretvalue\nPORT=99999\n")
    result = CliRunner().invoke(doctor, [])
    assert result.exit_code == 1
    assert [word in result.output for word in ("LEASE_SECONDS", "PORT", "secretvalue", "chmod 600")] == [True, True, False, True]


def test_the_api_version_is_the_sdks(settings: Settings) -> None:
    """The doctor asks Claude without the SDK, which takes two seconds to import, but as the SDK would."""
    client = anthropic.Anthropic(api_key="x", base_url=settings.provider_urls["anthropic"])
    assert client.default_headers["anthropic-version"] == providers.ANTHROPIC_VERSION


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(sandbox="on", boss_data_dir=tmp_path)


@pytest.mark.parametrize(
    ("used", "bounds", "status"),
    [
        (Spent(79_999, 3, 0, 0, 0), (100_000, 5), "ok"),
        (Spent(80_000, 3, 5_000, 3, 0), (100_000, 5), "warn"),
        (Spent(100_000, 3, 0, 3, 0), (100_000, 5), "fail"),
        (Spent(0, 5, 0, 5, 0), (100_000, 5), "fail"),
        (Spent(0, 0, 0, 0, 0), (100_000, 5), "ok"),
        (Spent(999_999, 9_999, 0, 9_999, 0), (0, 0), "ok"),
        (Spent(100, 3, 0, 8, 2), (100_000, 5), "warn"),
        (Spent(100, 3, 0, 7, 7), (100_000, 5), "ok"),
        (Spent(0, 0, 0, 0, 0), (5_000, 5), "fail"),
    ],
)
def test_what_the_day_has_cost_is_shown_before_it_is_too_much(used: Spent, bounds: tuple[int, int], status: str) -> None:
    """The nearer of the two bounds decides, 0 is none; many questions without a usable answer, and a bound that fits none, are told."""
    settings = load_settings(_env_file=None, environment="local", sandbox="off", daily_tokens=bounds[0], daily_turns=bounds[1])
    assert statuses(spending(settings, seen(spent=used))) == {"spending": status}


@pytest.mark.parametrize(
    ("used", "bounds", "status", "said"),
    [
        (Spent(1, 1, 0, 0, 0, money=799_999, month=799_999), (1, 1), "ok", "$0.8000 of $1.00 today, $0.8000 of $1.00 this month"),
        (Spent(1, 1, 0, 0, 0, money=800_000, month=800_000), (1, 0), "warn", "$0.8000 of $1.00 today, $0.8000 this month"),
        (Spent(1, 1, 0, 0, 0, money=1_000_000), (1, 0), "fail", "nothing more is thought about today"),
        (Spent(1, 1, 0, 0, 0, month=1_000_000), (0, 1), "fail", "messages end with a sentence"),
    ],
)
def test_what_the_day_and_the_month_have_cost_in_dollars_is_shown(used: Spent, bounds: tuple[int, int], status: str, said: str) -> None:
    """Beside the bounds that there are."""
    settings = load_settings(_env_file=None, sandbox="off", daily_dollars=bounds[0], monthly_dollars=bounds[1])
    (found,) = spending(settings, seen(spent=used))
    assert found.status == status
    assert said in found.detail


def test_a_model_without_a_price_is_a_warning_and_a_file_that_cannot_be_used_a_fault(tmp_path: Path) -> None:
    """A played one needs none."""
    (tmp_path / "prices.toml").write_text("[[prices]]")
    for changes, status in (
        ({}, "ok"), ({"boss_model": "mystery"}, "warn"), ({"boss_model": "mystery", "sandbox": "on"}, "ok"),
        ({"prices_file": tmp_path / "prices.toml"}, "fail"), ({"prices_file": tmp_path / "none"}, "fail"),
    ):  # fmt: skip
        assert statuses(prices(load_settings(_env_file=None, **{"sandbox": "off", **changes}))) == {"prices": status}, changes


RECORD = {"at": 999_000_000, "numbers": 2, "listed": 9, "accepted": 0, "ignored": 0, "marked": 0, "unread": 0, "failure": ""}
LOOKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing missed": ({}, "ok", "looked 17 min ago at 9 texts to 2 numbers, none missed"),
    "some missed": (
        {"accepted": 3, "ignored": 1, "marked": 1}, "ok",
        "looked 17 min ago at 9 texts to 2 numbers: 3 missed ones taken, 1 of them maybe answered before, and 1 recorded",
    ),
    "missed before": ({"found": 4, "found_at": 900_000_000}, "ok", ", none missed; the last that were missed: 4, 28 h ago"),
    "failed": ({"failure": "twilio_20429"}, "warn", "; it failed: twilio_20429"),
    "cut": ({"unread": 3}, "warn", "; 3 numbers not read to the end"),
    "long ago": ({"at": 990_000_000}, "warn", "looked 3 h ago"),
    "unreadable": ({"at": "x", "numbers": "y"}, "warn", " ago at 9 texts to 0 numbers"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKS)
def test_the_reconciler_s_last_look_is_shown(name: str) -> None:
    """When, at how much, and what came of it; a trouble or a long silence is a warning."""
    changes, status, said = LOOKS[name]
    raw = {key.encode(): str(value).encode() for key, value in (RECORD | changes).items()}
    (found,) = reconciler(load_settings(sandbox="on", reconcile_minutes=10), Fake(hgetall=raw, time=(1_000_000, 0)))  # type: ignore[arg-type]
    assert found.status == status
    assert said in found.detail


def test_a_reconciler_that_is_off_or_has_not_looked_yet_is_no_fault() -> None:
    """In production it is a warning to have none."""
    fake: Any = Fake(hgetall={}, time=(1_000_000, 0))
    off, quiet = load_settings(sandbox="on", reconcile_minutes=0), load_settings(sandbox="on")
    production = off.model_copy(update={"environment": "production"})
    without = quiet.model_copy(update={"twilio_account_sid": ""})
    assert [reconciler(settings, fake)[0].status for settings in (off, quiet, without, production)] == ["ok", "ok", "ok", "warn"]


@pytest.mark.parametrize(("ahead", "status"), [([0.1, -0.2], "ok"), ([0.1, -120.0], "fail"), ([3.0, None], "warn"), ([None, None], None)])
def test_the_replicas_clocks_are_compared_with_the_master_s(
    monkeypatch: pytest.MonkeyPatch, ahead: list[float | None], status: str | None
) -> None:
    """The worst of those that can be reached; none of them, and nothing is said."""
    answers = iter(ahead)
    monkeypatch.setattr(replication, "_ahead", lambda *_: next(answers))
    followers = {f"slave{number}": {"ip": "192.0.2.1", "port": 6379 + number, "state": "online"} for number in range(2)}
    found = replication.clocks(cast("Any", Fake(info={"connected_slaves": 2, **followers})))
    assert [finding.status for finding in found] == ([status] if status else [])
