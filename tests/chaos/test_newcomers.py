"""People are added while others text: the first text of each, sent when the command returns, is answered.

Three web processes share a server and nothing else: each has a disk of its own. Some of them begin while Redis is away, and know of nobody
whom the registry has. Fifty texts a second come in from people who are known all the while, also through the outages. A worker answers,
which learns of the newcomers as the web processes do.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, cast

import pytest
from redis import Redis

from shared.mailbox import Mailbox, keys
from shared.operations.registry import RegistryEditor
from tests.chaos.table import FULL
from tests.support.installation import FAST, UNBOUND
from tests.support.processes import BossProcess, WebProcess
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.texters import BOSS, ids, phone, ready, text, users
from tests.support.wait import wait_for
from tests.support.webhook_client import load

NEWCOMERS: Final = 1000 if FULL else 60
OUTAGES: Final = 10 if FULL else 2
KNOWN: Final = 30
LANES: Final = 5
A_SECOND: Final = 50
FIRST: Final = 1000
"""The number of the first newcomer; the people of the users file have lower ones."""

pytestmark = pytest.mark.timeout(900 if FULL else 120)


class Hosts:
    """The web processes, each with a disk of its own."""

    def __init__(self, server: EmbeddedServer, directory: Path, sandbox: SandboxProcess) -> None:
        self._server, self._directory, self._names = server, directory, itertools.count()
        self._settings = {
            "REDIS_URL": server.url, "BOSS_USERS_FILE": str(directory / "users.toml"), "SANDBOX": "on", "SANDBOX_PORT": str(sandbox.port),
            **UNBOUND, **FAST,
        }  # fmt: skip
        (directory / "users.toml").write_text(users(KNOWN))
        self._stack = ExitStack()
        self.running = [self.new() for _ in range(3)]
        self._stack.enter_context(BossProcess("worker", settings={**self._settings, "BOSS_DATA_DIR": str(directory / "worker")}))
        self.begun: list[WebProcess] = []
        """Those that began without Redis, which newcomers text already."""

    def new(self) -> WebProcess:
        """One more, on a new disk, with or without Redis."""
        data = self._directory / f"data{next(self._names)}"
        process = WebProcess({**self._settings, "BOSS_DATA_DIR": str(data)})
        self._stack.callback(process.close)
        process.start()
        return process

    def replace(self, place: int, new: WebProcess) -> None:
        """A host takes the place of another, whose spool is empty. Nobody texts meanwhile."""
        old, self.running[place] = self.running[place], new
        old.terminate()

    def settled(self) -> None:
        """Nothing waits on any disk."""
        for host in (*self.running, *self.begun):
            wait_for(lambda host=host: ready(host)["status"] == "ok", 30, "an empty spool")  # type: ignore[misc]

    def close(self) -> None:
        """End them all."""
        self._stack.close()


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that goes away and comes back."""
    with EmbeddedServer() as running:
        yield running


class Texting:
    """Texts come in at their pace from the people of the file, each person's in order, by whatever host; `sent`: how many each has sent."""

    def __init__(self, hosts: Hosts, pool: ThreadPoolExecutor) -> None:
        self.sent = dict.fromkeys(range(KNOWN), 0)
        self._hosts, self._ending = hosts, threading.Event()
        self._locks = [threading.Lock() for _ in range(LANES)]
        self._lanes = [pool.submit(self._run, range(lane, KNOWN, LANES), lock) for lane, lock in enumerate(self._locks)]

    def _run(self, persons: range, lock: threading.Lock) -> None:
        began, count = time.monotonic(), 0
        while not self._ending.wait(max(0.0, began + count * LANES / A_SECOND - time.monotonic())):
            person = persons[count % len(persons)]
            with lock:
                assert text(self._hosts.running[person % 3], person, self.sent[person]) == 200
            self.sent[person] += 1
            count += 1

    @contextmanager
    def nobody(self) -> Iterator[None]:
        """None is under way."""
        with ExitStack() as stack:
            for lock in self._locks:
                stack.enter_context(lock)
            yield

    def end(self) -> None:
        """Raises what went wrong in a lane."""
        self._ending.set()
        for lane in self._lanes:
            lane.result()


def test_the_first_text_of_whoever_was_just_added_is_answered(server: EmbeddedServer, sandbox: SandboxProcess, tmp_path: Path) -> None:
    """Whichever process takes it, and nobody else's is lost, doubled or refused."""
    sandbox.faults(twilio={"status_callbacks": False})
    hosts, chance = Hosts(server, tmp_path, sandbox), random.Random(1)  # noqa: S311 - the same choices each time
    settings = load(server.url, boss_users_file=tmp_path / "users.toml", boss_data_dir=tmp_path)
    with ExitStack() as stack:
        stack.callback(hosts.close)
        texting = Texting(hosts, stack.enter_context(ThreadPoolExecutor(LANES)))
        stack.callback(texting.end)
        for number in range(NEWCOMERS):
            if number % (NEWCOMERS // OUTAGES) == NEWCOMERS // OUTAGES // 2:
                _outage(server, hosts, texting, chance.randrange(3))
            person = FIRST + number
            with server.client() as redis:
                RegistryEditor(settings, redis).add(f"n{number}", {"phone": phone(person), "boss_phone": BOSS})
            assert text(chance.choice([*hosts.running, *hosts.begun]), person, 0) == 200
        texting.end()
        hosts.settled()
        with server.client() as redis:
            wait_for(lambda: not redis.exists("boss:due"), 120 if FULL else 30, "nobody waits")
            said = {FIRST + number: 1 for number in range(NEWCOMERS)} | texting.sent
            assert {person: found for person, count in said.items() if (found := _unanswered(redis, person, count))} == {}
            assert cast("Any", redis.zcard(keys.STRANGERS)) == 0
        sent = Counter(entry["request"]["to"] for entry in sandbox.journal("twilio.create", accepted=True))
        assert {number: sent[phone(FIRST + number)] for number in range(NEWCOMERS) if sent[phone(FIRST + number)] != 1} == {}


def _unanswered(redis: Redis, person: int, count: int) -> list[str]:
    """What is wrong with a person's texts: each is answered, in a turn of its own place, in order."""
    box = Mailbox(redis)
    found = [box.message(name) for name in ids(person, count)]
    states = [str(message.state) if message else "lost" for message in found]
    turns = [name for name, _ in itertools.groupby(message.turn for message in found if message)]
    return [*(state for state in states if state != "answered"), *(["out of order"] if len(turns) > len(set(turns)) else [])]


def _outage(server: EmbeddedServer, hosts: Hosts, texting: Texting, place: int) -> None:
    """Redis goes, a new host begins without it, and Redis comes back. The one that began in the outage before takes another's place."""
    if hosts.begun:
        with texting.nobody():
            hosts.settled()
            hosts.replace(place, hosts.begun.pop())
    server.stop()
    hosts.begun.append(hosts.new())
    server.start()
