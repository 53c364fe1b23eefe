"""The same targets led by coverage (atheris, on libFuzzer): `python -m tests.fuzz.guided [--seconds N] [TARGET ...]`.

libFuzzer never returns, so each target is a process of its own. What it finds is printed and kept in `.fuzz/`; each is a test to write.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

KEPT: Final = Path(".fuzz")
INSTRUMENTED: Final = ["webhook_api", "shared", "supervisor_worker", "email", "html"]
MAX_BYTES: Final = 4_096
SLOW_SECONDS: Final = 5
MOST_MB: Final = 1_024
STARTING_SECONDS: Final = 120


def main() -> int:
    """Fuzz the named targets, or all: 0 when nothing was found, or when this machine has no atheris, which is said."""
    reader = argparse.ArgumentParser(description="Fuzz the parsers, led by coverage.")
    reader.add_argument("targets", nargs="*", default=[], metavar="TARGET")
    reader.add_argument("--seconds", type=int, default=10, help="for each target")
    reader.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = reader.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris: skipped: it has no wheel for this machine, so nothing is shown by coverage")
        return 0
    if options.child:
        _fuzz(options.targets[0], options.seconds)
    from tests.fuzz import targets  # noqa: PLC0415 - the child imports it under instrumentation

    names = options.targets or list(targets.seeds())
    print(f"{'target':<20} {'inputs':>9} {'edges':>6}  found")
    found = [name for name in names if _run(name, options.seconds)]
    return int(bool(found))


def _run(name: str, seconds: int) -> bool:
    """Fuzz one target in a process; whether something was found."""
    command = [sys.executable, "-m", "tests.fuzz.guided", "--child", "--seconds", str(seconds), name]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + STARTING_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"{name:<20} {'':>9} {'':>6}  it did not end by itself")
        return True
    inputs = re.findall(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    edges = re.findall(r"cov: (\d+)", done.stderr)
    found = done.returncode != 0
    print(f"{name:<20} {inputs[-1] if inputs else '?':>9} {edges[-1] if edges else '?':>6}  {'FOUND, see below' if found else 'nothing'}")
    if found:
        print(done.stdout[-3_000:] + done.stderr[-3_000:])
    return found


def _fuzz(name: str, seconds: int) -> None:
    """In the child: never returns."""
    import atheris  # noqa: PLC0415 - a group of its own; most machines do without

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz import targets  # noqa: PLC0415 - so that its imports count edges
    target, honest = targets.seeds()[name]
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(honest):
        (corpus / f"seed-{number}").write_bytes(seed)

    def throw(data: bytes) -> None:
        targets.run(target, data)

    arguments = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MOST_MB}"]
    atheris.Setup([sys.argv[0], *arguments, "-print_final_stats=1", f"-artifact_prefix={KEPT}/", str(corpus)], throw)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
