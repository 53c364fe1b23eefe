"""The product for an evaluation: all of it as processes, with a person for each case, by a clock that the runner moves."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, ClassVar, Final, Self, cast

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import keys, mcp_lists
from shared.model.addresses import Identities
from shared.model.mcp_tools import listed
from supervisor_worker.channels.notes import theirs
from tests.evaluation.case import Case
from tests.support.installation import FAST, Installation
from tests.support.mcp_program import TOOLS
from tests.support.moving_clock import MovingClock
from tests.support.processes import ROOT, START_SECONDS, BossProcess, WebProcess, WorkerProcess
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE
from tests.support.wait import wait_for

FIRST_NAMES: Final = ("Ada", "Bela", "Cora", "Dino", "Edda", "Falk", "Gita", "Hugo", "Ilse", "Jens")
LAST_NAMES: Final = ("Adler", "Brandt", "Clausen", "Dorn", "Ebel", "Fink", "Graf", "Huber", "Imhof", "Jansen", "Kern", "Lang")
TIMES: Final = {**FAST, "LEASE_SECONDS": "6", "SMS_SETTLE_SECONDS": "0.25", "CLAUDE_TIMEOUT_SECONDS": "60"}
BOUNDS: Final = {"PERSON_DAILY_DOLLARS": "5", "DAILY_TOKENS": "0", "DAILY_TURNS": "0", "DAILY_DOLLARS": "0", "ANSWER_WITHIN_MINUTES": "60"}
SERVERS: Final = {"house": "15", "shed": "6"}
"""The MCP servers: what dies or hangs is tried at the second, since a server that dies takes all calls under way with it.

Each with the longest that a call of it may take, in seconds: a busy machine needs some to start a program."""
MCP: Final = f"""
[[servers]]
name = "NAME"
command = "{sys.executable}"
args = ["-S", "-E", "{ROOT}/tests/support/mcp_program.py", "good"]
approval = "always"
timeout_seconds = SECONDS
persons = PERSONS

[servers.tools.append]
approval = "ask"
"""
SOON_SECONDS: Final = 1.5
"""What is due within this time is waited for."""


def _server(name: str, seconds: str, allowed: str) -> str:
    return MCP.replace("NAME", name).replace("SECONDS", seconds).replace("PERSONS", allowed)


class Person:
    """Whom a case is about. `number` is the case's."""

    def __init__(self, number: int, case: Case) -> None:
        """No two have the same name, number or address."""
        self.username = f"person{number:03}"
        self.name = f"{FIRST_NAMES[number % len(FIRST_NAMES)]} {LAST_NAMES[number // len(FIRST_NAMES)]}"
        self.phone, self.email = f"+1555300{number:04}", f"{self.username}@example.com"
        self.fields: dict[str, Any] = {"timezone": case.zone, "language": case.language, **case.entry}
        self.has_house = case.house
        self._channels = case.channels

    @property
    def values(self) -> dict[str, str]:
        """What a case's texts may name."""
        return {"name": self.name, "phone": self.phone, "email": self.email, "boss": BOSS_EMAIL, "username": self.username}

    def entry(self) -> str:
        """Theirs in the users file."""
        by_text = {"phone": self.phone, "boss_phone": BOSS_PHONE} if "sms" in self._channels else {}
        by_mail = {"email": self.email, "boss_email": BOSS_EMAIL} if "email" in self._channels else {}
        fields = {"username": self.username, "name": self.name, **by_text, **by_mail, **self.fields}
        return "[[users]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


class MovedWeb(WebProcess):
    """A web process by the moved clock."""

    program: ClassVar[tuple[str, ...]] = ("tests.support.moving_clock", "web")


class MovedWorker(WorkerProcess):
    """A worker by the moved clock."""

    program: ClassVar[tuple[str, ...]] = ("tests.support.moving_clock",)


class MovedCommand(BossProcess):
    """A `boss` command by the moved clock."""

    program: ClassVar[tuple[str, ...]] = ("tests.support.moving_clock", "boss")


