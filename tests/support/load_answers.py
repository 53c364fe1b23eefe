"""What a load's messages were answered, gathered from the sandbox's journal bit by bit: an hour's would not stay in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from tests.support.installation import JsonObject, Person, reply_id
from tests.support.load_lanes import Answer, Lane, Sent
from tests.support.sandbox import SandboxProcess

SENDS: Final = "twilio.create,sendgrid.send"


class Answers:
    """The answers of all lanes. Those over the bridge are noted by its callers."""

    def __init__(self, sandbox: SandboxProcess, lanes: Iterable[Lane]) -> None:
        """Nothing is gathered yet."""
        self._sandbox = sandbox
        self._lanes = list(lanes)
        self._people = {address: lane.person for lane in self._lanes for address in (lane.person.phone, lane.person.email)}
        self._found: dict[tuple[Person, str], list[Answer]] = {}
        self._places = itertools.count(1)
        self._seen = 0

    def gather(self) -> dict[Sent, list[Answer]]:
        """Each message's answers, as of now. The journal keeps 50,000 entries: come again before so many are new."""
        for entry in self._sandbox.journal(SENDS, accepted=True, since=self._seen):
            self._take(entry)
            self._seen = entry["seq"]
        sent = [sent for lane in self._lanes for sent in list(lane.sent)]
        return {one: [*one.answers, *self._found.get((one.lane.person, str(one.number)), ())] for one in sent}

    def _take(self, entry: JsonObject) -> None:
        request = entry["request"]
        person = self._people.get(request["to"])
        if person is None:
            return
        for word in person.words(request.get("body") or request.get("text")):
            self._found.setdefault((person, word), []).append(Answer(entry["at"], reply_id(entry), next(self._places)))
