"""Hosts whose clocks are ten minutes wrong: the server's is the only one that leases, retries and look-ups go by."""

from __future__ import annotations

import os
import time
from typing import Final

import pytest

from shared.mailbox import ledger
from tests.chaos.away import PATIENCE, SECONDS, SLOW, Books, Record, endure
from tests.chaos.table import FULL, Table
from tests.support.installation import FAST, Installation, JsonObject
from tests.support.processes import ROOT
from tests.support.texters import ready

pytestmark = pytest.mark.timeout(PATIENCE)
TEN_MINUTES: Final = 600
SHIM: Final = os.pathsep.join(filter(None, (str(ROOT / "tests" / "support" / "skewed"), os.environ.get("PYTHONPATH", ""))))
LEASE_MS: Final = int(FAST["LEASE_SECONDS"]) * 1000
UNKNOWN: Final[dict[str, JsonObject]] = {
    **SLOW,
    "twilio": {**SLOW["twilio"], "status_callbacks": False, "fail": [{"fault": "reset_after_accept", "rate": 0.1}]},
}
"""One send in ten must be looked up, by the time of its attempt."""
CASES: Final = {"web slow, a worker fast": (-TEN_MINUTES, TEN_MINUTES), "web fast, a worker slow": (TEN_MINUTES, -TEN_MINUTES)}


@pytest.mark.parametrize("case", list(CASES) if FULL else list(CASES)[:1])
def test_wrong_clocks_change_nothing(case: str, table: Table, record_property: Record) -> None:
    """Order is kept, nothing is answered twice, no signature is refused, nothing is thought too old, no lease is too long."""
    web, worker = CASES[case]
    installation = Installation()
    installation.web.settings |= _skewed(web)
    with installation:
        skewed = installation.worker(**_skewed(worker))
        installation.fork()
        assert abs(ready(installation.web)["clock_skew_seconds"] - web) < TEN_MINUTES / 10

        def away() -> None:
            time.sleep(SECONDS / 2)  # both workers at work together
            ends = [int(installation.redis.hget(key, "lease_end") or 0) for key in installation.redis.scan_iter("boss:conv:*")]
            assert max(ends) <= installation.now_ms() + LEASE_MS
            skewed.kill9()
            time.sleep(SECONDS / 2)  # the outage itself, not a wait for anything

        result = endure(installation, "", f"clocks: {case}", away, Books(table, record_property), faults=UNKNOWN)
        assert installation.sandbox.count("twilio.list", accepted=None) > 0
        assert "parked" not in {line.type for line in ledger.latest(installation.redis, 100_000)}
    assert result.not_taken == 0, result
    assert result.marked == 0, "the provider's list showed all that it took"


def _skewed(seconds: int) -> dict[str, str]:
    return {"CLOCK_SKEW_SECONDS": str(seconds), "PYTHONPATH": SHIM}
