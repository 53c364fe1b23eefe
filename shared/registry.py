"""The people whom an installation knows: the users file of each host, and beside it the registry in Redis, which all hosts share.

The file wins, address by address: what clashes disables only what the registry says, and `faults` tells of it. An entry of the registry
whose id is that of an entry of the file adds to it what the file does not say. Each host keeps a copy of the registry on its disk for a
start without Redis. Every serving process looks every REFRESH_SECONDS whether the file or the registry has changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from redis import Redis
from redis.exceptions import RedisError

from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.host_id import host_id, host_name
from shared.mailbox import keys
from shared.model import forwarding
from shared.model.addresses import Address, EmailAddress
from shared.model.channels import CHANNELS
from shared.model.user_entries import clashes, user_of
from shared.model.users import LOCAL_USER, User, Users
from shared.model.users_file import read_entries, read_users
from shared.observability import logs

REFRESH_SECONDS: Final = 2.0
CONFIRM_SECONDS: Final = 3_600.0
"""How often a host says which version its copy has, where that has not changed."""
DEAD_DRAFT_SECONDS: Final = 60.0
COPY: Final = "registry.json"
"""The copy's name in BOSS_DATA_DIR."""
_LOCAL: Final = {
    name: str(getattr(LOCAL_USER, name)) for name in ("username", "name", "phone", "email", "boss_phone", "boss_email", "role")
}
"""The local user as an entry."""
_ADDRESSES: Final = {"phone", "phones", "email", "emails", "email_aliases"}
log = logs.logger(__name__)


@dataclass(frozen=True, slots=True)
class Registry:
    """What Redis keeps: `entries` by their permanent ids; `ids` are those of entries of the file that were renamed, by their username."""

    version: int = 0
    entries: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    ids: Mapping[str, str] = field(default_factory=dict, repr=False)


NO_REGISTRY: Final = Registry()


@dataclass(frozen=True, slots=True)
class KnownPeople:
    """Who is known, and what the registry says that does not hold: sentences without an address."""

    users: tuple[User, ...]
    faults: tuple[str, ...] = ()


def read_registry(redis: Redis) -> Registry:
    """The registry as it is now, in one round trip. Raises RedisError."""
    with redis.pipeline(transaction=True) as pipeline:
        pipeline.hget(keys.REGISTRY_STATE, "version")
        pipeline.hgetall(keys.REGISTRY)
        pipeline.hgetall(keys.REGISTRY_NAMES)
        version, entries, ids = cast("Any", pipeline.execute())
    return Registry(
        int(version or 0),
        {identity.decode(): entry for identity, raw in entries.items() if isinstance(entry := json.loads(raw), dict)},
        {username.decode(): identity.decode() for username, identity in ids.items()},
    )


def registry_version(redis: Redis) -> int:
    """The version, which every change raises; 0 before the first. Raises RedisError."""
    return int(cast("Any", redis.hget(keys.REGISTRY_STATE, "version")) or 0)


def known_people(declared: Sequence[User], entries: Iterable[Mapping[str, Any]], registry: Registry) -> KnownPeople:
    """Who is known by the file and the registry together. `declared` are the file's users without fault, `entries` its tables."""
    if not registry.entries and not registry.ids:
        return KnownPeople(tuple(declared))
    tables = {entry.get("username"): entry for entry in entries}
    faults: list[str] = []
    known = [_declared(user, tables.get(user.username, {}), registry, faults) for user in declared]
    own = {user.id for user in known}
    added = [
        user
        for identity, entry in sorted(registry.entries.items())
        if identity not in own and (user := user_of(entry, _called(entry, identity), faults, identity))
    ]
    whole = [*known, *added]
    return KnownPeople(tuple(_without_clashes(declared, known, added, faults) if clashes(whole) else whole), tuple(faults))


def _called(entry: Mapping[str, Any], identity: str) -> str:
    return f"registry, {entry.get('username') or identity}"


def _declared(user: User, table: Mapping[str, Any], registry: Registry, faults: list[str]) -> User:
    """A user of the file, with what the registry adds: the file's own word stands, and its addresses come first."""
    identity = registry.ids.get(user.username, user.username)
    extra = registry.entries.get(identity, {})
    both = {**{name: value for name, value in extra.items() if name not in _ADDRESSES}, **table, "username": user.username}
    for name in ("phones", "emails"):
        if more := [*extra.get(name, ())]:
            both[name] = [*both.get(name, ()), *more]
    return (extra and user_of(both, _called({"username": user.username}, identity), faults, identity)) or replace(user, id=identity)


