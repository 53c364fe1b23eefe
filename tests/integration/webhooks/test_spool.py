"""Webhooks while Redis is away: each gets its 2xx in time, nothing is lost, nothing is taken twice, nobody is overtaken."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from boss.checks.spool import spool as check
from shared import submit
from shared.config.settings import Settings
from shared.errors import SchemaTooNew
from shared.mailbox import keys
from shared.mailbox.records import ReplyState
from shared.model.addresses import ConversationKey, PhoneNumber
from shared.model.codec import DATA_VERSION, SCHEMA_VERSION
from shared.model.sms_admission import sms_id
from shared.process import blocking
from shared.runtime import open_runtime
from shared.spool_layout import SpoolFile, SpoolListing
from shared.storage.replication import StorageResult
from tests.payloads import form_body, sid
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for
from tests.support.webhook_client import ELSEWHERE, SECRET, Web, load, opened, reply, send_a_reply
from webhook_api.intake.records import ReceivedMessage, decode
from webhook_api.intake.replay import MAX_TRIES, Replayer
from webhook_api.intake.spool import Spool

TEXTS = ConversationKey("sms", "+15559876543", "+15551234567")
IN_TIME = 2.5
AT_ONCE = 0.9
"""Well under one timeout of a Redis that hangs."""


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may hurt."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def web(server: EmbeddedServer) -> Iterator[Web]:
    """The application on it."""
    with opened(server.url) as running:
        yield running


@contextmanager
def trouble(server: EmbeddedServer, how: str) -> Iterator[None]:
    """Redis is stopped, frozen, full, or without the replicas that it must have, meanwhile."""
    refusals = {"full": ("maxmemory", "1mb"), "alone": ("min-replicas-to-write", "1")}
    if how in refusals:
        name, value = refusals[how]
        with server.client() as client:
            client.config_set(name, value)
            yield
            client.config_set(name, "0")
        return
    getattr(server, how)()
    try:
        yield
    finally:
        server.start() if how == "stop" else server.thaw()


def post(web: Web, number: int, limit: float = IN_TIME) -> None:
    """One text of the one user; it is taken, in time, and answered with its id."""
    start = time.monotonic()
    answer = web.sms(Body=f"text {number}", MessageSid=sid(number))
    assert answer.status_code == 200
    assert answer.headers["X-Bossline-Message"] == text_id(number)
    assert time.monotonic() - start < limit


def text_id(number: int) -> str:
    return sms_id("AC" + "0" * 32, sid(number))


def inbox(web: Web) -> list[str]:
    """The ids of the user's texts, as they stand in the conversation."""
    items: Any = web.redis.lrange("boss:inbox:" + web.runtime.identities.conversation(TEXTS), 0, -1)
    return [item.decode() for item in items]


def files(web: Web, where: str = "waiting") -> list[Path]:
    return sorted((web.spool / where).glob("*"))


def ready(web: Web) -> dict[str, Any]:
    found: dict[str, Any] = web.client().get("/readyz").json or {}
    return found


@pytest.mark.parametrize("how", ["stop", "freeze", "full", "alone"])
def test_a_sender_s_texts_stay_in_order_over_direct_spool_and_direct(server: EmbeddedServer, web: Web, how: str) -> None:
    """Before, during and after the trouble, each sent when the last was answered; what a hanging Redis took after all is known again."""
    post(web, 0)
    with trouble(server, how):
        post(web, 1)
        for number in range(2, 12):
            post(web, number, AT_ONCE)
        assert len(files(web)) == 11
    number = 12
    while web.intake.away or number < 14:  # new ones come while the backlog goes back, and when it is gone
        post(web, number)
        number += 1
    web.emptied()
    post(web, number)
    assert inbox(web) == [text_id(each) for each in range(number + 1)]
    assert web.lines() == [("sms_received", "")] * (number + 1)
    assert ready(web)["status"] == "ok"


def test_a_command_is_one_by_whatever_way_it_comes(server: EmbeddedServer, web: Web) -> None:
    """Right from the webhook, and from the spool: its words are judged when it is stored. STOP is no command."""
    with trouble(server, "stop"):
        assert web.sms(Body="Status", MessageSid=sid(0)).status_code == 200
    web.emptied()
    assert web.sms(Body="status!", MessageSid=sid(1)).status_code == 200
    assert web.sms(Body="What is the status?", MessageSid=sid(2)).status_code == 200
    conversation = web.runtime.identities.conversation(TEXTS)
    commands: Any = web.redis.lrange(f"boss:priority:{conversation}", 0, -1)
    assert ([raw.decode() for raw in commands], inbox(web)) == ([text_id(0), text_id(1)], [text_id(2)])
    assert web.sms(Body="stop", MessageSid=sid(3)).status_code == 200
    assert web.redis.llen(f"boss:priority:{conversation}") == 2


