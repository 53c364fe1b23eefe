"""What a soak showed, as text, and whether it is good enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.soak.faults import SPARED
from bench.soak.memory import FLAT, MIB, STEADY, Records, Sample, bytes_a_message, medians, thirds
from bench.soak.options import Options
from tests.support.load import Report

SHOWN: Final = 20
"""So many details of what went wrong."""
A_CONVERSATION: Final = 4
"""Keys of one kind that never expire may be so many for each conversation, and not grow with its messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soaked:
    """Everything that was seen."""

    options: Options
    report: Report
    strikes: Counter[str]
    repeats: Counter[str]
    failures: Sequence[str]
    """What the processes did wrong: ended by themselves, or badly."""
    samples: Sequence[Sample] = ()
    records: Sequence[Records] = field(default_factory=tuple)
    cut_short: bool = False

    @property
    def faults(self) -> list[str]:
        """All that is not as promised; empty when the soak passes."""
        report = self.report
        counts = {"lost": report.lost, "answered twice without a mark": report.twice, "conversations out of order": report.out_of_order}
        found = [f"{count} {name}" for name, count in counts.items() if count]
        details = report.details[:SHOWN] if found else ()
        return [*found, *details, *self.failures, *self._growing()]

    def _growing(self) -> list[str]:
        if not self.options.judges_memory or self.cut_short:
            return []
        found = []
        for name in sorted(SPARED):
            _, second, last = medians(self.samples, name)
            if not second or last > second * FLAT:
                found.append(f"{name} grew from {second:.1f} to {last:.1f} MiB between the second and the last third")
        before, after = (bytes_a_message(third) for third in thirds(self.samples)[1:])
        if after > before * STEADY:
            found.append(f"a message added {before:.0f} bytes to Redis in the second third and {after:.0f} in the last")
        found += [
            f"{one.lasting} keys {one.kind} never expire" for one in self.records if one.lasting > self.options.people * A_CONVERSATION
        ]
        return found

    def lines(self) -> Iterable[str]:
        """The report."""
        yield f"soak: {self.options.minutes:g} min, {self.options.rate:g} messages/s, seed {self.options.seed}{self._cut()}"
        yield Report.head()
        yield self.report.row()
        if not self.faults:
            yield from self.report.details  # how the answer that took longest went
        yield "repeated webhooks: " + _counted(self.repeats)
        yield "strikes: " + _counted(self.strikes)
        yield from self._memory()
        faults = self.faults
        yield from (f"FAULT: {fault}" for fault in faults)
        yield "failed" if faults else "passed"

    def _cut(self) -> str:
        return ", cut short: memory is not judged" if self.cut_short else ""

    def _memory(self) -> Iterable[str]:
        if not self.samples:
            return
        yield f"{'PSS, median MiB':<18}{'1st third':>12}{'2nd third':>12}{'last third':>12}"
        for name in sorted({name for sample in self.samples for name in sample.processes}):
            figures = medians(self.samples, name)
            yield f"{name:<18}" + "".join(f"{mib:>12.1f}" for mib in figures) + ("   judged" if name in SPARED else "")
        seen = [sample for sample in self.samples if sample.redis_bytes]
        if seen:
            grown = (bytes_a_message(part) for part in (self.samples, *thirds(self.samples)[1:]))
            figures_ = "{:.0f} bytes a message; {:.0f} in the 2nd third, {:.0f} in the last".format(*grown)
            yield f"Redis used_memory: {seen[0].redis_bytes / MIB:.1f} to {seen[-1].redis_bytes / MIB:.1f} MiB, {figures_}"
        if self.records:
            yield "keys (never expiring): " + ", ".join(f"{one.kind} {one.keys} ({one.lasting})" for one in self.records)
        if not self.options.judges_memory:
            yield "memory is not judged in a soak this short"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
