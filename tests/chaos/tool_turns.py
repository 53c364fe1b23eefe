"""A turn with three tool calls that is killed at its steps, and what must have come of it: each thing done once, said once, paid once.

The first answer of the model adds to a list and sets a reminder, the second calls a server outside, the third is the reply. Each strike has
a person of its own, so that what is counted is of one turn.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

from aiohttp import web
from redis import Redis

from shared.mailbox import mcp_lists
from shared.model import codec
from shared.model.mcp_tools import listed
from shared.model.words import said
from supervisor_worker.channels.notes import theirs
from tests.chaos.table import FULL
from tests.support.fault_plan import FaultPlan
from tests.support.installation import Installation, JsonObject, Person
from tests.support.mcp_http import ARGUMENTS, http_server, result
from tests.support.wait import wait_for

SERVER: Final = "desk"
TOOLS: Final = ("again", "post", "send")
TIMEOUT_SECONDS: Final = 12 if FULL else 5
"""A worker imports the library of such servers in its first call: a dozen that begin at once, beside other tests, take more than five."""
PATIENCE: Final = 60
SERVERS: Final = """
[[servers]]
name = "{name}"
url = "{url}"
approval = "always"
timeout_seconds = {timeout}
tools = {{ again = {{ repeat = true }}, post = {{ approval = "ask" }} }}
"""
OK: Final = 200
QUESTIONS: Final = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A place at which a worker is killed; `plan` are its signals and moments, `tool` the one that is called outside.

    `again`: how many answers are asked for, and paid, once more. `unasked`: how many were reserved and never asked. `bound`: a step was
    stored, so that what is written next waits for the whole turn. `made`: how often the call outside reaches its server; `line` is what the
    person is told of it, by its name among the words.
    """

    name: str
    plan: tuple[str, ...]
    again: int = 0
    unasked: int = 0
    bound: bool = True
    tool: str = "send"
    made: int = 1
    line: str = "outside_done"


def nth(number: int, moment: str) -> tuple[str, ...]:
    """A kill when a moment comes for the so-manieth time."""
    return (*["SIGCONT " + moment] * (number - 1), "SIGKILL " + moment)


ROWS: Final = (
    Row("claim, before the question", nth(1, "after:claim"), unasked=1, bound=False),
    Row("first answer read, not stored", nth(1, "before:step"), again=1, bound=False),
    Row("first answer stored", nth(1, "after:step")),
    Row("first effect stored", nth(2, "after:step")),
    Row("second effect stored, and a reservation with it, then dead", nth(3, "after:step"), unasked=1),
    Row("reservation, then dead", nth(1, "after:reserve"), unasked=1),
    Row("second answer read, not stored", nth(4, "before:step"), again=1),
    Row("second answer stored", nth(4, "after:step")),
    Row("calling stored, not called", nth(1, "after:calling"), made=0, line="outside_unknown"),
    Row("calling stored, not called; may be repeated", nth(1, "after:calling"), tool="again"),
    Row("called, result not stored", nth(1, "before:called"), line="outside_unknown"),
    Row("called, result not stored; may be repeated", nth(1, "before:called"), tool="again", made=2),
    Row("result stored", nth(1, "after:called")),
    Row("last answer read, reply not stored", nth(1, "before:store_reply"), again=1),
    Row("reply stored", nth(1, "after:store_reply")),
    Row("sending", nth(1, "during:send")),
    Row("sent, not recorded", nth(1, "before:outcome")),
)


class Desk:
    """A server outside, in this process; `made` counts the calls that reached it, by their text."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.url = ""

    async def called(self, _request: web.Request, number: str, arguments: Mapping[str, Any]) -> web.StreamResponse:
        """Count one, and say so."""
        self.made[str(arguments["text"])] += 1
        return result(number, "It is sent.")

    @contextmanager
    def serving(self) -> Iterator[Desk]:
        """Answer in a thread's loop."""
        loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

        async def serve() -> None:
            async with http_server(self.called) as server:
                server.tools = [{"name": name, "description": f"Does {name}.", "inputSchema": ARGUMENTS} for name in TOOLS]
                self.url = server.url
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    @property
    def toml(self) -> str:
        """As the operator names it."""
        return SERVERS.format(name=SERVER, url=self.url, timeout=TIMEOUT_SECONDS)

    @staticmethod
    def accept(redis: Redis) -> None:
        """The operator takes its tools."""
        tools = [(name, f"Does {name}.", ARGUMENTS) for name in TOOLS]
        mcp_lists.accept(redis, SERVER, listed(SERVER, tools, theirs, lambda _: True), 1, "operator")


@dataclass(frozen=True)
class Struck:
    """One person's turn, and the row that it is of."""

    row: Row
    person: Person

    @property
    def answers(self) -> tuple[JsonObject, ...]:
        """What the model says to the person, the last first: an answer is known by the call in the question."""
        tag, outside = self.person.tag, f"{SERVER}__{self.row.tool}"
        own = [
            {"name": "add_to_list", "id": f"toolu_{tag}_a", "input": {"list": "shopping", "items": [f"{tag} milk"]}},
            {"name": "set_reminder", "id": f"toolu_{tag}_b", "input": {"text": f"{tag} tea", "in_minutes": 600}},
        ]
        return (
            {"text": f"{self.person.says('then')}: heard.", "match": self.person.says("then"), "times": None},
            {"text": f"{self.person.says('go')}: done.", "match": f"toolu_{tag}_c", "times": None},
            {"calls": [{"name": outside, "id": f"toolu_{tag}_c", "input": {"text": tag}}], "match": f"toolu_{tag}_b", "times": None},
            {"calls": own, "match": self.person.says("go"), "times": None},
        )

    @property
    def receipts(self) -> list[str]:
        """What code tells of the three; of the reminder its end alone, for it begins with a time."""
        tag = self.person.tag
        return [f"Added to shopping: {tag} milk", f": {tag} tea", said(self.row.line, "en", tool=self.row.tool, server=SERVER)]


