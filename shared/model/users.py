"""Who may talk to which Boss: the people whom this process knows now, looked up by both ends of a message.

They come from the users file (`shared.model.users_file`) and from the registry in Redis (`shared.registry`), and change while the
process runs.

A Boss number or address answers only its own users: the lookup is by both ends. A tag (`ada+shop@example.com`) makes no other address of a
mail address, the person's or the Boss's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final, Generic, Literal, TypeVar

from shared.model.addresses import Address, Channel, EmailAddress, PhoneNumber
from shared.model.channels import CHANNELS
from shared.model.efforts import EffortSetting
from shared.model.events import Received
from shared.model.forwarding import Forwarding
from shared.model.words import DEFAULT

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One person and the Boss that answers them.

    `id` is what everything that is kept of the person hangs on: it never changes and is given to nobody else. It is the username that the
    entry had first; "" stands for that. People see the `username`.
    """

    username: str
    id: str = ""
    name: str = ""
    phone: PhoneNumber | None = None
    email: EmailAddress | None = None
    boss_phone: PhoneNumber | None = None
    boss_email: EmailAddress | None = None
    timezone: str = "UTC"
    language: str = DEFAULT
    phone_aliases: tuple[PhoneNumber, ...] = ()
    email_aliases: tuple[EmailAddress, ...] = ()
    """Further addresses that the person writes from; what the Boss begins goes to `phone` and `email`."""
    forwarding: tuple[Forwarding, ...] = ()
    role: Literal["admin", "member"] = "member"
    robots: Literal["", "answer"] = ""
    model: str = ""
    effort: Literal["", EffortSetting] = ""
    max_tokens: int = 0
    """Who answers this person, how much it thinks, and the longest answer in tokens; "" and 0 where the channel's settings say it."""
    about: str = ""
    """What the Boss is to know of the person, and how it is to be with them."""
    boss_name: str = ""
    """What the person calls the Boss; "" for the usual name."""
    quiet_hours: tuple[int, int] | None = None
    """From and until when nothing is to ring that the Boss begins by itself, in minutes of the person's day."""
    bridge_only: bool = False
    """Whether the addresses only name the person at the bridge: no text and no mail goes there, and none is accepted from there."""
    shared: bool = False
    """Whether several people use it: then no conversation shows or finds what was said in another."""

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", self.username)

    def ends(self, channel: Channel) -> tuple[Address, Address] | None:
        """The Boss's address and the person's own on a channel; None where they do not have it."""
        kind = CHANNELS[channel]
        boss, own = getattr(self, kind.boss_address), getattr(self, kind.own_address)
        return (boss, own) if boss is not None and own is not None else None

    def all_ends(self, channel: Channel) -> list[tuple[Address, Address]]:
        """The same for each of the person's addresses, the first one first."""
        ends = self.ends(channel)
        return [ends, *((ends[0], alias) for alias in getattr(self, CHANNELS[channel].further_addresses))] if ends else []


LOCAL_USER: Final = User(
    username="user",
    name="Example User",
    phone=PhoneNumber("+15551234567"),
    email=EmailAddress("user@example.com"),
    boss_phone=PhoneNumber("+15559876543"),
    boss_email=EmailAddress("boss@example.com"),
    role="admin",
)
"""The one user of a local installation without a users file."""


class _Table:
    """The users at one moment, with what is looked up in them."""

    def __init__(self, users: Iterable[User], version: int) -> None:
        self.all = tuple(users)
        self.version = version
        self.distinct_models = tuple({(user.model, user.effort, user.max_tokens): user for user in self.all}.values())
        self.by_id = {user.id: user for user in reversed(self.all)}
        self.by_username = {user.username: user for user in reversed(self.all)}
        self.by_ends = {channel: {ends: user for user in self.all for ends in user.all_ends(channel)} for channel in CHANNELS}
        self.bosses = {channel: frozenset(boss for boss, _ in known) for channel, known in self.by_ends.items()}
        self.forwarding = {each.address: (user, each) for user in self.all for each in user.forwarding}


