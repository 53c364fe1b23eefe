"""A call outside that waits for a yes, killed from the taking of the yes to the end: taken once, made once, told once.

Each strike has a person of its own. The model asks for the call, code asks the person, and they say YES with its code.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from shared.mailbox.ledger import Line
from shared.model.approvals import ApprovalCall
from shared.model.words import said
from supervisor_worker.assistant.approval_texts import of_model
from tests.chaos.tool_turns import OK, PATIENCE, SERVER, Desk, Row, nth
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, JsonObject, Person
from tests.support.wait import wait_for

TOOL: Final = "post"
CODE: Final = re.compile(r"YES (\d{4})")
APPROVED: Final = (
    Row("approval claimed, not taken", nth(1, "after:claim")),
    Row("approval about to be taken", nth(1, "before:store_reply")),
    Row("approval taken", nth(1, "after:store_reply")),
    Row("the answer to an approval under way", nth(1, "during:send")),
    Row("approved call claimed", nth(2, "after:claim")),
    Row("approved, calling stored, not called", nth(1, "after:calling"), made=0, line="outside_unknown"),
    Row("approved, called, result not stored", nth(1, "before:called"), line="outside_unknown"),
    Row("approved, result stored", nth(1, "after:called")),
    Row("approved, last answer read, reply not stored", nth(2, "before:store_reply"), again=1),
    Row("approved, reply stored", nth(2, "after:store_reply")),
)


@dataclass(frozen=True)
class Approved:
    """One person's call, and the row that it is of."""

    row: Row
    person: Person

    @property
    def text(self) -> str:
        """What the call says, by which it is counted."""
        return f"{self.person.tag} approved"

    @property
    def answers(self) -> tuple[JsonObject, ...]:
        """What the model says, the last first: after the call, after it was told that it waits, and to the person's wish."""
        arguments = {"text": self.text}
        shown = json.dumps(of_model(ApprovalCall(f"{SERVER}__{TOOL}", arguments)), ensure_ascii=False)[1:-1]
        call = {"name": f"{SERVER}__{TOOL}", "id": f"toolu_{self.person.tag}_p", "input": arguments}
        return (
            {"text": f"{self.person.says('made')}: made.", "match": shown, "times": None},
            {"text": f"{self.person.says('asked')}: it waits.", "match": f"toolu_{self.person.tag}_p", "times": None},
            {"calls": [call], "match": self.person.says("go"), "times": None},
        )


class ApprovalStrikes:
    """Strikes calls that wait for a yes, each at the place of its row."""

    def __init__(self, installation: Installation, fault_plan: FaultPlan, desk: Desk) -> None:
        """Workers that read the plans, and are replaced, are the caller's."""
        self._installation, self._plans, self._desk = installation, fault_plan, desk

    def run(self, rows: Sequence[Row], *, times: int, at_once: int) -> list[str]:
        """Strike so many times at each row; the faults, each with its row."""
        strikes = [Approved(row, self._installation.person()) for _, row in itertools.product(range(times), rows)]
        self._installation.sandbox.script(*(answer for struck in strikes for answer in struck.answers))
        with ThreadPoolExecutor(at_once) as pool:
            broken = [fault for faults in pool.map(self._strike, strikes) for fault in faults]
        if not broken:
            self._installation.quiet(PATIENCE)
            broken = [f"{struck.row.name}, {struck.person.tag}: {fault}" for struck in strikes for fault in self._faults(struck)]
        return broken

    def _strike(self, struck: Approved) -> list[str]:
        installation, person = self._installation, struck.person
        conversation = installation.conversation(person)
        try:
            assert installation.text(person, "go")["status"] == OK
            (question, *_) = installation.wait_for_replies(person, seconds=PATIENCE)
            wait_for(
                lambda: installation.redis.zscore("boss:due", conversation) is None, PATIENCE, "the end of the turn that asks", every=0.1
            )
            code = CODE.search(question["request"]["body"])
            assert code, question["request"]["body"]
            self._plans.set(conversation, *struck.row.plan)
            assert installation.sandbox.send_sms(f"YES {code[1]}", from_=person.phone, to=question["request"]["from"])["status"] == OK
            self._plans.wait_for_hits(conversation, len(struck.row.plan), PATIENCE)
            installation.wait_for_replies(person, 3, seconds=PATIENCE)
        except AssertionError as error:
            told = "\n".join(f"  {line.type} {line.fields}" for line in installation.lines(conversation)[-30:])
            return [f"{struck.row.name}, {person.tag}: {error}\n{told}"]
        return []

    def _faults(self, struck: Approved) -> Iterator[str]:
        """What is not as promised."""
        row, person = struck.row, struck.person
        texts = [entry["request"]["body"] for entry in self._installation.replies(person)]
        told = said(row.line, "en", tool=TOOL, server=SERVER)
        if [word for text in texts for word in person.words(text)] != ["asked", "made"] or texts[1:2] != [said("approval_yes", "en")]:
            yield f"the replies are {texts}"
        elif not texts[-1].startswith(told):
            yield f"the receipt is not {told!r}: {texts[-1]}"
        if (made := self._desk.made[struck.text]) != row.made:
            yield f"the call outside was made {made} times"
        if (taken := [line.fields.get("reason") for line in self._ended(person)]) != ["approved"]:
            yield f"the question ended as {taken}"
        questions = self._installation.sandbox.journal("anthropic.messages", contains=person.tag)
        asked = [entry for entry in questions if "made the call, just as" in json.dumps(entry["request"]["messages"][-1:])]
        if len(asked) != 1 + row.again:
            yield f"the model was asked {len(asked)} times about what came of it"

    def _ended(self, person: Person) -> list[Line]:
        return self._installation.lines(self._installation.conversation(person), "approval_ended")