def test_a_slow_disk_holds_up_no_other_text_on_the_server_s_loop(server: EmbeddedServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that goes to disk is written by a thread: the loop, which all texts share, goes on."""
    post(web, 0)
    writing, written = threading.Event(), web.intake._spool.write

    def slow(ticket: int, content: bytes) -> None:
        loops[0].call_soon_threadsafe(writing.set)
        assert writing.wait(5), "the loop stood still while the disk was written"
        written(ticket, content)

    monkeypatch.setattr(web.intake._spool, "write", slow)

    loops: list[asyncio.AbstractEventLoop] = []

    async def on_the_loop() -> None:
        loops.append(asyncio.get_running_loop())
        await blocking.run(post, web, 1)

    with trouble(server, "stop"):
        asyncio.run(on_the_loop())
        assert len(files(web)) == 1


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_an_attempt_under_way_is_neither_waited_for_nor_overtaken(server: EmbeddedServer, web: Web, ends: str) -> None:
    """Redis hangs: the first text waits for it, the second does not, and comes after the first all the same."""
    post(web, 0)
    with ThreadPoolExecutor(2) as pool:
        with trouble(server, "freeze"):
            first = pool.submit(post, web, 1)
            wait_for(lambda: web.intake._sequencer._direct, 2, "the first attempt")
            since = next(iter(web.intake._sequencer._direct.values()))
            wait_for(lambda: time.monotonic() - since > 0.3, 2, "a silence that is noticed")
            post(web, 2, 0.5)
            assert not first.done()
            assert len(files(web)) == 1
            if ends == "badly":
                first.result(5)
                assert [on_disk(path) for path in files(web)] == [text_id(1), text_id(2)]
        first.result(5)
        web.emptied()
    assert inbox(web) == [text_id(number) for number in range(3)]


def on_disk(path: Path) -> str:
    entry = decode(path.read_bytes())
    assert isinstance(entry, ReceivedMessage)
    return entry.event.id


def test_reports_are_kept_as_well(server: EmbeddedServer, web: Web) -> None:
    """A lost callback would leave an attempt of unknown outcome: both providers' wait on disk like a message."""
    assert send_a_reply(web).state is ReplyState.SENDING
    with trouble(server, "stop"):
        report = form_body({"MessageSid": sid("out"), "MessageStatus": "delivered", "AccountSid": "AC" + "0" * 32})
        answer = web.sms("/sms/status?reply=r-1&attempt=a-1", body=report)
        assert (answer.status_code, answer.text) == (204, "")
        events = json.dumps([{"event": "processed", "reply": "r-9", "attempt": "a-9", "sg_message_id": f"X{n}.y"} for n in range(300)])
        sent = web.client().post(f"/email/events?token={SECRET}", data=events, environ_overrides=ELSEWHERE)
        assert (sent.status_code, len(files(web))) == (204, 2)
    web.emptied()
    assert (reply(web).state, reply(web).attempts[0].provider_id) == (ReplyState.DELIVERED, sid("out"))


def test_a_crash_between_the_answer_and_the_removal_repeats_nothing(
    server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is still there at the next start, and Redis knows what is in it: message, ignored one and report."""
    with opened(server.url, boss_data_dir=tmp_path) as web:
        send_a_reply(web)
        server.stop()
        post(web, 1)
        assert web.sms(MessageSid=sid("ignored"), Body="").status_code == 200
        report = form_body({"MessageSid": sid("out"), "MessageStatus": "delivered", "AccountSid": "AC" + "0" * 32})
        assert web.sms("/sms/status?reply=r-1&attempt=a-1", body=report).status_code == 204
        monkeypatch.setattr(Spool, "remove", lambda *_: None)  # as if each time the process died before it came to that
        server.start()
        wait_for(lambda: ("delivered", "") in web.lines(), 10, "the replay of all three")
        assert len(files(web)) == 3
        before = web.lines()
        assert sorted(kind for kind, _ in before[-4:]) == ["delivered", "ignored", "sent", "sms_received"]
    monkeypatch.undo()
    with opened(server.url, boss_data_dir=tmp_path) as web:
        web.emptied()
        assert web.lines() == before
        assert reply(web).state is ReplyState.DELIVERED


def test_a_file_goes_only_after_redis_has_answered_for_it(server: EmbeddedServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the moment in which an entry is removed, its message is stored."""
    stored: list[str] = []
    remove = Spool.remove

    def checked(spool: Spool, names: list[SpoolFile], following: SpoolFile | None = None) -> None:
        entries = [decode(spool.read(name)) for name in names]
        ids = [entry.event.id for entry in entries if isinstance(entry, ReceivedMessage)]
        stored.extend(each for each in ids if web.redis.exists(f"boss:msg:{each}"))
        remove(spool, names, following)

    monkeypatch.setattr(Spool, "remove", checked)
    with trouble(server, "stop"):
        for number in range(5):
            post(web, number)
    web.emptied()
    assert stored == [text_id(number) for number in range(5)]


def test_what_cannot_be_replayed_is_set_aside_and_holds_nobody_up(
    server: EmbeddedServer, web: Web, capfd: pytest.CaptureFixture[str]
) -> None:
    """A call that fails for its own sake; a newer version; garbage; a foreign file. Each is kept and shown, and its text is not."""
    rate = f"boss:rate:{web.runtime.identities.sender(PhoneNumber('+15551234567'))}"
    garbage, newer = SpoolFile(5, 6).name, SpoolFile(6, 9).name
    web.redis.set(rate, "not a list")
    waiting = web.spool / "waiting"
    with trouble(server, "stop"):
        assert web.sms(Body="canary words", MessageSid=sid(1)).status_code == 200
        assert web.mail().status_code == 200
        (waiting / garbage).write_bytes(b"canary")
        (waiting / newer).write_bytes(json.dumps({"v": SCHEMA_VERSION + 1, "kind": "accept"}).encode())
        (waiting / "canary~").write_bytes(b"")
    web.emptied()
    assert [kind for kind, _ in web.lines()] == ["email_received"]
    aside = {path.name for path in files(web, "aside")}
    (failed,) = aside - {garbage, newer, "canary~"}
    assert (ready(web)["status"], ready(web)["spool"]["aside"]) == ("ok", 4)
    assert [finding.status for finding in check(web.runtime.settings)] == ["fail"]
    said = "".join(capfd.readouterr())
    assert said.count("action=set_aside") == 4
    assert "canary" not in said
    assert "5551234567" not in said
    # What hindered it is mended, and the operator moves it back.
    web.redis.delete(rate)
    (web.spool / "aside" / failed).rename(waiting / failed)
    wait_for(lambda: len(web.stored()) == 2, 5, "the entry that was moved back")
    web.emptied()
    post(web, 1)
    assert inbox(web) == [text_id(1)]


def test_an_entry_is_tried_five_times_before_it_is_set_aside(server: EmbeddedServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what came before or with it is not tried again for its sake."""
    tried: list[int] = []
    run_all = submit.run_all

    def counted(runtime: Any, steps: Any) -> StorageResult[list[Any]]:
        answers = run_all(runtime, steps)
        tried.append(len(steps))
        return answers

    web.redis.set(f"boss:rate:{web.runtime.identities.sender(PhoneNumber('+15551234567'))}", "not a list")
    with trouble(server, "stop"):
        for number in range(3):
            assert web.mail(text=f"mail {number}").status_code == 200
        post(web, 1)
        monkeypatch.setattr(submit, "run_all", counted)
    web.emptied()
    assert len(files(web, "aside")) == 1
    assert len(web.stored()) == 3
    assert (sum(tried), tried[-1]) == (3 + MAX_TRIES, 1)


def test_two_web_processes_share_a_directory(server: EmbeddedServer, tmp_path: Path) -> None:
    """What one has spooled the other sees before it asks Redis; one replays both's, in the order of arrival, whatever their clocks say."""
    with opened(server.url, boss_data_dir=tmp_path) as first, opened(server.url, boss_data_dir=tmp_path) as second:
        first.intake._sequencer._clock = lambda: time.time_ns() + 60 * 10**9
        second.intake._sequencer._clock = lambda: time.time_ns() - 60 * 10**9
        post(first, 0)
        with trouble(server, "freeze"):
            post(first, 1)
            post(second, 2, AT_ONCE)
            for number in range(3, 9):
                post(first if number % 2 else second, number, AT_ONCE)
        first.emptied()
        second.emptied()
        post(second, 9)
        assert inbox(first) == [text_id(number) for number in range(10)]
        assert first.lines() == [("sms_received", "")] * 10


def test_the_other_process_takes_over_the_replay(server: EmbeddedServer, tmp_path: Path) -> None:
    """One that ends leaves its entries, and the one that lives has them taken without being asked anything."""
    with opened(server.url, boss_data_dir=tmp_path) as survivor:
        with trouble(server, "stop"), opened(server.url, boss_data_dir=tmp_path) as mortal:
            post(mortal, 1)
        wait_for(lambda: len(survivor.stored()) == 1, 5, "the replay by the other")


def test_web_starts_and_takes_messages_while_redis_is_away(server: EmbeddedServer) -> None:
    """Before it has ever seen Redis, whose salt the ids need; the first answer from Redis puts that right."""
    server.stop()
    start = time.monotonic()
    with opened(server.url) as web:
        assert time.monotonic() - start < IN_TIME
        assert ready(web)["redis"] == "away"
        for number in range(3):
            post(web, number)
        assert web.mail().status_code == 200
        assert (ready(web)["status"], ready(web)["spool"]["depth"]) == ("spooling", 4)
        server.start()
        web.emptied()
        assert inbox(web) == [text_id(number) for number in range(3)]
        assert len(web.stored()) == 4


def test_web_starts_in_time_while_redis_hangs(server: EmbeddedServer) -> None:
    """And the texts that come at once do not wait for it one after the other."""
    with trouble(server, "freeze"):
        start = time.monotonic()
        with opened(server.url) as web:
            assert time.monotonic() - start < IN_TIME
            with ThreadPoolExecutor(6) as pool:
                list(pool.map(lambda number: post(web, number, 4), range(6)))
            server.thaw()
            web.emptied()
            assert sorted(inbox(web)) == sorted(text_id(number) for number in range(6))


def test_data_that_is_too_new_stops_the_start_and_later_only_the_replay(server: EmbeddedServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A process that takes messages already keeps them for the newer version, and says so once."""
    with server.client() as client:
        client.set(keys.SCHEMA, DATA_VERSION + 1)
        with pytest.raises(SchemaTooNew):
            open_runtime(load(server.url), "web")
        server.stop()
        with opened(server.url) as web:
            server.start()
            post(web, 1)
            post(web, 2)
            wait_for(lambda: "schema_too_new" in "".join(capfd.readouterr()), 5, "the line in the log")
            assert (ready(web)["status"], len(files(web)), web.stored()) == ("spooling", 2, [])
            client.set(keys.SCHEMA, DATA_VERSION)
            web.emptied()
            assert len(web.stored()) == 2


def test_a_draft_holds_back_what_came_after_it_and_no_longer_than_its_writer_lives(server: EmbeddedServer, web: Web) -> None:
    """Another process is about to have an entry there that came before; when it died instead, the draft goes and the others go on."""
    server.stop()
    draft = web.spool / "waiting" / SpoolFile(1, 100, draft=True).name
    draft.parent.mkdir(parents=True)
    with draft.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        os.utime(draft, (0, 0))
        post(web, 1)
        server.start()
        looked = web.intake._sequencer._last
        wait_for(lambda: web.intake._sequencer._last > looked + 10**9, 5, "a replayer that has looked again and again")
        assert (web.stored(), len(files(web))) == ([], 2)
    web.emptied()
    assert inbox(web) == [text_id(1)]
    assert files(web, "aside") == []


def test_what_is_written_late_under_an_early_ticket_is_not_passed_over(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A direct attempt fails and is written just after the replayer has listed the directory: the later entry does not go first."""
    web.intake.close()
    order, spool, survey = web.intake._sequencer, web.intake._spool, web.intake._spool.scan
    early, _ = order.take_ticket(lambda: True)
    late, _ = order.take_ticket(lambda: False)
    spool.write(late, b"late")
    order.release(late)

    def listed_and_then_written(head: int = 0) -> SpoolListing:
        found = survey(head)
        spool.write(early, b"early")
        order.release(early)
        return found

    monkeypatch.setattr(spool, "scan", listed_and_then_written)
    assert web.intake._replayer._next_files() == []
    monkeypatch.undo()
    names = web.intake._replayer._next_files()
    assert [name.ticket for name in names or []] == [early, late]


def test_what_comes_to_wait_between_the_look_and_the_ticket_is_not_overtaken(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread's text goes to disk just after this one's has found the disk empty: this one's goes there as well, behind it."""
    post(web, 0)
    web.intake.close()
    look, took = web.intake._spool.is_empty, web.intake._stored

    def looked_and_then_written() -> bool:
        found = look()
        monkeypatch.setattr(web.intake._spool, "is_empty", look)
        monkeypatch.setattr(web.intake, "_stored", lambda *_: False)
        post(web, 1)
        monkeypatch.setattr(web.intake, "_stored", took)
        return found

    monkeypatch.setattr(web.intake._spool, "is_empty", looked_and_then_written)
    post(web, 2)
    assert inbox(web) == [text_id(0)]
    waiting = [decode(file.read_bytes()) for file in files(web)]
    assert [entry.event.id for entry in waiting if isinstance(entry, ReceivedMessage)] == [text_id(1), text_id(2)]


def test_a_clock_that_went_back_changes_no_order(server: EmbeddedServer, tmp_path: Path) -> None:
    """What an earlier life left has tickets of an hour that is still to come: new texts come after it all the same."""
    settings = load(server.url, boss_data_dir=tmp_path)
    with opened(server.url, boss_data_dir=tmp_path) as web:
        server.stop()
        post(web, 1)
        web.intake.close()
        (entry,) = files(web)
        ahead = SpoolFile(time.time_ns() + 3600 * 10**9, entry.stat().st_size)
        entry.rename(entry.with_name(ahead.name))
    with opened(server.url, boss_data_dir=tmp_path) as web:
        post(web, 2)
        post(web, 3)
        server.start()
        web.emptied()
        assert inbox(web) == [text_id(number) for number in (1, 2, 3)]
    assert Spool(settings).is_empty()


def test_entries_of_the_version_before_are_handed_over(server: EmbeddedServer, tmp_path: Path) -> None:
    """Their names have no writer, and two of them may have one ticket; what comes after the upgrade comes after them."""
    with opened(server.url, boss_data_dir=tmp_path) as web:
        server.stop()
        for number in (1, 2, 30):
            post(web, number)
        web.intake.close()
        first, second, third = files(web)
        ticket = int(second.name[:20])
        for entry, its_ticket in ((first, ticket - 1), (second, ticket), (third, ticket)):
            entry.write_bytes(entry.read_bytes() + b" " * 99 * (entry is third))  # two of one ticket have two sizes
            entry.rename(entry.with_name(f"{its_ticket:020}-{entry.stat().st_size}.json"))
        assert len(files(web)) == 3
    with opened(server.url, boss_data_dir=tmp_path) as web:
        post(web, 4)
        server.start()
        web.emptied()
        found = inbox(web)
        assert (found[0], sorted(found[1:3]), found[3:]) == (text_id(1), sorted([text_id(2), text_id(30)]), [text_id(4)])


def test_a_replay_that_breaks_goes_on(server: EmbeddedServer, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of our own in the thread is logged without the error's text, and the backlog does not wait for a restart."""
    broken = threading.Event()
    remove = Replayer._remove_stored

    def once(*args: Any) -> int:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("canary")
        return remove(*args)

    monkeypatch.setattr(Replayer, "_remove_stored", once)
    with trouble(server, "stop"):
        post(web, 1)
    web.emptied()
    assert broken.is_set()
    assert inbox(web) == [text_id(1)]


def test_while_redis_is_away_refusals_neither_wait_nor_fill_the_disk(server: EmbeddedServer, web: Web) -> None:
    """A stranger with a wrong signature costs nothing but a line in the log."""
    with trouble(server, "freeze"):
        post(web, 1)
        start = time.monotonic()
        assert [web.sms(signature="x").status_code for _ in range(20)] == [403] * 20
        assert time.monotonic() - start < 2
        assert len(files(web)) == 1


def test_settings_decide_where_it_is(tmp_path: Path) -> None:
    """Under BOSS_DATA_DIR."""
    settings: Settings = load("redis://127.0.0.1:1", boss_data_dir=tmp_path)
    assert settings.spool_dir == tmp_path / "spool"


def test_redis_is_not_touched_by_a_check_of_readiness(server: EmbeddedServer, web: Web) -> None:
    """With nothing wrong it asks with a PING, once a minute for the time, and writes nothing."""
    with server.client() as client:
        before = names(client)
        found = ready(web)
        assert abs(found.pop("clock_skew_seconds")) < 1, "one machine, one clock"
        assert found == {
            "status": "ok",
            "redis": "ok",
            "spool": {"depth": 0, "bytes": 0, "oldest_seconds": 0, "aside": 0, "insured": 0}
            | {"room_bytes": ready(web)["spool"]["room_bytes"]},
        }
        assert names(client) == before


def names(client: Redis) -> set[Any]:
    found: Any = client.keys("*")
    return set(found)
