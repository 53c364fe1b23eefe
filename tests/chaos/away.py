"""Ten messages a second by webhook and by bridge while something is away: what all such tests do, and what they ask of it."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.chaos.table import FULL, Table
from tests.support.installation import Installation, JsonObject, Person
from tests.support.load import AWAY, Load, Report, report
from tests.support.load_lanes import lanes

SECONDS: Final = 30 if FULL else 4
PEOPLE: Final = 40 if FULL else 16
"""At ten messages a second: so many that no conversation's texts of an outage exceed what the sandbox echoes of one turn."""
DRAIN_SECONDS: Final = 60
PATIENCE: Final = SECONDS + 2 * DRAIN_SECONDS + 60
"""What one such test may take, in seconds."""
SLOW: Final[dict[str, JsonObject]] = {
    "anthropic": {"latency_seconds": [0.1, 0.8]},
    "twilio": {"latency_seconds": [0.05, 0.2]},
    "sendgrid": {"latency_seconds": [0.05, 0.2]},
}
"""So that what is taken away is always taken in the midst of turns."""
MAIL_OF_UNKNOWN_FATE: Final = {"EMAIL_EVENT_WAIT_SECONDS": "20"}
"""Leave to send is given, and its holder or Redis goes away before the request: by default SendGrid's event, which never comes, is
awaited for 120 s, and a minute is all that a backlog has here."""

Record = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Books:
    """Where a test enters what it saw: the table of the faults, and the one of the loads."""

    table: Table
    record: Record


def people_of(installation: Installation, faults: Mapping[str, JsonObject] = SLOW) -> list[Person]:
    """People whom no other case has met, an empty journal, and providers that take their time."""
    installation.sandbox.reset()
    installation.sandbox.faults(**faults)
    return [installation.person() for _ in range(PEOPLE)]


def endure(
    installation: Installation,
    bridge_url: str,
    fault: str,
    away: Callable[[], object],
    books: Books,
    *,
    faults: Mapping[str, JsonObject] = SLOW,
) -> Report:
    """Load the whole, let `away` take something and give it back, and judge what became of it. Without a bridge all write by webhook.

    The test fails unless all is answered, once, in order, within a minute of the return.
    """
    with Load(installation, lanes(people_of(installation, faults), bridge=bool(bridge_url)), bridge_url) as load:
        load.wait_for_answers_in_all_lanes()
        began = time.time()
        away()
        returned = time.time()
        load.drain(DRAIN_SECONDS)
        installation.quiet(DRAIN_SECONDS)
        result = report(load, fault, began, returned)
    books.record(AWAY, json.dumps(dataclasses.asdict(result)))
    books.table.add(
        fault=f"{fault}, 10 messages/s",
        runs=1,
        lost=result.lost,
        duplicates=result.twice,
        marked=result.marked,
        disorder=result.out_of_order,
        recoveries=[result.drained_after],
        details=result.details,
    )
    assert result.drained_after < DRAIN_SECONDS, result.details
    return result
