"""Steps that are one: a reply stored with its first permit, an answer recorded with the turn's end, a wake-up with what it is for."""

from __future__ import annotations

from typing import cast

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.mailbox import calls, wake_queue
from shared.model.channels import CHANNELS
from tests.support.mailbox_driver import C, MailboxDriver

TIMES = ("created_at", "enqueued_at")


def queued(redis: Redis) -> list[str]:
    """The ids in the queue."""
    return [raw.decode() for raw in cast("list[bytes]", redis.lrange("rq:queue:boss", 0, -1))]


def test_a_reply_is_stored_and_may_be_sent_in_one_step(driver: MailboxDriver) -> None:
    """The attempt stands beside the reply; a repeat of the call, whose answer was lost, says the same."""
    driver.accept("m-1")
    driver.taken("k1")
    for _ in range(2):
        stored = driver.store("k1", attempt="a1")
        assert stored.outcome == "stored"
        assert stored.permit is not None
        assert (stored.permit.outcome, stored.permit.attempt and stored.permit.attempt.id) == ("ok", "a1")
    reply = driver.reply("k1")
    assert (reply.state, [attempt.id for attempt in reply.attempts]) == ("sending", ["a1"])


def test_a_reply_is_stored_even_when_it_may_not_be_sent(driver: MailboxDriver) -> None:
    """In a pause the reply is kept and the lease given up; nothing is thought again."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.run(calls.pause("test"))
    stored = driver.store("k1", attempt="a1")
    assert stored.permit is not None
    assert stored.permit.outcome == "paused"
    assert driver.reply("k1").state == "stored"
    assert driver.renew("k1") == 0


def test_an_accepted_attempt_finishes_its_holder_s_turn(driver: MailboxDriver) -> None:
    """In the same step, and with the same answer when the call is repeated."""
    driver.to_sending()
    driver.accept("m-2")
    for _ in range(2):
        found = driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
        assert found.closed is not None
        assert found.closed.outcome == "more"
    assert (driver.state("m-1"), driver.inbox(), driver.reply("k1").state) == ("answered", ["m-2"], "sent")


def test_an_attempt_that_was_not_accepted_finishes_nothing(driver: MailboxDriver) -> None:
    """A refusal, and an outcome by somebody who gives no token, leave the turn to its holder."""
    driver.to_sending()
    assert driver.outcome("k1", "a1", "refused", token="k1").closed is None
    assert driver.sending("k1", "a2").outcome == "ok"
    assert driver.outcome("k1", "a2", "accepted", "SM1").closed is None
    assert driver.renew("k1") > 0


def test_an_accepted_attempt_is_recorded_by_a_holder_that_lost_its_lease(driver: MailboxDriver) -> None:
    """And finishes nobody else's turn."""
    driver.to_sending()
    driver.advance(100_000)
    driver.taken("k2")
    found = driver.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert found.closed is not None
    assert (found.state, found.closed.outcome) == ("sent", "lost")
    assert driver.renew("k2") > 0


def test_a_message_in_an_empty_inbox_enqueues_its_job(driver: MailboxDriver) -> None:
    """One behind others, one that settles first, a duplicate and one that is ignored enqueue none."""
    wake = wake_queue.job(C, "sms")
    driver.accept("m-1", settle=500, wake=wake)
    assert queued(driver.redis) == []
    driver.advance(500)
    driver.taken("k1")
    driver.finish("k1")
    driver.accept("m-2", wake=wake)
    assert queued(driver.redis) == [wake[3]]
    driver.accept("m-2", wake=wake_queue.job(C, "sms"))
    driver.accept("m-3", wake=wake_queue.job(C, "sms"))
    driver.accept("m-4", keyword="stop", wake=wake_queue.job(C, "sms"))
    assert queued(driver.redis) == [wake[3]]


def test_the_end_of_a_turn_enqueues_the_next_job_when_messages_remain(driver: MailboxDriver) -> None:
    """And none when nothing remains."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    first, second = wake_queue.job(C, "sms"), wake_queue.job(C, "sms")
    assert driver.finish("k1", wake=first).outcome == "more"
    assert queued(driver.redis) == [first[3]]
    driver.taken("k2")
    assert driver.finish("k2", wake=second).outcome == "empty"
    assert queued(driver.redis) == [first[3]]


def test_one_job_is_enqueued_once_however_often_its_script_wakes(driver: MailboxDriver) -> None:
    """A park that leaves a message and appends a notice wakes twice, and a job's id must not stand in the queue twice."""
    driver.accept("m-1")
    driver.taken("k1")
    driver.accept("m-2")
    wake = wake_queue.job(C, "sms")
    driver.park("k1", notice="error", wake=wake)
    assert queued(driver.redis) == [wake[3]]


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_the_job_that_a_script_writes_is_the_one_that_rq_writes(driver: MailboxDriver, channel: str) -> None:
    """Field by field, and the set of queues; and RQ reads from it the same function and arguments. Only the server's time is more."""
    driver.accept("m-1", wake=wake_queue.job("c-42", channel))
    own = Queue(wake_queue.QUEUE, connection=driver.redis, serializer=JSONSerializer, default_timeout=wake_queue.JOB_TIMEOUT)
    function = CHANNELS[channel].job
    own.enqueue(
        function,
        "c-42",
        result_ttl=wake_queue.RESULT_TTL,
        failure_ttl=wake_queue.FAILURE_TTL,
        description=f"{function.rpartition('.')[2]} c-42",
    )
    ours, rqs = (Job.fetch(name, connection=driver.redis, serializer=JSONSerializer) for name in queued(driver.redis))
    assert (ours.func_name, ours.args, ours.kwargs) == (rqs.func_name, rqs.args, rqs.kwargs) == (function, ["c-42"], {})
    assert ours.data == rqs.data
    a, b = (driver.redis.hgetall(job.key) for job in (ours, rqs))
    assert 0 <= driver.now - int(a.pop(b"queued_ms")) < 60_000
    varying = {name.encode() for name in (*TIMES, "data")}
    assert {k: v for k, v in a.items() if k not in varying} == {k: v for k, v in b.items() if k not in varying}
    assert a.keys() == b.keys()
    assert driver.redis.smembers("rq:queues") == {b"rq:queue:boss"}


def test_a_claim_tells_what_was_said_before_newest_first_up_to_its_bound(driver: MailboxDriver) -> None:
    """A long conversation costs no more than what may be shown of it."""
    for number in range(1, 5):
        driver.accept(f"m-{number}")
        driver.taken(f"k{number}")
        driver.store(f"k{number}", f"answer {number}", attempt=f"a{number}")
        driver.outcome(f"k{number}", f"a{number}", "accepted", f"SM{number}", token=f"k{number}")
    driver.accept("m-5")
    whole = driver.claim("k5").turn
    assert whole is not None
    assert [said.id for said in whole.history] == ["m-1", "r-k1", "m-2", "r-k2", "m-3", "r-k3", "m-4", "r-k4"]
    driver.backoff("k5", 0)
    bounded = driver.claim("k6", history_bytes=1).turn
    assert bounded is not None
    assert [said.id for said in bounded.history] == ["r-k4"]
