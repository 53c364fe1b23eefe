"""The replayer: one thread that hands the spool's entries to Redis, oldest first, through the same step as a direct call.

A file leaves the line only after the script's own answer for it, so a crash at any point repeats an entry, which Redis then knows
for a duplicate; while no replica has it, it goes to the insurance. An entry that fails for reasons of its own is set aside after five
tries, and never deleted.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from shared.errors import BadInput, SchemaTooNew, StorageFault, StorageFull, StorageUnavailable
from shared.mailbox.call import Call
from shared.observability import logs as telemetry
from shared.runtime import Runtime
from shared.spool_layout import Name
from webhook_api.intake import records as entries
from webhook_api.intake.ordering import Order
from webhook_api.intake.spool import Spool
from webhook_api.intake.unreplicated import Insurance

POLL_SECONDS: Final = 1.0
"""How often an idle process looks for what another one left behind."""
BLOCKED_SECONDS: Final = 0.02
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0
LISTED: Final = 1024
TRIES: Final = 5

log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """An entry with its calls."""

    name: Name
    steps: Sequence[Call[Any]]


class Replayer:
    """The thread. `away` says why Redis took nothing when it was last asked, by the thread or by a webhook; '' when it took."""

    def __init__(self, runtime: Runtime, spool: Spool, order: Order, insurance: Insurance) -> None:
        self._runtime = runtime
        self._insurance = insurance
        self._spool = spool
        self._order = order
        self._stop = threading.Event()
        self._work = threading.Event()
        self._work.set()  # an earlier life may have left something
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._tries: dict[str, int] = {}
        self._pause = 0.0
        self.away = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something new."""
        self._work.set()

    def close(self, patience: float = 3.0) -> None:
        """Stop after the call that is under way. What is left is replayed at the next start."""
        self._stop.set()
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(patience)

    def found_away(self, reason: str) -> None:
        """Redis took nothing; the log says it once."""
        if not self.away:
            log.warning("Messages wait on disk until Redis takes them.", action="spooling", reason=reason, waiting=self._spool.depth)
        self.away = reason or "unknown"

    @property
    def full(self) -> bool:
        """Whether Redis is there, and has no room for another message."""
        return self.away == StorageFull.code

    def _run(self) -> None:
        while not self._stop.is_set():
            self._work.wait(POLL_SECONDS)
            self._work.clear()
            try:
                self._round()
                self._insurance.look()
            except Exception as error:  # noqa: BLE001 - the backlog must not wait for a restart
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        """Say where, and not what: the error's own text may hold a message."""
        where = traceback.extract_tb(error.__traceback__)[-1]
        log.error("The replay failed and goes on.", action="failed", error=type(error).__name__, where=f"{where.filename}:{where.lineno}")
        self._stop.wait(LONGEST_PAUSE)

    def _round(self) -> None:
        if self._spool.empty():
            return
        with self._spool.replaying() as mine:
            if mine:
                self._drain()
            else:
                self._spool.survey()  # another process replays: what it has removed must not keep ours waiting

    def _drain(self) -> None:
        """Replay until nothing is left."""
        started, taken = time.monotonic(), 0
        while not self._stop.is_set():
            names = self._next_names()
            if names is None:
                if taken:
                    took = round(time.monotonic() - started, 3)
                    log.info("Nothing waits on disk any more.", action="spool_empty", replayed=taken, seconds=took)
                return
            if names:
                taken += self._replay(deque(names))
            else:  # a direct attempt with an earlier ticket is under way, or a file is being written
                self._stop.wait(BLOCKED_SECONDS)

    def _next_names(self) -> list[Name] | None:
        """The next entries in order; [] when they must wait for something before them, None when there are none.

        The limit is taken before the listing: what is written afterwards under an earlier ticket may be missing in it.
        """
        limit = self._order.limit()
        found = self._spool.survey(LISTED)
        for text in found.strange:
            log.error("A file that is no entry lay in the spool.", action="set_aside", reason="no_entry")
            self._spool.move_aside(text)
        for draft in found.drafts:
            if draft.ticket < limit and not self._spool.drop_draft(draft):
                limit = draft.ticket
        if not (found.depth or found.drafts):
            return None
        self._order.limit(found.newest)
        return [name for name in found.head if name.ticket < limit]

    def _replay(self, names: deque[Name]) -> int:
        """Replay these, and return how many Redis took."""
        taken = 0
        while names and not self._stop.is_set():
            batch: list[Loaded] = []
            try:
                self._load(names, batch)
                answers = entries.send(self._runtime, [step for loaded in batch for step in loaded.steps])
            except StorageUnavailable as error:
                names.extendleft(loaded.name for loaded in reversed(batch))
                self._wait(error)
                continue
            if batch:
                self.away, self._pause = "", 0.0
                taken += self._settle(names, batch, answers)
        return taken

    def _wait(self, error: StorageUnavailable) -> None:
        self.found_away(error.detail)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)
        self._stop.wait(self._pause)

    def _load(self, names: deque[Name], batch: list[Loaded]) -> None:
        """Move entries from `names` to `batch`: one while Redis may be away or when the first has failed before, else what fits."""
        calls = 0
        alone = bool(self.away) or names[0].text in self._tries
        while names and not (batch and (alone or names[0].text in self._tries)):
            loaded = self._read(names[0], names[1] if len(names) > 1 else None)
            calls += len(loaded.steps) if loaded else 0
            if loaded and batch and calls > entries.AT_ONCE:
                return
            names.popleft()
            if loaded:
                batch.append(loaded)

    def _read(self, name: Name, following: Name | None) -> Loaded | None:
        """An entry; None for one that is not there any more, or had to be set aside. Raises StorageUnavailable: not yet."""
        try:
            return Loaded(name, entries.steps(entries.decode(self._spool.read(name)), self._runtime))
        except FileNotFoundError:
            self._spool.remove([name], following)
        except (BadInput, SchemaTooNew) as error:
            self._set_aside(name, error.code, following)
        except OSError as error:
            if not self._worn_out(name):
                raise StorageUnavailable(f"spool_{type(error).__name__}") from None
            self._set_aside(name, "unreadable", following)
        return None

    def _settle(self, names: deque[Name], batch: list[Loaded], answers: list[Any]) -> int:
        """Remove what Redis has; what failed for its own reasons goes back to the head, or aside. Returns the number removed."""
        rest, done, failed = iter(answers), list[Name](), list[Name]()
        for loaded in batch:
            faults = [answer for answer in islice(rest, len(loaded.steps)) if isinstance(answer, StorageFault)]
            if not faults:
                done.append(loaded.name)
            elif self._worn_out(loaded.name):
                self._set_aside(loaded.name, faults[0].detail)
            else:
                failed.append(loaded.name)
        names.extendleft(reversed(failed))
        leave = self._spool.remove if self._runtime.replicas.confirmed else self._spool.insure
        leave(done, names[0] if names else None)
        for name in done:
            self._tries.pop(name.text, None)
        if failed:
            self._stop.wait(FIRST_PAUSE * self._tries[failed[0].text])
        return len(done)

    def _worn_out(self, name: Name) -> bool:
        self._tries[name.text] = self._tries.get(name.text, 0) + 1
        return self._tries[name.text] >= TRIES

    def _set_aside(self, name: Name, reason: str, following: Name | None = None) -> None:
        log.error("An entry of the spool cannot be replayed and was set aside.", action="set_aside", entry=name.text, reason=reason)
        self._spool.set_aside(name, following)
        self._tries.pop(name.text, None)
