"""Runs `python -m sandbox` for a test and calls its control API. The child ends with its parent.

    with SandboxProcess(SANDBOX_WEBHOOK_URL=web_url) as sandbox:
        sandbox.faults(anthropic={"latency_seconds": 0.5})
        sandbox.send_sms("hello")
        sandbox.wait("twilio.create", 1, timeout=5)
        assert sandbox.count("twilio.create") == 1

It starts on a free port and keeps that port when it is stopped and started again. Standard library only.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from tests.support.fork_server import ROOT, Child, fork

if TYPE_CHECKING:
    from types import TracebackType

OPENER: Final = build_opener(ProxyHandler({}))
OWN_SETTINGS: Final = (
    "SANDBOX_",
    "TWILIO_",
    "SENDGRID_",
    "ANTHROPIC_",
    "STT_",
    "EMAIL_WEBHOOK_SECRET",
)
"""Settings of the surrounding shell that must not leak into a test."""

JsonObject = dict[str, Any]


class SandboxError(AssertionError):
    """The sandbox did not start, or refused what the test asked for."""


class SandboxProcess:
    """One sandbox process. Keyword arguments are its environment; `start` can change them."""

    def __init__(self, **env: str) -> None:
        """Keep the environment; nothing runs yet."""
        self.env = env
        self.url = ""
        self._process: Child | None = None

    def __enter__(self) -> Self:
        """Start."""
        return self if self._process is not None else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    @property
    def port(self) -> int:
        """The port, 0 before the first start."""
        return int(self.url.rpartition(":")[2]) if self.url else 0

    @property
    def pid(self) -> int:
        """The process id, for tests that kill it."""
        return self._running().pid

    def start(self, env: dict[str, str] | None = None, *, port: int | None = None, timeout: float = 20) -> Self:
        """Start and wait until it listens; the old port again unless another is asked for."""
        self.env |= env or {}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
        chosen = str(self.port if port is None else port)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        environment = {**inherited, "SANDBOX_PORT": chosen, **self.env}
        self._process = fork("web", "sandbox", env=environment, directory=ROOT, output=self._output.fileno())
        atexit.register(self.stop)
        self.url = self._read_url(timeout)
        return self

    def stop(self, *, kill: bool = False, timeout: float = 5) -> int | None:
        """End it with SIGTERM (or SIGKILL) and return its exit status; None when it did not run."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None:
            return None
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait(timeout)
        finally:
            self._output.close()

    def journal(self, kind: str | None = None, *, accepted: bool | None = None, **filters: object) -> list[JsonObject]:
        """Return entries, oldest first. Filters: since, to, from_, contains, limit."""
        query = _query(kind, accepted, {"limit": 50_000, **filters})
        entries: list[JsonObject] = self.call("GET", f"/sandbox/journal?{query}")["entries"]
        return entries

    def count(self, kind: str, *, accepted: bool | None = True, **filters: object) -> int:
        """Count entries, by default those that a user would have got."""
        return int(self.call("GET", f"/sandbox/journal/count?{_query(kind, accepted, filters)}")["count"])

    def wait(self, kind: str, count: int = 1, timeout: float = 10, *, accepted: bool | None = None, **filters: object) -> list[JsonObject]:
        """Wait for so many entries and return them; an AssertionError tells what there was instead."""
        query = _query(kind, accepted, {"count": count, "timeout": timeout, "limit": 50_000, **filters})
        answer = self.call("GET", f"/sandbox/journal/wait?{query}", timeout=timeout + 10)
        if not answer["reached"]:
            seen = [f"{entry['seq']} {entry['kind']} {entry['status']} {entry['fault']}" for entry in self.journal()[-30:]]
            message = f"{answer['count']} of {count} {kind} (accepted={accepted}) after {timeout} s; journal:\n" + "\n".join(seen)
            raise SandboxError(message)
        entries: list[JsonObject] = answer["entries"]
        return entries

    def faults(self, **sections: JsonObject) -> JsonObject:
        """Change fault settings, section by section (`twilio={"fail": ["503"]}`), and return them all."""
        return self.call("POST", "/sandbox/faults", sections) if sections else self.call("GET", "/sandbox/faults")

    def script(self, *answers: JsonObject) -> JsonObject:
        """Let answers of the model wait, each for one question (`{"text": …, "calls": [{"name": …, "input": {…}}], "match": …}`)."""
        return self.call("POST", "/sandbox/script", {"answers": list(answers)}) if answers else self.call("GET", "/sandbox/script")

    def advance_clock(self, seconds: float) -> None:
        """Let time pass for the prompt cache and the rate limits."""
        self.call("POST", "/sandbox/clock", {"advance_seconds": seconds})

    def reset(self) -> None:
        """Clear journal, messages and opt-outs, and set all faults back."""
        self.call("POST", "/sandbox/reset", {})

    def send_sms(self, body: str = "", **fields: object) -> JsonObject:
        """Let a text arrive; fields as in POST /sandbox/sms, `from_` for `from`."""
        return self.call("POST", "/sandbox/sms", {"body": body, **_plain(fields)}, timeout=60)

    def send_email(self, text: str | None = None, **fields: object) -> JsonObject:
        """Let a mail arrive; fields as in POST /sandbox/email, `from_` for `from`."""
        return self.call("POST", "/sandbox/email", {"text": text, **_plain(fields)}, timeout=60)

    def call(self, method: str, path: str, document: JsonObject | None = None, *, timeout: float = 30) -> JsonObject:
        """Make one request of the control API."""
        body = None if document is None else json.dumps(document).encode()
        request = Request(self.url + path, data=body, method=method, headers={"Content-Type": "application/json"})  # noqa: S310
        try:
            with OPENER.open(request, timeout=timeout) as response:
                answer: JsonObject = json.load(response)
        except HTTPError as error:
            answer = json.load(error)
            if "status" not in answer:
                message = f"{method} {path}: {error.code} {answer}"
                raise SandboxError(message) from None
        return answer

    def _running(self) -> Child:
        if self._process is None:
            message = "the sandbox does not run"
            raise SandboxError(message)
        return self._process

    def _read_url(self, timeout: float) -> str:
        """Wait for the line that names the address."""
        process, deadline = self._running(), time.monotonic() + timeout
        while (status := process.poll()) is None and time.monotonic() < deadline:
            if found := re.search(r"listening on (\S+)\n", self._printed()):
                return found[1]
            time.sleep(0.01)
        message = f"the sandbox did not start (exit status {status}):\n{self._printed()}"
        self.stop(kill=True)
        raise SandboxError(message)

    def _printed(self) -> str:
        return os.pread(self._output.fileno(), 65_536, 0).decode(errors="replace")


def _plain(fields: dict[str, object]) -> dict[str, object]:
    """Undo the underscore that keeps `from` from being a keyword."""
    return {("from" if name == "from_" else name): value for name, value in fields.items()}


def _query(kind: str | None, accepted: bool | None, filters: dict[str, object]) -> str:
    given = {"kind": kind, "accepted": None if accepted is None else int(accepted), **_plain(filters)}
    return urlencode({name: value for name, value in given.items() if value is not None})
