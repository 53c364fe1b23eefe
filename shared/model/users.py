"""Who may talk to which Boss: a TOML file, one `[[users]]` table each.

    [[users]]
    username   = "ada"
    phone      = "+15551234567"      # with boss_phone; E.164
    boss_phone = "+15559876543"
    email      = "ada@example.com"   # with boss_email
    boss_email = "boss@example.com"
    email_aliases = ["ada@home.example"]   # optional: further addresses that the person writes from
    robots     = "answer"            # optional: mail that programs send in the person's name is answered, too
    timezone   = "Europe/Berlin"     # optional, default UTC
    role       = "admin"             # or "member", the default
    model      = "claude-opus-5-5"   # optional: another model for this person, and with it or alone `effort` and `max_tokens`
    bridge_only = true               # optional: comes over the bridge alone, and no provider is asked for on its account
    shared     = true                # optional: several people use it, such as a family's phone
    forwarding = [{ address = "contact@example.com", tag = "contact" }]   # optional: addresses to which anybody may write

A Boss number or address answers only its own users: the lookup is by both ends. A tag (`ada+shop@example.com`) makes no other address of a
mail address, the person's or the Boss's.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared import operator_files
from shared.errors import BadInput, ConfigurationError
from shared.model import forwarding
from shared.model.addresses import Address, Channel, EmailAddress, PhoneNumber
from shared.model.channels import CHANNELS
from shared.model.efforts import EFFORT_SETTINGS, EffortSetting
from shared.model.events import Received
from shared.model.forwarding import Forwarding
from shared.model.words import DEFAULT, LANGUAGES

_ENDS: Final = ("phone", "boss_phone", "email", "boss_email")
_PLAIN: Final = ("username", "name", "timezone", "language", "role", "robots", "bridge_only", "shared", "model", "effort", "max_tokens")
"""What is taken over as it stands."""
_FLAGS: Final = {"bridge_only", "shared"}
_NUMBERS: Final = {"max_tokens"}
_TEXTS: Final = {*_ENDS, *_PLAIN} - _FLAGS - _NUMBERS
_LISTS: Final = {"email_aliases", "forwarding"}
_KNOWN: Final = _TEXTS | _FLAGS | _NUMBERS | _LISTS
ANSWER_TOKENS: Final = (64, 16_000)
"""The least and the most room that an answer may have."""
_MODEL: Final = re.compile(r"[!-~]{1,200}")
MAX_ALIASES: Final = 20
MAX_USERS: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """One person and the Boss that answers them."""

    username: str
    name: str = ""
    phone: PhoneNumber | None = None
    email: EmailAddress | None = None
    boss_phone: PhoneNumber | None = None
    boss_email: EmailAddress | None = None
    timezone: str = "UTC"
    language: str = DEFAULT
    email_aliases: tuple[EmailAddress, ...] = ()
    forwarding: tuple[Forwarding, ...] = ()
    role: Literal["admin", "member"] = "member"
    robots: Literal["", "answer"] = ""
    model: str = ""
    effort: Literal["", EffortSetting] = ""
    max_tokens: int = 0
    """Who answers this person, how much it thinks, and the longest answer in tokens; "" and 0 where the channel's settings say it."""
    bridge_only: bool = False
    """Whether the addresses only name the person at the bridge: no text and no mail goes there, and none is accepted from there."""
    shared: bool = False
    """Whether several people use it: then no conversation shows or finds what was said in another."""

    def ends(self, channel: Channel) -> tuple[Address, Address] | None:
        """The Boss's address and the person's own on a channel; None where they do not have it."""
        kind = CHANNELS[channel]
        boss, own = getattr(self, kind.boss_address), getattr(self, kind.own_address)
        return (boss, own) if boss is not None and own is not None else None

    def all_ends(self, channel: Channel) -> list[tuple[Address, Address]]:
        """The same for each of the person's addresses, the first one first."""
        ends = self.ends(channel)
        aliases = self.email_aliases if channel == "email" else ()
        return [ends, *((ends[0], alias) for alias in aliases)] if ends else []


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


