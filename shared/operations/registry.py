"""The registry of people, as an operator changes it: add, edit, rename and remove entries, which every process knows within seconds.

Each change is judged against the users file of this host and the registry as it stands, and stored only if nobody has changed the registry
meanwhile (`change_registry.lua`); else it is judged anew. Who is named here is named by username.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict, cast

from redis import Redis

from shared.config.settings import Settings
from shared.errors import BadInput
from shared.mailbox import Mailbox, calls, keys
from shared.model import codec
from shared.model.addresses import EmailAddress, Identities, PhoneNumber
from shared.model.channels import CHANNELS
from shared.model.user_entries import clashes, user_of
from shared.model.users import User
from shared.operations.errors import NotPossible
from shared.registry import Registry, declared_people, known_people, read_registry, write_copy
from shared.runtime import identity_salt

TRIES: Final = 10
_USERNAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_LISTS: Final = {"phone": "phones", "email": "emails"}
Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RegistryState:
    """What a change is judged by: the file's users and tables, and the registry."""

    declared: Sequence[User]
    tables: Sequence[Entry]
    registry: Registry

    @property
    def users(self) -> tuple[User, ...]:
        """Everybody who is known."""
        return known_people(self.declared, self.tables, self.registry).users

    def with_entry(self, identity: str, entry: Entry, renamed: str = "") -> RegistryState:
        """The same with another entry, or without one where `entry` is empty."""
        entries = {**self.registry.entries, identity: entry}
        if not entry:
            del entries[identity]
        ids = {**self.registry.ids, **({renamed: identity} if renamed else {})}
        return RegistryState(self.declared, self.tables, Registry(self.registry.version, entries, ids))


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that is to be written under an id; it goes where it is empty. `renamed` is the new username of an entry of the file."""

    identity: str
    entry: Entry
    renamed: str = ""


class PersonView(TypedDict):
    """One person, for an operator."""

    username: str
    name: str
    where: Literal["file", "registry", "both"]
    channels: list[str]
    role: str


class RegistryEditor:
    """Changes the registry of one installation. All of its methods raise NotPossible, ConfigurationError or RedisError."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        self._settings, self._redis = settings, redis
        self._mailbox, self._identities = Mailbox(redis), Identities(identity_salt(redis))

    def state(self) -> RegistryState:
        """The people as they are known now."""
        declared, tables = declared_people(self._settings)
        return RegistryState(declared, tables, read_registry(self._redis))

    def add(self, username: str, fields: Entry, *, returns: bool | None = None) -> User:
        """Add somebody; who they are now. `returns`: whether it is the person who had that name before, and their memory theirs again."""
        if not _USERNAME.fullmatch(username):
            raise NotPossible("a username has small letters, digits, dots, dashes and underscores, at most 40", "not_valid")

        def change(state: RegistryState) -> Change:
            if any(user.username == username for user in state.users):
                raise NotPossible(f"{username} is known already: `boss users edit {username}` changes the entry", "not_valid")
            return Change(self._id_for(username, state, returns), _plain({"username": username, **fields}))

        return self._apply(change)

    def edit(self, username: str, fields: Entry, added: Mapping[str, Sequence[str]], removed: Mapping[str, Sequence[str]]) -> User:
        """Set fields ("" takes one away); add and remove addresses, by `phone` and `email`. What the users file says is changed there."""

        def change(state: RegistryState) -> Change:
            user = _named(state, username)
            table = _table_of(state, user)
            if fixed := sorted(set(fields) & set(table)):
                raise NotPossible(f"{', '.join(fixed)}: the users file says it; change it there", "not_valid")
            entry = {"username": username, **state.registry.entries.get(user.id, {}), **fields}
            for kind, plural in _LISTS.items():
                own = entry.get(plural, [])
                first = [entry.pop(kind)] if entry.get(kind) else []
                entry[plural] = _edited([*first, *(own[1:] if first else own)], added.get(kind, ()), removed.get(kind, ()), kind)
            return Change(user.id, _plain(entry))

        return self._apply(change)

    def rename(self, username: str, new: str) -> User:
        """Give somebody another username; everything of theirs stays theirs. Of an entry of the file this says whose the new name is."""
        if not _USERNAME.fullmatch(new):
            raise NotPossible("a username has small letters, digits, dots, dashes and underscores, at most 40", "not_valid")

        def change(state: RegistryState) -> Change:
            known = {user.username: user for user in state.users}
            declared = {user.username for user in state.declared}
            identity = known[username].id if username in known else state.registry.ids.get(username, username)
            if (username not in known and new not in declared) or new == username:
                raise NotPossible("nobody has this name", "unknown_user")
            if new in known and (username in known or known[new].id not in {new, identity}):
                raise NotPossible(f"{new} is somebody else's name", "not_valid")
            entry = state.registry.entries.get(identity, {})
            if username in known and username not in declared:
                return Change(identity, {**entry, "username": new})
            return Change(identity, {**entry, "username": new} if entry else {}, new)

        return self._apply(change)

    def remove(self, username: str) -> User:
        """Take somebody out of the registry: nothing goes to them any more, and what they write is a stranger's. Who they were."""
        gone: list[User] = []

        def change(state: RegistryState) -> Change:
            user = _named(state, username)
            if user.id not in state.registry.entries or _table_of(state, user):
                raise NotPossible(f"{username} stands in the users file: take the entry out there", "not_valid")
            gone.append(user)
            return Change(user.id, {})

        self._apply(change)
        return gone[-1]

    def views(self) -> tuple[list[PersonView], tuple[str, ...]]:
        """Everybody, by username; and what the registry says that does not hold."""
        state = self.state()
        found = known_people(state.declared, state.tables, state.registry)
        return [_view(user, state) for user in sorted(found.users, key=lambda user: user.username)], found.faults

    def person(self, username: str) -> tuple[User, PersonView]:
        """One of them."""
        state = self.state()
        user = _named(state, username)
        return user, _view(user, state)

    def _apply(self, change: Callable[[RegistryState], Change]) -> User:
        operation = secrets.token_hex(8)
        for _ in range(TRIES):
            state = self.state()
            made = change(state)
            if made.entry:
                self._judge(made, state)
            call = calls.change_registry(
                state.registry.version, made.identity, self._identities.user(made.identity),
                codec.dumps(made.entry) if made.entry else "", renamed=made.renamed, operation=operation,
            )  # fmt: skip
            if self._mailbox.run(call) == "ok":
                after = self.state()
                write_copy(self._settings.boss_data_dir, after.registry)
                return next((user for user in after.users if user.id == made.identity), User(username=made.identity))
        raise NotPossible("the registry is being changed by others all the time; try again", "busy")

    def _judge(self, made: Change, state: RegistryState) -> None:
        """Raises NotPossible for what is wrong with an entry, or is somebody else's, or cannot be reached here."""
        faults: list[str] = []
        after = state.with_entry(made.identity, made.entry, made.renamed)
        alone = not any(user.id == made.identity for user in state.declared)
        user = user_of(made.entry, str(made.entry["username"]), faults, made.identity) if alone else None
        if faults:
            raise NotPossible("\n".join(faults), "not_valid")
        before = known_people(state.declared, state.tables, state.registry).faults
        new = [fault for fault in known_people(after.declared, after.tables, after.registry).faults if fault not in before]
        if user is not None:
            new += clashes([*(other for other in state.users if other.id != user.id), user]) if not new else []
            self._check_channels(user)
        if new:
            raise NotPossible("\n".join(new), "not_valid")

    def _check_channels(self, user: User) -> None:
        for channel, kind in CHANNELS.items():
            if user.ends(channel) and not user.bridge_only and channel not in self._settings.usable_channels:
                raise NotPossible(f"{kind.own_address}: {kind.provider} has no credentials here, so nothing would reach it", "not_valid")

    def _id_for(self, username: str, state: RegistryState, returns: bool | None) -> str:
        """An id that nobody has had, or that of the person who returns."""
        client = cast("Any", self._redis)
        used = (
            username in state.registry.entries
            or username in {user.id for user in state.declared}
            or client.sismember(keys.REGISTRY_IDS, username)
            or client.hexists(keys.PEOPLE, self._identities.user(username))
        )
        if not used:
            return username
        free = username not in {user.id for user in state.users}
        if returns is None and free:
            raise NotPossible(f"somebody had the name {username} before: say --same-person, or --another-person", "not_valid")
        return username if returns and free else f"{username}~{secrets.token_hex(3)}"


