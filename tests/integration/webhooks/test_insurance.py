"""What Redis has and no replica does is on disk too, before its sender hears of it, and is handed over once more until a replica has it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest

from boss.checks.spool import spool as check
from rq_async.command_batching import CommandBatcher
from shared import submit
from shared.mailbox import AsyncMailbox, Mailbox, calls, keys
from shared.model.sms_admission import sms_id
from shared.storage import clients
from shared.storage.replication import ReplicationBarrier, StorageResult
from tests.payloads import sid
from tests.support.mailbox_workers import command, received
from tests.support.sentinel_cluster import Followed
from tests.support.wait import wait_for
from tests.support.webhook_client import ELSEWHERE, Web, opened
from webhook_api.intake import replay, unreplicated

HOLD = 0.3


@pytest.fixture(scope="module")
def _followed() -> Iterator[Followed]:
    with Followed() as running:
        yield running


@pytest.fixture
def followed(_followed: Followed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    """A master and its replica, emptied, the replica in step; and a web process that looks at its disk more often."""
    monkeypatch.setattr(replay, "POLL_SECONDS", 0.1)
    with _followed.master.client() as client:
        client.config_set("maxmemory", "256mb")
        client.flushall()
    yield _followed
    _followed.replica.thaw()


@pytest.fixture
def web(followed: Followed) -> Iterator[Web]:
    """The application on the master, with a short hold."""
    with opened(followed.url, insurance_seconds=HOLD) as running:
        yield running


def post(web: Web, number: int) -> int:
    """One text."""
    return web.sms(Body=f"text {number}", MessageSid=sid(number)).status_code


def insured(web: Web) -> list[Path]:
    """The files, oldest first."""
    return sorted(web.spool.glob("insured/*.json"))


def state(web: Web) -> dict[str, Any]:
    """What /readyz says of the disk."""
    return cast("dict[str, Any]", json.loads(web.client().get("/readyz", environ_overrides=ELSEWHERE).data)["spool"])


def texts(web: Web) -> list[str]:
    """What is in the inbox, in its order."""
    key = next(iter(cast("Iterator[bytes]", web.redis.scan_iter("boss:inbox:*", count=1000))), b"")
    ids = [raw.decode() for raw in cast("list[bytes]", web.redis.lrange(key.decode(), 0, -1))]
    names = {sms_id("AC" + "0" * 32, sid(number)): f"text {number}" for number in range(100)}
    return [names[one] for one in ids]


def limit(followed: Followed, memory: int | str) -> None:
    """What the master may hold."""
    with followed.master.client() as operator:
        operator.config_set("maxmemory", memory)


def over(web: Web) -> None:
    """Wait until nothing is insured any more."""
    wait_for(lambda: not (insured(web) or state(web)["insured"]), 10, "an empty insurance")


def test_what_a_replica_has_needs_no_insurance(web: Web) -> None:
    """The disk is not touched."""
    assert post(web, 1) == 200
    assert texts(web) == ["text 1"]
    assert not web.spool.exists()


def test_what_no_replica_has_is_on_disk_when_its_sender_hears_of_it(followed: Followed, web: Web) -> None:
    """The replica stands still: 2xx all the same, a file, a line in /readyz and doctor. When it goes on the file goes; one copy stays."""
    assert post(web, 0) == 200
    followed.replica.freeze()
    assert post(web, 1) == 200
    assert len(insured(web)) == 1
    assert (insured(web)[0].stat().st_mode & 0o777, state(web)["insured"], state(web)["depth"]) == (0o600, 1, 0)
    assert "1 messages that Redis has and no replica confirmed" in " ".join(found.detail for found in check(web.runtime.settings))
    followed.replica.thaw()
    over(web)
    assert texts(web) == ["text 0", "text 1"]


def test_what_a_failover_threw_away_comes_back(followed: Followed) -> None:
    """Also for the process's next life; behind what came later, and nothing of that is held up."""
    with TemporaryDirectory() as directory:
        with opened(followed.url, boss_data_dir=directory, insurance_seconds=1.5) as web:
            followed.replica.freeze()
            assert post(web, 1) == 200
            kept = {key: cast("bytes", web.redis.get(key)) for key in (keys.SALT, keys.SCHEMA)}
            with followed.master.client() as operator:
                operator.flushall()  # as the new master, which never heard of it
                operator.mset(kept)
            followed.replica.thaw()
        with opened(followed.url, boss_data_dir=directory, insurance_seconds=1.5) as web:
            assert post(web, 2) == 200
            over(web)
            assert texts(web) == ["text 2", "text 1"]


