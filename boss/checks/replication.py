"""What would be left if Redis's machine were gone: its replicas, and the Sentinels that would choose one."""

from __future__ import annotations

from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from boss.checks.result import Finding, fail, not_checked, ok, warn
from shared.config.settings import Settings
from shared.storage import clock_skew, sentinel
from shared.storage.url import SentinelService, sentinel_service

LATE: Final = 3
"""Seconds since a replica was heard of: what `min-replicas-max-lag` is in deploy/redis.conf."""
QUORUM: Final = 2
ANSWER_SECONDS: Final = 1.0
_LOGIN: Final = (
    "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs", "ssl_ca_path",
)  # fmt: skip


def replicas(info: dict[str, Any]) -> Finding:
    """How many replicas follow, and whether they keep up, by the server's INFO; one alone is what a single machine has."""
    name = "replicas"
    if "role" not in info:
        return not_checked(name, "the server does not say")
    if info["role"] != "master":
        return fail(name, "this server is a replica: it takes no messages", "Let REDIS_URL name the master, or the Sentinels who know it.")
    followers = [info[f"slave{number}"] for number in range(int(info.get("connected_slaves", 0)))]
    late = [one for one in followers if one.get("state") != "online" or int(one.get("lag", 0)) > LATE]
    if late:
        todo = "Look at that replica: while none keeps up, messages are insured on the web host's disk, and no reply is sent."
        return warn(name, f"{len(late)} of {len(followers)} do not keep up", todo)
    return ok(name, f"{len(followers)} keep up" if followers else "none: the data is on one machine")


def clocks(redis: Redis) -> list[Finding]:
    """The replicas' clocks against the master's: after a failover theirs is the time that leases and waits go by.

    Nothing where no replica is known or can be reached from here: their addresses are those under which the master knows them.
    """
    info: dict[str, Any] = redis.info("replication")
    followers = [info[f"slave{number}"] for number in range(int(info.get("connected_slaves", 0)))]
    seen = [ahead for one in followers if (ahead := _ahead(redis, str(one.get("ip", "")), int(one.get("port", 0)))) is not None]
    if not seen:
        return []
    name, worst = "replicas' clock", max(seen, key=abs)
    if abs(worst) <= clock_skew.SKEW_WARN:
        return [ok(name, f"within {abs(worst):.1f} s of the master's")]
    detail = f"{abs(worst):.1f} s {'ahead of' if worst > 0 else 'behind'} the master's"
    todo = "Synchronise the clocks of Redis's machines (NTP): after a failover waits would be wrong by so much."
    return [(fail if abs(worst) > clock_skew.SKEW_FAIL else warn)(name, detail, todo)]


def _ahead(master: Redis, host: str, port: int) -> float | None:
    """Seconds by which a replica's clock is ahead of the master's, to half a round trip; None for one that does not answer us."""
    login: dict[str, Any] = {name: value for name, value in master.get_connection_kwargs().items() if name in _LOGIN}
    tls: dict[str, Any] = {"ssl": True} if any(name.startswith("ssl_") for name in login) else {}
    try:
        with Redis(host=host, port=port, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, **login, **tls) as replica:
            return clock_skew.skew(master) - clock_skew.skew(replica)
    except (RedisError, OSError):
        return None


def sentinels(settings: Settings) -> list[Finding]:
    """Whether enough Sentinels answer, and name one and the same master; nothing for an address without them."""
    service = sentinel_service(settings.redis_url.get_secret_value())
    if service is None:
        return []
    named = [address for one in service.sentinels if (address := _named(service, one))]
    detail = f"{len(named)} of {len(service.sentinels)} name a master"
    if len(set(named)) > 1:
        return [
            warn(
                "sentinels", f"{detail}, but not the same one", "A failover is under way, or a Sentinel is cut off: look again in a minute."
            )
        ]
    if len(named) < min(QUORUM, len(service.sentinels)):
        return [fail("sentinels", detail, "Start the Sentinels, or correct their places and the service's name in REDIS_URL.")]
    if len(named) < len(service.sentinels):
        return [warn("sentinels", detail, "Start the missing ones: one more gone, and nobody replaces a dead master.")]
    return [ok("sentinels", detail)]


def _named(service: SentinelService, place: tuple[str, int]) -> tuple[str, int] | None:
    """What one Sentinel says."""
    alone = SentinelService((place,), service.name, service.server_options, service.sentinel_options, tls=service.tls)
    try:
        return sentinel.Master(alone).address()
    except (RedisError, OSError):
        return None
