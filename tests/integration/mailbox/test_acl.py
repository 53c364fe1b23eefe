"""The server as `deploy/` ships it: all of Bossline's ways work as its own user, and that user can do nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from boss.commands.dashboard import create_app
from boss.main import main
from shared.config.loading import load_settings
from shared.mailbox.wake_queue import Dispatcher
from tests.support.installation import Installation
from tests.support.rq_enqueue import wake
from tests.support.sentinel_cluster import PASSWORD, Node, users_file
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(120)  # two cores may be shared with much else
STORED = {"redis", "eviction", "memory", "durability", "replicas", "schema", "workers", "queue", "clock", "sending"}
PAGES = ("/0/view/queues", "/0/view/workers", "/0/view/jobs", "/0/data/queues.json", "/0/data/workers.json")


class GuardedServer(EmbeddedServer):
    """The shipped redis.conf and users.acl, with a password in the place of each; alone, so that it needs no replica to write."""

    def __init__(self) -> None:
        super().__init__()
        users = users_file(self.directory)
        self.node = Node(self.directory / "server", "redis.conf", ["bind 127.0.0.1", f"aclfile {users}", "min-replicas-to-write 0"])

    @property
    def url(self) -> str:
        """As Bossline's user."""
        return f"redis://bossline:{PASSWORD}@127.0.0.1:{self.node.port}"

    def start(self) -> GuardedServer:
        """Start, and wait until it answers."""
        self.node.start()

        def answers() -> bool:
            try:
                with self.node.client() as client:
                    return bool(client.ping())
            except (RedisError, OSError):
                return False

        wait_for(answers, 10, "the guarded server")
        return self

    def client(self) -> Redis:
        """As the operator: what a test looks at is not for Bossline's user."""
        return Redis.from_url(self.url.replace("//bossline", "//operator"), protocol=2)

    def close(self) -> None:
        """End it."""
        self.node.kill9()
        super().close()


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Everything on it, with a worker."""
    with Installation(server=GuardedServer()) as running:
        running.fork()
        yield running


@pytest.fixture
def user(installation: Installation) -> Iterator[Redis]:
    """A client as Bossline's user."""
    with Redis.from_url(installation.server.url, protocol=2) as client:
        yield client


def boss(installation: Installation, monkeypatch: pytest.MonkeyPatch, *arguments: str, statuses: tuple[int, ...] = (0,)) -> str:
    """`boss ...` in this process."""
    for name, value in installation.settings.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code in statuses, (result.output, result.exception)
    return result.stdout


def test_all_ways_of_bossline_work_as_its_own_user(installation: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Texts and mails to their replies, reports, the bridge, a restart of web, the dashboard, doctor, the commands: nothing is refused."""
    monkeypatch.chdir(tmp_path)
    bridge = installation.bridge()
    person, mailer = installation.person(), installation.person()
    assert installation.text(person, "hello")["status"] == 200
    notes = {"filename": "notes.txt", "content_type": "text/plain", "content_base64": base64.b64encode(b"buy milk").decode()}
    assert installation.mail(mailer, "hello", attachments=[notes])["status"] == 200
    installation.wait_for_replies(person)
    installation.wait_for_replies(mailer, channel="email")
    assert "buy milk" in installation.questions(mailer)[-1]["request"]["text"]
    installation.wait_for_lines(installation.conversation(person), "delivered")
    installation.quiet()
    monkeypatch.setenv("SUPERVISOR_URL", bridge.url)

    (line,) = installation.lines(installation.conversation(person), "answered")
    assert line.fields["msg"] in boss(installation, monkeypatch, "messages", "show", line.fields["msg"])
    assert json.loads(boss(installation, monkeypatch, "messages", "list", "--json").splitlines()[0])
    assert "delivered" in boss(installation, monkeypatch, "tail", "--no-follow", "--since", "0")
    boss(installation, monkeypatch, "pause", "a reason")
    boss(installation, monkeypatch, "resume")
    checks = json.loads(boss(installation, monkeypatch, "doctor", "--json", statuses=(0, 1)))["checks"]
    stored = [each for each in checks if each["check"] in STORED]
    assert len(stored) == len(STORED)
    assert not [each for each in stored if each["status"] == "fail" or "not checked" in each["detail"]], stored
    with urlopen(f"http://127.0.0.1:{installation.settings['PORT']}/metrics", timeout=10) as response:
        assert b"bossline_messages_open 0.0" in response.read()
    installation.web.kill9()
    installation.web.start()
    with Redis.from_url(installation.server.url, protocol=2) as redis:
        pages = create_app(load_settings(redis_url=installation.server.url, sandbox="on"), redis).test_client()
        assert {page: pages.get(page, follow_redirects=True).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)
        wake(Dispatcher(redis), installation.conversation(person), "sms")
    installation.quiet()
    assert refused(installation) == []


RULING = (
    "FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG SET dir x", "CONFIG GET *", "MONITOR", "ACL LIST", "CLIENT LIST",
    "CLIENT KILL TYPE normal", "SHUTDOWN", "REPLICAOF NO ONE", "SAVE", "MODULE LIST", "SCRIPT FLUSH", "FUNCTION FLUSH",
)  # fmt: skip
FOREIGN = ("GET other", "SET other 1", "XREAD STREAMS other 0", "PUBLISH other x", "SUBSCRIBE other", "RENAME boss:due other")
SCRIPTS = (
    "return redis.call('GET', 'other')", "return redis.call('SET', KEYS[1], '1')", "return redis.call('FLUSHALL')",
    "return redis.call('KEYS', '*')", "return redis.call('CONFIG', 'GET', 'dir')",
)  # fmt: skip


@pytest.mark.parametrize("command", [*RULING, *FOREIGN])
def test_that_user_can_do_nothing_else(user: Redis, command: str) -> None:
    """No command that rules the server, and no key or channel of another's."""
    with pytest.raises(NoPermissionError):
        cast("Any", user).execute_command(*command.split())


@pytest.mark.parametrize("script", SCRIPTS)
def test_nor_from_within_a_script(user: Redis, script: str) -> None:
    """A script may do what its sender may."""
    with pytest.raises((NoPermissionError, ResponseError), match=r"(?i)no permission|NOPERM|not allowed|can't access|ACL"):
        user.eval(script, 1, "boss:due") if "KEYS[1]" not in script else user.eval(script, 1, "other")


def test_nobody_gets_in_without_a_name(installation: Installation) -> None:
    """The default user is off: whoever reaches the port reaches nothing."""
    with cast("GuardedServer", installation.server).node.client(username="") as nobody, pytest.raises(AuthenticationError):
        nobody.ping()


def refused(installation: Installation) -> list[str]:
    """What Bossline's user was refused until now."""
    entries = cast("list[dict[str, Any]]", cast("Any", installation.redis).acl_log())
    return [f"{entry['context']}: {entry['object']}" for entry in entries if entry["username"] == "bossline"]
