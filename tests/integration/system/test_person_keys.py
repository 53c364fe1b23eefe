"""Every key that a person's life leaves is made in one place: an export tells of it, an erasure takes it, and nothing stands elsewhere."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from shared.mailbox import keys
from shared.mailbox.call import DAY_MS
from shared.mailbox.key_names import NAMES
from shared.operations.erase import ErasureRequest, erase_records
from shared.operations.export import KEYS as KEYS_DOCUMENT
from shared.operations.export import export_person
from shared.operations.export_keys import OF_SOMEBODY_ELSE
from shared.operations.person_keys import BESIDE, KEYS, MEMBERS, NOBODYS, PersonKey, keys_of
from tests.support.sandbox import SandboxProcess
from tests.support.whole_life import PHONE, WORD, Life, life

pytestmark = pytest.mark.timeout(180)
STAYS = {"seen", "code", "erasures"}
"""Marks that are made of ids of theirs."""
NOT_MET = {"cost", "costs", "erasures", "registry", "registry_ids", "registry_names"}
"""What only an older version writes, an erasure, and `boss users add`."""


@pytest.fixture
def lived(redis: Redis, redis_url: str, sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Life]:
    with life(redis, redis_url, sandbox, tmp_path) as found:
        found.lives()
        yield found


def content(redis: Any, key: str) -> dict[str, str]:
    """What stands under a key: its members or fields, each with its value."""
    kind = redis.type(key).decode()
    readers: dict[str, Callable[[], dict[Any, Any]]] = {
        "string": lambda: {"": redis.get(key)},
        "hash": lambda: redis.hgetall(key),
        "list": lambda: dict.fromkeys(redis.lrange(key, 0, -1), b""),
        "set": lambda: dict.fromkeys(redis.smembers(key), b""),
        "zset": lambda: dict.fromkeys(redis.zrange(key, 0, -1), b""),
        "stream": lambda: {name: repr(fields).encode() for name, fields in redis.xrange(key)},
    }
    return {_text(name): _text(value) for name, value in readers[kind]().items()}


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def stored(redis: Redis) -> dict[str, dict[str, str]]:
    """All that Bossline keeps; what RQ keeps are jobs for a few minutes, which name conversations."""
    return {_text(name): content(redis, _text(name)) for name in cast("list[bytes]", redis.keys("boss:*"))}


def unexplained(everything: dict[str, dict[str, str]], known: list[PersonKey]) -> list[str]:
    """Keys, and members of shared ones, that are neither a person's nor the installation's own."""
    listed = {(each.key, each.member) for each in known}
    found = []
    for name, parts in everything.items():
        plain = name.removeprefix(keys.PREFIX)
        if (name, "") in listed or _is_nobodys(plain, parts):
            continue
        shared = plain in MEMBERS or plain.startswith(("held:", "doubted:", "spent:"))
        found += [f"{name} {part}" for part in parts if (name, part) not in listed and _names_somebody(plain, part)] if shared else [name]
    return found


def _is_nobodys(name: str, parts: dict[str, str]) -> bool:
    """The installation's own; a call that was settled, which says no more than how much; and what all forwarding addresses share."""
    own = [NAMES[each].text for each in NOBODYS | BESIDE]
    settled = name.startswith(("call:", "searched:")) and all(re.fullmatch(r"settled [0-9 -]+|\d+", value) for value in parts.values())
    return (
        settled or name.startswith("spent:forwarded:") or any(name == text or (text[-1] == ":" and name.startswith(text)) for text in own)
    )


def _names_somebody(name: str, part: str) -> bool:
    """A day's figures are of all, but for those that name a sender."""
    if part.endswith("forwarded"):
        return False
    return not name.startswith("spent:") or part.startswith(("tokens:", "reserved:"))


def test_each_name_of_a_key_is_a_person_s_or_nobody_s() -> None:
    """Whoever adds one says which."""
    assert set(KEYS) | set(MEMBERS) | NOBODYS | BESIDE == set(NAMES)
    assert len(KEYS) + len(MEMBERS) + len(NOBODYS) + len(BESIDE) == len(NAMES)


def test_all_that_a_life_leaves_is_listed(lived: Life) -> None:
    """Of the person, or of who was asked for them; nearly every name of a key is met."""
    everything = stored(lived.redis)
    known = [*lived.kept(), *lived.kept("mum")]
    assert unexplained(everything, known) == []
    assert sum(WORD in repr(parts) for parts in everything.values()) > 60
    met = {each.name for each in known}
    assert set(KEYS) | set(MEMBERS) == met | NOT_MET


def test_all_of_it_is_exported(lived: Life, tmp_path: Path) -> None:
    """The same keys as an erasure finds, each with what it holds, but what is a record of somebody else's."""
    archive = tmp_path / "user.zip"
    export_person(lived.redis, lived.people, "user", archive, retention_ms=90 * DAY_MS)
    with zipfile.ZipFile(archive) as opened:
        told: list[dict[str, Any]] = json.loads(opened.read(KEYS_DOCUMENT))
        document = opened.read("everything.json").decode()
        files = [name for name in opened.namelist() if name.startswith("files/")]
    assert {(each["key"], each.get("member", "")) for each in told} == {(each.key, each.member) for each in lived.kept()}
    assert {each["key"].split(":")[1] for each in told if each["value"] == OF_SOMEBODY_ELSE} <= {"msg", "turn", "reply"}
    assert len(files) == 1
    for words in (
        "likes",
        "milk",
        "call",
        "ring",
        "Thing 3",
        "They said",
        "Held",
        "Waits",
        "By the bridge",
        "To be lost",
        "copied",
        "Program",
    ):
        assert words in document, words
        assert words in json.dumps(told), words
    for others in ("mum@example.com", "+15551230001"):
        assert others not in document + json.dumps(told)


def test_nothing_of_it_is_left_by_an_erasure(lived: Life) -> None:
    """But what is said to stay, which holds no word of theirs, and of whom nothing but ids; and of the other all that is not about them."""
    ids, before = lived.ids(), {each.key for each in lived.kept("mum")}
    people = lived.people
    user = people.named("user")
    request = ErasureRequest(people.whose("user"), people.pairs(user), people.masks(user), 100, 90 * DAY_MS)
    erased = erase_records(lived.redis, request, waiting=lambda _: None)
    assert erased.left == 0
    assert {each.name for each in keys_of(lived.redis, ids) if not each.stays} == {"call", "ended", "searched"}, (
        "figures, and no id of theirs"
    )
    records = ids.messages | ids.turns | ids.replies | ids.conversations | ids.reminders | ids.approvals | ids.files | ids.senders
    words = re.compile("|".join([WORD, re.escape(PHONE), "user@example", *(rf"(?<![a-z]){each}" for each in records)]))
    for name, parts in stored(lived.redis).items():
        if name != keys.LEDGER and name.removeprefix(keys.PREFIX).partition(":")[0] not in STAYS:
            assert not words.findall(f"{name} {parts}"), name
        assert WORD not in repr(parts), name
    left = unexplained(stored(lived.redis), [*keys_of(lived.redis, ids), *lived.kept("mum")])
    assert [name for name in left if not name.startswith("boss:code:")] == [], "her own codes stay for a day"
    assert before - {each.key for each in lived.kept("mum")}, "what she was asked for them is gone"
