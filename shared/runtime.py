"""What a process holds: its settings, users and connections, opened in order and closed in reverse. Nothing happens at import."""

from __future__ import annotations

import math
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, cast

from redis import Redis
from redis.exceptions import RedisError

from shared.config.prices import load_prices, shipped
from shared.config.settings import Settings
from shared.errors import SchemaTooNew, StorageUnavailable
from shared.mailbox import Mailbox, keys
from shared.mailbox.wake_queue import Dispatcher
from shared.model.addresses import Identities
from shared.model.codec import DATA_VERSION
from shared.model.prices import PriceTable
from shared.model.users import Users
from shared.observability import logs
from shared.process import blocking
from shared.process.honcho import under_honcho
from shared.registry import PeopleDirectory
from shared.storage import clients
from shared.storage.group_commit import GroupCommit
from shared.storage.replication import ReplicationBarrier

MAX_SOCKET_PATH: Final = 100  # sun_path holds 108 bytes on Linux, 104 on macOS
PING_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 0.3
log = logs.logger(__name__)


class LateIdentities:
    """The identities of a process that may start without Redis: at first use the schema is checked and the salt is read, once."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._found: Identities | None = None
        self._failed_at = -RETRY_SECONDS
        self._told = False

    @property
    def known(self) -> bool:
        """Whether the salt was read."""
        return self._found is not None

    def open(self) -> Identities:
        """Read the salt. Raises redis-py's errors, or SchemaTooNew."""
        check_schema(self._redis)
        self._found = Identities(identity_salt(self._redis))
        return self._found

    def __call__(self) -> Identities:
        """The identities. Raises redis-py's errors, or StorageUnavailable for data that is too new, which is logged once.

        A process that already accepts messages does not end because of such data: its messages wait for the operator.
        """
        return self._found or blocking.in_thread(self._read)

    def _read(self) -> Identities:
        """Read under the lock: another thread may have read the salt meanwhile, or have found Redis away just now."""
        with self._lock:
            if self._found:
                return self._found
            if time.monotonic() - self._failed_at < RETRY_SECONDS:  # whoever waited for the lock must not wait for Redis as well
                raise StorageUnavailable("not_known_yet")
            try:
                return self.open()
            except SchemaTooNew as error:
                self._tell(error)
                raise StorageUnavailable(error.code) from None
            finally:
                self._failed_at = time.monotonic()

    def _tell(self, error: SchemaTooNew) -> None:
        if not self._told:
            log.error("The data is too new for this process.", action=error.code, reason=error.detail)
        self._told = True


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings, users and connections of one process."""

    settings: Settings
    people: PeopleDirectory
    redis: Redis
    mailbox: Mailbox
    dispatcher: Dispatcher
    identify: Callable[[], Identities]
    barrier: ReplicationBarrier = field(default_factory=lambda: ReplicationBarrier(keys.BARRIER))
    prices: PriceTable = field(default_factory=shipped)

    @property
    def users(self) -> Users:
        """The people whom the process knows, as they are now."""
        return self.people.users

    @property
    def identities(self) -> Identities:
        """What makes ids. In a web process that started without Redis: raises as `LateIdentities` until Redis is there."""
        return self.identify()

    @property
    def identified(self) -> bool:
        """Whether `identities` are known already."""
        return not isinstance(self.identify, LateIdentities) or self.identify.known

    def close(self) -> None:
        """Stop looking for changes, and close the connections."""
        self.people.close()
        self.redis.close()


def open_runtime(settings: Settings, role: Literal["web", "worker", "bridge"], say: Callable[[str], None] = print) -> Runtime:
    """Open everything in order: users, a worker's prices, Redis (waited for), the schema's version, the salt.

    The web process does not wait: what it accepts while Redis is away goes to its spool. Raises ConfigurationError, SchemaTooNew, and
    StorageUnavailable or RedisError (not for the web process).
    """
    prices = load_prices(settings.prices_file) if role == "worker" else shipped()
    url = redis_url(settings)
    redis = clients.for_worker(url) if role == "worker" else clients.for_web(url)
    people = PeopleDirectory(settings, redis, reached_only=role == "web")  # a user of the bridge alone is a stranger to the webhooks
    identify = LateIdentities(redis)
    if role != "web":
        _open_when_up(identify, url, settings.startup_wait_seconds, say)
    elif _answers(url):
        _open_if_there(identify)
    if role != "web" or identify.known:
        with suppress(RedisError, OSError):
            people.refresh()
    barrier = ReplicationBarrier(keys.BARRIER)
    commands = GroupCommit(redis, barrier) if role == "web" else None
    return Runtime(settings, people, redis, Mailbox(redis, commands), Dispatcher(redis), identify, barrier, prices)


def _open_when_up(identify: LateIdentities, url: str, seconds: float, say: Callable[[str], None]) -> None:
    """Wait for Redis and read the identities; StorageUnavailable after `seconds`.

    Under honcho one process that ends ends all, the web process too, which accepts messages meanwhile. So there the wait has no end, and is
    repeated when Redis goes away again at once.
    """
    while True:
        clients.wait_until_up(url, math.inf if under_honcho() else seconds, say)
        try:
            identify.open()
        except clients.AWAY:
            if not under_honcho():
                raise
            time.sleep(RETRY_SECONDS)
        else:
            return


def _answers(url: str) -> bool:
    """Whether the server answers within PING_SECONDS: a server that hangs must not hold up the start."""
    with clients.short_lived_client(url, PING_SECONDS) as client:
        try:
            return bool(client.ping())
        except (RedisError, OSError):
            return False


def _open_if_there(identify: LateIdentities) -> None:
    """Read the identities unless the server cannot answer now (it loads its data, or is full). Raises SchemaTooNew."""
    try:
        identify.open()
    except (RedisError, OSError) as error:
        log.warning("Redis is away at the start.", action="storage_unavailable", reason=type(error).__name__)


def redis_url(settings: Settings) -> str:
    """REDIS_URL, or the embedded server's unix socket."""
    return settings.redis_url.get_secret_value() or f"unix://{socket_path(settings.boss_data_dir)}"


def socket_path(data_dir: Path) -> Path:
    """The embedded server's socket: in the data directory, or in the temporary directory where that path would be too long."""
    path = data_dir.resolve() / "redis" / "redis.sock"
    if len(str(path).encode()) <= MAX_SOCKET_PATH:
        return path
    name = sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"bossline-{name}" / "redis.sock"


def check_schema(redis: Redis) -> None:
    """Write our version of the data to the server, unless it has it. Raises SchemaTooNew when its data is newer than this code."""
    found = int(cast("Any", redis.get(keys.SCHEMA)) or 0)
    if found > DATA_VERSION:
        raise SchemaTooNew(f"the data has schema {found}, this Bossline knows {DATA_VERSION}: run the newer version")
    if found < DATA_VERSION:
        redis.set(keys.SCHEMA, DATA_VERSION)


def identity_salt(redis: Redis) -> bytes:
    """The installation's salt for ids that are made from addresses: made once, kept in Redis beside the records with those ids."""
    redis.set(keys.SALT, secrets.token_hex(32), nx=True)
    return bytes.fromhex(cast("Any", redis.get(keys.SALT)).decode())
