"""The user, and the Boss, for whom a command sends messages over the bridge; and what such a command prints when there is no bridge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import click

from boss.terminal.output import Ending
from bridge.client.client import SupervisorClient
from bridge.client.errors import BridgeError, BridgeRefused
from shared.config.settings import Settings
from shared.errors import BadInput
from shared.model.addresses import Channel, EmailAddress, PhoneNumber
from shared.model.users import User
from shared.observability.redaction import mask
from shared.registry import users_on_disk

UNREACHABLE: Final = 2


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a conversation, as the fields of the bridge's frames."""

    user: str
    sender: str = field(repr=False)
    boss: str = field(repr=False)


def ends_of(settings: Settings, channel: Channel, who: str = "") -> Ends | None:
    """The user with that address or name; without `who`, the first user with the channel, or None. Raises BadParameter for a stranger."""
    users = users_on_disk(settings).all
    found = [user for user in users if not who or _is(user, who)]
    if not found:
        raise click.BadParameter("no user of the users file has this address or name", param_hint="--as")
    return next((ends for user in found if (ends := _ends(user, channel))), None)


def client_of(settings: Settings) -> SupervisorClient:
    """A client for the bridge of these settings."""
    return SupervisorClient(settings.bridge_url, settings.supervisor_token.get_secret_value())


def place_of(settings: Settings) -> str:
    """The bridge's address as it may be printed."""
    return mask(settings.bridge_url)


def what_to_do(error: BridgeError) -> str:
    """What to do about a connection that failed."""
    if isinstance(error, BridgeRefused):
        return "Is SUPERVISOR_TOKEN the bridge's own, and SUPERVISOR_URL its address?"
    return "Is `boss bridge` running there?"


def unreachable(settings: Settings, error: BridgeError) -> Ending:
    """The end of a command whose connection failed."""
    return Ending(f"{place_of(settings)}: {error.detail}. {what_to_do(error)}", UNREACHABLE)


def _is(user: User, who: str) -> bool:
    known = {user.username, *(str(address) for address in (user.phone, user.email) if address)}
    return bool({who, *_canonical(who)} & known)


def _canonical(who: str) -> list[str]:
    found = []
    for kind in (PhoneNumber, EmailAddress):
        try:
            found.append(kind.parse(who).value)
        except BadInput:
            continue
    return found


def _ends(user: User, channel: Channel) -> Ends | None:
    ends = user.ends(channel)
    return Ends(user.username, str(ends[1]), str(ends[0])) if ends else None
