"""What held, as a table by kind; and of what did not, why. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.evaluation.case import kinds
from tests.evaluation.runner import Outcome


@dataclass(frozen=True)
class About:
    """What was run: a real `model`'s name, or "" for the played one, in how many moments and with how many restarts."""

    model: str
    moments: int
    restarts: int


def markdown(outcomes: Sequence[Outcome], about: About) -> str:
    """The table."""
    rows = ["| kind | conversations | messages written | held |", "|---|---|---|---|"]
    for kind in kinds([outcome.case for outcome in outcomes]):
        of_kind = [outcome for outcome in outcomes if outcome.case.kind == kind]
        rows.append(_row(kind, of_kind))
    rows.append(_row("**all**", outcomes))
    restarted = f", everything killed {about.restarts} times between them" if about.restarts else ""
    return "\n".join([f"With {about.model or 'the played model'}, in {about.moments} moments{restarted}.", "", *rows, ""])


def failures(outcomes: Sequence[Outcome]) -> str:
    """Each failure in a line of its own; "" where there is none."""
    lines = [
        f"{outcome.case.kind}: {outcome.case.name}, step {step}: {failure}\n"
        for outcome in outcomes
        for step, found in outcome.failures.items()
        for failure in found
    ]
    return "".join(lines)


def transcript(outcomes: Sequence[Outcome]) -> str:
    """What each person wrote and got."""
    lines: list[str] = []
    for outcome in outcomes:
        lines.append(f"\n# {outcome.case.kind}: {outcome.case.name}")
        for step, got in zip(outcome.case.steps, outcome.got, strict=True):
            wrote = [*([step.text] if step.text else []), *step.texts, *([str(step.mail)] if step.mail else [])]
            lines += [f"> {text}" for text in wrote] + [f"< {text}" for text in got]
    return "\n".join([*lines, ""])


def _row(kind: str, outcomes: Sequence[Outcome]) -> str:
    written = sum(len(step.texts) + bool(step.text or step.media) + (step.mail is not None) for o in outcomes for step in o.case.steps)
    return f"| {kind} | {len(outcomes)} | {written} | {sum(outcome.held for outcome in outcomes)} |"


def without_minutes(got: Sequence[Sequence[str]]) -> list[list[str]]:
    """What somebody got, without the times of the clock, the codes and the run's own folder in it: a restart takes seconds."""
    return [[re.sub(r"/\S*/boss-whole-\w+|\b\d\d:\d\d\b|\b\d{4}\b", "#", text) for text in step] for step in got]
