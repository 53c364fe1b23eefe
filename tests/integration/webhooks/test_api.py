"""The API: what is asked for is stored once a key, or refused by a clear word; and 202 is said for what is stored alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from redis import Redis
from werkzeug.test import TestResponse

from shared.operations import api_tokens
from tests.support.wait import wait_for
from tests.support.webhook_client import Web, opened

TEXT: Final = {"user": "user", "channel": "sms", "text": "The door is open."}


@pytest.fixture
def web(redis_url: str, redis: Redis) -> Iterator[Web]:
    """The web process of one installation."""
    redis.flushdb()
    with opened(redis_url) as running:
        yield running


def token(web: Web, name: str = "door", users: tuple[str, ...] = (), source: str = "") -> str:
    """A new one."""
    return api_tokens.add(web.redis, name, users, source)[1]


def post(web: Web, bearer: str, body: Any = None, key: str = "k-1", **headers: str) -> TestResponse:
    """One request."""
    content = body if isinstance(body, bytes) else json.dumps(TEXT if body is None else body).encode()
    given = {
        "Authorization": f"Bearer {bearer}",
        "Content-Type": "application/json",
        **({"Idempotency-Key": key} if key else {}),
        **headers,
    }
    return web.app.test_client().post("/api/messages", data=content, headers={k.replace("_", "-"): v for k, v in given.items() if v})


def get(web: Web, bearer: str, path: str) -> TestResponse:
    """Another one."""
    return web.app.test_client().get(path, headers={"Authorization": f"Bearer {bearer}"})


def stored(web: Web) -> list[bytes]:
    """The messages that there are."""
    found: list[bytes] = web.redis.keys("boss:msg:m-api-*")  # type: ignore[assignment]
    return found


def test_it_is_off_until_there_is_a_token(web: Web) -> None:
    """And once the last one is revoked."""
    assert post(web, "x").status_code == 404
    bearer = token(web)
    wait_for(lambda: post(web, bearer).status_code == 202, 5, "the token is known")
    api_tokens.revoke(web.redis, "door")
    wait_for(lambda: post(web, bearer).status_code == 404, 5, "it is known no more")


def test_what_is_asked_for_is_stored_once_a_key(web: Web) -> None:
    """The same again is the same message, marked; with another body it is refused."""
    bearer = token(web, source="door")
    first = post(web, bearer)
    assert first.status_code == 202, first.text
    again = post(web, bearer, {"text": TEXT["text"], "channel": "sms", "user": "user"})
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert "Idempotency-Replayed" not in first.headers
    assert post(web, bearer, {**TEXT, "text": "other"}).json["code"] == "key_reused"  # type: ignore[index]
    assert len(stored(web)) == 1
    other = token(web, "bell")
    wait_for(lambda: post(web, other).status_code == 202, 5, "another token's key is another")
    assert get(web, bearer, first.headers["Location"]).json == {
        "id": first.json["id"], "user": "user", "channel": "sms", "state": "pending", "reason": "",  # type: ignore[index]
    }  # fmt: skip
    assert get(web, other, first.headers["Location"]).status_code == 404


@pytest.mark.parametrize(("body", "status", "code"), [
    ({**TEXT, "user": "nobody"}, 422, "unknown_user"),
    ({**TEXT, "channel": "email"}, 422, "not_valid"),
    ({**TEXT, "subject": "x"}, 422, "not_valid"),
    ({**TEXT, "channel": "email", "subject": "a\nb"}, 422, "not_valid"),
    ({**TEXT, "channel": "fax"}, 422, "not_valid"),
    ({**TEXT, "text": "word " * 400}, 422, "not_valid"),
    ({**TEXT, "text": " "}, 422, "not_valid"),
    ({**TEXT, "urgent": "yes"}, 422, "not_valid"),
    ({**TEXT, "more": 1}, 422, "not_valid"),
    ({**TEXT, "expires_at": "2020-01-01T00:00:00Z"}, 422, "expired"),
    ({**TEXT, "expires_at": "9999-01-01T00:00:00Z"}, 422, "expired"),
    ({**TEXT, "expires_at": "2026-01-01T00:00:00"}, 422, "not_valid"),
    ([], 422, "not_valid"),
    (b"[" * 100_000, 413, "too_large"),
    (b"[" * 60_000, 422, "not_valid"),
    (b'{"user": "\\ud800"}', 422, "not_valid"),
    (b"", 422, "not_valid"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_a_word_and_leaves_nothing(web: Web, body: Any, status: int, code: str) -> None:
    """No answer repeats what was sent."""
    answer = post(web, token(web), body)
    assert (answer.status_code, answer.json["code"]) == (status, code)  # type: ignore[index]
    assert stored(web) == []


def test_a_request_has_its_key_its_kind_and_its_token(web: Web) -> None:
    """Each is asked for by a status of its own."""
    bearer = token(web)
    assert post(web, bearer, key="").status_code == 400
    assert post(web, bearer, key="a b").status_code == 400
    assert post(web, bearer, Content_Type="text/plain").status_code == 415
    assert post(web, "wrong").headers["WWW-Authenticate"] == "Bearer"
    assert post(web, bearer, Authorization="").status_code == 401
    assert stored(web) == []


def test_a_token_writes_to_its_own_people_alone(web: Web) -> None:
    """Whoever else there is, it learns nothing of."""
    bearer = token(web, users=("somebody",))
    assert post(web, bearer).json["code"] == "unknown_user"  # type: ignore[index]
    assert get(web, bearer, "/api/users").json == {"users": []}
    everybody = token(web, "bell")
    wait_for(lambda: get(web, everybody, "/api/users").status_code == 200, 5, "known")
    assert get(web, everybody, "/api/users").json == {"users": [{"username": "user", "name": "Example User", "channels": ["sms", "email"]}]}


def test_who_has_opted_out_and_a_token_s_bound_are_told(web: Web) -> None:
    """With when to come again."""
    bearer = token(web)
    for number in range(20):
        assert post(web, bearer, key=f"k-{number}").status_code == 202
    refused = post(web, bearer, key="k-20")
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 86_000) == (429, True)
    assert post(web, bearer, {**TEXT, "urgent": True}, key="k-20").status_code == 202
    user = web.runtime.users.all[0]
    assert user.phone
    assert user.boss_phone
    web.redis.set(f"boss:optout:{web.runtime.identities.pair(user.boss_phone, user.phone)}", "1")
    assert post(web, bearer, {**TEXT, "urgent": True}, key="k-21").json["code"] == "opted_out"  # type: ignore[index]


def test_the_description_names_every_answer(web: Web) -> None:
    """As OpenAPI 3.1."""
    bearer = token(web)
    found = get(web, bearer, "/api/openapi.json").json
    assert found is not None
    assert found["openapi"] == "3.1.0"
    assert set(found["paths"]["/api/messages"]["post"]["responses"]) == {
        "202", "400", "401", "404", "409", "413", "415", "422", "429", "503",
    }  # fmt: skip
