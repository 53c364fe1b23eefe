"""People who write while a test does its worst: now and then, in order, and not too far ahead of the answers."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from tests.support.installation import Installation, Person, root_id
from tests.support.outcome_check import Said
from tests.support.wait import wait_for

AHEAD: Final = 5
"""Messages without an answer, at most: what the sandbox echoes of one turn holds so many."""
OK: Final = 200


class Writer:
    """One conversation; each message is sent when the one before was taken. `said` is all of it, as what `fault` met."""

    def __init__(
        self, installation: Installation, person: Person, channel: str, *, fault: str, pause: float, most: int = 1_000_000
    ) -> None:
        """`pause` is the mean of the seconds between two messages, of which there are `most`."""
        self.said: list[Said] = []
        self._installation, self._person, self._channel, self._fault = installation, person, channel, fault
        self._pause, self._most = pause, most
        self._inbox = f"boss:inbox:{installation.conversation(person, channel)}"
        self._dice = random.Random(person.tag)  # noqa: S311 - dice, no secret

    def write(self, over: threading.Event) -> None:
        """All of it, or until it is over."""
        for number in itertools.islice(itertools.count(), self._most):
            if over.wait(self._dice.uniform(0, 2 * self._pause)):
                return
            wait_for(lambda: self._installation.redis.llen(self._inbox) < AHEAD, 60, "answers", every=0.1)
            status = self._send(number)
            assert status == OK, f"{self._person.tag} {number}: the webhook was answered with {status}"
            self.said.append(Said(self._person, self._channel, str(number), self._fault))

    def _send(self, number: int) -> int | None:
        status: int | None
        if self._channel == "sms":
            status = self._installation.text(self._person, number)["status"]
        else:
            thread = (
                {"message_id": f"<{number}-{self._person.tag}@mail.example.com>", "references": root_id(self._person)} if number else {}
            )
            status = self._installation.mail(self._person, number, **thread)["status"]
        return status


@contextmanager
def writing(writers: Sequence[Writer]) -> Iterator[list[threading.Thread]]:
    """They write beside the body, and end with it, after the message that is under way; a writer's error is the test's."""
    over, errors = threading.Event(), list[BaseException]()

    def write(writer: Writer) -> None:
        try:
            writer.write(over)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        over.set()
        for thread in threads:
            thread.join(70)
    if errors:
        raise errors[0]
