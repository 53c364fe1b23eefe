"""The result of a soak: its report, and what violates the product's promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.soak.faults import SPARED
from bench.soak.memory import MAX_MESSAGE_GROWTH, MAX_PROCESS_GROWTH, MIB, KeyCount, Sample, bytes_a_message, medians, thirds
from bench.soak.options import SoakOptions
from tests.support.load import Report

MAX_DETAILS: Final = 20
"""Messages that the report describes one by one."""
MAX_LASTING_KEYS_PER_CONVERSATION: Final = 4
"""Keys of one kind that never expire: at most this many for each conversation, however many messages it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakResult:
    """Everything that was observed."""

    options: SoakOptions
    report: Report
    process_faults: Counter[str]
    repeats: Counter[str]
    failures: Sequence[str]
    """Processes that ended by themselves, or with a wrong exit status."""
    samples: Sequence[Sample] = ()
    key_counts: Sequence[KeyCount] = field(default_factory=tuple)
    cut_short: bool = False

    @property
    def violations(self) -> list[str]:
        """All that violates a promise; empty when the soak passes."""
        report = self.report
        counts = {"lost": report.lost, "answered twice without a mark": report.twice, "conversations out of order": report.out_of_order}
        found = [f"{count} {name}" for name, count in counts.items() if count]
        details = report.details[:MAX_DETAILS] if found else ()
        return [*found, *details, *self.failures, *self._growing()]

    def _growing(self) -> list[str]:
        if not self.options.judges_memory or self.cut_short:
            return []
        found = []
        for name in sorted(SPARED):
            _, second, last = medians(self.samples, name)
            if not second or last > second * MAX_PROCESS_GROWTH:
                found.append(f"{name} grew from {second:.1f} to {last:.1f} MiB between the second and the last third")
        before, after = (bytes_a_message(third) for third in thirds(self.samples)[1:])
        if after > before * MAX_MESSAGE_GROWTH:
            found.append(f"a message added {before:.0f} bytes to Redis in the second third and {after:.0f} in the last")
        found += [
            f"{one.lasting} keys {one.kind} never expire"
            for one in self.key_counts
            if one.lasting > self.options.people * MAX_LASTING_KEYS_PER_CONVERSATION
        ]
        return found

    def lines(self) -> Iterable[str]:
        """Yield the lines of the report."""
        yield f"soak: {self.options.minutes:g} min, {self.options.rate:g} messages/s, seed {self.options.seed}{self._cut()}"
        yield Report.head()
        yield self.report.row()
        if not self.violations:
            yield from self.report.details  # how the answer that took longest went
        yield "repeated webhooks: " + _counted(self.repeats)
        yield "process faults: " + _counted(self.process_faults)
        yield from self._memory()
        violations = self.violations
        yield from (f"FAULT: {violation}" for violation in violations)
        yield "failed" if violations else "passed"

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
        if self.key_counts:
            yield "keys (never expiring): " + ", ".join(f"{one.kind} {one.keys} ({one.lasting})" for one in self.key_counts)
        if not self.options.judges_memory:
            yield "memory is not judged in a soak this short"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"
