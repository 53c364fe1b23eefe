"""What a process holds: opened in order, closed in reverse. Nothing happens at import."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, cast

from redis import Redis

from shared import redis as connections
from shared import users as users_file
from shared.addresses import Identities
from shared.codec import SCHEMA_VERSION
from shared.errors import SchemaTooNew
from shared.mailbox import Mailbox
from shared.queue import Dispatcher
from shared.settings import Settings
from shared.users import Users

SCHEMA_KEY: Final = "boss:schema"
SALT_KEY: Final = "boss:salt"
MAX_SOCKET_PATH: Final = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


@dataclass(frozen=True, slots=True)
class Runtime:
    """Settings, users and connections of one process."""

    settings: Settings
    users: Users
    redis: Redis
    mailbox: Mailbox
    dispatcher: Dispatcher
    identities: Identities

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()


def open_runtime(settings: Settings, role: Literal["web", "worker", "bridge"], say: Callable[[str], None] = print) -> Runtime:
    """Open everything in order: users, Redis (waited for), the schema's version, the salt.

    Raises ConfigurationError, StorageUnavailable or SchemaTooNew.
    """
    users = users_file.load(settings.boss_users_file)
    url = redis_url(settings)
    connections.wait_until_up(url, settings.startup_wait_seconds, say)
    redis = connections.for_worker(url) if role == "worker" else connections.for_web(url)
    check_schema(redis)
    salt = identity_salt(redis)
    return Runtime(settings, users, redis, Mailbox(redis), Dispatcher(redis), Identities(salt))


def redis_url(settings: Settings) -> str:
    """REDIS_URL, or the embedded server's unix socket."""
    return settings.redis_url or f"unix://{socket_path(settings.boss_data_dir)}"


def socket_path(data_dir: Path) -> Path:
    """The embedded server's socket: in the data directory, or under the temporary one where that path is too long."""
    path = data_dir.resolve() / "redis" / "redis.sock"
    if len(str(path).encode()) <= MAX_SOCKET_PATH:
        return path
    name = sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"bossline-{name}" / "redis.sock"


def check_schema(redis: Redis) -> None:
    """Mark an empty server with our schema's version; SchemaTooNew when its data is newer than this code."""
    redis.set(SCHEMA_KEY, SCHEMA_VERSION, nx=True)
    found = int(cast("Any", redis.get(SCHEMA_KEY)) or 0)
    if found > SCHEMA_VERSION:
        raise SchemaTooNew(f"the data has schema {found}, this Bossline knows {SCHEMA_VERSION}: run the newer version")


def identity_salt(redis: Redis) -> bytes:
    """The installation's salt for ids made of addresses; made once, kept in Redis beside the records that it names."""
    redis.set(SALT_KEY, secrets.token_hex(32), nx=True)
    return bytes.fromhex(cast("Any", redis.get(SALT_KEY)).decode())
