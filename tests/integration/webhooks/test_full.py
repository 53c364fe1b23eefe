"""As many messages wait for their answer as may: what the webhooks do with the next one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from redis import Redis

from shared.mailbox import calls
from tests.payloads import sid
from tests.support.wait import wait_for
from tests.support.webhook_client import Web, opened


@pytest.fixture
def web(redis_url: str, redis: Redis) -> Iterator[Web]:
    """A mailbox with room for two."""
    redis.flushdb()
    with opened(redis_url, max_open_messages=2) as running:
        yield running


def waiting_on_disk(web: Web) -> int:
    return len(list(web.spool.glob("waiting/*")))


def fill(web: Web) -> None:
    for number in range(2):
        assert web.sms(MessageSid=sid(number), Body=f"text {number}").status_code == 200


def answer_all(web: Web) -> None:
    """What a worker does with the one conversation there is."""
    run = web.runtime.mailbox.run
    conversation = web.stored()[0]["conv"]
    assert run(calls.claim(conversation, "k-1", "t-1", lease_ms=60_000)).outcome == "taken"
    run(calls.finish(conversation, "k-1", retention_ms=60_000))


def test_a_text_beyond_what_may_wait_is_kept_on_disk_and_taken_when_there_is_room(web: Web) -> None:
    """Twilio would not bring it again: it gets its 2xx, waits in order, and is neither lost nor doubled."""
    fill(web)
    for number in (2, 3, 2):
        assert web.sms(MessageSid=sid(number), Body=f"text {number}").status_code == 200
    assert waiting_on_disk(web) == 3
    assert web.redis.zcard("boss:open") == 2
    answer_all(web)
    wait_for(lambda: web.redis.zcard("boss:open") == 2, 10, "two more messages")
    wait_for(lambda: waiting_on_disk(web) == 0, 10, "an empty spool")
    ids = cast("list[bytes]", web.redis.zrange("boss:open", 0, -1))
    texts = [web.runtime.mailbox.message(raw.decode()) for raw in ids]
    assert [text and text.event and text.event.text for text in texts] == ["text 2", "text 3"]


def test_a_mail_beyond_what_may_wait_is_refused_for_now(web: Web) -> None:
    """503: SendGrid brings it again for three days; nothing of it is kept, and when there is room it is taken."""
    fill(web)
    assert web.mail().status_code == 503
    assert waiting_on_disk(web) == 0
    answer_all(web)
    assert web.mail().status_code == 200
    assert web.redis.zcard("boss:open") == 1


def test_a_mail_is_refused_while_texts_wait_on_disk_for_room(web: Web) -> None:
    """It may not overtake them, and need not fill the disk behind them."""
    fill(web)
    web.sms(MessageSid=sid(2))
    assert waiting_on_disk(web) == 1
    assert web.mail().status_code == 503
    assert waiting_on_disk(web) == 1


def test_stop_is_heard_in_a_full_mailbox(web: Web) -> None:
    """An opt-out is not a message that waits for an answer."""
    fill(web)
    assert web.sms(MessageSid=sid("stop"), Body="STOP").status_code == 200
    assert list(web.redis.scan_iter("boss:optout:*"))
    assert waiting_on_disk(web) == 0
