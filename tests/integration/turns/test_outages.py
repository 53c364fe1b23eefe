"""Whatever a turn asks of Redis, and whenever: that Redis is away just then costs the turn nothing but time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from redis import Redis, exceptions
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.client import Pipeline

from shared.model.events import Received
from supervisor_worker.process import patient_mailbox
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment

ERRORS = {
    "away": exceptions.ConnectionError("gone"),
    "its disk full": exceptions.ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
    "its memory full": exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
}


def _looked_up(environment: TurnEnvironment) -> Received:
    environment.sandbox.faults(twilio={"list_lag_seconds": 0, "fail": ["reset_after_accept"]})
    return environment.text()


WAYS: dict[str, Callable[[TurnEnvironment], Received]] = {
    "a text": lambda environment: environment.text(),
    "a mail": lambda environment: environment.mail(),
    "a text that is looked up": _looked_up,
}


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    yield found
    found.close()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], list[str]]:
    """Make each send of this process's loop fail when it is first made; the list says what failed."""

    def begin(error: Exception) -> list[str]:
        failed: list[str] = []
        known: set[object] = set()

        def fails_at_first(real: Callable[..., Awaitable[Any]], what: Callable[..., tuple[Any, ...]]) -> Callable[..., Awaitable[Any]]:
            async def send(client: Any, *args: Any, **options: Any) -> Any:
                sent = what(client, *args)
                if sent not in known:
                    known.add(sent)
                    failed.append(str(sent[0]))
                    raise error
                return await real(client, *args, **options)

            return send

        monkeypatch.setattr(AsyncRedis, "execute_command", fails_at_first(AsyncRedis.execute_command, lambda _client, *args: args))
        monkeypatch.setattr(Pipeline, "execute", fails_at_first(Pipeline.execute, lambda client: client.command_stack[0][0]))
        return failed

    monkeypatch.setattr(patient_mailbox, "FIRST_WAIT_SECONDS", 0.001)
    return begin


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", ERRORS)
def test_a_turn_whose_every_send_fails_at_first_asks_once_and_answers_once(
    environment: TurnEnvironment, failing: Callable[[Exception], list[str]], error: str, way: str
) -> None:
    """No lease is lost, no error is the message's own, nothing is asked of Claude again, and one copy goes out."""
    event = WAYS[way](environment)
    failed = failing(ERRORS[error])
    environment.drive(lambda: environment.state(event) == "answered", 20)
    record = environment.message(event)
    assert (record.errors, record.lost) == (0, 0)
    assert environment.sandbox.count("anthropic.messages", accepted=None) == 1
    assert environment.sandbox.count("twilio.create", accepted=None) + environment.sandbox.count("sendgrid.send", accepted=None) == 1
    assert not environment.reply(event).maybe_duplicate
    assert "EVALSHA" in failed
    assert way != "a text that is looked up" or {"HGETALL", "ZRANGE", "MGET"} & {*failed}
