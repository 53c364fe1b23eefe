"""A server that may not write for a while (a master that lost its replicas, or is being replaced): turns wait for it, and lose nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from redis import Redis
from rq.serializers import JSONSerializer

from shared.mailbox.wake_queue import BosslineJob, Dispatcher
from shared.storage.clients import for_worker
from supervisor_worker.process.worker import BossWorker
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, anthropic={"latency_seconds": 0.5})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    redis.config_set("min-replicas-to-write", 0)
    found.close()


def test_a_turn_waits_for_a_server_that_may_not_write_and_goes_on(environment: TurnEnvironment) -> None:
    """NOREPLICAS while Claude thinks, and for a second after: neither an error of the message nor a lost lease; one reply."""
    event = environment.text("wait for it")

    def refuse_for_a_while() -> None:
        environment.sandbox.wait("anthropic.messages", 1, 15)
        environment.redis.config_set("min-replicas-to-write", 1)
        threading.Event().wait(1.0)  # the refusal itself, not a wait for anything
        environment.redis.config_set("min-replicas-to-write", 0)

    refusing = threading.Thread(target=refuse_for_a_while)
    refusing.start()
    environment.drive(lambda: environment.state(event) == "answered", 20)
    refusing.join(10)
    record = environment.message(event)
    assert (record.errors, record.lost) == (0, 0)
    assert len(environment.ledger("reply_stored")) == 1
    assert environment.sandbox.count("twilio.create") == 1


def test_a_worker_keeps_its_connections_times(redis_url: str) -> None:
    """RQ would raise them to a worker's idle time: a heartbeat would hang on a dead master for as long as that."""
    with for_worker(redis_url) as redis:
        before = redis.connection_pool.connection_kwargs["socket_timeout"]
        BossWorker([Dispatcher(redis).queue], connection=redis, job_class=BosslineJob, serializer=JSONSerializer)
        assert redis.connection_pool.connection_kwargs["socket_timeout"] == before
