"""An erasure and the disks of web hosts: what waits there from before is dropped, nobody brings it back, and what comes later stays."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from shared.host_id import host_id
from shared.mailbox import calls, keys
from shared.model.sms_admission import sms_id
from shared.operations.erasure_hosts import unconfirmed, web_hosts
from shared.spool_layout import SpoolFile
from tests.support.erasure import erase_person
from tests.support.sentinel_cluster import Followed
from tests.support.wait import wait_for
from tests.support.webhook_client import Web, opened
from tests.support.wire import Wire
from webhook_api.intake import erasures, replay

WORD = "zqxjwvkh"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web process that looks ten times as often, and confirms as soon."""
    monkeypatch.setattr(replay, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(erasures, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(erasures, "AWAY_SECONDS", 0.1)


@pytest.fixture
def wire(redis_url: str) -> Iterator[Wire]:
    with Wire(redis_url) as found:
        yield found


@pytest.fixture
def web(redis: Redis, wire: Wire) -> Iterator[Web]:
    """The web process of a host that can be cut off."""
    del redis
    with opened(wire.url) as found:
        yield found


def post(web: Web, word: str) -> str:
    """A text of the one user; its id here."""
    number = f"{int.from_bytes(word.encode()[:12], 'big'):032x}"[-32:]
    assert web.sms(Body=f"{WORD} {word}", MessageSid=f"SM{number}").status_code == 200
    return sms_id(web.runtime.settings.twilio_account_sid, f"SM{number}")


def erase(redis: Redis, web: Web) -> int:
    """The user's erasure, from another host; when it was."""
    identities = web.runtime.identities
    user = next(iter(web.runtime.users.all))
    senders = tuple(identities.sender(own) for _, own in user.all_ends("sms"))
    return erase_person(redis, user.id, identities.user(user.id), senders=senders).at_ms


def on_disk(web: Web) -> list[str]:
    """The files that hold a word of theirs."""
    return sorted(str(path.relative_to(web.spool)) for path in web.spool.rglob("*") if path.is_file() and WORD in path.read_text())


def in_redis(redis: Any) -> list[str]:
    """The keys that do."""
    return [key.decode() for key in redis.keys("boss:msg:*") if WORD.encode() in repr(redis.hgetall(key)).encode()]


def test_what_waited_on_a_cut_off_host_is_dropped_when_it_is_back(web: Web, wire: Wire, redis: Redis) -> None:
    """And is known from then on: neither the provider nor the reconciler brings it again. The host confirms only then."""
    post(web, "first")
    (host,) = wait_for(lambda: web_hosts(redis), 10, "its first look")
    wire.cut()
    waited = post(web, "waits")
    assert len(on_disk(web)) == 1
    at = erase(redis, web)
    assert [each.id for each in unconfirmed(redis, at, 0.3)] == [host.id]
    wire.mend()
    web.emptied()
    wait_for(lambda: not unconfirmed(redis, at, 0), 10, "the host's word")
    assert (on_disk(web), in_redis(redis)) == ([], [])
    assert redis.exists(keys.seen(waited))
    assert post(web, "waits") == waited
    assert in_redis(redis) == []


def test_what_is_written_after_an_erasure_is_accepted_from_the_same_disk(web: Web, wire: Wire, redis: Redis) -> None:
    """The host knew of nothing: how long a text has waited says that it is newer."""
    wire.cut()
    post(web, "before")
    at = erase(redis, web)
    wait_for(lambda: int(time.time() * 1000) > at, 5, "a later moment")
    later = post(web, "after")
    wire.mend()
    web.emptied()
    wait_for(lambda: redis.hget(keys.message(later), "state") == b"pending", 10, "the later text")
    wait_for(lambda: not unconfirmed(redis, at, 0), 10, "the host's word")
    assert in_redis(redis) == [keys.message(later)]


def test_dead_letters_drafts_and_copies_are_dropped_and_what_cannot_be_read_stays(web: Web, redis: Redis) -> None:
    """By a process that has nothing to replay. A draft goes once its writer is dead."""
    post(web, "first")
    record = next(iter(web.stored()))
    content = json.dumps({"v": 1, "kind": "accept", "event": record["event"], "keyword": ""})
    files = {"aside": "9.json.1", "insured": SpoolFile(7, len(content)).name, "waiting": SpoolFile(8, 9, draft=True).name}
    for part, name in files.items():
        (web.spool / part).mkdir(parents=True, exist_ok=True)
        (web.spool / part / name).write_text(content)
    (web.spool / "aside" / "broken").write_text("{")
    old = time.time() - 60
    os.utime(web.spool / "waiting" / files["waiting"], (old, old))
    at = erase(redis, web)
    wait_for(lambda: not on_disk(web), 10, "an empty disk")
    wait_for(lambda: not unconfirmed(redis, at, 0), 10, "the host's word")
    assert (web.spool / "aside" / "broken").exists()


def test_a_host_that_starts_later_drops_what_it_finds(redis: Redis, redis_url: str, wire: Wire, tmp_path: Path) -> None:
    """It was down while the person was erased."""
    with opened(wire.url, boss_data_dir=tmp_path) as web:
        post(web, "first")
        wire.cut()
        post(web, "waits")
        at = erase(redis, web)
    wire.mend()
    assert on_disk(web)
    with opened(redis_url, boss_data_dir=tmp_path) as web:
        web.emptied()
        wait_for(lambda: not unconfirmed(redis, at, 0), 10, "the host's word")
        assert (on_disk(web), in_redis(redis)) == ([], [])


def test_a_host_that_ends_with_something_on_its_disk_is_asked_on(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """And one with nothing is not."""
    spool = tmp_path / "spool"
    (spool / "aside").mkdir(parents=True)
    for left in (False, True):
        if left:
            (spool / "aside" / "1").write_text("{")
        with opened(redis_url, boss_data_dir=tmp_path):
            wait_for(lambda: bool(web_hosts(redis)), 10, "its first look")
            assert [host.id for host in web_hosts(redis)] == [host_id(tmp_path)]
        assert [host.id for host in web_hosts(redis)] == ([host_id(tmp_path)] if left else [])
    (host,) = web_hosts(redis)
    assert str(tmp_path) in host.name
    assert unconfirmed(redis, calls.DAY_MS * 10**6, 0.2) == [host]


def test_two_processes_of_one_host_are_one(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Whichever looks; and the one that ends takes the other's word back for a moment alone."""
    (tmp_path / "spool").mkdir()
    with opened(redis_url, boss_data_dir=tmp_path) as first:
        with opened(redis_url, boss_data_dir=tmp_path):
            wait_for(lambda: len(web_hosts(redis)) == 1, 10, "one host")
        wait_for(lambda: len(web_hosts(redis)) == 1, 10, "the other's word")
        assert first.spool == tmp_path / "spool"


@pytest.fixture(scope="module")
def followed() -> Iterator[Followed]:
    """A master and its replica."""
    with Followed() as running:
        yield running


def test_a_copy_that_no_replica_has_is_dropped_and_not_handed_over(followed: Followed) -> None:
    """Also where a failover has lost the message and its mark."""
    with followed.master.client() as redis:
        redis.flushall()
        with opened(followed.url, insurance_seconds=60) as web:
            followed.replica.freeze()
            message = post(web, "insured")
            assert [name.partition("/")[0] for name in on_disk(web)] == ["insured"]
            redis.delete(keys.message(message), keys.seen(message))
            at = erase(redis, web)
            wait_for(lambda: not on_disk(web), 10, "an empty disk")
            wait_for(lambda: not unconfirmed(redis, at, 0), 10, "the host's word")
            followed.replica.thaw()
            assert redis.exists(keys.seen(message))
            assert in_redis(redis) == []
