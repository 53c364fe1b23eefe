"""People who text web processes, and what stands in Redis of it: no worker, no sandbox, every text known by person and number."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any, Final, cast
from urllib.parse import urlencode

from redis import Redis

from shared.mailbox import keys
from shared.model.addresses import ConversationKey, Identities
from shared.model.sms_admission import sms_id
from tests.payloads import FORM
from tests.support.processes import OPENER, WebProcess

BOSS: Final = "+15559876543"
ACCOUNT: Final = "AC" + "0" * 32


def phone(person: int) -> str:
    """Their number."""
    return f"+1555200{person:04}"


def users(people: int) -> str:
    """The users file."""
    return "".join(f'[[users]]\nusername="u{number}"\nphone="{phone(number)}"\nboss_phone="{BOSS}"\n' for number in range(people))


def text(web: WebProcess, person: int, number: int) -> int:
    """Post a text and return the status. Raises OSError or HTTPException for a process that is not there, or goes meanwhile."""
    body = urlencode({"From": phone(person), "To": BOSS, "Body": f"text {number}", "MessageSid": _sid(person, number)})
    connection = HTTPConnection("127.0.0.1", int(web.settings["PORT"]), timeout=20)
    try:
        connection.request("POST", "/sms/inbound", body, {"Content-Type": FORM})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def ids(person: int, count: int) -> list[str]:
    """Our ids of a person's first texts, in order."""
    return [sms_id(ACCOUNT, _sid(person, number)) for number in range(count)]


def inbox(redis: Redis, person: int) -> list[str]:
    """The ids that stand in a person's conversation, in order."""
    salt = bytes.fromhex(cast("bytes", redis.get(keys.SALT)).decode())
    conversation = Identities(salt).conversation(ConversationKey("sms", BOSS, phone(person)))
    return [item.decode() for item in cast("list[bytes]", redis.lrange(f"boss:inbox:{conversation}", 0, -1))]


def ready(web: WebProcess) -> dict[str, Any]:
    """What /readyz says."""
    with OPENER.open(f"{web.url}/readyz", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _sid(person: int, number: int) -> str:
    return f"SM{person:016x}{number:016x}"