def _without_clashes(declared: Sequence[User], known: Sequence[User], added: Sequence[User], faults: list[str]) -> list[User]:
    """The same people without what clashes: the file's own stands, and then what comes first by the order of ids."""
    taken, names = _Taken(faults), {user.username for user in known}
    for user, whole in zip(declared, known, strict=True):
        taken.hold(replace(user, id=whole.id))
    kept = [taken.admit(user) for user in known]
    for user in added:
        if user.username in names:
            faults.append(f"registry, {user.username}: somebody else has this username, and the entry is left out")
            continue
        names.add(user.username)
        admitted = taken.admit(user)
        if any(admitted.ends(channel) for channel in CHANNELS):
            kept.append(admitted)
        else:
            faults.append(f"registry, {user.username}: no address is left, and the entry is left out")
    return kept


class _Taken:
    """Which addresses are whose already."""

    def __init__(self, faults: list[str]) -> None:
        self._faults = faults
        self._ends: dict[tuple[Address, Address], str] = {}
        self._own: set[Address] = set()
        self._bosses: set[Address] = set()
        self._forwarding: list[EmailAddress] = []

    def hold(self, user: User) -> None:
        """These addresses are this user's."""
        for channel in CHANNELS:
            for boss, own in user.all_ends(channel):
                self._ends[boss, own] = user.id
                self._own.add(own)
                self._bosses.add(boss)
        self._forwarding += [each.address for each in user.forwarding if each.address not in self._forwarding]

    def admit(self, user: User) -> User:
        """The user with those addresses that are free or their own already; the others are told of."""
        for channel, kind in CHANNELS.items():
            ends = user.all_ends(channel)
            free = [own for boss, own in ends if self._is_free(boss, own, user.id)]
            if len(free) < len(ends):
                self._faults.append(f"registry, {user.username}: {len(ends) - len(free)} of {kind.own_address} are somebody else's already")
                first, *others = free or (None,)
                further: dict[str, Any] = {kind.own_address: first, kind.further_addresses: tuple(others)}
                user = replace(user, **(further if free else {**further, kind.boss_address: None}))
        if clashed := self._forwarding_clash(user):
            self._faults += [f"registry, {user.username}: forwarding is left out: {fault}" for fault in clashed]
            user = replace(user, forwarding=())
        self.hold(user)
        return user

    def _is_free(self, boss: Address, own: Address, identity: str) -> bool:
        if (boss, own) in self._ends:
            return self._ends[boss, own] == identity
        return own not in self._bosses and boss not in self._own

    def _forwarding_clash(self, user: User) -> list[str]:
        new = [each.address for each in user.forwarding if each.address not in self._forwarding]
        mail = [own for _, own in user.all_ends("email")]
        bosses = {each for each in (*self._bosses, user.boss_email) if isinstance(each, EmailAddress)}
        writers = {each for each in (*self._own, *mail) if isinstance(each, EmailAddress)}
        return forwarding.clashes([*self._forwarding, *new], writers, bosses) if new else []


