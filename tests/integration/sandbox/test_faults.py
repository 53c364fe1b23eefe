"""Faults are injected as they are set, and the journal knows what happened."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
import requests
from python_http_client.exceptions import HTTPError as SendGridError
from twilio.base.exceptions import TwilioRestException

from tests.integration.sandbox.clients import BOSS, USER, ask, claude, mail, sendgrid, twilio
from tests.support.sandbox import SandboxProcess


def test_faults_come_in_order_and_are_used_up(sandbox: SandboxProcess) -> None:
    """Words and objects, one request each."""
    sandbox.faults(twilio={"fail": ["503", {"fault": "400", "code": 21612}]})
    client = twilio(sandbox)
    codes = []
    for _ in range(2):
        with pytest.raises(TwilioRestException) as caught:
            client.messages.create(to=USER, from_=BOSS, body="x")
        codes.append((caught.value.status, caught.value.code))
    client.messages.create(to=USER, from_=BOSS, body="x")
    assert codes == [(503, 20503), (400, 21612)]
    assert [entry["accepted"] for entry in sandbox.journal("twilio.create")] == [False, False, True]
    assert sandbox.faults()["twilio"]["fail"] == []


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ("reset_before", False),
        ("reset_after_accept", True),
        ("reset_midway", True),
        ("trickle", True),
        ("hang", False),
        ({"fault": "hang", "accept": True}, True),
        ({"fault": "503", "accept": True}, True),
    ],
)
def test_unknown_outcomes_are_exact_in_the_journal(sandbox: SandboxProcess, fault: Any, accepted: bool) -> None:
    """The caller cannot tell, the journal and the list can."""
    sandbox.faults(twilio={"fail": [fault]})
    with pytest.raises((requests.RequestException, TwilioRestException)):
        twilio(sandbox, timeout=0.3).messages.create(to=USER, from_=BOSS, body="x")
    [entry] = sandbox.wait("twilio.create", 1, timeout=5)
    assert entry["accepted"] is accepted
    assert len(twilio(sandbox).messages.list(to=USER)) == int(accepted)


@pytest.mark.parametrize("fault", [{"fault": "503", "accept": True}, "reset_after_accept", "broken_json"])
def test_a_request_that_is_performed_and_rejected_gets_its_rejection(sandbox: SandboxProcess, fault: Any) -> None:
    """The fault would hide why nothing was sent; the journal names none."""
    sandbox.faults(twilio={"fail": [fault]})
    with pytest.raises(TwilioRestException) as caught:
        twilio(sandbox).messages.create(to=USER, from_=USER, body="x")
    assert (caught.value.status, caught.value.code) == (400, 21266)
    [entry] = sandbox.journal("twilio.create")
    assert (entry["accepted"], entry["status"], entry["fault"]) == (False, 400, None)


def test_broken_json(sandbox: SandboxProcess) -> None:
    """Half a document."""
    sandbox.faults(twilio={"fail": ["broken_json"]})
    with pytest.raises(json.JSONDecodeError):
        twilio(sandbox).messages.create(to=USER, from_=BOSS, body="x")
    assert sandbox.count("twilio.create") == 1


def test_latency_answers_late_but_acts_at_once(sandbox: SandboxProcess) -> None:
    """A caller who gives up has sent the message nevertheless."""
    sandbox.faults(twilio={"latency_seconds": 30})
    with pytest.raises(requests.ReadTimeout):
        twilio(sandbox, timeout=0.2).messages.create(to=USER, from_=BOSS, body="x")
    [entry] = sandbox.wait("twilio.create", 1, timeout=5)
    assert (entry["accepted"], entry["status"]) == (True, None)


def test_held_answers_come_when_the_hold_is_over(sandbox: SandboxProcess) -> None:
    """Whatever was asked has acted by then."""
    sandbox.faults(anthropic={"hold": True})
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, claude(sandbox)) for _ in range(2)]
        sandbox.wait("anthropic.messages", 2, timeout=10)
        assert not any(each.done() for each in asked)
        sandbox.faults(anthropic={"hold": False})
        assert all(each.result(10) for each in asked)


def test_a_matching_fault_leaves_others_alone(sandbox: SandboxProcess) -> None:
    """One conversation fails without end, the others go on."""
    sandbox.faults(anthropic={"fail": [{"fault": "529", "match": "poison", "times": None}]})
    client = claude(sandbox)
    for _ in range(2):
        with pytest.raises(anthropic.OverloadedError):
            ask(client, "this is poison")
    assert ask(client, "this is not").stop_reason == "end_turn"


def test_a_rate_hits_a_share(sandbox: SandboxProcess) -> None:
    """A rate has no end unless `times` says so."""
    sandbox.faults(sendgrid={"fail": [{"fault": "500", "rate": 0.5}], "events": False})
    for _ in range(60):
        with contextlib.suppress(SendGridError):
            sendgrid(sandbox).send(mail())
    assert 10 < sandbox.count("sendgrid.send") < 50


def test_an_unknown_setting_is_rejected(sandbox: SandboxProcess) -> None:
    """A setting that does nothing would let a test pass for the wrong reason."""
    changes: list[dict[str, Any]] = [{"twilio": {"latency": 1}}, {"twillio": {}}, {"twilio": {"fail": ["explode"]}}, {"twilio": 3}]
    for change in changes:
        response = requests.post(sandbox.url + "/sandbox/faults", json=change, timeout=5)
        assert response.status_code == 400
        assert "error" in response.json()


def test_the_old_path_is_the_same_resource(sandbox: SandboxProcess) -> None:
    """/sandbox/knobs shows, changes and resets the same settings."""
    old, new = sandbox.url + "/sandbox/knobs", sandbox.url + "/sandbox/faults"
    changed = requests.post(old, json={"anthropic": {"text": "words"}}, timeout=5).json()
    assert requests.get(new, timeout=5).json() == changed == requests.get(old, timeout=5).json()
    assert requests.delete(old, timeout=5).json() == requests.get(new, timeout=5).json() != changed
