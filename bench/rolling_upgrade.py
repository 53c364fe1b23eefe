"""Two versions at work on one Redis, as in a rolling upgrade: `python -m bench.rolling_upgrade COMMIT`.

A web process and a worker of the commit, and one of each of this tree. People write to both web processes in turn while processes of both
versions are killed and started again. Counted at the sandbox's journal: messages lost, answered twice, answered out of order. The exit
status is 1 when there are any. A commit whose version of the data is older than this tree's cannot take part: its processes refuse to
start.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.support import webhook_posts
from tests.support.installation import Installation, Person
from tests.support.outcome_check import Said, judge
from tests.support.processes import ROOT, BossProcess, WebProcess, WorkerProcess, free_port

PEOPLE: Final = 20
MESSAGES: Final = 200
SECONDS_BETWEEN: Final = 0.15
SECONDS_BETWEEN_KILLS: Final = 1.0
ACCEPTED: Final = (200, 204)
TRIES: Final = 60
QUIET_SECONDS: Final = 120.0


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The tree of a commit, beside this one."""
    with tempfile.TemporaryDirectory(prefix="bossline-before-") as directory:
        where = Path(directory) / "tree"
        _git("worktree", "add", "--detach", "--quiet", str(where), commit)
        try:
            yield where
        finally:
            _git("worktree", "remove", "--force", str(where))


def _git(*command: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *command], check=True)  # noqa: S603, S607 - whoever runs this has git on their path


class Killer(threading.Thread):
    """Kills one process after the other, of both versions in turn, and starts each again, until it is told to stop."""

    def __init__(self, processes: Sequence[BossProcess], seed: int) -> None:
        super().__init__(name="killer", daemon=True)
        self._processes = processes
        self._dice = random.Random(seed)  # noqa: S311 - dice, no secret
        self._over = threading.Event()
        self.kills = 0

    def run(self) -> None:
        """One every few seconds."""
        while not self._over.wait(SECONDS_BETWEEN_KILLS):
            process = self._processes[self._dice.randrange(len(self._processes))]
            process.kill9()
            process.start()
            self.kills += 1

    def stop(self) -> None:
        """The process that is being started is up when this returns."""
        self._over.set()
        self.join()


def write(people: Sequence[Person], webs: Sequence[WebProcess], count: int) -> list[Said]:
    """Everybody in turn, to one web process after the other; what is not accepted is sent again, as the providers do."""
    said: list[Said] = []
    for number in range(count):
        person = people[number % len(people)]
        mail = number < len(people) and number % 4 == 0
        post = webhook_posts.mail(person, f"w{number}") if mail else webhook_posts.text(person, f"SM{number:032x}", f"w{number}")
        _deliver(post, webs, number)
        said.append(Said(person, "email" if mail else "sms", f"w{number}", "rolling upgrade"))
        time.sleep(SECONDS_BETWEEN)  # what is measured is a time of load, not a condition
    return said


def _deliver(post: webhook_posts.Post, webs: Sequence[WebProcess], number: int) -> None:
    for attempt in range(TRIES):
        try:
            if post.to(webs[(number + attempt) % len(webs)]) in ACCEPTED:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"message {number} was never accepted")


def run(before: Path, count: int, seed: int) -> int:
    """The exit status."""
    installation = Installation(PUBLIC_URL=webhook_posts.PUBLIC_URL)
    installation.sandbox.env["SANDBOX_PUBLIC_URL"] = webhook_posts.PUBLIC_URL
    with installation, ExitStack() as stack:
        old = {**installation.settings, "PYTHONPATH": str(before)}
        old_web = WebProcess({**old, "PORT": str(free_port()), "BOSS_DATA_DIR": str(installation.directory / "data-before")})
        workers = [WorkerProcess(old, installation.redis), WorkerProcess(installation.settings, installation.redis)]
        for process in (old_web, *workers):
            stack.callback(process.close)
            process.start()
        killer = Killer([installation.web, old_web, *workers], seed)
        killer.start()
        said = write([installation.person() for _ in range(PEOPLE)], [old_web, installation.web], count)
        killer.stop()
        installation.quiet(QUIET_SECONDS)
        (seen,) = judge(installation, said).values()
    print(
        f"{count} messages, {killer.kills} kills: lost {seen.lost}, doubled {seen.duplicates}, marked copies {seen.marked}, "
        f"out of order {seen.disorder}"
    )
    print(*seen.details, sep="\n")
    return 1 if seen.lost or seen.duplicates or seen.disorder else 0


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("commit", help="the version before")
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tree_of(chosen.commit) as before:
        return run(before, chosen.messages, chosen.seed)


if __name__ == "__main__":
    sys.exit(main())
