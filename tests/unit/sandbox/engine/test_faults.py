"""Which fault applies to which request, and how settings are merged."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.engine.faults import FaultSettings, TwilioFaults


def test_faults_are_used_up_in_order() -> None:
    """The first that applies is used; `on`, `match` and `times` decide which applies."""
    listed = [{"fault": "500", "on": "list"}, {"fault": "503", "match": "poison", "times": 2}, 429]
    faults = TwilioFaults.model_validate({"fail": listed})
    used = [faults.pop_matching("create", {"body": body}) for body in ("poison", "fine", "poison", "poison")]
    assert [fault.fault if fault else None for fault in used] == ["503", "429", "503", None]
    assert faults.pop_matching("list", {}) is not None
    assert faults.fail == []


def test_fault_defaults_depend_on_the_fault() -> None:
    """Acting or not, once or for ever."""
    faults = ["reset_after_accept", "reset_before", {"fault": "hang", "rate": 0.5}, {"fault": "hang", "accept": True}]
    parsed = TwilioFaults.model_validate({"fail": faults}).fail
    assert [fault.accept for fault in parsed] == [True, False, False, True]
    assert [fault.times for fault in parsed] == [1, 1, None, 1]


def test_faults_merge_and_survive_a_round_trip() -> None:
    """Given fields replace, others stay, and what GET shows can be posted back."""
    first = FaultSettings().merged({"twilio": {"latency_seconds": [0.1, 0.2], "fail": ["503"]}})
    faults = first.merged({"twilio": {"list_lag_seconds": 1}})
    assert faults.twilio.latency_seconds == (0.1, 0.2)
    assert faults.twilio.fail[0].fault == "503"
    assert FaultSettings().merged(faults.model_dump(mode="json")) == faults
    wrongs: list[dict[str, Any]] = [{"twilio": {"fail": ["600"]}}, {"twilio": {"latency_seconds": -1}}, {"nobody": {}}]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            FaultSettings().merged(wrong)
