"""What an entry of a person says, in the users file and in the registry alike: its fields, their faults, and clashes between entries.

An entry is a mapping of names to plain values, as TOML and JSON hold them (docs/reference/users.md). Faults are sentences that name the
entry and the field, and never show a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.errors import BadInput
from shared.model import forwarding
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.efforts import EFFORT_SETTINGS
from shared.model.sender_names import RULE, is_sender_name
from shared.model.users import User
from shared.model.words import DEFAULT, LANGUAGES

_BOSSES: Final = ("boss_phone", "boss_email")
_PLAIN: Final = (
    "username", "name", "timezone", "language", "role", "robots", "bridge_only", "shared", "model", "effort", "max_tokens", "about",
    "boss_name",
)  # fmt: skip
"""What is taken over as it stands."""
_FLAGS: Final = {"bridge_only", "shared"}
_NUMBERS: Final = {"max_tokens"}
_TEXTS: Final = {"phone", "email", "quiet_hours", *_BOSSES, *_PLAIN} - _FLAGS - _NUMBERS
_LISTS: Final = {"phones", "emails", "email_aliases", "forwarding"}
FIELDS: Final = _TEXTS | _FLAGS | _NUMBERS | _LISTS
"""All that an entry may say."""
ANSWER_TOKENS: Final = (64, 16_000)
"""The least and the most room that an answer may have."""
_MODEL: Final = re.compile(r"[!-~]{1,200}")
_QUIET: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
MAX_ADDRESSES: Final = 20
"""Further addresses of one kind."""
MAX_ABOUT: Final = 2_000


def user_of(entry: Mapping[str, Any], where: str, faults: list[str], identity: str = "") -> User | None:
    """One entry as a User, whose id is `identity` or else the username; its faults are appended. `where` is what they call it."""
    found = [_unknown(where, name) for name in sorted(set(entry) - FIELDS)]
    found += [f"{where}: {name} must be text" for name in sorted(_TEXTS & set(entry)) if not isinstance(entry[name], str)]
    found += [f"{where}: {name} must be true or false" for name in sorted(_FLAGS & set(entry)) if not isinstance(entry[name], bool)]
    if not entry.get("username"):
        found.append(f"{where}: username is missing")
    fields: dict[str, Any] = {name: entry[name] for name in _PLAIN if name in entry}
    if not found:
        found += _addresses(entry, fields, where)
        found += _choices(fields, where)
        found += _manner(entry, fields, where)
    faults += found
    return None if found else User(id=identity, **fields)


def _unknown(where: str, name: str) -> str:
    near = get_close_matches(name, FIELDS, n=1)
    return f"{where}: unknown field {name}" + (f" (did you mean {near[0]}?)" if near else "")


def _addresses(entry: Mapping[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    found = _boss_addresses(entry, fields, where)
    found += _own_addresses(entry, fields, where, "phone", ("phone", "phones"), PhoneNumber.parse, "an E.164 number such as +15551234567")
    found += _own_addresses(entry, fields, where, "email", ("email", "emails", "email_aliases"), EmailAddress.parse, "a mail address")
    if found:
        return found
    for mine, boss in (("phone", "boss_phone"), ("email", "boss_email")):
        if (mine in fields) != (boss in fields):
            found.append(f"{where}: {mine} and {boss} go together")
        elif mine in fields and fields[boss] == fields[mine]:
            found.append(f"{where}: {mine} and {boss} must differ")
    if "phone" not in fields and "email" not in fields:
        found.append(f"{where}: has neither phone nor email")
    return [*found, *_forwarding(entry, fields, where)]


def _boss_addresses(entry: Mapping[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    found = []
    for name, parse, kind in (
        ("boss_phone", PhoneNumber.parse, "an E.164 number such as +15551234567"),
        ("boss_email", EmailAddress.parse, "a mail address"),
    ):
        try:
            if name in entry:
                fields[name] = parse(entry[name])
        except BadInput:
            found.append(f"{where}: {name} is not {kind}")
    return found


def _own_addresses(  # noqa: PLR0917 - a table of two rows calls it
    entry: Mapping[str, Any], fields: dict[str, Any], where: str, own: str, names: Sequence[str], parse: Callable[[str], Any], kind: str
) -> list[str]:  # fmt: skip
    """A person's addresses of one kind: the first is where the Boss writes to when it begins, and the others are further ones."""
    known: list[Any] = []
    for name in names:
        if name not in entry:
            continue
        texts = [entry[name]] if name == own else entry[name]
        if not isinstance(texts, list) or len(texts) > MAX_ADDRESSES or not all(isinstance(text, str) for text in texts):
            return [f"{where}: {name} must be a list of at most {MAX_ADDRESSES} {'numbers' if own == 'phone' else 'mail addresses'}"]
        if name == "email_aliases" and texts and not known:
            return [f"{where}: email_aliases are further addresses, and email is missing"]
        try:
            known += [parse(text) for text in texts]
        except BadInput:
            return [f"{where}: {name} is not {kind}" if name == own else f"{where}: {name} has what is not {kind}"]
    first, *others = dict.fromkeys(known) or (None,)
    if first is not None:
        fields[own], fields[f"{own}_aliases"] = first, tuple(others)
    return []


def _forwarding(entry: Mapping[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    """The forwarding addresses of an entry; what comes in there is told by mail."""
    if "forwarding" not in entry:
        return []
    if "email" not in fields or entry.get("bridge_only"):
        return [f"{where}: forwarding needs email and boss_email, by which the person is told, and no bridge_only"]
    try:
        fields["forwarding"] = forwarding.parse(entry["forwarding"])
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


def _manner(entry: Mapping[str, Any], fields: dict[str, Any], where: str) -> list[str]:
    """How the Boss is to be with the person, and when it is to be quiet."""
    found = []
    if len(fields.get("about", "")) > MAX_ABOUT:
        found.append(f"{where}: about must have at most {MAX_ABOUT} characters")
    if fields.get("boss_name") and not is_sender_name(fields["boss_name"]):
        found.append(f"{where}: boss_name must be {RULE}")
    if quiet := entry.get("quiet_hours"):
        hours = _QUIET.fullmatch(quiet)
        if hours is None or hours.group(1, 2) == hours.group(3, 4):
            found.append(f'{where}: quiet_hours must be two different times of a day, such as "22:00-07:00"')
        else:
            fields["quiet_hours"] = (60 * int(hours[1]) + int(hours[2]), 60 * int(hours[3]) + int(hours[4]))
    return found


def clashes(users: Sequence[User]) -> list[str]:
    """What no two people may share: a name, both ends, a forwarding address; nor may an address be a person's and a Boss's."""
    found = []
    for what, keys in (
        ("username", [user.username for user in users]),
        ("phone and boss_phone", [ends for user in users for ends in user.all_ends("sms")]),
        ("email and boss_email", [ends for user in users for ends in user.all_ends("email")]),
    ):
        if len(set(keys)) != len(keys):
            found.append(f"two users have the same {what}")
    own = {own for user in users for _, own in user.all_ends("sms")} & {user.boss_phone for user in users if user.boss_phone}
    mail = {own for user in users for _, own in user.all_ends("email")} & {user.boss_email for user in users if user.boss_email}
    if own or mail:
        found.append("one user's own address is another's Boss: the two would talk to each other")
    addresses = [each.address for user in users for each in user.forwarding]
    writers = {own for user in users for own in (user.email, *user.email_aliases) if own}
    return found + forwarding.clashes(addresses, writers, {user.boss_email for user in users if user.boss_email})
