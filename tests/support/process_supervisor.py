"""What a process manager does: whoever dies is replaced, all the while that a test kills."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from tests.support.installation import Installation
from tests.support.processes import BossProcess

LOOK_SECONDS = 0.02


class ProcessSupervisor:
    """So many forked workers between `with`, whatever kills them; with `web`, the web process is started again as well."""

    def __init__(self, installation: Installation, workers: int, *, web: bool = False, **settings: str) -> None:
        """`settings` are the workers', beside the whole's own."""
        self.replaced = 0
        self._installation, self._count, self._web, self._settings = installation, workers, web, settings
        self._over, self._done = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Self:
        """All are ready."""
        self.workers = self._installation.fork(self._count, **self._settings) if self._count else []
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Replace nobody any more. The workers stay, the whole's to end."""
        self._over.set()
        assert self._done.wait(40)
        if self._error is not None and error is None:
            raise self._error

    def _keep(self) -> None:
        try:
            while not self._over.wait(LOOK_SECONDS):
                self._replace()
        except BaseException as error:  # noqa: BLE001 - the test's to hear
            self._error = error
        self._done.set()
        if self._web:
            threading.Event().wait()  # for ever: what a thread started ends with it

    def _replace(self) -> None:
        for place, worker in enumerate(self.workers):
            if not worker.alive:
                self.workers[place] = self._installation.fork_unready(**self._settings)
                self.replaced += 1
        if self._web and self._installation.web.returncode is not None:
            BossProcess.start(self._installation.web)  # without waiting: it may die again before it answers
            self.replaced += 1
