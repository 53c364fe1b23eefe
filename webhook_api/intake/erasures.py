"""What this host keeps on its disk of persons who are erased: dropped at its next look, which is one a second, and confirmed.

A host is a data directory, whichever processes share it.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

from redis.exceptions import RedisError

from shared.errors import StorageUnavailable
from shared.host_id import host_id, host_name
from shared.mailbox import calls
from shared.observability import logs
from shared.operations.erased_files import PARTS, ErasedOnDisk
from shared.runtime import Runtime

LOOK_SECONDS: Final = 1.0
AWAY_SECONDS: Final = 5.0
"""The wait after a look that Redis did not answer."""
SETTLED_MS: Final = 2_000
"""A request that came before an erasure may write its copy to the disk a moment after it: a host confirms what is older than this."""
log = logs.logger(__name__)


class ErasureLook:
    """One process's looks. The replayer's thread makes them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._root = runtime.settings.spool_dir
        self._host = ""
        self._name = host_name(runtime.settings.boss_data_dir)
        self._at_ms: dict[str, int] = {}
        self._since = self._looked = 0
        self._next = 0.0
        self._lock = threading.Lock()

    def look(self) -> None:
        """Drop what is to go, and confirm it: once a second; nothing while Redis is away. What fails is tried again."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_SECONDS
        try:
            with self._lock:
                self._look()
        except (RedisError, OSError, StorageUnavailable):  # the intake tells of an outage
            self._next = time.monotonic() + AWAY_SECONDS

    def close(self) -> None:
        """The process ends. A host with nothing on its disk is not asked any more, unless another process of it goes on."""
        with suppress(RedisError, OSError, StorageUnavailable):
            if self._host and not any(any((self._root / part).glob("*")) for part in PARTS):
                self._runtime.mailbox.run(calls.erasures(self._host, "", looked_ms=0, since_ms=0, gone=True))

    def _look(self) -> None:
        self._host = self._host or host_id(self._runtime.settings.boss_data_dir)
        told = self._runtime.mailbox.run(calls.erasures(self._host, self._name, looked_ms=self._looked, since_ms=self._since))
        self._at_ms |= told.at_ms
        self._since = max([self._since, *told.at_ms.values()])
        if new := {whose: at for whose, at in self._at_ms.items() if at > self._looked}:
            look = ErasedOnDisk(self._root, self._runtime.identities, new, told.now_ms)
            dropped = look.drop(lambda messages: self._runtime.mailbox.run(calls.mark_erased(messages)))
            if dropped.files:
                log.info("What an erased person had waiting on disk was dropped.", action="erased_on_disk", entries=dropped.files)
        self._at_ms = new
        if len(told.at_ms) < calls.MOST_TOLD:
            self._looked = max(self._looked, told.now_ms - SETTLED_MS)