class Users:
    """The table of users, looked up by both ends of a message.

    `distinct_models` are some of them, one for each choice of a model that an entry makes.
    """

    def __init__(self, users: list[User]) -> None:
        self.all = tuple(users)
        self.distinct_models = tuple({(user.model, user.effort, user.max_tokens): user for user in users}.values())
        self._by_ends = {channel: {ends: user for user in users for ends in user.all_ends(channel)} for channel in CHANNELS}
        self._bosses = {channel: frozenset(boss for boss, _ in known) for channel, known in self._by_ends.items()}
        self._forwarding = {each.address: (user, each) for user in users for each in user.forwarding}

    def find(self, channel: Channel, boss: Address, address: Address) -> User | None:
        """The user whose own Boss on that channel is `boss`; None for a stranger. Tags of mail addresses may be more than the file has."""
        known = self._by_ends[channel]
        return next((known[ends] for ends in product(_forms(boss), _forms(address)) if ends in known), None)

    def is_boss(self, channel: Channel, address: Address) -> bool:
        """Whether an address, with or without its tag, is answered on a channel."""
        return any(form in self._bosses[channel] for form in _forms(address))

    def bosses(self, channel: Channel) -> frozenset[Address]:
        """The addresses that are answered on a channel."""
        return self._bosses[channel]

    def forwarding(self, address: EmailAddress) -> tuple[User, Forwarding] | None:
        """Whose forwarding address that is, with or without a tag; None for another address."""
        return next((self._forwarding[form] for form in (address, address.untagged) if form in self._forwarding), None)

    @property
    def forwarding_addresses(self) -> int:
        """How many there are."""
        return len(self._forwarding)

    def admits(self, event: Received) -> bool:
        """Whether both ends of a message are still those of the entry that it came from, and so is the forwarding address that it came by.

        The file may have changed since it came.
        """
        user = self.find(event.channel, event.to, event.from_)
        if user is None or user.username != event.user:
            return False
        return not event.forwarding or any(each.address.value == event.forwarding for each in user.forwarding)

    @property
    def reached(self) -> Users:
        """Those whom texts and mails reach: all but who comes over the bridge alone."""
        return Users([user for user in self.all if not user.bridge_only])

    @property
    def channels(self) -> frozenset[Channel]:
        """The channels whose provider is needed."""
        reached = self.reached
        return frozenset(channel for channel in CHANNELS if reached.bosses(channel))

    def named(self, username: str) -> User | None:
        """The user of that name."""
        return next((user for user in self.all if user.username == username), None)

    def has_other_channel(self, event: Received) -> bool:
        """Whether the user of a message is also reached on another channel than its own."""
        user = self.named(event.user)
        return user is not None and any(user.ends(channel) for channel in CHANNELS if channel != event.channel)

    def language(self, username: str) -> str:
        """The language in which our own sentences are written for the user of that name."""
        user = self.named(username)
        return user.language if user else DEFAULT


def _forms(address: Address) -> tuple[Address, ...]:
    """An address as it is written, then without its tag."""
    return (address, address.untagged) if isinstance(address, EmailAddress) else (address,)


def load_users(path: Path | None) -> Users:
    """Read the users file; None gives the local user. Raises ConfigurationError with every fault."""
    if path is None:
        return Users([LOCAL_USER])
    text = operator_files.read("BOSS_USERS_FILE", path)
    try:
        tables = tomllib.loads(text).get("users", [])
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = f" at {place[0]}" if (place := re.search(r"line \d+, column \d+", str(error))) else ""
        raise ConfigurationError(f"BOSS_USERS_FILE: {path} is not TOML{where}; correct it (docs/reference/users.md)") from None
    if not isinstance(tables, list) or len(tables) > MAX_USERS or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError("BOSS_USERS_FILE: must hold [[users]] tables")
    faults: list[str] = []
    users = [user for number, table in enumerate(tables, 1) if (user := _user(table, number, faults))]
    faults += _clashes(users)
    if not tables:
        faults.append("there is no [[users]] table")
    if faults:
        raise ConfigurationError("BOSS_USERS_FILE:\n" + "\n".join(f"  {fault}" for fault in faults))
    return Users(users)


def _user(table: dict[str, Any], number: int, faults: list[str]) -> User | None:
    """One table as a User; its faults are appended, without the values."""
    where = f"user {number}"
    found = [_unknown(where, name) for name in sorted(set(table) - _KNOWN)]
    found += [f"{where}: {name} must be text" for name in sorted(_TEXTS & set(table)) if not isinstance(table[name], str)]
    found += [f"{where}: {name} must be true or false" for name in sorted(_FLAGS & set(table)) if not isinstance(table[name], bool)]
    if not table.get("username"):
        found.append(f"{where}: username is missing")
    fields: dict[str, Any] = {name: table[name] for name in _PLAIN if name in table}
    if not found:
        found += _addresses(table, fields, where)
        found += _choices(fields, where)
    faults += found
    return None if found else User(**fields)


