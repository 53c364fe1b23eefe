"""Three Sentinels, a master and two replicas: after a failover every client of ours is at the new master."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as Gone
from rq import Worker
from rq.serializers import JSONSerializer

from boss.checks.replication import clocks, sentinels
from shared.config.loading import load_settings
from shared.mailbox import keys
from shared.mailbox.wake_queue import BosslineJob, Dispatcher
from shared.storage import clients
from shared.storage.clients import AWAY
from shared.storage.group_commit import GroupCommit
from shared.storage.replication import ReplicationBarrier
from shared.storage.sentinel import NotServing
from tests.support.sentinel_cluster import PASSWORD, SERVICE, SentinelCluster
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(60)
DEAD = "127.0.0.1:1"


@pytest.fixture(scope="module")
def cluster() -> Iterator[SentinelCluster]:
    """All six; the tests before the last leave the first server in its place."""
    with SentinelCluster() as running:
        yield running


def port_of(info: dict[str, Any]) -> int:
    """Which server answered."""
    return int(info["tcp_port"])


def test_a_sentinel_that_is_gone_is_passed_over(cluster: SentinelCluster) -> None:
    """The others know, whichever stands first."""
    with clients.for_web(cluster.url_of("bossline", f"{DEAD},{cluster.places[1]}")) as redis:
        assert port_of(redis.info("server")) == cluster.first.port


def test_doctor_tells_how_many_sentinels_would_choose(cluster: SentinelCluster) -> None:
    """All; one short; too few to replace a dead master; and for an address without any, nothing. A host's name is not printed."""
    first, second, _ = cluster.places

    def told(url: str) -> list[tuple[str, str]]:
        settings = load_settings(_env_file=None, redis_url=url, sandbox="on")
        return [(finding.status, finding.detail) for finding in sentinels(settings)]

    assert told(cluster.url) == [("ok", "3 of 3 name a master")]
    assert told(cluster.url_of("bossline", f"{first},{second},{DEAD}")) == [("warn", "2 of 3 name a master")]
    assert told(cluster.url_of("bossline", f"{first},{DEAD}")) == [("fail", "1 of 2 name a master")]
    assert told(f"redis://{first}") == []


@pytest.mark.parametrize(("dead", "service"), [(True, SERVICE), (False, "another")])
def test_without_a_sentinel_that_knows_redis_is_away(cluster: SentinelCluster, dead: bool, service: str) -> None:
    """No Sentinel, or none that watches such a service: a webhook spools, a worker waits. No address is in the error's words."""
    url = cluster.url_of("bossline", DEAD if dead else cluster.places[0], service)
    with clients.for_web(url) as redis, pytest.raises(AWAY) as caught:
        redis.ping()
    assert "127.0.0.1" not in str(caught.value)


def test_a_replica_is_no_place_to_write(cluster: SentinelCluster) -> None:
    """Whoever is connected to one, by whatever address, hears that Redis is away, and connects anew."""
    replica = cluster.servers[1]
    with clients.for_web(f"redis://bossline:{PASSWORD}@127.0.0.1:{replica.port}") as redis:
        with pytest.raises(NotServing):
            redis.set("boss:a", 1)
        with pytest.raises(NotServing):
            redis.eval("return redis.call('SET', 'boss:a', 1)", 0)
        with redis.pipeline(transaction=True) as pipe, pytest.raises(NotServing):
            pipe.set("boss:a", 1).execute()


def test_the_doctor_reads_the_replicas_clocks(cluster: SentinelCluster) -> None:
    """With the login and by the addresses that the master knows; one machine has one clock."""
    with clients.for_web(cluster.url) as redis:
        (found,) = clocks(redis)
    assert found.status == "ok"


def test_every_client_of_ours_is_at_the_new_master_after_a_failover(cluster: SentinelCluster) -> None:
    """Open before, and used after: web, its group, worker, RQ's own, loop, bridge, and who waits for jobs."""
    url = cluster.url
    blocking = {name: make(url) for name, make in {"web": clients.for_web, "worker": clients.for_worker}.items()}
    grouped = GroupCommit(blocking["web"], ReplicationBarrier(keys.BARRIER))

    async def across() -> set[int]:
        loops = {name: getattr(clients, name)(url) for name in ("for_loop", "for_bridge", "for_waiting")}
        for client in (*blocking.values(), *loops.values()):
            answer = client.set("boss:before", 1)
            assert answer is True or await answer is True
        grouped.execute_command("SET", "boss:before", 1)
        queue = Dispatcher(blocking["worker"]).queue
        worker = Worker([queue], connection=blocking["worker"], job_class=BosslineJob, serializer=JSONSerializer)
        cluster.first.kill9()
        await asyncio.to_thread(cluster.wait_for_another, cluster.first)
        worker.register_birth()  # type: ignore[no-untyped-call]
        ports = {port_of(client.info("server")) for client in blocking.values()}
        grouped.execute_command("SET", "boss:after", 1)
        assert blocking["web"].get("boss:after") == b"1"
        for client in loops.values():
            ports.add(port_of(await _again(client)))
            await client.aclose()
        return ports

    found = asyncio.run(across())
    for client in blocking.values():
        client.close()
    assert found == {cluster.master.port} != {cluster.first.port}
    assert cluster.refused() == []


async def _again(client: AsyncRedis) -> dict[str, Any]:
    """Who repeats nothing by itself hears once that its connection is gone."""
    try:
        return await client.info("server")
    except Gone:
        return await client.info("server")


def test_who_waits_for_a_job_hears_that_its_server_was_demoted() -> None:
    """As a loss of the connection, like any other."""

    async def wait(server: EmbeddedServer) -> None:
        client = clients.for_waiting(server.url)
        waiting = asyncio.create_task(cast("Any", client.blmove("one", "two", 5)))
        with server.client() as other:
            await asyncio.to_thread(wait_for, lambda: other.info("clients")["blocked_clients"], 5, "the one who waits")
            other.replicaof("127.0.0.1", 1)
        with pytest.raises(NotServing):
            await waiting
        await client.aclose()

    with EmbeddedServer() as server:
        asyncio.run(wait(server))
