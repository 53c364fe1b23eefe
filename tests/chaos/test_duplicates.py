"""The same webhook ten times at once, ten times after it was answered, and ten times after a restart of everything: one reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from tests.chaos.table import FULL, Table
from tests.support import webhook_posts
from tests.support.installation import Installation, Person
from tests.support.outcome_check import Said, judge
from tests.support.processes import WebProcess, free_port

TEXTS: Final = 500 if FULL else 20
MAILS: Final = 100 if FULL else 10
COPIES: Final = 10
WEBS: Final = 3 if FULL else 2
ACCEPTED: Final = {200, 204}

pytestmark = pytest.mark.timeout(300 if FULL else 120)


@pytest.fixture
def several() -> Iterator[tuple[Installation, list[WebProcess]]]:
    """A whole of its own behind one public address, with several web processes on one directory, and two workers."""
    installation = Installation(PUBLIC_URL=webhook_posts.PUBLIC_URL)
    installation.sandbox.env["SANDBOX_PUBLIC_URL"] = webhook_posts.PUBLIC_URL
    with installation:
        others = [WebProcess({**installation.settings, "PORT": str(free_port())}) for _ in range(WEBS - 1)]
        try:
            for web in others:
                web.start()
            yield installation, [installation.web, *others]
        finally:
            for web in others:
                web.close()


def test_one_reply_to_each_message_however_often_and_whenever_it_comes(
    several: tuple[Installation, list[WebProcess]], table: Table
) -> None:
    """Over several web processes at once; later to others than those that took it first. A mail comes with another boundary each time."""
    installation, webs = several
    installation.fork(2)
    writers, mailers = [installation.person() for _ in range(TEXTS)], [installation.person() for _ in range(MAILS)]
    _post_all(webs, writers, mailers)
    installation.quiet(60)
    _post_all(webs[1:], writers, mailers)
    installation.quiet(60)
    _restart(installation, webs)
    _post_all(webs, writers, mailers)
    installation.quiet(60)
    said = [Said(person, "sms", "word", "text") for person in writers] + [Said(person, "email", "word", "mail") for person in mailers]
    seen = judge(installation, said)
    with table.all_rows():
        for fault, of in seen.items():
            runs = TEXTS if fault == "text" else MAILS
            name = f"the same {fault} 3 x {COPIES} times"
            table.add(fault=name, runs=runs, lost=of.lost, duplicates=of.duplicates + of.marked, details=of.details)
    assert installation.sandbox.count("twilio.create", accepted=None) == TEXTS
    assert installation.sandbox.count("sendgrid.send", accepted=None) == MAILS


def _post_all(webs: Sequence[WebProcess], writers: Sequence[Person], mailers: Sequence[Person]) -> None:
    """The copies of one message at the same time, message by message."""
    with ThreadPoolExecutor(COPIES) as pool:
        for number, person in enumerate(writers):
            text = webhook_posts.text(person, f"SM{number:032x}", "word")
            assert set(webhook_posts.many([text] * COPIES, webs, pool)) <= ACCEPTED
        for person in mailers:
            assert set(webhook_posts.many([webhook_posts.mail(person, "word") for _ in range(COPIES)], webs, pool)) <= ACCEPTED


def _restart(installation: Installation, webs: Sequence[WebProcess]) -> None:
    """Everything of ours is killed and started again, Redis too; the providers are not ours."""
    installation.end_workers()
    for web in webs:
        web.kill9()
    installation.server.kill9()
    installation.server.start()
    for web in webs:
        web.start()
    installation.fork(2)
