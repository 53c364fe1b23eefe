"""The second model (SECOND_MODEL): who is asked while the first one is overloaded, or does not serve for long.

Only for a turn without a step: what a model thinks is bound to it, and a turn that has begun stays with who began it. A turn asks the
second one once at most for each question, and waits as in any outage where that fails, too: no loop runs up a bill. While the first one is
spared, the turns of this process begin with the second; then one of them tries the first, and the others follow when that answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from shared.config.settings import Settings
from shared.errors import ProviderError
from shared.observability import logs
from supervisor_worker.assistant.model_choice import ModelChoice

LOG: Final = logs.logger(__name__)
SPARED_SECONDS: Final = 60.0
"""At a lease of 60 s: for how long a model that is overloaded is not tried."""
OVERLOADED: Final = 529


@dataclass
class _ModelOutage:
    """Of one model: since when it has answered nothing, and until when it is spared."""

    since: float
    spared_until: float = 0.0


@dataclass
class SecondModel:
    """What one worker process knows of its models' outages. `clock` is in seconds, from any origin."""

    settings: Settings
    clock: Callable[[], float] = time.monotonic
    _outages: dict[str, _ModelOutage] = field(init=False, default_factory=dict)

    def instead(self, first: ModelChoice) -> ModelChoice:
        """Whom a turn without a step asks: the second model while the first is spared. Who asks when that time is over tries it."""
        second, outage = self._second(first), self._outages.get(first.model)
        if second is None or outage is None or not outage.spared_until:
            return first
        if self.clock() < outage.spared_until:
            return second
        outage.spared_until = self.clock() + self._spared
        return first

    def after(self, asked: ModelChoice, error: ProviderError) -> ModelChoice | None:
        """Whom to ask now that a model did not serve; None to wait, as in any outage."""
        second = self._second(asked)
        if second is None:
            return None
        now = self.clock()
        outage = self._outages.setdefault(asked.model, _ModelOutage(now))
        if error.status != OVERLOADED and now - outage.since < self.settings.second_model_after_seconds:
            return None
        if not outage.spared_until:
            LOG.warning("The second model answers", action="second_model", model=second.model, instead_of=asked.model, code=error.code)
        outage.spared_until = now + self._spared
        return second

    def served(self, asked: ModelChoice) -> None:
        """A model answers: whatever was known of its outage is over."""
        if (outage := self._outages.pop(asked.model, None)) and outage.spared_until:
            LOG.info("The first model answers again", action="first_model", model=asked.model)

    @property
    def _spared(self) -> float:
        return SPARED_SECONDS * self.settings.lease_seconds / 60

    def _second(self, first: ModelChoice) -> ModelChoice | None:
        name = self.settings.second_model
        return replace(first, model=name) if name and name != first.model else None
