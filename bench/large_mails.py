"""Large mails beside texts, with Redis away in the middle: `python -m bench.large_mails`.

Texts come at a steady rate, first alone and then beside mails of 10 MB, and both times Redis is stopped for some seconds. Printed are the
latency of the texts' webhooks in both, what became of the mails and of their files, and the web process's memory before and after. The exit
status is 1 when a message was refused or lost, or when the spool does not empty.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import multiprocessing
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

from bench.harness.measure import PeakMemory, pss_mib
from sandbox.sendgrid import multipart
from sandbox.sendgrid.multipart import FormPart
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.mailbox import Mailbox
from shared.model.events import EmailReceived
from tests.support import webhook_posts
from tests.support.installation import Installation
from tests.support.server import EmbeddedServer
from tests.support.users_file import BOSS_EMAIL, email
from tests.support.wait import wait_for
from tests.support.webhook_posts import DATE, PUBLIC_URL, TIMEOUT

ACCEPTED: Final = (200, 204)
BUSY: Final = 503
"""Only this status, and no answer, is tried again: SendGrid repeats a mail after a 5xx."""
PEOPLE: Final = 400
CONNECTIONS: Final = 4
"""Mails that are brought at once."""
RETRY_SECONDS: Final = 0.5
TRIES: Final = 200
Answers = Counter[str]


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for: `mails` of `megabytes`, texts at `rate` a second for `seconds` at least, Redis away for `away` seconds.

    `room` is FILES_MAX_MB: with 0 nothing is stored of the mails, which shows what their parsing alone costs the texts.
    """

    mails: int
    megabytes: float
    rate: float
    seconds: float
    away: float
    room: int


def deliver_mails(url: str, load: Load, tell: SimpleQueue[Answers]) -> None:
    """All mails, as SendGrid brings them; run in a process of its own, whose work must not delay the texts' clock."""
    content = bytes(range(256)) * int(load.megabytes * 4_000)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        found = list(pool.map(lambda number: _deliver_mail(url, content, number), range(load.mails)))
    tell.put(sum(found, Counter()))


def _deliver_mail(url: str, content: bytes, number: int) -> Answers:
    body, content_type = _mail(content, number)
    query, answers = urlencode({"token": SANDBOX_CREDENTIALS["email_webhook_secret"]}), Answers()
    for _ in range(TRIES):
        with suppress(OSError, http.client.HTTPException):
            status = _post(url, f"/email/inbound?{query}", body, {"Content-Type": content_type})
            answers[str(status)] += 1
            if status != BUSY:
                return answers
        time.sleep(RETRY_SECONDS)  # as a provider waits
    answers["lost"] += 1
    return answers


def _mail(content: bytes, number: int) -> tuple[bytes, str]:
    sender = email(PEOPLE + 1 + number % (PEOPLE - 2))
    head = {"From": sender, "To": BOSS_EMAIL, "Subject": "A file", "Date": DATE, "Message-ID": f"<large-{number}@example.com>"}
    fields = {
        "headers": "".join(f"{name}: {value}\n" for name, value in head.items()), "dkim": "{@example.com : pass}", "to": BOSS_EMAIL,
        "from": sender, "subject": "A file", "text": f"mail {number}", "sender_ip": "192.0.2.25", "attachments": "1",
        "envelope": json.dumps({"to": [BOSS_EMAIL], "from": sender}), "charsets": json.dumps({"text": "utf-8"}), "SPF": "pass",
    }  # fmt: skip
    parts = [FormPart(name=name, value=value.encode()) for name, value in fields.items()]
    return multipart.encode([*parts, FormPart(name="attachment1", value=content, filename="big.pdf", content_type="application/pdf")])


