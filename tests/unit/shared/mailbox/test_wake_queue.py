"""A job runs one of our functions or nothing: whoever can write to Redis must not be able to run code here."""

from __future__ import annotations

import json
import pickle
import sys
import zlib
from typing import Any, cast

import pytest
from redis import Redis
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import DefaultSerializer, JSONSerializer

from shared.errors import BadInput
from shared.mailbox.wake_queue import BosslineJob
from shared.model.channels import CHANNELS

NOWHERE = Redis(port=1)  # opens nothing until it is used


def stored(function: str, *, instance: Any = None, args: Any = ("c-1",), kwargs: Any = None, **fields: bytes) -> BosslineJob:
    """The job that a worker reads from a hash in Redis, which anybody may have written."""
    data = json.dumps([function, instance, args, kwargs or {}]).encode()
    job = BosslineJob("j-1", connection=NOWHERE, serializer=JSONSerializer)
    job.restore(
        {b"data": zlib.compress(data), b"origin": b"boss", b"status": b"queued", **{name.encode(): value for name, value in fields.items()}}
    )
    return job


@pytest.mark.parametrize(
    "function",
    ["os.system", "subprocess.call", "builtins.eval", "shared.mailbox.wake_queue.QUEUE", "supervisor_worker.jobs",
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
        _ = stored(CHANNELS["sms"].job, instance=instance).func


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [([], {}), (["c-1", "c-2"], {}), (["c-1"], {"conversation": "c-2"}), ([{"id": "c-1"}], {}), ([None], {}), ([1], {}), ("c", {}),
     (["+15551234567"], {}), (["a text"], {}), (["c-1\n"], {}), (["c" * 65], {}), ({"0": "c-1"}, {}), (["c-1"], [1])],
)  # fmt: skip
def test_arguments_that_are_no_id_are_refused(args: Any, kwargs: Any) -> None:
    """A job says which conversation to look at, and no more."""
    with pytest.raises(BadInput, match="foreign_job"):
        _ = stored(CHANNELS["sms"].job, args=args, kwargs=kwargs).func


def test_what_is_foreign_in_a_job_is_an_alarm(capfd: pytest.CaptureFixture[str]) -> None:
    """One line each, with the job's id and what it is; nothing of what was to be run with it."""
    stored(CHANNELS["sms"].job, failure_callback_name=b"os.abort", webhooks=b"[]", retries_left=b"9", rate_limit_key=b"k")
    for data in ({"function": "os.system", "args": ["secret"]}, {"function": "rm -rf\x1b[2J"}, {"args": ["a secret"]}):
        with pytest.raises(BadInput):
            _ = stored(**{"function": CHANNELS["sms"].job, **data}).func  # type: ignore[arg-type]
    lines = [line for line in "".join(capfd.readouterr()).splitlines() if "foreign_job" in line]
    for line, word in zip(lines, ("failure_callback_name, webhooks, retries_left, rate_limit_key", "the function os.system", "a function",
                                  "arguments that are no id"), strict=True):  # fmt: skip
        assert word in line
        assert "j-1" in line
        assert not [part for part in ("secret", "os.abort", "\x1b[2J") if part in line]


def test_of_a_record_only_what_our_jobs_have_is_read() -> None:
    """Whatever a later RQ does with a further field: there is none."""
    fields = {"retries_left": b"9", "repeats_left": b"9", "dependency_ids": b'["j-2"]', "group_id": b"g", "rate_limit_key": b"k"}
    job = stored(CHANNELS["sms"].job, **fields, rate_limit_concurrency=b"1", retry_intervals=b"[0]", success_callback_timeout=b"no number")
    assert (job.retries_left, job.repeats_left, job._dependency_ids, job.group_id, job.has_rate_limit) == (None, None, [], None, False)
    assert callable(job.func)


def test_callbacks_written_beside_a_job_are_dropped() -> None:
    """RQ imports and calls them by name after the job; nor does one that was set in some other way count."""
    job = stored(
        CHANNELS["sms"].job, success_callback_name=b"os.abort", failure_callback_name=b"os.abort", stopped_callback_name=b"os.abort",
        webhooks=b'[{"url": "http://127.0.0.1:1/", "event": "finished"}]',
    )  # fmt: skip
    assert job.success_callback is None
    assert job.failure_callback is None
    assert job.stopped_callback is None
    assert job.webhooks == []
    job._failure_callback_name = "os.abort"
    assert job.failure_callback is None


class Trap:
    """What runs when it is read as a pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("unpickled",)


@pytest.mark.parametrize("serializer", [JSONSerializer, DefaultSerializer, None])
def test_pickled_data_is_never_unpickled(serializer: Any) -> None:
    """The serializer is JSON, whatever the data says, and whatever a worker was told: `rq worker -j` without `--serializer json`."""
    job = BosslineJob("j-1", connection=NOWHERE, serializer=serializer)
    job.serializer = serializer
    trap = pickle.dumps(Trap())
    job.restore({b"data": trap, b"result": trap, b"meta": trap})
    with pytest.raises(DeserializationError):
        _ = job.func


def test_our_own_functions_are_two_names() -> None:
    """They are resolved by the worker only; this package does not import them."""
    assert set(CHANNELS) == {"sms", "email"}
    assert "supervisor_worker.jobs" not in sys.modules or cast("Any", sys.modules["supervisor_worker.jobs"])
    assert issubclass(BosslineJob, Job)
