"""Messages that wait to be answered, put into the mailbox by the product's own accept: one for each of many users."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from bench.harness.installation import BOSS, phone
from shared import submit as accept
from shared.config import settings as knobs
from shared.model.addresses import PhoneNumber
from shared.model.events import SmsReceived
from shared.runtime import Runtime, open_runtime


class Crowd:
    """Users of one house who write."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` are the house's; its Valkey must run."""
        names = knobs.Settings.model_fields
        own = {name.lower(): value for name, value in settings.items() if name.lower() in names}
        self.runtime: Runtime = open_runtime(knobs.load(_env_file=None, **own), "web")

    def close(self) -> None:
        """Close the connections."""
        self.runtime.close()

    def conversation(self, user: int) -> str:
        """The id of a user's conversation."""
        return self.runtime.identities.conversation(self.event(user).key())

    def write(self, users: Iterable[int], tag: str) -> list[str]:
        """One text from each; their conversations. `tag` makes the ids. Each also enqueues its wake-up, as every accept does."""
        found = []
        for user in users:
            event = self.event(user, f"m-{tag}{user:020d}")
            assert accept.accept(self.runtime, event, kind="text").outcome == "accepted"
            found.append(self.conversation(user))
        return found

    def event(self, user: int, name: str = "") -> SmsReceived:
        """The text that a user writes."""
        number = PhoneNumber(phone(user))
        return SmsReceived(
            id=name,
            from_=number,
            to=PhoneNumber(BOSS),
            message="What is on my list today?",
            user=f"u{user}",
            provider_id=name,
            received_at=time.time(),
        )
