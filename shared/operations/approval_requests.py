"""Questions that wait for a yes, and what people have said "always" to: as an operator sees them, and ends them.

A list names tools alone. What a call says is shown of one question, for it holds what the person wants to be done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypedDict, cast

from redis import Redis

from shared.mailbox import Mailbox, calls, keys
from shared.mailbox.calls import Approval
from shared.model.users import User
from shared.operations.errors import NotPossible
from shared.operations.people import People

MOST: Final = 200
"""Questions of one person that are looked at: as many as are listed of them."""


class WaitingView(TypedDict):
    """One question. `until_ms` is 0 where it has not been sent yet."""

    id: str
    username: str
    approver: str
    tools: list[str]
    until_ms: int


class AlwaysView(TypedDict):
    """What somebody has said "always" to: a tool, and its recipient where its rule names one."""

    username: str
    what: str
    at_ms: int


def waiting(mailbox: Mailbox, people: People, username: str = "") -> list[WaitingView]:
    """The questions that wait, of everybody or of one person, the newest of each first. Raises NotPossible `unknown_user`."""
    now_ms = _now_ms(mailbox.redis)
    return [_view(each, people) for user in _users(people, username) for each in _questions(mailbox, people, user, now_ms)]


def shown(mailbox: Mailbox, people: People, approval: str) -> tuple[WaitingView, list[tuple[str, dict[str, Any]]]]:
    """One of them, with the calls that it is about. Raises NotPossible `not_waiting`."""
    found = mailbox.run(calls.approval_of(approval))
    if found is None or found.state != "pending":
        raise NotPossible("no such question waits: `boss approvals list` shows those that do", "not_waiting")
    return _view(found, people), [(call.tool, dict(call.arguments)) for call in found.calls]


def withdraw(mailbox: Mailbox, approval: str) -> None:
    """End a question: nothing of it is done. Raises NotPossible `not_waiting`."""
    if not mailbox.run(calls.withdraw_approval(approval)):
        raise NotPossible("no such question waits: `boss approvals list` shows those that do", "not_waiting")


def always(redis: Redis, people: People, username: str = "") -> list[AlwaysView]:
    """What people have said "always" to. Raises NotPossible `unknown_user`."""
    found: list[AlwaysView] = []
    for user in _users(people, username):
        held = cast("dict[bytes, bytes]", redis.hgetall(keys.always_of(person))) if (person := _person(redis, people, user)) else {}
        found += [{"username": user.username, "what": what.decode(), "at_ms": int(at)} for what, at in sorted(held.items())]
    return found


def revoke(mailbox: Mailbox, people: People, username: str, what: str) -> None:
    """Ask again about what somebody has said "always" to. Raises NotPossible `unknown_user` or `not_waiting`."""
    user = people.named(username)
    person = _person(mailbox.redis, people, user)
    if not person or not mailbox.run(calls.revoke_always(person, people.identities.user(user.id), what)):
        raise NotPossible("they have not said always to that: `boss approvals list` shows to what", "not_waiting")


def _users(people: People, username: str) -> tuple[User, ...]:
    return (people.named(username),) if username else people.users


def _person(redis: Redis, people: People, user: User) -> str:
    return (cast("bytes | None", redis.hget(keys.PEOPLE, people.identities.user(user.id))) or b"").decode()


def _questions(mailbox: Mailbox, people: People, user: User, now_ms: int) -> Iterator[Approval]:
    own = people.identities.user(user.id)
    for name in cast("list[bytes]", mailbox.redis.zrange(keys.approvals_of(own), 0, MOST - 1, desc=True)):
        found = mailbox.run(calls.approval_of(name.decode()))
        if found and found.state == "pending" and found.user == own and (not found.until_ms or now_ms <= found.until_ms):
            yield found


def _view(question: Approval, people: People) -> WaitingView:
    return {
        "id": question.id,
        "username": people.name_of(question.user),
        "approver": people.name_of(question.approver),
        "tools": [call.tool for call in question.calls],
        "until_ms": question.until_ms,
    }


def _now_ms(redis: Redis) -> int:
    seconds, micros = redis.time()
    return int(seconds) * 1000 + int(micros) // 1000