def test_it_stays_until_a_replica_has_it(followed: Followed, web: Web) -> None:
    """However often it is handed over; and it is handed over only when it has lain long enough."""
    followed.replica.freeze()
    assert post(web, 1) == 200
    sent: list[int] = []
    run_all = submit.run_all

    def counting(*args: Any) -> StorageResult[list[Any]]:
        sent.append(1)
        return run_all(*args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submit, "run_all", counting)
        wait_for(lambda: len(sent) > 1, 15, "it to be handed over twice")
    assert len(insured(web)) == 1
    followed.replica.thaw()
    over(web)
    assert texts(web) == ["text 1"]


def test_what_lies_ahead_of_the_clock_is_handed_over_all_the_same(followed: Followed) -> None:
    """A clock that went back since: its file says an hour to come, and this process knows how long it has known it."""
    with opened(followed.url, insurance_seconds=1) as web:
        followed.replica.freeze()
        assert post(web, 1) == 200
        (entry,) = insured(web)
        os.utime(entry, (time.time() + 3600,) * 2)
        followed.replica.thaw()
        over(web)
        assert texts(web) == ["text 1"]


def test_a_server_on_its_own_is_taken_at_its_word(followed: Followed, web: Web) -> None:
    """Its last replica was taken from it for good: what was insured is handed over once, and goes."""
    followed.replica.freeze()
    assert post(web, 1) == 200
    with followed.master.client() as client:
        client.client_kill_filter(_type="replica")
    over(web)
    assert post(web, 2) == 200
    assert insured(web) == []
    assert texts(web) == ["text 1", "text 2"]


def test_what_comes_from_the_spool_is_insured_and_leaves_the_line(followed: Followed, web: Web) -> None:
    """Those behind it do not wait for the replica, and their order is the one in which they came."""
    assert post(web, 0) == 200
    limit(followed, 1)
    assert [post(web, number) for number in (1, 2)] == [200, 200]
    followed.replica.freeze()
    limit(followed, "256mb")
    wait_for(lambda: state(web)["depth"] == 0 and len(insured(web)) == 2, 10, "an empty line")
    followed.replica.thaw()
    over(web)
    assert texts(web) == ["text 0", "text 1", "text 2"]


def test_beyond_its_bound_a_webhook_gets_no_2xx(followed: Followed, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, and in room on disk."""
    monkeypatch.setattr(unreplicated, "MAX_COPIES", 1)
    followed.replica.freeze()
    assert post(web, 1) == 200
    assert post(web, 2) == 503
    monkeypatch.setattr(unreplicated, "MAX_COPIES", 100)
    monkeypatch.setattr("shared.spool_layout.free_bytes", lambda *_: 0)
    assert post(web, 3) == 503
    assert len(insured(web)) == 1


def test_what_cannot_be_read_is_set_aside(web: Web) -> None:
    """Visibly, and the others go on."""
    place = web.spool / "insured"
    place.mkdir(parents=True)
    (place / f"{1:020}-7.json").write_text("no JSON")
    (place / "strange").write_text("no entry")
    wait_for(lambda: state(web)["aside"] == 2 and insured(web) == [], 10, "both to be set aside")


def test_there_is_no_permit_while_no_replica_has_the_attempt(followed: Followed) -> None:
    """The real script, the worker's own way of sending it: `ok` with the replica in step, `not_replicated` while it stands still."""

    async def ask(conversation: str) -> list[str]:
        """A first attempt with the reply, and a second one by itself."""
        redis = clients.for_loop(followed.url)
        mailbox = AsyncMailbox(redis, CommandBatcher(redis, ReplicationBarrier(keys.BARRIER)))
        turn = (await mailbox.run(calls.claim(conversation, "k-1", f"t-{conversation}", lease_ms=60_000))).turn
        assert turn is not None
        limits = calls.SendLimits(1, 1, 60_000)
        stored = await mailbox.run(calls.store_reply(conversation, "k-1", turn, command("Hi"), limits=limits, attempt="a-1"))
        await mailbox.run(calls.outcome(turn.reply_id, "a-1", "refused", retention_ms=60_000))
        again = await mailbox.run(calls.sending(conversation, "k-1", turn.reply_id, "a-2", limits=limits))
        await redis.aclose()
        assert stored.permit is not None
        return [stored.permit.outcome, again.outcome]

    with followed.master.client() as client:
        box = Mailbox(client)
        for number, conversation in enumerate(("c-1", "c-2")):
            box.run(calls.accept(received(f"m-{number}", "text"), kind="text", conversation=conversation, sender="s-1", pair="p-1"))
    assert asyncio.run(ask("c-1")) == ["ok", "ok"]
    followed.replica.freeze()
    assert asyncio.run(ask("c-2")) == ["not_replicated", "not_replicated"]
