"""Threads at the webhook: two persons, mails that come while Redis is away, and conversations of a version that knew no threads."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from shared.mailbox import calls
from shared.model.addresses import ConversationKey
from shared.model.events import SendEmailResponse
from tests.support.server import EmbeddedServer
from tests.support.webhook_client import Web, opened

BOSS = "boss@example.com"
USERS = "".join(
    f'[[users]]\nusername = "{name}"\nemail = "{name}@example.com"\nboss_email = "{BOSS}"\n' for name in ("ada", "ben")
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server that the test may stop."""
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def web(server: EmbeddedServer, tmp_path: Path) -> Iterator[Web]:
    """The application on it, for two persons."""
    users = tmp_path / "users.toml"
    users.write_text(USERS)
    with opened(server.url, boss_users_file=str(users)) as running:
        yield running


def post(web: Web, person: str, word: str, **headers: str) -> str:
    """A mail with the Message-ID `<WORD@example.com>`, which is taken; its id."""
    sender = f"{person}@example.com"
    block = {"From": sender, "To": BOSS, "Message-ID": f"<{word}@example.com>", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in block.items())
    fields: dict[str, Any] = {
        "from": sender,
        "subject": headers.get("Subject", ""),
        "envelope": f'{{"to": ["{BOSS}"], "from": "{sender}"}}',
    }
    answer = web.mail(headers=lines, text=f"text {word}", **fields)
    assert answer.status_code == 200
    return answer.headers["X-Bossline-Message"]


def conversation(web: Web, message: str) -> str:
    """Where a mail is."""
    found = web.runtime.mailbox.message(message)
    assert found is not None
    return found.conversation


def answer(web: Web, message: str) -> str:
    """What waits in a mail's conversation is answered; the Message-ID of the reply."""
    conv, run, word = conversation(web, message), web.runtime.mailbox.run, message[2:]
    turn = run(calls.claim(conv, f"k-{word}", f"t-{word}", lease_ms=60_000)).turn
    assert turn is not None
    event = turn.messages[0].event
    assert event is not None
    to, from_ = cast("Any", event.from_), cast("Any", event.to)
    own = f"<r-{word}@example.com>"
    reply = SendEmailResponse(to=to, from_=from_, subject="Re: Trip", body="Yes", user=event.user, message_id=own)
    names = web.runtime.identities.thread(reply.thread)
    limits = calls.SendLimits(1_000, 1_000, 60_000)
    assert run(calls.store_reply(conv, f"k-{word}", turn, reply, limits=limits, thread=names)).outcome == "stored"
    run(calls.finish(conv, f"k-{word}", retention_ms=60_000))
    return reply.message_id


def jobs(web: Web) -> list[str]:
    """What the jobs in the queue are about, oldest first."""
    names = cast("list[bytes]", web.redis.lrange("rq:queue:boss", 0, -1))
    found = [zlib.decompress(cast("bytes", web.redis.hget(f"rq:job:{name.decode()}", "data"))).decode() for name in names]
    return [each.partition('["c-')[2].partition('"]')[0] for each in found]


def test_a_forged_id_of_another_person_s_conversation_joins_nothing(web: Web) -> None:
    """Neither the id of our answer, nor of their mail, Outlook's name of their thread, or its subject."""
    outlook = "AdcA1234567890abcdefghijklmnopAA"
    mine = post(web, "ada", "a1", Subject="Trip", Thread_Index=outlook)
    ours = answer(web, mine)
    forged = [
        post(web, "ben", "b1", In_Reply_To=ours),
        post(web, "ben", "b2", References=f"<a1@example.com> {ours}"),
        post(web, "ben", "b3", Thread_Index=outlook),
        post(web, "ben", "b4", Subject="Re: Trip"),
        post(web, "ben", "a1"),
    ]
    theirs = {conversation(web, message) for message in forged}
    assert conversation(web, mine) not in theirs
    again = post(web, "ada", "a2", In_Reply_To=ours)
    assert conversation(web, again) == conversation(web, mine)


def test_mails_that_came_while_redis_was_away_find_their_conversations_when_it_is_back(server: EmbeddedServer, web: Web) -> None:
    """Each of those that came before it, in its order: of the answer from before, of one that waited with it, and of both persons'."""
    before = post(web, "ada", "a1", Subject="Trip")
    ours = answer(web, before)
    server.stop()
    waiting = [
        post(web, "ada", "a2", In_Reply_To=ours),
        post(web, "ada", "a3", In_Reply_To="<a2@example.com>"),
        post(web, "ben", "b1", In_Reply_To=ours),
        post(web, "ada", "n1", Subject="Bread"),
        post(web, "ada", "n2", Subject="Re: bread"),
        post(web, "ada", "a4", References="<lost@example.com> <a3@example.com>"),
    ]
    server.start()
    web.emptied()
    after = post(web, "ada", "a5", In_Reply_To="<a4@example.com>")
    trip, bread = conversation(web, before), conversation(web, waiting[3])
    assert [conversation(web, message) for message in (*waiting, after)] == [
        trip,
        trip,
        conversation(web, waiting[2]),
        bread,
        bread,
        trip,
        trip,
    ]
    assert len({trip, bread, conversation(web, waiting[2])}) == 3
    inbox = [name.decode() for name in cast("list[bytes]", web.redis.lrange(f"boss:inbox:{trip}", 0, -1))]
    assert inbox == [waiting[0], waiting[1], waiting[5], after]
    assert jobs(web)[1:] == [conv.removeprefix("c-") for conv in (trip, conversation(web, waiting[2]), bread)]


def test_a_conversation_of_a_version_without_threads_gets_its_mails(web: Web) -> None:
    """By its root, as before; and from then on by every id that these mails name."""
    first = post(web, "ada", "a1", Subject="Trip")
    ours = answer(web, first)
    for key in web.redis.scan_iter("boss:thread:*"):
        web.redis.delete(key)
    old = web.runtime.identities.conversation(ConversationKey("email", BOSS, "ada@example.com", "<a1@example.com>"))
    assert conversation(web, first) == old
    by_row = post(web, "ada", "a2", In_Reply_To=ours, References=f"<a1@example.com> {ours}")
    by_parent = post(web, "ada", "a3", In_Reply_To=ours)
    assert conversation(web, by_row) == conversation(web, by_parent) == old


def test_a_mail_with_thousands_of_ids_is_looked_up_by_fifty_at_most(web: Web) -> None:
    """The newest of its row, and the root."""
    first = post(web, "ada", "a1")
    row = "<a1@example.com> " + " ".join(f"<{number}@f.example>" for number in range(5_000))
    long = post(web, "ada", "a2", In_Reply_To=" ".join(f"<p{number}@f.example>" for number in range(300)), References=row)
    assert conversation(web, long) == conversation(web, first)
    assert len(list(web.redis.scan_iter("boss:thread:*"))) <= 50
