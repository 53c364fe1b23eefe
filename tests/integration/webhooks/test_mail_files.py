"""The files of a mail on their way into Redis: whose are stored, how, for how long, and what becomes of the mail where they cannot be."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.request import Request

import pytest
from redis import Redis

from shared.model.addresses import ConversationKey, Identities
from shared.model.events import EmailReceived
from shared.model.files import MAX_FILES, File
from shared.runtime import identity_salt
from tests.payloads import MULTIPART, mail_fields, multipart_body
from tests.support.fault_plan import FaultPlan
from tests.support.processes import OPENER, CrashingWeb
from tests.support.server import EmbeddedServer
from tests.support.webhook_client import SECRET, Web, only_message, opened
from webhook_api.intake.file_store import SECONDS

PDF = b"%PDF-1.7\n" + hashlib.shake_256(b"a PDF").digest(1_300_000)
NOTES = b"buy milk\n"
HOUR, WEEK = 3_600_000, 7 * 86_400_000


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may hurt."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def web(server: EmbeddedServer) -> Iterator[Web]:
    with opened(server.url) as running:
        yield running


def arrives(web: Web, *files: tuple[str, bytes], **changes: Any) -> tuple[File, ...]:
    """A mail with these files, which must be accepted; what its record says of them."""
    posted: dict[str, Any] = {f"attachment{number}": file for number, file in enumerate(files, 1)}
    assert web.mail(**posted, **changes).status_code == 200
    return recorded(web)


def recorded(web: Web) -> tuple[File, ...]:
    """What the one message's record says of its files."""
    event = only_message(web).event
    assert isinstance(event, EmailReceived)
    return event.files


def pieces(redis: Redis, file: File) -> bytes:
    """A file's content as it lies in Redis."""
    found = cast("dict[bytes, bytes]", redis.hgetall(f"boss:file:{file.key}"))
    return b"".join(found[str(number).encode()] for number in range(len(found)))


def kept(redis: Redis) -> list[bytes]:
    """The keys of all contents."""
    return cast("list[bytes]", redis.keys("boss:file:*"))


def test_a_user_s_files_lie_in_redis_in_pieces_beside_the_mail(web: Web) -> None:
    """The record names them and holds none of their content."""
    pdf, notes, empty = arrives(web, ("offer.pdf", PDF), ("../notes.txt", NOTES), ("empty.txt", b""))
    assert [(file.name, file.size, file.fault) for file in (pdf, notes, empty)] == [
        ("offer.pdf", len(PDF), ""), ("notes.txt", len(NOTES), ""), ("empty.txt", 0, "")
    ]  # fmt: skip
    assert (pieces(web.redis, pdf), pieces(web.redis, notes)) == (PDF, NOTES)
    assert all(len(piece) <= 512 * 1024 for piece in cast("list[bytes]", web.redis.hvals(f"boss:file:{pdf.key}")))
    assert web.redis.pttl(f"boss:file:{pdf.key}") > WEEK - 60_000
    assert len(web.stored()[0]["event"]) < 3_000


def test_strangers_and_forgers_store_nothing(web: Web) -> None:
    """The verdict comes first; nor does a robot, or a mail that SPF and DKIM do not speak for."""
    head = str(mail_fields()["headers"])
    forgeries: tuple[dict[str, Any], ...] = (
        {"from": "eve@evil.example", "headers": head.replace("user@example.com", "eve@evil.example")},
        {"dkim": "none", "SPF": "fail"},
        {"headers": head + "Auto-Submitted: auto-replied\n"},
        {"envelope": json.dumps({"to": ["nobody@example.com"], "from": "user@example.com"})},
    )
    for changes in forgeries:
        assert web.mail(attachment1=("offer.pdf", PDF), **changes).status_code == 200
    assert {record["state"] for record in web.stored()} == {"ignored"}
    assert kept(web.redis) == []
    assert not web.redis.exists("boss:files")


def test_a_second_delivery_takes_no_second_room(web: Web) -> None:
    """SendGrid brings a mail again after a timeout of its own."""
    files = arrives(web, ("offer.pdf", PDF))
    before = web.redis.hgetall("boss:files")
    assert arrives(web, ("offer.pdf", PDF)) == files
    assert web.redis.hgetall("boss:files") == before
    assert len(kept(web.redis)) == 1
    assert pieces(web.redis, files[0]) == PDF


def test_two_deliveries_whose_files_differ_never_mix(web: Web) -> None:
    """A mail's id does not cover its files; the first one that is accepted counts, whatever the other one stores meanwhile."""
    store = web.intake._files  # one process's half of two deliveries at once
    other = PDF[::-1]
    (before,) = store.keep("m-1", "user", ["a.pdf"], [Bytes(PDF)], away=False)
    (after,) = store.keep("m-1", "user", ["a.pdf"], [Bytes(other)], away=False)
    assert before.key != after.key
    assert (pieces(web.redis, before), pieces(web.redis, after)) == (PDF, other)


class Bytes:
    """A file of these bytes."""

    content_type = "application/pdf"

    def __init__(self, data: bytes) -> None:
        self.data = data

    def chunks(self) -> Iterator[bytes]:
        """All at once."""
        yield self.data