class Users:
    """The users whom a process knows. One object a process, whose table is replaced whole when the file or the registry has changed.

    Each look-up reads one table; two look-ups may read two.
    """

    def __init__(self, users: Iterable[User], version: int = 0) -> None:
        self._table = _Table(users, version)

    def replace(self, users: Iterable[User], version: int = 0) -> None:
        """Know these users from now on."""
        self._table = _Table(users, version)

    @property
    def version(self) -> int:
        """The registry's version that they are of. Read before a judgement, it is never newer than what is judged by."""
        return self._table.version

    @property
    def all(self) -> tuple[User, ...]:
        """All of them: the same object until they change."""
        return self._table.all

    @property
    def distinct_models(self) -> tuple[User, ...]:
        """Some of them, one for each choice of a model that an entry makes."""
        return self._table.distinct_models

    def find(self, channel: Channel, boss: Address, address: Address) -> User | None:
        """The user whose own Boss on that channel is `boss`; None for a stranger. Tags of mail addresses may be more than the entry has."""
        known = self._table.by_ends[channel]
        return next((known[ends] for ends in product(_forms(boss), _forms(address)) if ends in known), None)

    def is_boss(self, channel: Channel, address: Address) -> bool:
        """Whether an address, with or without its tag, is answered on a channel."""
        bosses = self._table.bosses[channel]
        return any(form in bosses for form in _forms(address))

    def bosses(self, channel: Channel) -> frozenset[Address]:
        """The addresses that are answered on a channel."""
        return self._table.bosses[channel]

    def forwarding(self, address: EmailAddress) -> tuple[User, Forwarding] | None:
        """Whose forwarding address that is, with or without a tag; None for another address."""
        known = self._table.forwarding
        return next((known[form] for form in (address, address.untagged) if form in known), None)

    @property
    def forwarding_addresses(self) -> int:
        """How many there are."""
        return len(self._table.forwarding)

    def admits(self, event: Received) -> bool:
        """Whether both ends of a message are still those of the person that it came from, and so is the forwarding address that it came by.

        The entry may have changed since it came.
        """
        user = self.find(event.channel, event.to, event.from_)
        if user is None or user.id != event.user:
            return False
        return not event.forwarding or any(each.address.value == event.forwarding for each in user.forwarding)

    @property
    def reached(self) -> Users:
        """Those whom texts and mails reach, as they are now: all but who comes over the bridge alone."""
        table = self._table
        return Users((user for user in table.all if not user.bridge_only), table.version)

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels on which somebody is reached."""
        reached = self.reached
        return frozenset(channel for channel in CHANNELS if reached.bosses(channel))

    def named(self, username: str) -> User | None:
        """The user of that name, as an operator calls them."""
        return self._table.by_username.get(username)

    def with_id(self, user: str) -> User | None:
        """The user of that id, as an event names them."""
        return self._table.by_id.get(user)

    def has_other_channel(self, event: Received) -> bool:
        """Whether the user of a message is also reached on another channel than its own."""
        user = self.with_id(event.user)
        return user is not None and any(user.ends(channel) for channel in CHANNELS if channel != event.channel)

    def language(self, user: str) -> str:
        """The language in which our own sentences are written for the user of that id."""
        found = self.with_id(user)
        return found.language if found else DEFAULT


class OfUsers(Generic[T]):
    """What is computed from the users as a whole: once, and anew when they have changed."""

    def __init__(self, users: Users, compute: Callable[[], T]) -> None:
        self._users, self._compute = users, compute
        self._found: tuple[tuple[User, ...], T] | None = None

    @property
    def now(self) -> T:
        """The value of the users as they are now."""
        users = self._users.all
        if self._found is None or self._found[0] is not users:
            self._found = users, self._compute()
        return self._found[1]


def _forms(address: Address) -> tuple[Address, ...]:
    """An address as it is written, then without its tag."""
    return (address, address.untagged) if isinstance(address, EmailAddress) else (address,)