class ToolStrikes:
    """Strikes turns with tools, each at the place of its row."""

    def __init__(self, installation: Installation, fault_plan: FaultPlan, desk: Desk) -> None:
        """Workers that read the plans, and are replaced, are the caller's."""
        self._installation, self._plans, self._desk = installation, fault_plan, desk

    def run(self, rows: Sequence[Row], *, times: int, at_once: int) -> list[str]:
        """Strike so many times at each row; the faults, each with its row."""
        strikes = [Struck(row, self._installation.person()) for _, row in itertools.product(range(times), rows)]
        self._installation.sandbox.script(*(answer for struck in strikes for answer in struck.answers))
        with ThreadPoolExecutor(at_once) as pool:
            broken = [fault for faults in pool.map(self._strike, strikes) for fault in faults]
        if not broken:
            self._installation.quiet(PATIENCE)
            broken = [f"{struck.row.name}, {struck.person.tag}: {fault}" for struck in strikes for fault in self._faults(struck)]
            broken += self._money(strikes)
        return broken

    def _strike(self, struck: Struck) -> list[str]:
        installation, person = self._installation, struck.person
        conversation = installation.conversation(person)
        self._plans.set(conversation, *struck.row.plan)
        try:
            assert installation.text(person, "go")["status"] == OK
            self._plans.wait_for_hits(conversation, len(struck.row.plan), PATIENCE)
            if struck.row.bound:
                assert installation.text(person, "then")["status"] == OK
            wait_for(lambda: installation.redis.zscore("boss:due", conversation) is None, PATIENCE, "its end", every=0.1)
        except AssertionError as error:
            told = "\n".join(f"  {line.type} {line.fields}" for line in installation.lines(conversation)[-30:])
            return [f"{struck.row.name}, {person.tag}: {error}\n{told}"]
        # Now: a long journal keeps the messages of its newest questions alone.
        if struck.row.bound and not _grows([entry["request"]["messages"] for entry in self._asked(person)]):
            return [f"{struck.row.name}, {person.tag}: a question of the turn does not begin as the one before it"]
        return []

    def _asked(self, person: Person) -> list[JsonObject]:
        """The questions of the turn that is struck."""
        return [entry for entry in self._installation.questions(person) if person.words(entry["request"]["text"]) == ["go"]]

    def _faults(self, struck: Struck) -> Iterator[str]:
        """What is not as promised."""
        row, person = struck.row, struck.person
        texts = [entry["request"]["body"] for entry in self._installation.replies(person)]
        wanted = ["go", "then"] if row.bound else ["go"]
        if [word for text in texts for word in person.words(text)] != wanted:
            yield f"the replies are {texts}"
        elif not _told(texts[0], struck.receipts):
            yield f"the receipts are not those of the turn: {texts[0]}"
        if (made := self._desk.made[person.tag]) != row.made:
            yield f"the call outside was made {made} times"
        if (done := self._done(person)) != (["1"], ["1"]):
            yield f"the effects are {done}"
        if (asked := len(self._asked(person))) != QUESTIONS + row.again:
            yield f"the model was asked {asked} times"

    def _done(self, person: Person) -> tuple[list[str], list[str]]:
        """The versions of the person's items, and the revisions of their reminders."""
        redis = self._installation.redis
        whose = cast("bytes", redis.hget("boss:people", self._installation.user(person)) or b"").decode()
        items = [str(codec.loads(raw)["version"]) for raw in cast("list[bytes]", redis.hvals(f"boss:list:{whose}:1"))]
        names = [name.decode() for name in cast("list[bytes]", redis.zrange(f"boss:reminders:{whose}", 0, -1))]
        return items, [cast("bytes", redis.hget(f"boss:reminder:{name}", "revision")).decode() for name in names]

    def _money(self, strikes: Sequence[Struck]) -> list[str]:
        """All that was reserved is settled, and each question is counted once, also one that was paid in vain."""
        redis, faults = self._installation.redis, []
        if redis.exists("boss:reserved"):
            faults.append("a reservation is not settled")
        books = [cast("dict[bytes, bytes]", redis.hgetall(key)) for key in redis.scan_iter("boss:spent:*")]
        reserved = {name: value for book in books for name, value in book.items() if b"reserved" in name and int(value)}
        if reserved:
            faults.append(f"still reserved: {reserved}")
        counted = sum(int(book.get(b"calls", 0)) for book in books)
        asked = len(self._installation.sandbox.journal("anthropic.messages", accepted=True))
        unasked = sum(struck.row.unasked for struck in strikes)
        if counted != asked + unasked:
            faults.append(f"{counted} calls are counted, of {asked} questions and {unasked} that were reserved and never asked")
        return faults


def _told(text: str, receipts: Sequence[str]) -> bool:
    """Whether a reply begins with its receipts, each in a line, once, and in their order."""
    lines = text.partition("\n\n")[0].split("\n")
    return len(lines) == len(receipts) and all(line.endswith(receipt) for line, receipt in zip(lines, receipts, strict=True))


def _grows(questions: Sequence[Any]) -> bool:
    """Whether each question of a turn begins with the messages of the one before it."""
    bare = [_without_breakpoints(messages) for messages in questions]
    return all(after[: len(before)] == before for before, after in itertools.pairwise(bare))


def _without_breakpoints(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_breakpoints(each) for name, each in value.items() if name != "cache_control"}
    return [_without_breakpoints(each) for each in value] if isinstance(value, list) else value
