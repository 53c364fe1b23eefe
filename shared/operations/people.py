"""The people of the users file and the registry, and the ids under which the mailbox knows them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from redis import Redis

from shared.config.settings import Settings
from shared.errors import ConfigurationError
from shared.model.addresses import Address, Identities
from shared.model.channels import CHANNELS
from shared.model.users import User, Users
from shared.operations.errors import NotPossible
from shared.operations.person_records import Whose
from shared.registry import people_now
from shared.runtime import identity_salt


class People:
    """Users by their ids, and ids by whatever an operator has of a user."""

    def __init__(self, users: tuple[User, ...], identities: Identities) -> None:
        self.users = users
        self.identities = identities

    @classmethod
    def load(cls, settings: Settings, redis: Redis) -> People:
        """Those of the users file and the registry; nobody while the file cannot be read: an operator still sees something.

        Raises RedisError.
        """
        identities = Identities(identity_salt(redis))
        try:
            return cls(people_now(settings, redis).users, identities)
        except ConfigurationError:
            return cls((), identities)

    @cached_property
    def _names(self) -> dict[str, str]:
        return {self.identities.user(user.id): user.username for user in self.users}

    @cached_property
    def all_users(self) -> Users:
        """The users, to be looked up."""
        return Users(self.users)

    def name_of(self, user: str) -> str:
        """The username of an id; "" for none, and for somebody who has left the users file."""
        return self._names.get(user, "")

    def id_of(self, username: str) -> str:
        """The permanent id of the entry of that name. A name of nobody is taken for the id of somebody who has left."""
        return next((user.id for user in self.users if user.username == username), username)

    def user_id(self, username: str) -> str:
        """The same as records have it."""
        return self.identities.user(self.id_of(username))

    def named(self, username: str) -> User:
        """The user of that name; raises NotPossible `unknown_user`."""
        for user in self.users:
            if user.username == username:
                return user
        raise NotPossible("nobody has this name", "unknown_user")

    def shown_as(self, mask: str) -> Iterator[User]:
        """The users of whom an address looks so, masked."""
        for user in self.users:
            if any(own.masked() == mask for _, own in self._ends(user)):
                yield user

    def pairs(self, user: User) -> list[str]:
        """The ids of all of a user's ways to their Boss; a bridge's messages count to one of them."""
        return [self.identities.pair(boss, own) for boss, own in self._ends(user)]

    def whose(self, username: str) -> Whose:
        """Whose records are to be found: a name's, which need not be a user's any more."""
        user = next((each for each in self.users if each.username == username), None)
        return Whose(self.id_of(username), self.user_id(username), self._senders(user) if user else ())

    def masks(self, user: User) -> set[str]:
        """How a user's addresses are shown, masked."""
        return {own.masked() for _, own in self._ends(user)}

    def _senders(self, user: User) -> tuple[str, ...]:
        """The ids of a user's addresses, and of their forwarding addresses."""
        own = [self.identities.sender(address) for _, address in self._ends(user)]
        forwarding = [self.identities.forwarding(each.address.value, user.id) for each in user.forwarding]
        return tuple(dict.fromkeys([*own, *forwarding]))

    def _ends(self, user: User) -> list[tuple[Address, Address]]:
        return [ends for channel in CHANNELS for ends in user.all_ends(channel)]
