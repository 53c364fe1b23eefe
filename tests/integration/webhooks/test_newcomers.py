"""Who was added a moment ago is no stranger: not to a process that has not noticed, not while Redis is away, not in the spool."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import pytest
from redis import Redis

from shared.mailbox import keys
from shared.mailbox.records import Message
from shared.model.addresses import ConversationKey
from shared.model.users import LOCAL_USER
from shared.operations.registry import RegistryEditor
from tests.payloads import sid
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for
from tests.support.webhook_client import Web, load, opened

NEW, BOSS = "+15557654321", "+15559876543"
ADA, BOSS_MAIL = "ada@example.com", "boss@example.com"
TEXT: Final[dict[str, Any]] = {"From": NEW, "To": BOSS, "Body": "Hello, it is Ada"}
BY_MAIL: Final = {
    "from": ADA, "to": BOSS_MAIL, "subject": "Hello", "text": "It is Ada", "dkim": "{@example.com : pass}",
    "envelope": json.dumps({"to": [BOSS_MAIL], "from": ADA}),
    "headers": f"From: Ada <{ADA}>\nTo: {BOSS_MAIL}\nSubject: Hello\nMessage-ID: <1@example.com>\n",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may stop."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def web(server: EmbeddedServer) -> Iterator[Web]:
    """The application on it, which looks for new people only when it is asked to."""
    with unwatching(server) as running:
        yield running


@contextmanager
def unwatching(server: EmbeddedServer, **changes: Any) -> Iterator[Web]:
    with opened(server.url, **changes) as running:
        running.runtime.people.close()
        yield running


def add(web: Web, username: str, **fields: str) -> None:
    """As `boss users add` does, on another host."""
    with Redis.from_url(web.runtime.settings.redis_url.get_secret_value()) as redis:
        RegistryEditor(load(web.runtime.settings.redis_url.get_secret_value()), redis).add(username, fields)


def add_ada(web: Web) -> None:
    add(web, "ada", phone=NEW, boss_phone=BOSS, email=ADA, boss_email=BOSS_MAIL)


def text(web: Web, number: int = 0, **changes: Any) -> str:
    """One text comes in and is taken; its id."""
    answer = web.sms(MessageSid=sid(number), **{**TEXT, **changes})
    assert answer.status_code == 200
    return str(answer.headers["X-Bossline-Message"])


def mail(web: Web, **changes: Any) -> str:
    answer = web.mail(**{**BY_MAIL, **changes})
    assert answer.status_code == 200
    return str(answer.headers["X-Bossline-Message"])


def waiting(web: Web) -> list[dict[str, Any]]:
    """The records on disk, in order."""
    return [json.loads(path.read_bytes()) for path in sorted(web.spool.glob("waiting/*.json"))]


def message(web: Web, name: str) -> Message:
    found = web.runtime.mailbox.message(name)
    assert found is not None
    return found


def inbox(web: Web, phone: str = NEW) -> list[str]:
    conversation = web.runtime.identities.conversation(ConversationKey("sms", BOSS, phone))
    found: Any = web.redis.lrange(keys.inbox(conversation), 0, -1)
    return [name.decode() for name in found]


def strangers(web: Web) -> int:
    return int(cast("Any", web.redis.zcard(keys.STRANGERS)))


@contextmanager
def replay_held(web: Web) -> Iterator[None]:
    """Another process is the directory's replayer, and takes its time."""
    web.spool.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(web.spool / "replay.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("post", [text, mail])
def test_who_was_added_a_moment_ago_is_answered_by_a_process_that_did_not_know(web: Web, post: Callable[[Web], str]) -> None:
    """Their first message, and nothing was recorded as a stranger's."""
    add_ada(web)
    assert web.runtime.users.named("ada") is None
    name = post(web)
    assert (message(web, name).state, message(web, name).event.user) == ("pending", "ada")  # type: ignore[union-attr]
    assert strangers(web) == 0


@pytest.mark.parametrize("post", [text, mail])
def test_a_stranger_costs_a_question_and_stays_one(web: Web, post: Callable[[Web], str]) -> None:
    """Nobody was added."""
    assert message(web, post(web)).reason == "stranger"
    assert strangers(web) == 1


def test_the_files_of_a_newcomer_s_first_mail_are_kept(web: Web) -> None:
    """It is asked who is known before they are judged nobody's."""
    add_ada(web)
    event = message(web, mail(web, attachment1=("a.txt", b"what I wrote"))).event
    assert event is not None
    assert [(file.name, file.size, bool(file.key), file.fault) for file in event.files] == [("a.txt", 12, True, "")]


def test_a_number_that_has_changed_hands_is_the_new_owner_s_at_once(web: Web) -> None:
    """The process still knows the former one: nothing of the new one's words is theirs."""
    add_ada(web)
    text(web, 0)
    url = web.runtime.settings.redis_url.get_secret_value()
    with Redis.from_url(url) as redis:
        RegistryEditor(load(url), redis).edit("ada", {"boss_phone": ""}, {}, {"phone": [NEW]})
    add(web, "tom", phone=NEW, boss_phone=BOSS)
    assert web.runtime.users.with_id("ada").phone is not None  # type: ignore[union-attr]
    event = message(web, text(web, 1, Body="It is Tom")).event
    assert event is not None
    assert event.user == "tom"


def test_who_was_removed_is_a_stranger_at_once(web: Web) -> None:
    """Nothing of theirs is stored, though the process still knows them."""
    add_ada(web)
    text(web, 0)
    url = web.runtime.settings.redis_url.get_secret_value()
    with Redis.from_url(url) as redis:
        RegistryEditor(load(url), redis).remove("ada")
    found = message(web, text(web, 1, Body="Still there?"))
    assert (found.state, found.reason, found.event) == ("ignored", "stranger", None)


@pytest.mark.parametrize("post", [text, mail])
@pytest.mark.parametrize("known", [True, False])
def test_while_redis_is_away_a_stranger_s_message_waits_as_it_came(
    server: EmbeddedServer, web: Web, post: Callable[[Web], str], known: bool
) -> None:
    """It is judged when it is replayed: by then its author may have been added, and then it is answered."""
    with replay_held(web):
        server.stop()
        post(web)
        assert [(record["kind"], "reason" in record) for record in waiting(web)] == [("unjudged", False)]
        server.start()
        if known:
            add_ada(web)
    web.emptied()
    (record,) = web.stored()
    assert (record["state"], record.get("reason", "")) == (("pending", "") if known else ("ignored", "stranger"))
    assert strangers(web) == (not known)
    if known:
        event = message(web, record["id"]).event
        assert event is not None
        assert ("Ada" in event.text, event.user) == (True, "ada")


def test_what_a_known_person_writes_while_redis_is_away_stays_theirs(server: EmbeddedServer, web: Web) -> None:
    """It is spooled as judged: who gets the number meanwhile gets none of its words."""
    server.stop()
    text(web, From=str(LOCAL_USER.phone))
    assert [record["kind"] for record in waiting(web)] == ["accept"]
    server.start()
    web.emptied()


def test_a_newcomer_s_texts_stay_in_order_over_the_spool(server: EmbeddedServer, web: Web) -> None:
    """Two that nobody could judge, one that another process knew whose it is, and one after Redis is back."""
    with replay_held(web):
        server.stop()
        names = [text(web, 0), text(web, 1)]
        server.start()
        add_ada(web)
        names.append(text(web, 2))
        web.runtime.people.refresh()
        names.append(text(web, 3))
    web.emptied()
    names.append(text(web, 4))
    assert inbox(web) == names


def test_a_process_that_starts_without_redis_judges_nobody_a_stranger(server: EmbeddedServer, tmp_path: Path) -> None:
    """It has no copy of the registry, and does not know the person whom another host has added."""
    with unwatching(server) as other:
        add_ada(other)
        server.stop()
        with unwatching(server, boss_data_dir=tmp_path) as web:
            assert web.runtime.users.named("ada") is None
            name = text(web)
            server.start()
            web.emptied()
            assert (message(web, name).state, strangers(web)) == ("pending", 0)


def test_a_host_s_copy_says_who_is_known_to_a_start_without_redis(server: EmbeddedServer, tmp_path: Path) -> None:
    """Their message is spooled as theirs."""
    with unwatching(server, boss_data_dir=tmp_path) as web:
        add_ada(web)
        web.runtime.people.refresh()
    server.stop()
    with unwatching(server, boss_data_dir=tmp_path) as web:
        text(web)
        assert [record["kind"] for record in waiting(web)] == ["accept"]
        server.start()
        web.emptied()


def test_strangers_leave_half_of_the_disk_s_room_to_those_who_are_known(server: EmbeddedServer) -> None:
    """Beyond it their provider is told to come again; a known person's text is taken."""
    with unwatching(server, spool_max_mb=1) as web:
        server.stop()
        statuses = {web.sms(MessageSid=sid(number), **{**TEXT, "Body": f"spam {number}"}).status_code for number in range(128)}
        assert statuses == {200}
        assert web.sms(MessageSid=sid(200), **TEXT).status_code == 503
        text(web, 201, From=str(LOCAL_USER.phone))
        server.start()
        web.emptied()


def test_a_registry_that_does_not_stand_still_keeps_no_text_from_being_taken(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged five times in a row under versions that were over: it waits on disk, and is taken from there."""
    add_ada(web)
    learn, tries = web.runtime.people.refresh, []

    def never() -> bool:
        tries.append(1)
        return False if len(tries) <= 5 else learn()

    monkeypatch.setattr(web.runtime.people, "refresh", never)
    name = text(web)
    web.emptied()
    assert (message(web, name).state, len(tries)) == ("pending", 6)


@pytest.mark.parametrize("fields", [{}, {"sid": "SM1"}, {"id": 5}, {"text": None}, {"sid": "SM1", "signed": "yes"}])
def test_a_record_as_it_came_that_cannot_be_read_is_set_aside(web: Web, fields: dict[str, Any]) -> None:
    """Half a record, or one of another version: the operator sees it, and what is behind it goes on."""
    directory = web.spool / "waiting"
    directory.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"v": 1, "kind": "unjudged", "channel": "sms", "message": fields}).encode()
    (directory / f"{1:020}-{len(content)}.json").write_bytes(content)
    wait_for(lambda: list(web.spool.glob("aside/*")), 10, "a dead letter")
    assert message(web, text(web)).reason == "stranger"