def _post(url: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


class Texts(threading.Thread):
    """Texts at a steady rate, each on a connection of its own, until it is told to stop; `ms` is how long each one's webhook took."""

    def __init__(self, installation: Installation, load: Load, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._installation, self._load = installation, load
        self._people = [installation.person() for _ in range(20)]
        self._over = threading.Event()
        self.ms: list[float] = []
        self.answers: Answers = Counter()
        self.ids: list[str] = []

    def run(self) -> None:
        """One after the other is begun; a slow one holds up none."""
        begun = time.monotonic()
        with ThreadPoolExecutor(64) as pool:
            number = 0
            while not self._over.is_set():
                pool.submit(self._send, number)
                number += 1
                time.sleep(max(0.0, begun + number / self._load.rate - time.monotonic()))

    def _send(self, number: int) -> None:
        sid = f"SM{self.name:.4}{number:028x}".replace("alon", "0a0a").replace("besi", "0b0b")
        post = webhook_posts.text(self._people[number % len(self._people)], sid, number)
        begun = time.perf_counter()
        try:
            status = str(post.to(self._installation.web))
        except OSError as error:
            status = type(error).__name__
        self.ms.append((time.perf_counter() - begun) * 1000)
        self.answers[status] += 1

    def stop(self) -> None:
        """The last ones are answered when this returns."""
        self._over.set()
        self.join()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all stays under."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def beside(installation: Installation, load: Load, name: str, work: Callable[[], Answers]) -> tuple[Texts, Answers]:
    """Texts while `work` is done and for the load's seconds, with Redis away in the middle."""
    texts = Texts(installation, load, name)
    end = time.monotonic() + load.seconds
    texts.start()
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        time.sleep(load.seconds / 3)
        if load.away:
            installation.server.stop()
            time.sleep(load.away)
            installation.server.start()  # in this thread: the server ends with the thread that has started it
        answers = working.result()
    time.sleep(max(0.0, end - time.monotonic()))
    texts.stop()
    wait_for(lambda: not _waiting(installation), 60, "an empty spool", every=0.1)
    low, middle, high = (percentile(texts.ms, share) for share in (0.5, 0.99, 1.0))
    print(f"texts {name}: {len(texts.ms)}, p50 {low:.1f} ms, p99 {middle:.1f} ms, longest {high:.0f} ms, answers {dict(texts.answers)}")
    return texts, answers


def _waiting(installation: Installation) -> list[Path]:
    return list(Path(installation.settings["BOSS_DATA_DIR"]).glob("spool/waiting/*"))


def stored_files(installation: Installation) -> tuple[int, Counter[str]]:
    """How many mails there are, and what became of their files, by fault."""
    mailbox, faults, mails = Mailbox(installation.redis), Counter[str](), 0
    names = [name.decode().rpartition(":")[2] for name in cast("list[bytes]", installation.redis.keys("boss:msg:*"))]
    for message in mailbox.messages(names):
        if message is not None and isinstance(message.event, EmailReceived):
            mails += 1
            faults.update(file.fault or "kept" for file in message.event.files)
    return mails, faults


def run(load: Load) -> int:
    """The exit status."""
    installation = Installation(PUBLIC_URL=PUBLIC_URL, FILES_MAX_MB=str(load.room), server=cast("Any", EmbeddedServer(maxmemory_mb=1024)))
    installation.sandbox.env["SANDBOX_PUBLIC_URL"] = PUBLIC_URL
    context = multiprocessing.get_context("spawn")
    with installation:
        before = pss_mib(installation.web.pid)
        alone, _ = beside(installation, load, "alone", Answers)
        between = pss_mib(installation.web.pid)
        tell: SimpleQueue[Answers] = context.SimpleQueue()

        def mails() -> Answers:
            process = context.Process(target=deliver_mails, args=(installation.web.url, load, tell), daemon=True)
            began = time.monotonic()
            process.start()
            answers = tell.get()
            process.join()
            print(f"mails: {load.mails} of {load.megabytes:g} MB in {time.monotonic() - began:.1f} s, answers {dict(answers)}")
            return answers

        with PeakMemory(installation.web.pid) as peak:
            mixed, answers = beside(installation, load, "beside mails", mails)
        found, faults = stored_files(installation)
        print(f"mails in the mailbox: {found}; their files: {dict(faults)}")
        after = pss_mib(installation.web.pid)
        print(f"web process: {before:.0f} MiB, {between:.0f} after the texts alone, {peak.mib:.0f} at most, {after:.0f} after the mails")
        refused = [status for texts in (alone, mixed) for status in texts.answers if int(status or 0) not in ACCEPTED]
        refused += [status for status in answers if status not in ("200", "204", str(BUSY))]
        return 1 if refused or found != load.mails else 0


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--mails", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=50.0, help="texts a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each part lasts at least")
    parser.add_argument("--away", type=float, default=5.0, help="how long Redis is away")
    parser.add_argument("--room", type=int, default=200, help="FILES_MAX_MB")
    return run(Load(**vars(parser.parse_args())))


if __name__ == "__main__":
    sys.exit(main())
