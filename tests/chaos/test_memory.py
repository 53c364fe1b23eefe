"""Mails of 200 MB, of 30 MB and of 500 parts, several at once, while others text: memory has a bound, and nobody's text is lost for them.

Peaks and what stays are the kernel's own figures (VmHWM, VmRSS), of all processes of the web and of the worker.
"""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from bench.harness.measure import family
from shared.config.secret_rules import SANDBOX_CREDENTIALS
from tests.chaos.table import FULL, Table
from tests.support.installation import Installation, Person, in_threads
from tests.support.processes import WorkerProcess
from tests.support.users_file import BOSS_EMAIL
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(180)  # two cores may be shared with much else
MB: Final = 1_000_000
HUGE: Final = 200 * MB
FILES: Final = {"200 MB": (1, HUGE), "30 MB": (1, 30 * MB), "500 parts": (500, 20_000)}
"""Mails by their files: how many, of how many bytes."""
AT_ONCE: Final = 6 if FULL else 4
TEXTERS: Final = 20
BOUNDARY: Final = "bossline-test-boundary"
RESET_PEAK: Final = "5"
"""What `clear_refs` takes for it (proc(5))."""
PEAK_MB: Final = 200
"""Two bodies of 35 MB at a time, each twice while it is read, and what the kernel has not yet taken back."""
STAYS_MB: Final = 60
"""A heap that has grown, but no body."""
TAKEN: Final = (200, 413, 503)
"""Taken, refused for its size, or told to come again."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What runs."""

    installation: Installation
    worker: WorkerProcess

    def memory(self, field: str) -> tuple[float, float]:
        """The web's and the worker's, in MB: `VmHWM` or `VmRSS`."""
        return _memory(self.installation.web.pid, field), _memory(self.worker.pid, field)


@pytest.fixture
def measured(installation: Installation) -> Measured:
    """A worker is there, and has its peak behind it."""
    worker = installation.worker()
    first = installation.person()
    installation.text(first, "first")
    installation.wait_for_replies(first)
    for root in (installation.web.pid, worker.pid):
        for pid in family(root):
            Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)
    return Measured(installation, worker)


def test_memory_has_a_bound_whatever_mails_come(measured: Measured, table: Table) -> None:
    """Each mail is answered in one way or another, each text with 200 and one reply."""
    installation, before = measured.installation, measured.memory("VmRSS")
    mails = [(installation.person(), files) for files in FILES for _ in range(AT_ONCE)]
    texters = [installation.person() for _ in range(TEXTERS)]
    began = time.monotonic()
    statuses = in_threads(lambda item: _write(installation, *item), [*mails, *((person, "") for person in texters)])
    took = time.monotonic() - began
    installation.quiet(60)
    of_mails = dict(zip(mails, statuses[: len(mails)], strict=True))
    assert set(statuses[len(mails) :]) == {200}
    assert set(of_mails.values()) <= set(TAKEN)
    assert {status for (_, files), status in of_mails.items() if files != "200 MB"} <= {200, 503}
    taken = [person for (person, _), status in of_mails.items() if status == 200]
    replies = [len(installation.replies(person, "email")) for person in taken] + [len(installation.replies(person)) for person in texters]
    table.add(
        fault="mails of 200 MB, 30 MB, 500 parts",
        runs=len(mails),
        lost=replies.count(0),
        duplicates=sum(count - 1 for count in replies if count > 1),
        recoveries=[took],
    )

    def grown(field: str) -> float:
        return max(after - early for after, early in zip(measured.memory(field), before, strict=True))

    assert grown("VmHWM") < PEAK_MB
    # A process that has read a file may still be ending: it is no memory that stays.
    wait_for(lambda: grown("VmRSS") < STAYS_MB, 20, f"growth under {STAYS_MB} MB")


def _write(installation: Installation, person: Person, files: str) -> int | None:
    """A mail with these files, or a text; the status that it got, None when the connection ended without one."""
    if not files:
        status: int | None = installation.text(person, "meanwhile")["status"]
        return status
    return _posted(installation, _parts(person, files))


def _parts(person: Person, files: str) -> list[tuple[str, int]]:
    """The parts of a mail as SendGrid posts it: the head of each, and how many bytes of file follow."""
    fields = {
        "from": person.email,
        "to": BOSS_EMAIL,
        "subject": "Files",
        "text": person.says("files"),
        "envelope": f'{{"to":["{BOSS_EMAIL}"],"from":"{person.email}"}}',
        "headers": f"From: {person.email}\nTo: {BOSS_EMAIL}\nMessage-ID: <files-{person.tag}@mail.example.com>\n",
        "SPF": "pass",
        "dkim": "{@example.com : pass}",
    }
    parts = [(f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}', 0) for name, value in fields.items()]
    count, size = FILES[files]
    head = 'Content-Disposition: form-data; name="attachment{0}"; filename="{0}.bin"\r\nContent-Type: application/octet-stream\r\n\r\n'
    return parts + [(head.format(number), size) for number in range(1, count + 1)]


def _body(parts: list[tuple[str, int]]) -> Iterator[bytes]:
    """The form, a megabyte at a time."""
    for head, size in parts:
        yield f"--{BOUNDARY}\r\n{head}".encode()
        yield from (b"x" * min(MB, size - sent) for sent in range(0, size, MB))
        yield b"\r\n"
    yield f"--{BOUNDARY}--\r\n".encode()


def _posted(installation: Installation, parts: list[tuple[str, int]]) -> int | None:
    """Post a form; an answer that comes before its end counts."""
    place = urlsplit(installation.web.url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    connection.putrequest("POST", f"/email/inbound?token={SANDBOX_CREDENTIALS['email_webhook_secret']}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(sum(len(piece) for piece in _body(parts))))
    connection.endheaders()
    try:
        for piece in _body(parts):
            connection.send(piece)
    except OSError:
        pass  # it has answered, and does not read on
    try:
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _memory(root: int, field: str) -> float:
    """A process's and its children's, in MB; a child that has ended meanwhile has none."""
    total = 0
    for pid in family(root):
        with contextlib.suppress(OSError):
            _, _, rest = Path(f"/proc/{pid}/status").read_text().partition(f"{field}:")
            total += int(rest.split()[0]) if rest else 0
    return total * 1024 / MB
