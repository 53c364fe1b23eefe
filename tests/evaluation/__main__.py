"""`python -m tests.evaluation`: run the conversations and print a table of what held. Exit status 1 where anything did not."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.evaluation import case, table
from tests.evaluation.runner import Runner


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="make eval", description="Conversations with the Boss, through the whole product.")
    parser.add_argument("--restarts", action="store_true", help="kill and restart everything between any two messages")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases whose name or kind holds this")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write the table of what held, as Markdown")
    parser.add_argument("--show", action="store_true", help="print what each person got")
    parser.add_argument("--played", action="store_true", help="the played model, also where ANTHROPIC_API_KEY is set")
    given = parser.parse_args()
    key = "" if given.played else os.environ.get("ANTHROPIC_API_KEY", "")
    cases = [each for each in case.read() if given.only in f"{each.kind}: {each.name}" and (each.real or not key)]
    if not cases:
        parser.error(f"no case holds {given.only!r}")
    began = time.monotonic()
    runner = Runner(cases, restarts=lambda _: given.restarts, real_key=key)
    outcomes = runner.run()
    about = table.About(
        model=os.environ.get("BOSS_MODEL", "claude-sonnet-5-5") if key else "", moments=runner.moments, restarts=runner.restarted
    )
    if given.show:
        sys.stdout.write(table.transcript(outcomes))
    sys.stdout.writelines(f"something was sent to {stranger}, who is nobody here\n" for stranger in runner.strangers)
    sys.stdout.write(table.failures(outcomes) + table.markdown(outcomes, about))
    sys.stdout.write(f"\n{time.monotonic() - began:.0f} s\n")
    if given.table:
        given.table.write_text(table.markdown(outcomes, about))
    return 0 if all(outcome.held for outcome in outcomes) and not runner.strangers else 1


if __name__ == "__main__":
    sys.exit(main())
