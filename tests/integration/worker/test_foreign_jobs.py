"""Whoever can write to Redis runs nothing here: foreign jobs against the product's worker, RQ's own and the asynchronous one."""

from __future__ import annotations

import json
import os
import pickle
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis
from rq.cli.cli import main as rq_command
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.mailbox.wake_queue import QUEUE, BosslineJob
from shared.model.channels import CHANNELS
from tests.support.forked_worker import ForkedWorker, boss_worker
from tests.support.wait import wait_for

OURS: Final = CHANNELS["sms"].job
HERE: Final = "tests.integration.worker.test_foreign_jobs"
CALLED: Final = "trap:called"
PATIENCE: Final = 20


def called(*given: Any) -> None:
    """What a callback would do, by the connection that RQ gives it."""
    given[1].incr(CALLED)


def wanted(path: str) -> None:
    """A function that is here, and not on the list."""
    Path(path).mkdir()


class Pickled:
    """What runs when it is read as a pickle."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def foreign(trap: str, port: int) -> dict[str, dict[str, Any]]:
    """Name to what stands in the job's record: `data` as it is read, and the fields beside it."""
    webhook = json.dumps([{"url": f"http://127.0.0.1:{port}/", "event": "finished"}]).encode()
    return {
        "os-system": {"data": ["os.system", None, [f"mkdir {trap}"], {}]},
        "os-mkdir": {"data": ["os.mkdir", None, [trap], {}]},
        "subprocess": {"data": ["subprocess.check_call", None, [["mkdir", trap]], {}]},
        "exec": {"data": ["builtins.exec", None, [f"import os; os.mkdir({trap!r})"], {}]},
        "copytree": {"data": ["shutil.copytree", None, ["/etc/opt", trap], {}]},
        "a-test": {"data": [f"{HERE}.wanted", None, [trap], {}]},
        "instance": {"data": ["mkdir", "text", [trap], {}]},
        "two-ids": {"data": [OURS, None, ["c-1", "c-2"], {}]},
        "a-text": {"data": [OURS, None, ["a text with words"], {}]},
        "a-keyword": {"data": [OURS, None, [], {"conversation": "c-1"}]},
        "pickle": {"data": pickle.dumps(Pickled(trap)), "meta": pickle.dumps(Pickled(trap)), "result": pickle.dumps(Pickled(trap))},
        "failing": {"data": ["os.system", None, ["true"], {}], "failure_callback_name": f"{HERE}.called", "retries_left": "99"},
        "ok-called": {"data": [OURS, None, ["c-1"], {}], "success_callback_name": f"{HERE}.called", "webhooks": webhook},
        "ok-stopped": {"data": [OURS, None, ["c-1"], {}], "stopped_callback_name": f"{HERE}.called", "repeats_left": "99"},
        "ok-depends": {"data": [OURS, None, ["c-1"], {}], "dependency_ids": '["os-system"]', "group_id": "g"},
    }


def write(redis: Redis, name: str, record: dict[str, Any]) -> None:
    """Put a job there by hand, as somebody would who has found the port of Redis."""
    data = record.pop("data")
    fields: dict[Any, Any] = {"data": data if isinstance(data, bytes) else zlib.compress(json.dumps(data).encode())}
    redis.hset(f"rq:job:{name}", mapping=fields | {"origin": QUEUE, "status": "queued"} | record)
    redis.rpush(f"rq:queue:{QUEUE}", name)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hears whether a webhook is called."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        yield listening


def burst(worker_class: str, redis_url: str, *more: str) -> int:
    """`rq worker` with our job class, until the queue is empty."""
    options = ["-w", worker_class, "-j", "shared.mailbox.wake_queue.BosslineJob", "--burst", "--url", redis_url, *more]
    return int(rq_command(["worker", *options, QUEUE], standalone_mode=False) or 0)


@pytest.mark.parametrize("kind", ["boss", "rq.Worker", "rq.SimpleWorker without --serializer", "rq_async.AsyncWorker"])
def test_no_foreign_job_runs_and_each_is_an_alarm(redis: Redis, redis_url: str, tmp_path: Path, listener: socket.socket, kind: str) -> None:
    """By function, by arguments, as a pickle, by three callbacks, a webhook, a dependent; each fails, or runs without it."""
    trap = tmp_path / "trap"
    jobs = foreign(str(trap), listener.getsockname()[1])
    for name, record in jobs.items():
        write(redis, name, dict(record))
    redis.hset("rq:job:dependent", mapping={"data": json.dumps(["os.mkdir", None, [str(trap)], {}]), "origin": QUEUE, "status": "deferred"})
    redis.sadd("rq:job:ok-called:dependents", "dependent")
    settings = {"REDIS_URL": redis_url, "SANDBOX": "on"}
    if kind == "boss":
        with ForkedWorker(settings, redis, boss_worker) as worker:
            wait_for(lambda: not redis.exists(f"rq:queue:{QUEUE}") and ended(redis, jobs), PATIENCE, "the end of all jobs")
            assert worker.terminate() == 0
            output = worker.output
    else:
        name, without, _ = kind.partition(" without")
        more = [] if without else ["--serializer", "json"]
        worker = ForkedWorker(settings, redis, lambda: burst(name, redis_url, *more))
        status = worker.run(PATIENCE)
        output = worker.output
        assert status == 0, output
        assert ended(redis, jobs)
    alarms = [line for line in output.splitlines() if "foreign_job" in line and "not as ours are" in line]
    assert not trap.exists()
    assert not redis.exists(CALLED)
    assert redis.hget("rq:job:dependent", "status") == b"deferred"
    with pytest.raises(TimeoutError):
        listener.accept()
    for name in jobs:
        assert any(name in line for line in alarms), (name, output)
        found = BosslineJob.fetch(name, connection=redis)
        assert found.get_status() == ("finished" if name.startswith("ok-") else "failed")
        if not name.startswith("ok-") and name != "pickle":
            assert "foreign_job" in str(getattr(found.latest_result(), "exc_string", ""))
    assert str(trap) not in output
    assert "a text with words" not in output


def ended(redis: Redis, jobs: dict[str, Any]) -> bool:
    """Whether each of them has come to an end."""
    return all(redis.hget(f"rq:job:{name}", "status") in (b"finished", b"failed") for name in jobs)


def test_rqs_own_class_would_have_run_it(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """The traps are real: the same job under RQ's own job class makes its directory."""
    trap = tmp_path / "trap"
    write(redis, "os-mkdir", dict(foreign(str(trap), 1)["os-mkdir"]))
    command = ["worker", "-w", "rq.SimpleWorker", "--serializer", "json", "--burst", "--url", redis_url, QUEUE]
    worker = ForkedWorker({"REDIS_URL": redis_url}, redis, lambda: int(rq_command(command, standalone_mode=False) or 0))
    assert worker.run(PATIENCE) == 0
    assert trap.exists()
    assert Job.fetch("os-mkdir", connection=redis, serializer=JSONSerializer).get_status() == "finished"