class Stage(Installation):
    """Server, sandbox, web and one worker, running."""

    def __init__(self, people: Sequence[Person], *, real_key: str = "") -> None:
        """With a key the worker asks Anthropic itself, and only Twilio and SendGrid are played."""
        super().__init__({**TIMES, **BOUNDS})
        self.people = people
        self.clock = MovingClock(self.directory / "clock")
        allowed = json.dumps([person.username for person in people if person.has_house])
        servers = [_server(name, seconds, allowed) for name, seconds in SERVERS.items()]
        (self.directory / "mcp.toml").write_text("".join(servers))
        self.settings |= {
            **self.clock.settings,
            **{name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()},
            "SANDBOX": "off",
            "BOSS_MCP_FILE": str(self.directory / "mcp.toml"),
            "PYTHONPATH": str(ROOT),
        }
        if real_key:
            model = os.environ.get("BOSS_MODEL", "")
            self.settings |= {"ANTHROPIC_API_KEY": real_key, **({"BOSS_MODEL": model} if model else {})}
        self.is_real = bool(real_key)

    def __enter__(self) -> Self:
        """Start everything."""
        self.write_users()
        self.server.start()
        self.sandbox.start()
        self.settings |= {"TWILIO_API_BASE_URL": self.sandbox.url, "SENDGRID_API_BASE_URL": self.sandbox.url}
        if not self.is_real:
            self.settings["ANTHROPIC_BASE_URL"] = self.sandbox.url
        self.redis = self.server.client()
        tools = [(tool["name"], tool["description"], tool["inputSchema"]) for tool in TOOLS]
        for name in SERVERS:
            mcp_lists.accept(self.redis, name, listed(name, tools, theirs, lambda _: True), 1, "operator")
        self.start_programs()
        return self

    def write_users(self) -> None:
        """The users file, as the people are now."""
        (self.directory / "users.toml").write_text("\n".join(person.entry() for person in self.people))

    def start_programs(self) -> None:
        """A web process and a worker."""
        self.web = MovedWeb(self.settings)
        worker = MovedWorker(self.settings, self.redis)
        self._processes.append(worker)
        BossProcess.start(worker)  # while it loads, the web process does
        self.web.start()
        wait_for(lambda: worker.registered() or worker.returncode is not None, START_SECONDS, "the worker's registration")
        assert worker.returncode is None, worker.output

    def kill_programs(self) -> None:
        """Both, as when memory runs out."""
        self.web.close()
        self.end_workers()

    def restart(self) -> None:
        """Everything that is ours dies at once, and starts anew: the server too, on what its disk has."""
        self.kill_programs()
        self.server.kill9()
        self.server.start()
        self.start_programs()

    # What is stored, and what still has to be done

    def boss(self, *command: str) -> str:
        """Run a `boss` command to its end and return what it printed."""
        with MovedCommand(*command, settings=self.settings) as process:
            status = process.wait(60)
            assert status == 0, process.output
            return process.output

    def is_idle(self) -> bool:
        """Whether nothing is under way and nothing is due; what waits for a later time is not."""
        now = (self.clock.now() + SOON_SECONDS) * 1000
        due = {name for key in ("boss:due", "boss:priority_due") for name, _ in self._scores(key, "-inf", now)}
        held = [name for key in ("boss:due", "boss:priority_due") for name, _ in self._scores(key, now, "+inf") if self._is_held(name)]
        return not due and not held and not self._scores("boss:alarms", "-inf", now) and not self.redis.exists("boss:untold")

    def _scores(self, key: str, least: float | str, most: float | str) -> list[tuple[bytes, float]]:
        return cast("list[tuple[bytes, float]]", self.redis.zrangebyscore(key, least, most, withscores=True))

    def _is_held(self, conversation: bytes) -> bool:
        return bool(self.redis.hget(f"boss:conv:{conversation.decode()}", "token"))

    def reminders(self, person: Person, state: str = "waiting") -> list[dict[str, str]]:
        """A person's, by their times."""
        key = f"boss:{'reminders' if state == 'waiting' else 'rung'}:{self._id(person)}"
        records = [self._record(f"boss:reminder:{name.decode()}") for name in cast("list[bytes]", self.redis.zrange(key, 0, -1))]
        return sorted((each for each in records if each.get("state") == state), key=lambda each: int(each["due"]))

    def made(self, person: Person) -> int:
        """How often the tool that needs a yes was made for them."""
        return sum(file.read_text().count("done") for file in self.directory.glob(f"*-{person.username}"))

    def facts(self, person: Person) -> list[dict[str, Any]]:
        """What is remembered of them, the oldest first."""
        found = [json.loads(value) for name, value in self._record(f"boss:facts:{self._id(person)}").items() if name != "next"]
        return sorted(found, key=lambda fact: int(fact["id"][1:]))

    def items(self, person: Person) -> list[dict[str, Any]]:
        """What is on their lists, with each list's name."""
        lists = [json.loads(value) for name, value in self._record(f"boss:lists:{self._id(person)}").items() if name != "next"]
        found = []
        for each in lists:
            items = [json.loads(value) for value in self._record(f"boss:list:{self._id(person)}:{each['id']}").values()]
            found += [{**item, "list": each["name"]} for item in sorted(items, key=lambda item: int(item["number"]))]
        return found

    def _id(self, person: Person) -> str:
        salt = cast("bytes", self.redis.get(keys.SALT)).decode()
        found = cast("bytes | None", self.redis.hget("boss:people", Identities(bytes.fromhex(salt)).user(person.username)))
        return found.decode() if found else ""

    def _record(self, key: str) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in cast("dict[bytes, bytes]", self.redis.hgetall(key)).items()}
