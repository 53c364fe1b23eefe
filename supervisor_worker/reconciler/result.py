"""What bounds a look at Twilio's list, and what it found."""

from __future__ import annotations

from dataclasses import dataclass

from shared.config.settings import Settings
from shared.errors import CredentialsRefused, ProviderError


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds: how far back is looked, how young a text is left to its webhook, between two requests, and for the whole run.

    `report`: how long a final report is waited for before Twilio's record is asked.
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
        if not interval:  # by the operator's hand alone
            return bounds
        return cls(
            bounds.window, min(bounds.young, interval / 5), min(bounds.pause, interval / 300), min(bounds.total, interval * 4 / 5),
            min(bounds.report, interval),
        )  # fmt: skip


@dataclass(slots=True)
class Found:
    """What a run found.

    `begun` counts the numbers whose first look this was, `unread` those whose texts are not all judged, `settled` the texts of ours whose
    final state was read. `failure` is a word for the last thing that did not work, `before` that of the run before.
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
        """Keep what is to be known of an error."""
        self.unread += 1
        self.failure = f"{error.provider}_{error.code}"
        self.credentials_refused = isinstance(error, CredentialsRefused)
        self.retry_after = error.retry_after or 0.0
