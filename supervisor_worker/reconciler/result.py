"""The bounds of a reconciler's run, and its result."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config.settings import Settings
from shared.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Bounds:
    """All in seconds. `window`: how far back texts are read. `young`: a younger text is left to its webhook. `pause`: between two requests.

    `total`: for the whole run. `report`: how long a final delivery report is waited for before Twilio's record is read.
    """

    window: float
    young: float = 60.0
    pause: float = 1.0
    total: float = 240.0
    report: float = 300.0

    @classmethod
    def of(cls, settings: Settings) -> Bounds:
        """At the default interval a minute, a second and four minutes; less at a shorter one."""
        interval, bounds = settings.reconcile_minutes * 60, cls(settings.reconcile_window_minutes * 60)
        if not interval:  # only the operator runs it
            return bounds
        return cls(
            bounds.window, min(bounds.young, interval / 5), min(bounds.pause, interval / 300), min(bounds.total, interval * 4 / 5),
            min(bounds.report, interval),
        )  # fmt: skip


@dataclass(slots=True)
class ReconcileResult:
    """The result of a run.

    `numbers` were read, with `listed` texts. `begun` counts the numbers for which this run only noted the time, `unread` those whose texts
    were not all checked, `settled` the texts of ours whose final state was read. `failure` is a word for the last failure, `before` that of
    the run before.
    """

    numbers: int = 0
    begun: int = 0
    listed: int = 0
    accepted: int = 0
    ignored: int = 0
    marked: int = 0
    unread: int = 0
    settled: int = 0
    failure: str = ""
    before: str = ""
    credentials_refused: bool = False
    retry_after: float = 0.0

    def failed(self, error: ProviderError) -> None:
        """Note an error of Twilio."""
        self.unread += 1
        self.failure = f"{error.provider}_{error.code}"
        self.credentials_refused = error.pauses_all and not error.counts  # a 403 may be this number's
        self.retry_after = error.retry_after or 0.0
