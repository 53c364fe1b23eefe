"""Runs all conversations beside each other, moment by moment: what they write, then what came of it.

Every step has a moment of its own. The clock of the whole product is moved to each of them in turn, so that a year of reminders passes in
half a minute; between two moments everything can be killed and started anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from tests.evaluation.case import Case, Step, filled
from tests.evaluation.checks import Seen, failures
from tests.evaluation.stage import Person, Stage
from tests.support.installation import JsonObject, in_threads
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE
from tests.support.wait import wait_for

PATIENCE_SECONDS: Final = 20
"""How long a moment may take."""
REAL_PATIENCE_SECONDS: Final = 180
OK: Final = 200


@dataclass
class Outcome:
    """What became of a case: the failures of each step, by its number from 1."""

    case: Case
    failures: dict[int, list[str]] = field(default_factory=dict)
    got: list[list[str]] = field(default_factory=list)
    """What reached the person in each step."""

    @property
    def held(self) -> bool:
        """Whether all of it held."""
        return not self.failures


@dataclass
class _Under:
    """A case under way."""

    person: Person
    outcome: Outcome
    last_mail: JsonObject | None = None
    seen: Seen = field(default_factory=Seen)


class Runner:
    """One run of some cases."""

    def __init__(self, cases: Sequence[Case], *, restarts: Callable[[int], bool] = lambda _: False, real_key: str = "") -> None:
        """`restarts` says for the number of a moment, from 1, whether everything is killed before it."""
        self._under = [_Under(Person(number, case), Outcome(case)) for number, case in enumerate(cases)]
        self._restarts, self._real_key = restarts, real_key
        self._read = 0
        self.strangers: list[str] = []
        """Whom something was sent to who is none of the cases' people."""
        self.restarted = 0
        self.moments = 0

    def run(self) -> list[Outcome]:
        """Run them; what became of each."""
        steps = sorted(
            (
                (moment, number, place)
                for number, each in enumerate(self._under)
                for place, moment in enumerate(each.outcome.case.moments())
            ),
        )
        moments = sorted({moment for moment, _, _ in steps})
        with Stage([each.person for each in self._under], real_key=self._real_key) as stage:
            self._stage = stage
            for self.moments, moment in enumerate(moments, 1):
                if self.moments > 1 and self._restarts(self.moments):
                    stage.restart()
                    self.restarted += 1
                self._at(moment, [(self._under[number], place) for at, number, place in steps if at == moment])
        return self.outcomes

    @property
    def outcomes(self) -> list[Outcome]:
        """What has become of each case."""
        return [each.outcome for each in self._under]

    def _at(self, moment: float, steps: Sequence[tuple[_Under, int]]) -> None:
        stage = self._stage
        self._change_entries(steps)
        for each, place in steps:
            if command := each.outcome.case.steps[place].run:
                stage.boss(*filled(command, each.person.values))
        stage.clock.move_to(moment, stage.redis)
        self._prepare(steps)
        in_threads(self._write, steps, at_once=8)
        self._wait(steps)
        self._collect(steps)
        for each, place in steps:
            step = each.outcome.case.steps[place]
            filled_step = Step.model_validate(filled(step.model_dump(exclude_unset=True), each.person.values))
            if found := failures(filled_step, each.seen, real=stage.is_real):
                each.outcome.failures[place + 1] = found
            each.outcome.got.append(each.seen.got)

    def _change_entries(self, steps: Sequence[tuple[_Under, int]]) -> None:
        """Change the users file, and start what reads it anew."""
        changed = [(each, change) for each, place in steps if (change := each.outcome.case.steps[place].change)]
        for each, change in changed:
            each.person.fields |= change
        if changed:
            self._stage.write_users()
            self._stage.kill_programs()
            self._stage.start_programs()

    def _prepare(self, steps: Sequence[tuple[_Under, int]]) -> None:
        """The sandbox's faults and the model's answers, for all at once."""
        answers: list[JsonObject] = []
        faults: dict[str, Any] = {}
        for each, place in steps:
            each.seen = Seen()
            step, values = each.outcome.case.steps[place], self._values(each)
            answers += [{"match": each.person.name, **filled(answer, values)} for answer in step.model]
            for section, fields in filled(step.faults, values).items():
                known = faults.setdefault(section, {})
                known |= {**fields, "fail": [*known.get("fail", []), *fields.get("fail", [])]}
        if faults:
            self._stage.sandbox.faults(**faults)
        if answers and not self._stage.is_real:
            self._stage.sandbox.script(*answers)

    def _values(self, each: _Under) -> dict[str, str]:
        """What the texts of a step may name: the person, and the ids of their reminders."""
        waiting, rung = self._stage.reminders(each.person), self._stage.reminders(each.person, "rung")
        ids = {f"reminder{number}": record["id"] for number, record in enumerate(waiting, 1)}
        ids |= {f"rung{number}": record["id"] for number, record in enumerate(rung, 1)}
        if "$foreign" in repr(each.outcome.case):
            others = [record for other in self._under if other is not each for record in self._stage.reminders(other.person)]
            ids["foreign"] = others[0]["id"] if others else "0123456789abcdef"
        return {**dict(sorted(ids.items(), reverse=True)), **each.person.values, "files": str(self._stage.directory)}

    def _write(self, each_and_place: tuple[_Under, int]) -> None:
        each, place = each_and_place
        step, person, sandbox = each.outcome.case.steps[place], each.person, self._stage.sandbox
        values = person.values
        for text in [*([step.text] if step.text or step.media else []), *step.texts]:
            media = {"media": list(step.media)} if step.media else {}
            answer = sandbox.send_sms(filled(text, values), from_=person.phone, to=BOSS_PHONE, **media)
            self._note(each, answer)
        if step.mail is not None:
            fields: dict[str, Any] = filled(step.mail, values)
            if fields.pop("answers", False) and each.last_mail is not None:
                fields = {**_answering(each.last_mail), **fields}
            fields = {"from": person.email, "to": BOSS_EMAIL, "subject": "A question", **fields}
            self._note(each, sandbox.send_email(fields.pop("text", None), **fields))

    def _note(self, each: _Under, answer: JsonObject) -> None:
        if answer["status"] is None or answer["status"] >= OK + 100:
            each.seen.errors.append(f"the webhook was answered with {answer['status']}: {answer['body'] or answer['error']}")

    def _wait(self, steps: Sequence[tuple[_Under, int]]) -> None:
        """Until everybody got what they are to get, or not in time, and nothing more is under way."""
        stage = self._stage
        seconds = REAL_PATIENCE_SECONDS if stage.is_real else PATIENCE_SECONDS
        end = time.monotonic() + seconds
        for each, place in steps:
            wanted = len(each.outcome.case.steps[place].gets)
            try:
                wait_for(partial(self._has_got, each.person, wanted), max(0.1, end - time.monotonic()), "messages", every=0.05)
            except AssertionError:
                each.seen.errors.append(f"not within {seconds} s")
        try:
            wait_for(stage.is_idle, max(3, end - time.monotonic()), "nothing that is due", every=0.05)
        except AssertionError:
            for each, _ in steps:
                each.seen.errors.append(f"something is still under way: {stage.waiting()}")

    def _has_got(self, person: Person, wanted: int) -> bool:
        if wanted == 0:
            return True
        sandbox = self._stage.sandbox
        texts = sandbox.count("twilio.create", to=person.phone, since=self._read)
        return texts + sandbox.count("sendgrid.send", to=person.email, since=self._read) >= wanted

    def _collect(self, steps: Sequence[tuple[_Under, int]]) -> None:
        """What the journal has that is new, by person; and what is stored now."""
        entries = self._stage.sandbox.journal(since=self._read)
        self._read = max([self._read, *(entry["seq"] for entry in entries)])
        at_phone = {each.person.phone: each for each in self._under}
        at_mail = {each.person.email: each for each in self._under}
        for entry in entries:
            request = entry["request"]
            if entry["kind"] == "twilio.create" and entry["accepted"] and request["to"] in at_phone:
                at_phone[request["to"]].seen.got.append(request["body"])
            elif entry["kind"] == "sendgrid.send" and entry["accepted"] and request["to"] in at_mail:
                each = at_mail[request["to"]]
                each.last_mail = request
                each.seen.got.append(f"{request['subject']}\n\n{request['text']}")
            elif entry["kind"] == "anthropic.messages":
                self._sort_question(entry)
            elif entry["kind"] in ("twilio.create", "sendgrid.send") and entry["accepted"]:
                self.strangers.append(str(request["to"]))
        for each, _ in steps:
            each.seen.reminders = self._stage.reminders(each.person)
            each.seen.made = self._stage.made(each.person)
            each.seen.facts = self._stage.facts(each.person)
            each.seen.items = self._stage.items(each.person)

    def _sort_question(self, entry: JsonObject) -> None:
        system = str(entry["request"].get("system", ""))
        each = next((each for each in self._under if f"You are talking to {each.person.name}." in system), None)
        if each is not None:
            each.seen.questions.append(entry["request"])
            each.seen.calls += entry["request"].get("tool_results", [])


def _answering(mail: JsonObject) -> JsonObject:
    """The fields of an answer to a mail of the Boss's."""
    subject = str(mail["subject"])
    root = mail["headers"]["Message-ID"]
    return {"subject": subject if subject.startswith("Re: ") else f"Re: {subject}", "in_reply_to": root, "references": [root]}
