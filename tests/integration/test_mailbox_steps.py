"""Steps that are one: a reply stored with its first leave, an answer recorded with the turn's end, a wake-up with what it is for."""

from __future__ import annotations

from typing import cast

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.mailbox import calls, wake_queue
from shared.model.channels import CHANNELS
from tests.integration.mailbox_desk import C, Desk

TIMES = ("created_at", "enqueued_at")


def queued(redis: Redis) -> list[str]:
    """The ids in the queue."""
    return [raw.decode() for raw in cast("list[bytes]", redis.lrange("rq:queue:boss", 0, -1))]


def test_a_reply_is_stored_and_may_be_sent_in_one_step(desk: Desk) -> None:
    """The attempt stands beside the reply; a repeat of the call, whose answer was lost, says the same."""
    desk.accept("m-1")
    desk.taken("k1")
    for _ in range(2):
        stored = desk.store("k1", attempt="a1")
        assert stored.outcome == "stored"
        assert stored.leave is not None
        assert (stored.leave.outcome, stored.leave.attempt and stored.leave.attempt.id) == ("ok", "a1")
    reply = desk.reply("k1")
    assert (reply.state, [attempt.id for attempt in reply.attempts]) == ("sending", ["a1"])


def test_a_reply_is_stored_even_when_it_may_not_be_sent(desk: Desk) -> None:
    """In a pause the reply is kept and the lease given up; nothing is thought again."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.run(calls.pause("test"))
    stored = desk.store("k1", attempt="a1")
    assert stored.leave is not None
    assert stored.leave.outcome == "paused"
    assert desk.reply("k1").state == "stored"
    assert desk.renew("k1") == 0


def test_an_accepted_attempt_finishes_its_holder_s_turn(desk: Desk) -> None:
    """In the same step, and with the same answer when the call is repeated."""
    desk.to_sending()
    desk.accept("m-2")
    for _ in range(2):
        found = desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
        assert found.closed is not None
        assert found.closed.outcome == "more"
    assert (desk.state("m-1"), desk.inbox(), desk.reply("k1").state) == ("answered", ["m-2"], "sent")


def test_an_attempt_that_was_not_accepted_finishes_nothing(desk: Desk) -> None:
    """A refusal, and an outcome by somebody who gives no token, leave the turn to its holder."""
    desk.to_sending()
    assert desk.outcome("k1", "a1", "refused", token="k1").closed is None
    assert desk.sending("k1", "a2").outcome == "ok"
    assert desk.outcome("k1", "a2", "accepted", "SM1").closed is None
    assert desk.renew("k1") > 0


def test_an_accepted_attempt_is_recorded_by_a_holder_that_lost_its_lease(desk: Desk) -> None:
    """And finishes nobody else's turn."""
    desk.to_sending()
    desk.advance(100_000)
    desk.taken("k2")
    found = desk.outcome("k1", "a1", "accepted", "SM1", token="k1")
    assert found.closed is not None
    assert (found.state, found.closed.outcome) == ("sent", "lost")
    assert desk.renew("k2") > 0


def test_a_message_in_an_empty_inbox_enqueues_its_job(desk: Desk) -> None:
    """One behind others, one that settles first, a duplicate and one that is ignored enqueue none."""
    wake = wake_queue.job(C, "sms")
    desk.accept("m-1", settle=500, wake=wake)
    assert queued(desk.redis) == []
    desk.advance(500)
    desk.taken("k1")
    desk.finish("k1")
    desk.accept("m-2", wake=wake)
    assert queued(desk.redis) == [wake[3]]
    desk.accept("m-2", wake=wake_queue.job(C, "sms"))
    desk.accept("m-3", wake=wake_queue.job(C, "sms"))
    desk.accept("m-4", keyword="stop", wake=wake_queue.job(C, "sms"))
    assert queued(desk.redis) == [wake[3]]


def test_the_end_of_a_turn_enqueues_the_next_job_when_messages_remain(desk: Desk) -> None:
    """And none when nothing remains."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    first, second = wake_queue.job(C, "sms"), wake_queue.job(C, "sms")
    assert desk.finish("k1", wake=first).outcome == "more"
    assert queued(desk.redis) == [first[3]]
    desk.taken("k2")
    assert desk.finish("k2", wake=second).outcome == "empty"
    assert queued(desk.redis) == [first[3]]


def test_one_job_is_enqueued_once_however_often_its_script_wakes(desk: Desk) -> None:
    """A park that leaves a message and appends a notice wakes twice, and a job's id must not stand in the queue twice."""
    desk.accept("m-1")
    desk.taken("k1")
    desk.accept("m-2")
    wake = wake_queue.job(C, "sms")
    desk.park("k1", notice="error", wake=wake)
    assert queued(desk.redis) == [wake[3]]


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_the_job_that_a_script_writes_is_the_one_that_rq_writes(desk: Desk, channel: str) -> None:
    """Field by field, and the set of queues; and RQ reads from it the same function and arguments. Only the server's time is more."""
    desk.accept("m-1", wake=wake_queue.job("c-42", channel))
    own = Queue(wake_queue.QUEUE, connection=desk.redis, serializer=JSONSerializer, default_timeout=wake_queue.JOB_TIMEOUT)
    function = CHANNELS[channel].job
    own.enqueue(
        function,
        "c-42",
        result_ttl=wake_queue.RESULT_TTL,
        failure_ttl=wake_queue.FAILURE_TTL,
        description=f"{function.rpartition('.')[2]} c-42",
    )
    ours, rqs = (Job.fetch(name, connection=desk.redis, serializer=JSONSerializer) for name in queued(desk.redis))
    assert (ours.func_name, ours.args, ours.kwargs) == (rqs.func_name, rqs.args, rqs.kwargs) == (function, ["c-42"], {})
    assert ours.data == rqs.data
    a, b = (desk.redis.hgetall(job.key) for job in (ours, rqs))
    assert 0 <= desk.now - int(a.pop(b"queued_ms")) < 60_000
    varying = {name.encode() for name in (*TIMES, "data")}
    assert {k: v for k, v in a.items() if k not in varying} == {k: v for k, v in b.items() if k not in varying}
    assert a.keys() == b.keys()
    assert desk.redis.smembers("rq:queues") == {b"rq:queue:boss"}


def test_a_claim_tells_what_was_said_before_newest_first_up_to_its_bound(desk: Desk) -> None:
    """A long conversation costs no more than what may be shown of it."""
    for number in range(1, 5):
        desk.accept(f"m-{number}")
        desk.taken(f"k{number}")
        desk.store(f"k{number}", f"answer {number}", attempt=f"a{number}")
        desk.outcome(f"k{number}", f"a{number}", "accepted", f"SM{number}", token=f"k{number}")
    desk.accept("m-5")
    whole = desk.claim("k5").turn
    assert whole is not None
    assert [said.id for said in whole.history] == ["m-1", "r-k1", "m-2", "r-k2", "m-3", "r-k3", "m-4", "r-k4"]
    desk.backoff("k5", 0)
    bounded = desk.claim("k6", memory=1).turn
    assert bounded is not None
    assert [said.id for said in bounded.history] == ["r-k4"]
