"""What a check says, and how all of them run: beside one another, each within its time, none stopped by another."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from boss.http import Unreachable
from boss.terminal.output import Status
from shared.errors import BosslineError
from shared.observability.redaction import mask

Check = Callable[[], "list[Finding]"]
PATIENCE_SECONDS: Final = 12.0
"""Above the sum of the timeouts within any one check; it ends what they cannot, such as a name that takes a minute to resolve."""
SEVERITY: Final[dict[Status, int]] = {"ok": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was seen, and what to do about it."""

    name: str
    status: Status
    detail: str
    todo: str = ""
    down: bool = False
    """Whether it says no more than that a process of this machine does not run."""


def ok(name: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(name, "ok", detail)


def warn(name: str, detail: str, todo: str) -> Finding:
    """It works, and should be better."""
    return Finding(name, "warn", detail, todo)


def fail(name: str, detail: str, todo: str) -> Finding:
    """Something does not work."""
    return Finding(name, "fail", detail, todo)


def not_checked(name: str, reason: str) -> Finding:
    """Nothing is known, and why."""
    return Finding(name, "warn", f"not checked: {reason}")


def not_running(finding: Finding) -> Finding:
    """The same, of a process of this machine that does not run: where none does, that is said once."""
    return dataclasses.replace(finding, down=True)


def worst(findings: Iterable[Finding]) -> Status:
    """The status of them all."""
    return max((finding.status for finding in findings), key=lambda status: SEVERITY[status], default="ok")


def run_all(checks: dict[str, Check], *, patience: float = PATIENCE_SECONDS) -> list[Finding]:
    """Run the checks at the same time; their findings in the checks' order, also for one that raises or hangs.

    The threads are daemons: one that hangs for good does not keep the command from ending.
    """
    results: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    for name, check in checks.items():
        threading.Thread(target=lambda name=name, check=check: results.put((name, _run(name, check))), daemon=True).start()
    end = time.monotonic() + patience
    found: dict[str, list[Finding]] = {}
    while len(found) < len(checks):
        try:
            name, findings = results.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            break
        found[name] = findings
    silent = [fail("", f"no answer within {patience:g} s", "Look at the network, DNS and proxies of this machine.")]
    return [_named(finding, name) for name in checks for finding in found.get(name, silent)]


def _run(name: str, check: Check) -> list[Finding]:
    try:
        return check()
    except Unreachable as error:
        found = fail(name, mask(str(error)), "Check this machine's network and the address in the settings.")
        return [not_running(found) if error.local else found]
    except BosslineError as error:
        return [fail(name, mask(str(error)), "Check this machine's network and the address in the settings.")]
    except Exception as error:  # noqa: BLE001 - a fault of the check itself must not hide the other checks
        return [fail(name, f"the check itself failed: {type(error).__name__}", "Please report this.")]


def _named(finding: Finding, name: str) -> Finding:
    return finding if finding.name else dataclasses.replace(finding, name=name)
