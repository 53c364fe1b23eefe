"""The whole of Bossline for a test: Valkey, sandbox, web and workers as real processes, and many users.

What was answered is counted at the sandbox's journal, never in our own records; when it happened is read from the
ledger, whose times are the server's. Every test has people of its own, so that nothing of another's is in its way.
"""

from __future__ import annotations

import itertools
import re
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import parse_qs, urlsplit

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import Mailbox, keys, ledger
from shared.mailbox.ledger import Line
from shared.model.addresses import ConversationKey, Identities
from shared.model.codec import DATA_VERSION
from tests.support import users_file
from tests.support.bridge import BridgeProcess
from tests.support.crashing_worker_process import CrashingWorker
from tests.support.processes import BossProcess, WebProcess, WorkerProcess, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.sentinel_cluster import SentinelCluster
from tests.support.server import EmbeddedServer
from tests.support.tcp_server import TcpServer
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE
from tests.support.wait import wait_for

FAST: Final = {
    "LEASE_SECONDS": "3",
    "SEND_TIMEOUT_SECONDS": "1",
    "EMAIL_EVENT_WAIT_SECONDS": "2",
    "SMS_SETTLE_SECONDS": "0.05",
}
"""The product's times made short: the lease a twentieth of its default, the others so that they fit into it."""
UNBOUND: Final = {
    "SENDER_TURNS_PER_HOUR": "10000",
    "THREAD_TURNS_PER_HOUR": "10000",
    "PAIR_TURNS_PER_DAY": "1000000",
    "MAIL_TURNS_PER_HOUR": "10000",
}
"""No bound on how much one person writes: a test makes as much of an hour as others do of a week."""

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Person:
    """One user; `tag` is a word that stands in each of their texts, to be found again in the journal."""

    tag: str
    phone: str
    email: str

    def says(self, word: object) -> str:
        """A text of theirs."""
        return f"{self.tag} says <{word}>"

    def words(self, text: str | None) -> list[str]:
        """Which of their words stand in a text, in its order."""
        return re.findall(rf"{self.tag} says <([^>]*)>", text or "")