class PeopleDirectory:
    """The people whom one process knows, and what keeps them up to date. `users` is one object for the life of the process."""

    def __init__(self, settings: Settings, redis: Redis, *, reached_only: bool = False) -> None:
        """Those of the file and of the copy on disk, without asking Redis. Raises ConfigurationError for a fault in the file.

        `reached_only`: without those who come over the bridge alone.
        """
        self._settings, self._redis, self._reached_only = settings, redis, reached_only
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._registry = read_copy(settings.boss_data_dir)
        self._file = _FileState(settings)
        self._told: tuple[str, ...] = ()
        self._confirmed, self._confirm_at = -1, 0.0
        self.users = Users(self._known(), self._registry.version)

    def start(self) -> None:
        """Look for changes from now on, in a thread of its own, until `close`."""
        self._thread = threading.Thread(target=self._watch, name="people", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(REFRESH_SECONDS)

    def refresh(self) -> bool:
        """Take in what has changed in the file and in the registry; whether something has. Raises RedisError.

        A fault in a changed file keeps what held before, and is logged once.
        """
        with self._lock:
            changed = self._file.changed()
            if registry_version(self._redis) != self._registry.version:
                self._registry, changed = read_registry(self._redis), True
                write_copy(self._settings.boss_data_dir, self._registry)
            self._confirm()
            if changed:
                self.users.replace(self._known(), self._registry.version)
                log.info("The people whom this process knows have changed.", action="users_changed", users=len(self.users.all))
            return changed

    @property
    def file_is_new(self) -> bool:
        """Whether the users file is another one than was read last."""
        return self._file.is_new

    def refresh_file(self) -> None:
        """Take in a users file that has changed, without asking Redis."""
        with self._lock:
            if self._file.changed():
                self.users.replace(self._known(), self._registry.version)

    def _confirm(self) -> None:
        """Say which version this host's copy has: who was taken away stands in an older one. Raises RedisError."""
        version, directory = self._registry.version, self._settings.boss_data_dir
        if version == self._confirmed and time.monotonic() < self._confirm_at:
            return
        self._confirmed, self._confirm_at = version, time.monotonic() + CONFIRM_SECONDS
        copy = read_copy(directory)
        if copy.version:
            seconds, micros = cast("Any", self._redis.time())
            told = f"{copy.version} {seconds * 1000 + micros // 1000} {host_name(directory)}"
            self._redis.hset(keys.REGISTRY_COPIES, host_id(directory), told)

    def _known(self) -> list[User]:
        found = known_people(self._file.users, self._file.entries, self._registry)
        if found.faults and found.faults != self._told:
            log.warning("Parts of the registry do not hold: see `boss doctor`.", action="registry_fault", faults=len(found.faults))
        self._told = found.faults
        return [user for user in found.users if not (self._reached_only and user.bridge_only)]

    def _watch(self) -> None:
        while not self._stop.wait(REFRESH_SECONDS):
            try:
                self.refresh()
            except (RedisError, OSError, ValueError):  # it is looked again; whoever needs Redis tells of it
                continue


class _FileState:
    """The users file as it was read last."""

    def __init__(self, settings: Settings) -> None:
        """Read it. Raises ConfigurationError."""
        self._path = settings.boss_users_file
        self.users, self.entries = declared_people(settings)
        self._stamp = self._stat()

    @property
    def is_new(self) -> bool:
        """Whether it is another one now than was read last."""
        return self._stat() != self._stamp

    def changed(self) -> bool:
        """Read it where it is another one now; whether so, and without fault."""
        stamp = self._stat()
        if self._path is None or stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.users, self.entries = read_users(self._path), read_entries(self._path)
        except ConfigurationError as error:
            log.exception("The users file cannot be used, and what it said before holds.", action="users_file_fault", reason=error.detail)
            return False
        return True

    def _stat(self) -> tuple[int, ...]:
        if self._path is None:
            return ()
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)


def declared_people(settings: Settings) -> tuple[list[User], list[dict[str, Any]]]:
    """The users of the file, and its tables; without a file the local user, where the installation is a local one.

    Raises ConfigurationError.
    """
    if settings.boss_users_file is not None:
        return read_users(settings.boss_users_file), read_entries(settings.boss_users_file)
    return ([LOCAL_USER], [_LOCAL]) if settings.environment == "local" else ([], [])


def people_on_disk(settings: Settings) -> KnownPeople:
    """Who is known by the file and this host's copy of the registry, without asking Redis. Raises ConfigurationError."""
    users, entries = declared_people(settings)
    return known_people(users, entries, read_copy(settings.boss_data_dir))


def users_on_disk(settings: Settings) -> Users:
    """The same people, to be looked up. Raises ConfigurationError."""
    return Users(people_on_disk(settings).users)


def people_now(settings: Settings, redis: Redis) -> KnownPeople:
    """Who is known by the file and the registry. Raises ConfigurationError or RedisError."""
    users, entries = declared_people(settings)
    return known_people(users, entries, read_registry(redis))


def read_copy(data_dir: Path) -> Registry:
    """This host's copy of the registry; an empty one where there is none that can be read."""
    try:
        found = json.loads((data_dir / COPY).read_bytes())
        return Registry(int(found["version"]), dict(found["entries"]), dict(found["ids"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return NO_REGISTRY


def write_copy(data_dir: Path, registry: Registry) -> None:
    """Keep the registry on this host's disk, for its owner alone: whole, or as it was. A disk that refuses is told of in the log."""
    content = json.dumps({"version": registry.version, "entries": {**registry.entries}, "ids": {**registry.ids}}).encode()
    draft = data_dir / f"{COPY}.{os.getpid()}.{secrets.token_hex(4)}.draft"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(data_dir / COPY)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        log.warning("The copy of the registry could not be written.", action="registry_copy_failed", error=type(error).__name__)
    _drop_dead_drafts(data_dir)


def _drop_dead_drafts(data_dir: Path) -> None:
    """Those of processes that died as they wrote: they hold addresses, too."""
    with contextlib.suppress(OSError):
        for draft in data_dir.glob(f"{COPY}.*.draft"):
            if time.time() - draft.stat().st_mtime > DEAD_DRAFT_SECONDS:
                draft.unlink(missing_ok=True)
