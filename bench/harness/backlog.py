"""Writes messages that wait to be answered: one from each of many users, stored by the product's own accept."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from bench.harness.installation import BOSS, phone
from shared import submit
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.model.addresses import PhoneNumber
from shared.model.events import SmsReceived
from shared.runtime import Runtime, open_runtime


class BacklogWriter:
    """The users of one installation. It accepts their messages as the web process does, and needs the running Valkey."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """`settings` are the installation's environment."""
        names = Settings.model_fields
        own = {name.lower(): value for name, value in settings.items() if name.lower() in names}
        self.runtime: Runtime = open_runtime(load_settings(_env_file=None, **own), "web")

    def close(self) -> None:
        """Close the connections."""
        self.runtime.close()

    def conversation(self, user: int) -> str:
        """The id of a user's conversation by text."""
        return self.runtime.identities.conversation(self.event(user).key())

    def write(self, users: Iterable[int], tag: str) -> list[str]:
        """Accept one text from each user, and enqueue its job; return their conversations. `tag` is part of the messages' ids."""
        conversations = []
        for user in users:
            event = self.event(user, f"m-{tag}{user:020d}")
            assert submit.accept(self.runtime, event, kind="text").outcome == "accepted"
            conversations.append(self.conversation(user))
        return conversations

    def event(self, user: int, name: str = "") -> SmsReceived:
        """The text of a user; `name` is its id."""
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
