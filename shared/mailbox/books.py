"""What answering has cost, as the scripts have written it: of all and of each person, by day and month, by model. Nothing is scanned.

Money is in microdollars. Of all, days and months are UTC's; of a person, those of their own clock. By the server's time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from redis import Redis

from shared.mailbox import keys

BATCH: Final = 500
FORWARDED: Final = "forwarded"
"""Who pays for what comes by forwarding addresses."""
NOBODY: Final = "-"
_FIELDS: Final = ("money", "money_reserved", "tokens", "reserved", "searches")


@dataclass(frozen=True, slots=True)
class Used:
    """What was used, and what is reserved for questions under way. `searches` of the web are counted by day, month and person."""

    money: int = 0
    money_reserved: int = 0
    tokens: int = 0
    reserved: int = 0
    searches: int = 0


@dataclass(frozen=True, slots=True)
class PersonBooks:
    """One person's day and month; `person` is their id, FORWARDED or NOBODY, and `user` the id of their entry, or the same."""

    person: str
    user: str
    day: Used
    month: Used


@dataclass(frozen=True, slots=True)
class Books:
    """All that is kept of now. `models` are by name, today and in this month; `days` those of this month, by number."""

    now: datetime
    day: Used
    month: Used
    last_month: Used
    models_today: Mapping[str, Used]
    models: Mapping[str, Used]
    days: Mapping[int, Used]
    persons: tuple[PersonBooks, ...]


def read_books(redis: Redis) -> Books:
    """What stands in the books. Raises RedisError or OSError."""
    client: Any = redis
    seconds = client.time()[0]
    now = datetime.fromtimestamp(seconds, UTC)
    last = now.replace(day=1) - timedelta(days=1)
    with client.pipeline(transaction=False) as pipe:
        pipe.hgetall(keys.spent(seconds))
        pipe.hgetall(keys.spent_month(f"{now:%Y-%m}"))
        pipe.hmget(keys.spent_month(f"{last:%Y-%m}"), *_FIELDS)
        pipe.zrevrange(keys.SPENDERS, 0, -1)
        day, month, before, persons = pipe.execute()
    return Books(
        now,
        _used(day),
        _used(month),
        _of(before),
        _grouped(day, "model"),
        _grouped(month, "model"),
        {int(number): used for number, used in _grouped(month, "day").items()},
        tuple(_persons(client, [person.decode() for person in persons], now)),
    )


def by_model(book: Mapping[bytes, bytes]) -> dict[str, Used]:
    """What each model has used, by a day's or a month's book of all."""
    return _grouped(book, "model")


def _persons(client: Any, persons: list[str], now: datetime) -> Iterator[PersonBooks]:
    for start in range(0, len(persons), BATCH):
        some = persons[start : start + BATCH]
        with client.pipeline(transaction=False) as pipe:
            for person in some:
                pipe.hget(keys.person(person), "user")
            users = [user.decode() if user else person for person, user in zip(some, pipe.execute(), strict=True)]
        zones = client.hmget(keys.ZONES, users)
        with client.pipeline(transaction=False) as pipe:
            for person, zone in zip(some, zones, strict=True):
                local = now.astimezone(_zone(zone))
                pipe.hmget(keys.spent_by(person, int(local.replace(tzinfo=UTC).timestamp())), *_FIELDS)
                pipe.hmget(keys.spent_month(f"{local:%Y-%m}", person), *_FIELDS)
            found = [_of(values) for values in pipe.execute()]
        yield from (PersonBooks(person, users[place], *found[2 * place : 2 * place + 2]) for place, person in enumerate(some))


def _zone(name: bytes | None) -> tzinfo:
    try:
        return ZoneInfo(name.decode()) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _of(values: list[bytes | None]) -> Used:
    return Used(*(int(value or 0) for value in values))


def _used(book: Mapping[bytes, bytes]) -> Used:
    return _of([book.get(name.encode()) for name in _FIELDS])


def _grouped(book: Mapping[bytes, bytes], kind: str) -> dict[str, Used]:
    """The figures of a book that are by something: `model:<name>:money`, `day:<number>:tokens`. A model's name may hold colons."""
    found: dict[str, dict[str, int]] = {}
    for field, value in book.items():
        group, _, rest = field.decode().partition(":")
        name, _, what = rest.rpartition(":")
        if group == kind and name:
            found.setdefault(name, {})[what] = int(value)
    return {name: Used(**cast("Any", figures)) for name, figures in sorted(found.items())}