def test_what_there_is_no_room_for_is_named_and_the_mail_is_accepted(server: EmbeddedServer) -> None:
    """A smaller one may fit all the same; too many are named as well."""
    with opened(server.url, files_max_mb=2) as web:
        found = arrives(web, ("big.pdf", bytes(2_200_000)), ("offer.pdf", PDF), *((f"{number}.txt", NOTES) for number in range(20)))
        assert [file.fault for file in found[:2]] == ["no_room", ""]
        assert len(found) == 22
        assert [file.fault for file in found[MAX_FILES:]] == ["too_many"] * 2
        assert sum(not file.fault for file in found) == len(kept(web.redis)) <= 1 + (2_097_152 - len(PDF)) // 32_768
        assert all(bool(file.key) != bool(file.fault) for file in found)
    with opened(server.url, files_max_mb=0) as web:
        web.redis.flushall()
        web.runtime.mailbox.load("accept")
        assert [file.fault for file in arrives(web, ("a.txt", NOTES))] == ["no_room"]


def test_a_full_server_gets_no_file(server: EmbeddedServer, web: Web) -> None:
    """Above 60 % of what it may hold, where messages are still taken."""
    with server.client() as client:
        client.set("ballast", bytes(20_000_000))
        client.config_set("maxmemory", 33_000_000)
    assert [file.fault for file in arrives(web, ("offer.pdf", PDF))] == ["no_room"]
    assert kept(web.redis) == []


@pytest.mark.parametrize("how", ["stop", "freeze"])
def test_while_redis_is_away_a_mail_waits_on_disk_without_its_files(server: EmbeddedServer, web: Web, how: str) -> None:
    """In bounded time, and the next ones at once; when the server is back the mail is there, and says what is missing."""
    getattr(server, how)()
    began = time.monotonic()
    assert web.mail(attachment1=("offer.pdf", PDF)).status_code == 200
    assert time.monotonic() - began < SECONDS + 3
    (waiting,) = web.spool.glob("waiting/*")
    assert waiting.stat().st_size < 3_000
    began = time.monotonic()
    head = str(mail_fields()["headers"]).replace("first@", "second@")
    assert web.mail(attachment1=("offer.pdf", PDF), headers=head).status_code == 200
    assert time.monotonic() - began < 1
    server.start() if how == "stop" else server.thaw()
    web.emptied()
    for record in web.stored():
        message = web.runtime.mailbox.message(record["id"])
        assert message is not None
        assert isinstance(message.event, EmailReceived)
        assert [(file.name, file.fault, file.key) for file in message.event.files] == [("offer.pdf", "slow", "")]
    assert kept(web.redis) == []


def test_a_slow_server_costs_the_files_and_not_the_mail(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored in time is kept."""
    monkeypatch.setattr("webhook_api.intake.file_store.SECONDS", 0.0)
    assert [file.fault for file in arrives(web, ("offer.pdf", PDF))] == ["slow"]


def test_a_mail_that_is_cut_has_no_files(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in which it was cut would be half of one."""
    monkeypatch.setattr("webhook_api.email.inbound_routes.MAX_MAIL_BYTES", 100_000)
    assert arrives(web, ("a.txt", NOTES), ("offer.pdf", PDF)) == ()
    event = only_message(web).event
    assert isinstance(event, EmailReceived)
    assert "a.txt" in event.attachments
    assert kept(web.redis) == []


def test_a_web_process_that_dies_before_the_accept_leaves_pieces_that_end(server: EmbeddedServer, tmp_path: Path) -> None:
    """Killed between the last piece and the accept; the mail comes again, and has its files."""
    body = multipart_body(mail_fields(attachment1=("offer.pdf", PDF)))
    environment = {
        "REDIS_URL": server.url, "BOSS_DATA_DIR": str(tmp_path / "data"), "SANDBOX": "on", "CRASH_DIR": str(tmp_path), "LOG_FORMAT": "json",
    }  # fmt: skip
    with server.client() as redis, CrashingWeb(environment) as web:
        key = ConversationKey("email", "boss@example.com", "user@example.com", "<first@example.com>")
        conversation, plan = Identities(identity_salt(redis)).conversation(key), FaultPlan(tmp_path)
        plan.kill(conversation, "before:accept")
        with pytest.raises(OSError, match=r"."):
            post(web.url, body)
        plan.wait_for_hits(conversation)
        (file,) = kept(redis)
        assert 0 < redis.pttl(file) <= HOUR
        assert redis.keys("boss:msg:*") == []
        web.start()
        assert post(web.url, body) == 200
        assert kept(redis) == [file]
        assert redis.pttl(file) > WEEK - 60_000


def post(url: str, body: bytes) -> int:
    """A mail from this machine, with the secret; the status of the answer."""
    request = Request(f"{url}/email/inbound?token={SECRET}", data=body, headers={"Content-Type": MULTIPART})  # noqa: S310 - our own
    with OPENER.open(request, timeout=20) as answer:
        return int(answer.status)