def _named(state: RegistryState, username: str) -> User:
    found = next((user for user in state.users if user.username == username), None)
    if found is None:
        raise NotPossible("nobody has this name", "unknown_user")
    return found


def _table_of(state: RegistryState, user: User) -> Entry:
    """What the users file says of somebody; nothing for who is in the registry alone."""
    found = next((table for table in state.tables if table.get("username") == user.username), {})
    return found if any(each.username == user.username for each in state.declared) else {}


def _view(user: User, state: RegistryState) -> PersonView:
    declared = any(each.username == user.username for each in state.declared)
    added = user.id in state.registry.entries
    channels = [name for name in CHANNELS if user.ends(name)] if not user.bridge_only else ["bridge"]
    where: Literal["file", "registry", "both"] = ("both" if added else "file") if declared else "registry"
    return {"username": user.username, "name": user.name, "where": where, "channels": channels, "role": user.role}


def _edited(now: Sequence[str], added: Sequence[str], removed: Sequence[str], kind: str) -> list[str]:
    """A list of addresses with some more and without others. Raises NotPossible for what is no address, or is not there."""
    kept = [_canonical(each, kind) for each in now]
    gone = [_canonical(each, kind) for each in removed]
    if missing := sum(each not in kept for each in gone):
        raise NotPossible(f"{missing} of {_LISTS[kind]} to be removed are not there: `boss users show` lists them", "not_valid")
    return [each for each in dict.fromkeys([*kept, *(_canonical(each, kind) for each in added)]) if each not in gone]


def _canonical(text: str, kind: str) -> str:
    parse: Callable[[str], PhoneNumber | EmailAddress] = PhoneNumber.parse if kind == "phone" else EmailAddress.parse
    try:
        return parse(text).value
    except BadInput:
        what = "an E.164 number such as +15551234567" if kind == "phone" else "a mail address"
        raise NotPossible(f"{kind} is not {what}", "not_valid") from None


def _plain(entry: Entry) -> dict[str, Any]:
    """An entry without what is empty, its addresses as lists."""
    found = {name: value for name, value in entry.items() if value not in ("", None, [], ())}
    for own, plural in _LISTS.items():
        first = [found.pop(own)] if own in found else []
        if listed := [*dict.fromkeys([*first, *found.get(plural, ())])]:
            found[plural] = listed
    return found
