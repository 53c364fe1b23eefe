"""Starts `bench.harness.provider_server`, controls it, and waits for what it counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, cast

from bench.harness.processes import MeasuredProcess
from tests.support.processes import free_port
from tests.support.wait import wait_for


class ProviderProcess:
    """The stub of Claude and Twilio, in a process of its own. A context manager."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="bench-stub-")
        self.port = free_port()
        self.marks = str(Path(self._folder.name) / "marks")
        self._process = MeasuredProcess("-m", "bench.harness.provider_server", str(self.port), self.marks, ready="listening").__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.__exit__(kind, error, trace)
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Its address, for the providers' base URLs."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def delay(self, seconds: float) -> None:
        """Set Claude's delay."""
        self._call("POST", f"/delay/{seconds}")

    def reset(self) -> None:
        """Forget what was counted."""
        self._call("POST", "/reset")

    def counts(self) -> dict[str, float]:
        """The counts, see `provider_server.ProviderCounts`."""
        return cast("dict[str, float]", json.loads(self._call("GET", "/counts")))

    def sends(self) -> list[tuple[float, str]]:
        """When (epoch seconds) and to whom each text was sent, in order."""
        lines = self._call("GET", "/sends/0").decode().splitlines()
        return [(float(at), to) for at, _, to in (line.partition(" ") for line in lines)]

    def wait_for_sends(self, count: int, seconds: float) -> list[tuple[float, str]]:
        """Wait for `count` sends and return them."""
        wait_for(lambda: self.counts()["sent"] >= count, seconds, f"{count} sends")
        return self.sends()

    def _call(self, method: str, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path)
            return connection.getresponse().read()
        finally:
            connection.close()


def once_each(sends: Iterable[tuple[float, str]], expected: Iterable[str]) -> None:
    """Raise AssertionError unless every recipient got exactly one send."""
    found, wanted = Counter(to for _, to in sends), Counter(expected)
    wrong: Any = (found - wanted) + (wanted - found)
    assert not wrong, f"{sum(wrong.values())} sends are missing or came twice, of {sum(wanted.values())}"
