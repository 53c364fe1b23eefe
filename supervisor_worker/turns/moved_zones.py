"""People who move to another time zone: they are asked once whether their reminders move with them.

Reminders keep the zone by whose clock they were set. Each worker tells the scripts the zones of its users when it starts and when they
have changed. Whose zone is another is noted in the same step, so that whoever comes after a process that died asks in its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from typing import Final
from zoneinfo import ZoneInfo

from redis.exceptions import RedisError

from shared.mailbox import calls
from shared.model.recurrence import Occurrence, local_time
from shared.model.users import User
from supervisor_worker.turns.context import TurnContext

LOOK_SECONDS: Final = 1.0
MAX_LOOKS: Final = 100
"""How often one publication asks for as many people as one answer names."""


async def keep_zones_published(context: TurnContext) -> None:
    """Publish the zones now, and whenever the users have changed, until the process is told to end."""
    published: tuple[User, ...] | None = None
    while not context.stopping.is_set():
        if (users := context.users.all) is not published:
            await publish_zones(context)
            published = users
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(context.stopping.wait(), LOOK_SECONDS)


async def publish_zones(context: TurnContext) -> None:
    """Tell the scripts the zones of the users, by which a person's days and months are reckoned, and ask who has moved.

    Through an outage; what is left then is asked at the next start.
    """
    zones = {context.identities.user(user.id): user.timezone for user in context.users.all if user.timezone != "UTC"}
    with contextlib.suppress(RedisError, OSError):
        await context.mailbox.run(calls.zones(zones))
        await _ask_who_moved(context)


async def _ask_who_moved(context: TurnContext) -> None:
    entries = {context.identities.user(user.id): user for user in context.users.all}
    for _ in range(MAX_LOOKS):
        changed = await context.mailbox.run(calls.changed_zones())
        if not changed.users:
            return
        for user in changed.users:
            zone = entries[user].timezone if user in entries else "UTC"
            shown = local_time(changed.now_ms, ZoneInfo(zone))
            await context.mailbox.run(calls.ask_zone(user, zone, _question(user, zone), Occurrence(changed.now_ms, shown)))


def _question(user: str, zone: str) -> str:
    """The id of what asks a person about a zone: the same whoever computes it."""
    return hashlib.sha256(f"zone\x1f{user}\x1f{zone}".encode()).hexdigest()[:16]