class Installation:
    """Server, sandbox and web, running; a test starts the workers, bridges and standbys that it needs."""

    def __init__(
        self,
        times: Mapping[str, str] = FAST,
        *,
        web: bool = True,
        server: EmbeddedServer | TcpServer | SentinelCluster | None = None,
        **settings: str,
    ) -> None:
        """`settings` are the product's, beside the `times` and what wires the processes together.

        Without `web` nobody takes webhooks: for tests of the bridge alone. Another `server` is started and closed like its own.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="boss-whole-"))
        self.server = server or EmbeddedServer()
        self._numbers = itertools.count(1)
        self._processes: list[CrashingWorker | BossProcess] = []
        port = free_port()
        credentials = {name.upper(): value for name, value in SANDBOX_CREDENTIALS.items()}
        self.sandbox = SandboxProcess(SANDBOX_WEBHOOK_URL=f"http://127.0.0.1:{port}", **credentials)
        self.settings = {
            "REDIS_URL": self.server.url,
            "BOSS_DATA_DIR": str(self.directory / "data"),
            "BOSS_USERS_FILE": str(self.directory / "users.toml"),
            "PORT": str(port),
            "SUPERVISOR_PORT": str(free_port()),
            "SANDBOX": "on",
            **UNBOUND,
            **times,
            **settings,
        }
        self.web = WebProcess(self.settings)
        self.users = users_file.text()
        self._with_web = web

    def __enter__(self) -> Self:
        """Start the server, the sandbox and the web process."""
        (self.directory / "users.toml").write_text(self.users)
        self.server.start()
        self.sandbox.start()
        self.settings["SANDBOX_PORT"] = self.web.settings["SANDBOX_PORT"] = str(self.sandbox.port)
        self.redis = self.server.client()
        if self._with_web:
            self.web.start()
        else:  # what it would have written at its start
            self.redis.set(keys.SALT, secrets.token_hex(32))
            self.redis.set(keys.SCHEMA, DATA_VERSION)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End everything."""
        self.end_workers()
        self.web.close()
        self.sandbox.stop()
        self.redis.close()
        self.server.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def reset(self) -> None:
        """An empty mailbox, an empty journal, no worker. The salt and the schema's mark stay, for the web process has read them."""
        self.end_workers()
        kept = {key: cast("bytes", self.redis.get(key)) for key in (keys.SALT, keys.SCHEMA)}
        self.redis.config_set("maxmemory", "256mb")
        self.redis.flushall()
        self.redis.mset(kept)
        self.sandbox.reset()

    # Workers, bridges, standbys

    def fork(self, count: int = 1, **settings: str) -> list[CrashingWorker]:
        """Workers of the fork server, ready."""
        workers = [self.fork_unready(**settings) for _ in range(count)]
        return [worker.ready() for worker in workers]

    def fork_unready(self, **settings: str) -> CrashingWorker:
        """A worker of the fork server that will be ready in a moment."""
        worker = CrashingWorker(self.settings | settings, self.redis)
        self._processes.append(worker)
        return worker

    def worker(self, **settings: str) -> WorkerProcess:
        """A real `boss worker`, ready."""
        worker = WorkerProcess(self.settings | settings, self.redis)
        self._processes.append(worker)
        return worker.start()

    def bridge(self, **settings: str) -> BridgeProcess:
        """A `boss bridge` that listens: on this whole's SUPERVISOR_PORT, unless the settings name another."""
        bridge = BridgeProcess(self.settings | settings)
        self._processes.append(bridge)
        return bridge.start()

    def standby(self, **settings: str) -> BossProcess:
        """A `boss standby`; it registers only when it works."""
        standby = BossProcess("standby", settings=self.settings | settings)
        self._processes.append(standby)
        return standby.start()

    def boss(self, *command: str) -> str:
        """Run a `boss` command to its end and return what it printed."""
        with BossProcess(*command, settings=self.settings) as process:
            status = process.wait(30)
            assert status == 0, process.output
            return process.output

    def end_workers(self) -> None:
        """Kill all that still run."""
        while self._processes:
            self._processes.pop().close()

    # People and what they write

    def person(self) -> Person:
        """Somebody whom no test has met."""
        number = next(self._numbers)
        assert number < users_file.USERS, "the users file is too short for so many tests"
        return Person(f"u{number:04}", users_file.phone(number), users_file.email(number))

    def meet_again(self, after: Person) -> None:
        """From now on people are those who come after this one: what is known of them was emptied (`reset`)."""
        self._numbers = itertools.count(int(after.tag[1:]) + 1)

    def text(self, person: Person, word: object, **fields: object) -> JsonObject:
        """A text arrives, signed; the answer tells the webhook's `status`."""
        return self.sandbox.send_sms(person.says(word), **{"from_": person.phone, "to": BOSS_PHONE, **fields})

    def texts(self, people: Iterable[Person], word: object) -> list[int | None]:
        """The same text of each of them, all at once; the webhook's answers."""
        return in_threads(lambda person: self.text(person, word)["status"], people)

    def mail(self, person: Person, word: object, **fields: object) -> JsonObject:
        """A mail arrives, the first of its thread unless the fields say otherwise."""
        known = {"from_": person.email, "to": BOSS_EMAIL, "subject": "A question", "message_id": root_id(person)}
        return self.sandbox.send_email(person.says(word), **{**known, **fields})

    def conversation(self, person: Person, channel: str = "sms", boss: str = "") -> str:
        """The id of somebody's texts, or of the thread that their `mail` starts; with another Boss than the usual one."""
        key = ConversationKey("sms", boss or BOSS_PHONE, person.phone)
        if channel == "email":
            key = ConversationKey("email", boss or BOSS_EMAIL, person.email, root_id(person))
        return self._identities().conversation(key)

    def user(self, person: Person) -> str:
        """The id of somebody's entry of the users file."""
        return self._identities().user(person.tag)

    def _identities(self) -> Identities:
        return Identities(bytes.fromhex(cast("bytes", self.redis.get(keys.SALT)).decode()))

    # What came of it

    def replies(self, person: Person, channel: str = "sms") -> list[JsonObject]:
        """The journal's entries of what this person got, in order."""
        if channel == "sms":
            return self.sandbox.journal("twilio.create", accepted=True, to=person.phone)
        return self.sandbox.journal("sendgrid.send", accepted=True, to=person.email)

    def questions(self, person: Person) -> list[JsonObject]:
        """The journal's entries of what Claude was asked for this person and answered, in order."""
        entries = self.sandbox.journal("anthropic.messages", contains=person.tag)  # others' would be read here as well, thousands of them
        return [entry for entry in entries if person.words(entry["request"]["text"])]

    def wait_for_replies(self, person: Person, count: int = 1, seconds: float = 15, channel: str = "sms") -> list[JsonObject]:
        """Wait for so many."""
        kind, to = ("twilio.create", person.phone) if channel == "sms" else ("sendgrid.send", person.email)
        return self.sandbox.wait(kind, count, seconds, accepted=True, to=to)

    def wait_for_questions(self, person: Person, count: int = 1, seconds: float = 15) -> None:
        """Wait until Claude was asked so often for this person; the answer may still be on its way."""
        self.sandbox.wait("anthropic.messages", count, seconds, contains=person.tag)

    def lines(self, conversation: str, *types: str) -> list[Line]:
        """The ledger's lines of a conversation, oldest first."""
        return [line for line in self.all_lines(*types) if line.fields.get("conv") == conversation]

    def all_lines(self, *types: str) -> list[Line]:
        """The ledger's lines of everybody, oldest first."""
        return [line for line in ledger.latest(self.redis, 100_000) if not types or line.type in types]

    def wait_for_lines(self, conversation: str, *types: str, count: int = 1, seconds: float = 15) -> list[Line]:
        """Wait for so many lines of these types."""
        what = f"{count} lines {'/'.join(types)} of {conversation}"
        return wait_for(lambda: found if len(found := self.lines(conversation, *types)) >= count else None, seconds, what)

    def quiet(self, seconds: float = 20) -> None:
        """Wait until no conversation has anything to do: whatever would be sent twice has been sent by then."""
        try:
            wait_for(lambda: not self.redis.exists("boss:due", "boss:priority_due"), seconds, "an empty agenda")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.waiting()}") from None

    def waiting(self) -> str:
        """What has something to do, when, in what state, and the last that was written of it: for a test that failed."""
        found = []
        due: Any = self.redis.zrange("boss:due", 0, 9, withscores=True)
        told = self.all_lines()
        for key, score in due:
            conversation = key.decode()
            lines = [f"{line.type} {line.fields}" for line in told if line.fields.get("conv") == conversation][-12:]
            state = self.redis.hgetall(f"boss:conv:{conversation}")
            found.append("\n  ".join([f"{conversation} due in {score - self.now_ms():.0f} ms: {state}", *lines]))
        return "\n".join(found)

    def marked(self, reply: str) -> bool:
        """Whether a reply is marked as one that may have gone out twice."""
        record = Mailbox(self.redis).reply(reply)
        return record is not None and record.maybe_duplicate

    def assert_one_copy(self, person: Person, channel: str = "sms") -> list[str]:
        """No reply reached this person twice; returns the words that they answer, in order."""
        replies = self.replies(person, channel)
        copies = Counter(reply_id(entry) for entry in replies)
        assert max(copies.values(), default=0) <= 1, copies
        return answered_words(person, replies)

    def answered(self, person: Person) -> list[str]:
        """The words that this person's replies by text answer, in order, however often."""
        return answered_words(person, self.replies(person))

    def now_ms(self) -> int:
        """The server's time."""
        seconds, micros = self.redis.time()
        return seconds * 1000 + micros // 1000


def reply_id(entry: JsonObject) -> str:
    """Which of our replies a send was, by what the provider was given along with it."""
    request = entry["request"]
    if entry["kind"] == "sendgrid.send":
        return str(request["custom_args"]["reply"])
    callback: str = request["params"]["StatusCallback"]
    return parse_qs(urlsplit(callback).query)["reply"][0]


def answered_words(person: Person, replies: Iterable[JsonObject]) -> list[str]:
    """The words that the replies echo, in the journal's order."""
    return [word for entry in replies for word in person.words(entry["request"].get("body") or entry["request"].get("text"))]


def words_of_all(text: str | None) -> list[tuple[str, str]]:
    """Whose words stand in a text, with their tags, in its order."""
    return re.findall(r"(u\d+) says <([^>]*)>", text or "")


def root_id(person: Person) -> str:
    """The Message-ID of the first mail of somebody's thread."""
    return f"<{person.tag}@mail.example.com>"


def in_threads(work: Callable[[Any], Any], items: Iterable[Any], at_once: int = 16) -> list[Any]:
    """Do something for all items, `at_once` at a time, and return what came of each."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only the tests that send much at once

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(work, items))