def _unknown(where: str, name: str) -> str:
    near = get_close_matches(name, _KNOWN, n=1)
    return f"{where}: unknown field {name}" + (f" (did you mean {near[0]}?)" if near else "")


def _addresses(table: dict[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    found = []
    for name in _ENDS:
        if name not in table:
            continue
        parse = PhoneNumber.parse if name.endswith("phone") else EmailAddress.parse
        try:
            fields[name] = parse(table[name])
        except BadInput:
            kind = "an E.164 number such as +15551234567" if name.endswith("phone") else "a mail address"
            found.append(f"{where}: {name} is not {kind}")
    for mine, boss in (("phone", "boss_phone"), ("email", "boss_email")):
        if (mine in table) != (boss in table):
            found.append(f"{where}: {mine} and {boss} go together")
        elif mine in fields and fields[mine] == fields.get(boss):
            found.append(f"{where}: {mine} and {boss} must differ")
    if "phone" not in table and "email" not in table:
        found.append(f"{where}: has neither phone nor email")
    return [*found, *_aliases(table, fields, where), *_forwarding(table, fields, where)]


def _aliases(table: dict[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    """The further mail addresses of a table; they need a first one."""
    texts = table.get("email_aliases", [])
    if not isinstance(texts, list) or len(texts) > MAX_ALIASES or not all(isinstance(text, str) for text in texts):
        return [f"{where}: email_aliases must be a list of at most {MAX_ALIASES} mail addresses"]
    if texts and "email" not in table:
        return [f"{where}: email_aliases are further addresses, and email is missing"]
    try:
        fields["email_aliases"] = tuple(EmailAddress.parse(text) for text in texts)
    except BadInput:
        return [f"{where}: email_aliases has what is not a mail address"]
    return []


def _forwarding(table: dict[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    """The forwarding addresses of a table; what comes in there is told by mail."""
    if "forwarding" not in table:
        return []
    if "email" not in table or table.get("bridge_only"):
        return [f"{where}: forwarding needs email and boss_email, by which the person is told, and no bridge_only"]
    try:
        fields["forwarding"] = forwarding.parse(table["forwarding"])
    except BadInput as error:
        return [f"{where}: forwarding {error.detail}"]
    return []


def _choices(fields: dict[str, Any], where: str) -> list[str]:
    found = []
    if fields.get("role", "member") not in ("admin", "member"):
        found.append(f"{where}: role must be admin or member")
    if fields.get("robots", "") not in ("", "answer"):
        found.append(f'{where}: robots must be "answer", or be left out')
    if not _MODEL.fullmatch(fields.get("model", "-")):
        found.append(f"{where}: model must be its name, without blanks")
    if fields.get("effort", "default") not in EFFORT_SETTINGS:
        found.append(f"{where}: effort must be one of {', '.join(EFFORT_SETTINGS)}")
    least, most = ANSWER_TOKENS
    if type(fields.get("max_tokens", least)) is not int or not least <= fields.get("max_tokens", least) <= most:
        found.append(f"{where}: max_tokens must be a number from {least} to {most}")
    if fields.get("language", DEFAULT) not in LANGUAGES:
        found.append(f"{where}: language must be one of {', '.join(LANGUAGES)}")
    try:
        ZoneInfo(fields.get("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(f"{where}: timezone is not an IANA name such as Europe/Berlin")
    return found


def _clashes(users: list[User]) -> list[str]:
    """Two users may share a Boss, but not a name nor both ends."""
    found = []
    for what, keys in (
        ("username", [user.username for user in users]),
        ("phone and boss_phone", [(user.phone, user.boss_phone) for user in users if user.phone]),
        ("email and boss_email", [ends for user in users for ends in user.all_ends("email")]),
    ):
        if len(set(keys)) != len(keys):
            found.append(f"two users have the same {what}")
    own = {user.phone for user in users if user.phone} & {user.boss_phone for user in users if user.boss_phone}
    mail = {own for user in users for _, own in user.all_ends("email")} & {user.boss_email for user in users if user.boss_email}
    if own or mail:
        found.append("one user's own address is another's Boss: the two would talk to each other")
    addresses = [each.address for user in users for each in user.forwarding]
    writers = {own for user in users for own in (user.email, *user.email_aliases) if own}
    return found + forwarding.clashes(addresses, writers, {user.boss_email for user in users if user.boss_email})
