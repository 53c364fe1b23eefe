"""The worker process while it runs: our `AsyncWorker`, with the sweep and the reconciler beside it, and how they end.

On SIGTERM nothing more is dequeued or claimed, and every running turn is cancelled at once. A turn with no request in flight releases its
conversation, which is due at once; a turn that waits for a message provider's answer has `SHUTDOWN_GRACE_SECONDS` to get it. An attempt
without an answer by then stays `sending` for the next holder. The process ends with status 0 in any case, before honcho kills it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Callable, Coroutine
from importlib import metadata
from typing import Any, Final

from redis import Redis
from rq.serializers import JSONSerializer

from rq_async import AsyncWorker
from shared.mailbox.calls import STANDBY
from shared.mailbox.wake_queue import RESULT_TTL, VERSION_FIELD, BosslineJob
from shared.observability import logs
from shared.observability.redaction import summarize
from shared.process import honcho
from shared.process.tasks import cancel_and_wait
from shared.runtime import Runtime, redis_url
from supervisor_worker.assistant.model_checks import doubts
from supervisor_worker.assistant.price import today, too_small
from supervisor_worker.process.clock_watch import watch_clock
from supervisor_worker.process.resources import CURRENT, WorkerResources, open_resources
from supervisor_worker.process.stored_indexes import StoredIndexes
from supervisor_worker.process.sweep import Sweep
from supervisor_worker.reconciler import Reconciler
from supervisor_worker.turns.liveness import Liveness
from supervisor_worker.turns.moved_zones import keep_zones_published

LOG: Final = logs.logger(__name__)
WORKER_TTL: Final = 45
MONITORING_INTERVAL: Final = 10
MAINTENANCE_INTERVAL: Final = 60
RELEASE_SECONDS: Final = 0.2
"""After the grace a turn has this long to release its conversation."""
GIVE_BACK_SECONDS: Final = 2.0
"""The sweep has this long to give back the requests that it serves; later their time has to pass first."""
HARD_END_SECONDS: Final = 0.7
"""After the grace the process ends in this time, whatever still hangs: honcho kills after 5 s, and the default grace is 4 s."""


class BossWorker(AsyncWorker):
    """An `AsyncWorker` that keeps message text out of RQ's records, and says when it is ready."""

    cancel_at_stop = True
    poll_seconds = 0.25  # the end waits for one poll, so that a job popped by it is requeued and not lost until the sweep

    def serialize(self) -> dict[str, Any]:
        """RQ's record of a worker, with our version: by it `boss doctor` finds workers on our queue that are not ours."""
        return {**super().serialize(), VERSION_FIELD: metadata.version("bossline")}

    def format_failure(self, error: BaseException) -> str:
        """The error's class and where it was raised, without the text of errors that are not ours: RQ stores this."""
        return summarize(error)

    @property
    def told_to_end(self) -> bool:
        """Whether its end has begun."""
        return bool(self._stop_requested)

    @property
    def shown_name(self) -> str:
        """The name for logs: a standby's holds an "@", and would be masked like an address. The log line names the process anyway."""
        return self.name.removeprefix(STANDBY)

    def _set_connection(self, connection: Redis) -> Redis:
        """Keep our socket timeouts. RQ's are as long as a worker may be idle; ours never wait for a job, and must notice a dead server."""
        return connection

    def ready(self) -> None:
        """Tell the operator."""
        LOG.info("worker ready", action="worker_ready", worker=self.shown_name, concurrency=self.concurrency, queue=self.queue.name)


Beside = Callable[[BossWorker, Sweep], Coroutine[Any, Any, None]]
"""What runs beside a worker and its sweep until they end."""


async def work(runtime: Runtime, name: str = "", beside: Beside | None = None) -> None:
    """Run jobs until told to end. Without a `name` the worker gets a unique one."""
    for doubt in doubts(runtime.settings, runtime.users, today()):
        LOG.warning("A model cannot do what is set", action="model_settings", detail=doubt)
    if small := too_small(runtime.settings, runtime.prices, runtime.users):
        LOG.critical("A bound of the day is smaller than one question", action="bound_too_small", detail=small)
    runtime.people.start()
    liveness = Liveness(redis_url(runtime.settings), runtime.settings.process_life_seconds)
    with liveness:
        await _work(runtime, liveness.name, name, beside)


async def _work(runtime: Runtime, process: str, name: str, beside: Beside | None) -> None:
    async with open_resources(runtime, process) as resources:
        CURRENT.set(resources)
        worker, sweep = make_worker(runtime, resources, name), Sweep(resources)
        reconciler = Reconciler(runtime, resources.mailbox, resources.context.stopping, lambda: worker.draining)
        ours = (
            reconciler.run(), watch_clock(resources.redis), StoredIndexes(resources).run(), keep_zones_published(resources.context),
            resources.keep_mcp_lists(),
        )  # fmt: skip
        beside_it = (*ours, *((beside(worker, sweep),) if beside else ()))
        tasks = [asyncio.create_task(each) for each in beside_it]
        sweeping = asyncio.create_task(sweep.run())
        try:
            await worker.work_async()
        finally:
            resources.context.stopping.set()
            await asyncio.wait({sweeping}, timeout=GIVE_BACK_SECONDS)  # it ends by itself: a cancellation would break off its giving back
            await cancel_and_wait([*tasks, sweeping])
        LOG.info("worker ended", action="worker_ended", worker=worker.shown_name)


def make_worker(runtime: Runtime, resources: WorkerResources, name: str = "") -> BossWorker:
    """The worker of this process: on one queue, with a unique name. A restarted worker must not be taken for the one before it."""
    worker = BossWorker(
        [runtime.dispatcher.queue],
        name=name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        connection=runtime.redis,
        job_class=BosslineJob,
        serializer=JSONSerializer,
        default_result_ttl=RESULT_TTL,
        worker_ttl=WORKER_TTL,
        job_monitoring_interval=MONITORING_INTERVAL,
        maintenance_interval=MAINTENANCE_INTERVAL,
        log_job_description=False,
    )
    worker.async_connection = resources.waiting
    worker.scripts = resources.commands  # RQ's bookkeeping goes with the mailbox's calls
    worker.concurrency = runtime.settings.worker_concurrency
    worker.beat_seconds = runtime.settings.heartbeat_seconds
    worker.grace = runtime.settings.shutdown_grace_seconds + RELEASE_SECONDS
    worker.on_stop = _stopper(resources, runtime.settings.shutdown_grace_seconds + HARD_END_SECONDS)
    return worker


def _stopper(resources: WorkerResources, hard_end: float) -> Callable[[], None]:
    def stop() -> None:
        LOG.info("worker ends", action="worker_ends", in_flight=len(resources.context.in_flight))
        honcho.TOLD_TO_END.set()
        resources.context.stopping.set()
        alarm = threading.Timer(hard_end, _end_now)
        alarm.daemon = True
        alarm.start()

    return stop


def _end_now(*_: Any) -> None:
    """End without waiting for threads or sockets that still hang: the mailbox holds all that matters."""
    LOG.warning("worker ends without waiting any longer", action="worker_cut_off")
    os._exit(0)
