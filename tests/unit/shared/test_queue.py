"""A job runs one of our functions or nothing: whoever can write to Redis must not be able to run code here."""

from __future__ import annotations

import json
import sys
import zlib
from typing import Any, cast

import pytest
from redis import Redis
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.errors import BadInput
from shared.queue import FUNCTIONS, BosslineJob

NOWHERE = Redis(port=1)  # opens nothing until it is used


def stored(function: str, *, instance: Any = None, **fields: bytes) -> BosslineJob:
    """The job that a worker reads from a hash in Redis, which anybody may have written."""
    data = json.dumps([function, instance, ["c-1"], {}]).encode()
    job = BosslineJob("j-1", connection=NOWHERE, serializer=JSONSerializer)
    job.restore(
        {b"data": zlib.compress(data), b"origin": b"boss", b"status": b"queued", **{name.encode(): value for name, value in fields.items()}}
    )
    return job


@pytest.mark.parametrize(
    "function",
    ["os.system", "subprocess.call", "builtins.eval", "shared.queue.FUNCTIONS", "supervisor_worker.jobs",
     "supervisor_worker.jobs.sms_received ",
     "supervisor_worker.jobs.__builtins__", "antigravity.fly_away", "", "sms_received"],
)  # fmt: skip
def test_a_foreign_function_is_refused_before_it_is_imported(function: str) -> None:
    """Importing alone can run code."""
    before = set(sys.modules)
    with pytest.raises(BadInput) as caught:
        _ = stored(function).func
    assert caught.value.code == "foreign_job"
    assert "antigravity" not in set(sys.modules) - before


@pytest.mark.parametrize("instance", [{"a": 1}, "text", [1], 0, False, ""])
def test_an_instance_is_refused(instance: Any) -> None:
    """RQ would call a method of it."""
    with pytest.raises(BadInput):
        _ = stored(FUNCTIONS["sms"], instance=instance).func


def test_callbacks_written_beside_a_job_are_dropped() -> None:
    """RQ imports and calls them by name after the job."""
    job = stored(
        FUNCTIONS["sms"], success_callback_name=b"os.abort", failure_callback_name=b"os.abort", stopped_callback_name=b"os.abort",
        webhooks=b'[{"url": "http://127.0.0.1:1/", "event": "finished"}]',
    )  # fmt: skip
    assert job.success_callback is None
    assert job.failure_callback is None
    assert job.stopped_callback is None
    assert job.webhooks == []


def test_pickled_data_is_never_unpickled() -> None:
    """The serializer is JSON, whatever the data says."""
    job = BosslineJob("j-1", connection=NOWHERE, serializer=JSONSerializer)
    job.restore({b"data": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(DeserializationError):
        _ = job.func


def test_our_own_functions_are_two_names() -> None:
    """They are resolved by the worker only; this package does not import them."""
    assert set(FUNCTIONS) == {"sms", "email"}
    assert "supervisor_worker.jobs" not in sys.modules or cast("Any", sys.modules["supervisor_worker.jobs"])
    assert issubclass(BosslineJob, Job)
