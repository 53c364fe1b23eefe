"""The API while Redis is away: 202 is said for what is on disk, and each key is one message when it is back, in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from shared.errors import BadInput
from shared.mailbox.calls import ErasedMessage
from shared.model.addresses import Identities
from shared.model.outgoing import OutgoingMessage
from shared.operations.erased_files import ErasedOnDisk
from tests.integration.webhooks.test_api import TEXT, get, post, token
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for
from tests.support.webhook_client import Web, opened
from webhook_api.intake import records


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may hurt."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def web(server: EmbeddedServer) -> Iterator[Web]:
    """The application on it."""
    with opened(server.url) as running:
        yield running


def priority(web: Web) -> list[str]:
    """The ids of what waits to be sent, in order."""
    (key,) = web.redis.keys("boss:priority:*")
    found: list[bytes] = web.redis.lrange(key, 0, -1)  # type: ignore[assignment]
    return [name.decode() for name in found]


def test_what_is_promised_while_redis_is_away_is_kept_once_a_key_and_in_order(server: EmbeddedServer, web: Web) -> None:
    """A repeat in the outage ends visibly, and names the first."""
    bearer = token(web)
    first = post(web, bearer, key="k-0")
    assert first.status_code == 202
    server.stop()
    answers = [post(web, bearer, {**TEXT, "text": f"text {number}"}, key=f"k-{number}") for number in (1, 2, 1, 3)]
    assert [answer.status_code for answer in answers] == [202] * 4
    ids = [answer.json["id"] for answer in answers]  # type: ignore[index]
    assert get(web, bearer, answers[0].headers["Location"]).status_code == 503
    server.start()
    wait_for(lambda: web.intake.state()["spool"]["depth"] == 0, 20, "the spool is empty")
    assert priority(web) == [first.json["id"], ids[0], ids[1], ids[3]]  # type: ignore[index]
    lost = get(web, bearer, answers[2].headers["Location"]).json
    assert lost is not None
    assert (lost["state"], lost["reason"], lost["first"]) == ("ignored", "key_reused", ids[0])


def test_a_record_is_read_back_and_a_broken_one_is_a_fault() -> None:
    """Of this version."""
    message = OutgoingMessage(id="m-api-1", user="user", channel="sms", text="x", expires_ms=1, key="k", body="b", received_at=1.5)
    assert records.decode(records.encode(message)) == message
    with pytest.raises(BadInput):
        records.decode(records.encode(message).replace(b'"urgent":false', b'"urgent":"no"'))


def test_a_full_mailbox_takes_nothing_and_says_so(redis_url: str, redis: Redis) -> None:
    """503: the program asks again."""
    redis.flushdb()
    with opened(redis_url, max_open_messages=1) as web:
        bearer = token(web)
        assert post(web, bearer, key="k-0").status_code == 202
        assert post(web, bearer, key="k-1").status_code == 503
        assert web.intake.state()["spool"]["depth"] == 0


def test_what_is_on_disk_of_an_erased_person_is_dropped(tmp_path: Path) -> None:
    """And of nobody else; it is known from then on."""
    identities = Identities(b"salt")
    (tmp_path / "waiting").mkdir()
    for user in ("ada", "tom"):
        message = OutgoingMessage(id=f"m-api-{user}", user=user, channel="sms", text="x", expires_ms=1, received_at=time.time() - 10)
        (tmp_path / "waiting" / f"{user}.json").write_bytes(records.encode(message))
    now = int(time.time() * 1000)
    marked: list[ErasedMessage] = []
    dropped = ErasedOnDisk(tmp_path, identities, {identities.user("ada"): now}, now).drop(marked.extend)
    assert (dropped.files, dropped.unreadable, [each.id for each in marked]) == (1, 0, ["m-api-ada"])
    assert [path.name for path in (tmp_path / "waiting").iterdir()] == ["tom.json"]
