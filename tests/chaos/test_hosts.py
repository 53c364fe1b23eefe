"""One host of two is cut off in the midst of its turns, by a cable that swallows everything, and later it is there again.

Host A has the web process and a worker, host B a worker, Redis a host of its own; the providers are reached from both by cables
that can be cut. What A holds is B's when the leases end. What A was sending may have arrived or not, and may still arrive when
the cable is whole again: B looks it up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.chaos.away import PATIENCE, SECONDS, Books, Record, endure
from tests.chaos.table import Table
from tests.support.installation import Installation
from tests.support.network_namespaces import Host, Network
from tests.support.processes import BossProcess, Forwarder, WebProcess, WorkerProcess
from tests.support.tcp_server import TcpServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(PATIENCE)
FAULT = "one host of two cut off"
PROVIDERS_PORT = 9000
WEB_PORT = 8787
TAKE_OVER_SECONDS = 25
"""A lease of three seconds, then the look-up's wait, then one more lease for what was lost twice."""


@dataclass(frozen=True, slots=True)
class Sites:
    """Everything that runs, and the host that is cut off."""

    installation: Installation
    a: Host
    workers: tuple[WorkerProcess, WorkerProcess]
    web: WebProcess

    def held(self) -> int:
        """How many turns A's worker has under way, by RQ's records."""
        redis, pid = self.installation.redis, str(self.workers[0].pid).encode()
        keys = [key for key in redis.scan_iter("rq:worker:*") if redis.type(key) == b"hash" and redis.hget(key, "pid") == pid]
        return sum(redis.scard(key + b":executions") for key in keys)


@pytest.fixture
def sites(table: Table) -> Iterator[Sites]:
    """Both hosts at work."""
    if why := Network.missing():
        table.skip(f"{FAULT}, 10 messages/s", why)
    with Network() as network, ExitStack() as stack:
        far, a, b = network.host(), network.host(), network.host()
        installation = stack.enter_context(Installation(server=TcpServer(far), web=False))
        public, sandbox = f"127.0.0.1:{installation.settings['PORT']}", f"127.0.0.1:{installation.sandbox.port}"
        beside = f"{network.ADDRESS}:{PROVIDERS_PORT}"
        for listen, target, where in (
            (public, f"{a.address}:{WEB_PORT}", None),
            (beside, sandbox, None),
            (sandbox, beside, a.network),
            (sandbox, beside, b.network),
        ):
            stack.enter_context(Forwarder(listen, target, where))
        settings = {**installation.settings, "PUBLIC_URL": f"http://{public}", "PORT": str(WEB_PORT)}
        web = WebProcess({**settings, "WEB_HOST": a.address}, a.network)
        workers = (WorkerProcess(settings, installation.redis, a.network), WorkerProcess(settings, installation.redis, b.network))
        started: list[BossProcess] = [web, *workers]
        for process in started:
            stack.enter_context(process)
        yield Sites(installation, a, workers, web)


def test_what_a_cut_off_host_held_is_answered_once_and_in_order_by_the_other(sites: Sites, table: Table, record_property: Record) -> None:
    """While A is away, B ends all that was accepted; when A is back it changes nothing, and both go on."""

    def away() -> None:
        wait_for(lambda: sites.held() > 1, 10, "turns on the host that is cut off")
        sites.a.cut()
        cut = time.monotonic()
        wait_for(lambda: not sites.installation.redis.zcard("boss:due"), TAKE_OVER_SECONDS, "the other host to have ended everything")
        time.sleep(max(0.0, SECONDS - (time.monotonic() - cut)))  # the outage itself, not a wait for anything
        sites.a.join()

    endure(sites.installation, "", FAULT, away, Books(table, record_property))
    assert [process.returncode for process in (*sites.workers, sites.web)] == [None] * 3
