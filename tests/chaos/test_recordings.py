"""kill -9 around the hearing of a recording: it is answered once, with its words, and paid for once from where they are stored."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

import pytest

from tests.chaos.table import FULL, Table
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, Person
from tests.support.process_supervisor import ProcessSupervisor
from tests.support.users_file import BOSS_PHONE

UNSTORED: Final = ("after:reserve", "during:transcribe", "before:keep_heard", *(("before:reserve", "before:transcribe") if FULL else ()))
STORED: Final = ("after:keep_heard", "after:keep_read", "during:think", *(("before:keep_read", "before:store_reply") if FULL else ()))
"""Moments of a turn, before and after the words are with the message."""
WORKERS: Final = 6
LEASE: Final = "20"
"""Half of it is for the files of a turn: all of them are read by the two readers of this machine."""

pytestmark = pytest.mark.timeout(120)


def recording(person: Person) -> bytes:
    """A second of sound that nobody else sends."""
    return b"#!AMR\n" + (b"\x3c" + person.tag.encode().ljust(31, b"\0")) * 50


def test_a_kill_at_any_step_of_hearing_loses_no_message_and_pays_for_stored_words_once(
    installation: Installation, table: Table, tmp_path: Path
) -> None:
    """Each step strikes a person of its own, all at once."""
    installation.sandbox.faults(speech={"text": "call Tom", "latency_seconds": 0.25}, anthropic={"latency_seconds": 0.25})
    plan, people = FaultPlan(tmp_path), {moment: installation.person() for moment in (*UNSTORED, *STORED)}
    where = f"{installation.sandbox.url}/v1/audio/transcriptions"
    for moment, person in people.items():
        plan.kill(installation.conversation(person), moment)
    with ProcessSupervisor(installation, WORKERS, CRASH_DIR=str(tmp_path), WORKER_CONCURRENCY="1", STT_URL=where, LEASE_SECONDS=LEASE):
        for person in people.values():
            media = [{"content_base64": base64.b64encode(recording(person)).decode(), "content_type": "audio/amr"}]
            assert installation.sandbox.send_sms("", media=media, from_=person.phone, to=BOSS_PHONE)["status"] == 200
        for moment, person in people.items():
            plan.wait_for_hits(installation.conversation(person), seconds=60)
            installation.wait_for_replies(person, seconds=60)
            assert len(plan.hits(installation.conversation(person))) == 1, moment
        installation.quiet(60)
    sent = [entry["request"]["sha256"] for entry in installation.sandbox.journal("speech.transcriptions", accepted=True)]
    heard = {moment: sent.count(hashlib.sha256(recording(person)).hexdigest()) for moment, person in people.items()}
    replies = {moment: len(installation.replies(person)) for moment, person in people.items()}
    doubled = [moment for moment, count in replies.items() if count > 1]
    table.add(fault="killed while a recording is heard", runs=len(people), lost=list(replies.values()).count(0), duplicates=len(doubled))
    assert set(replies.values()) == {1}
    assert {heard[moment] for moment in STORED} == {1}
    assert all(1 <= heard[moment] <= 2 for moment in UNSTORED), heard
    for entry in installation.sandbox.journal("anthropic.messages", accepted=True):
        assert entry["request"]["text"].count("call Tom") == 1
    days = installation.redis.keys("boss:spent:?????")
    assert [int(each or 0) for day in days for each in installation.redis.hmget(day, "reserved", "open")] == [0, 0] * len(days)
