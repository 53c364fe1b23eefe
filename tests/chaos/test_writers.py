"""Web processes on one data directory while Redis is away, their clocks wrong by a minute either way, and all of them restarted.

Three, twice, under 2,000 texts in `make chaos`; two, once, under 120 in `make e2e`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Final

import pytest

from shared.mailbox import ledger
from tests.chaos.table import FULL, Table
from tests.support.processes import ROOT, START_SECONDS, BossProcess, WebProcess, answers
from tests.support.server import EmbeddedServer
from tests.support.texters import ids, inbox, ready, text, users
from tests.support.wait import wait_for

PEOPLE: Final = 20 if FULL else 6
TEXTS: Final = 2_000 if FULL else 120
EACH: Final = TEXTS // PEOPLE
SHIM: Final = os.pathsep.join(filter(None, (str(ROOT / "tests" / "support" / "skewed"), os.environ.get("PYTHONPATH", ""))))
LIVES: Final = ((60, 0, -60), (-60, -60, -30), (0, 60, -60)) if FULL else ((60, 0), (-60, -60))
"""The seconds by which the clock of each process is wrong, in each of its lives: in the second all stand behind what the first left."""
PATIENCE: Final = 400 if FULL else 90
TAKEN: Final = 200

pytestmark = pytest.mark.timeout(PATIENCE)


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may hurt."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def webs(server: EmbeddedServer, tmp_path: Path) -> Iterator[list[WebProcess]]:
    """Three web processes on one directory, in their first life."""
    (tmp_path / "users.toml").write_text(users(PEOPLE))
    settings = {"REDIS_URL": server.url, "BOSS_DATA_DIR": str(tmp_path / "data"), "BOSS_USERS_FILE": str(tmp_path / "users.toml")}
    settings |= {"SANDBOX": "on", "SMS_SETTLE_SECONDS": "0", "PYTHONPATH": SHIM, "MAX_OPEN_MESSAGES": "100000"}
    processes = [WebProcess(settings) for _ in LIVES[0]]
    try:
        _start(processes, LIVES[0])
        yield processes
    finally:
        for process in processes:
            process.close()


class Texter:
    """Sends the texts of one person, each when the last was taken, each to a process that chance chooses, and again until it is taken."""

    def __init__(self, webs: Sequence[WebProcess], person: int) -> None:
        """Nothing is sent yet."""
        self._webs, self._person = webs, person
        self._dice = random.Random(person)  # noqa: S311 - dice, no secret
        self.sent = 0

    def send(self, until: int) -> None:
        """All up to that number."""
        end = time.monotonic() + PATIENCE / 2
        while self.sent < until and time.monotonic() < end:
            self.sent += self._taken()
        assert self.sent == until, f"{self._person}: {self.sent} of {until} texts"

    def _taken(self) -> bool:
        try:
            return text(self._dice.choice(self._webs), self._person, self.sent) == TAKEN
        except (OSError, HTTPException):  # it is being restarted
            time.sleep(0.05)
            return False


def _start(webs: Sequence[WebProcess], skews: Sequence[int]) -> None:
    for web, skew in zip(webs, skews, strict=True):  # by this thread: a child ends with the thread that made it
        BossProcess.start(web, CLOCK_SKEW_SECONDS=str(skew))
    wait_for(lambda: all(answers(f"{web.url}/livez") for web in webs), START_SECONDS, "all to answer", every=0.1)


def _restart(webs: Sequence[WebProcess], skews: Sequence[int]) -> None:
    """Two are killed, one is told to end; texts are under way at all of them."""
    for web in webs[:-1]:
        web.kill9()
    webs[-1].terminate()
    _start(webs, skews)


def test_writers_of_one_spool_lose_nothing_and_keep_the_order(
    server: EmbeddedServer, webs: list[WebProcess], tmp_path: Path, table: Table
) -> None:
    """A fifth before the outage, then each of the lives, then Redis returns under the last texts: each once, each sender's in order."""
    assert [round(ready(web)["clock_skew_seconds"], -1) for web in webs] == list(LIVES[0])
    texters = [Texter(webs, person) for person in range(PEOPLE)]
    with ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(lambda texter: texter.send(EACH // 5), texters))
        server.kill9()
        writing = [pool.submit(texter.send, EACH) for texter in texters]
        for share, skews in enumerate(LIVES[1:], 2):
            _wait_for(texters, EACH * share // 5)
            _restart(webs, skews)
        _wait_for(texters, EACH * 4 // 5)
        server.start()
        began = time.monotonic()
        for each in writing:
            each.result(PATIENCE)
    wait_for(lambda: all(ready(web)["status"] == "ok" for web in webs), 60, "an empty spool")
    drained = time.monotonic() - began
    with server.client() as redis:
        found = [inbox(redis, person) for person in range(PEOPLE)]
        lines = [line.type for line in ledger.latest(redis, 10 * TEXTS)]
    wanted = [ids(person, EACH) for person in range(PEOPLE)]
    assert list((tmp_path / "data" / "spool" / "aside").glob("*")) == []
    table.add(
        fault=f"{len(LIVES[0])} writers of one spool, clocks a minute off",
        runs=1,
        lost=sum(len(set(want) - set(got)) for want, got in zip(wanted, found, strict=True)),
        duplicates=sum(len(got) - len(set(got)) for got in found) + lines.count("sms_received") - sum(len(set(got)) for got in found),
        disorder=sum(got != sorted(got, key=want.index) for want, got in zip(wanted, found, strict=True)),
        recoveries=[drained],
        note=f"{TEXTS} texts, {len(LIVES) - 1} restarts of all",
    )


def _wait_for(texters: Sequence[Texter], each: int) -> None:
    wait_for(lambda: min(texter.sent for texter in texters) >= each, PATIENCE / 3, f"{each} texts of each", every=0.05)
