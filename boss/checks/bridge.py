"""Whether the bridge is there, and takes the token that this machine's clients would show. No message is sent."""

from __future__ import annotations

import json
from typing import Any, Final

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from boss.checks.result import Finding, fail, not_running, ok, warn
from bridge.protocol.codes import PROTOCOL, ClientFrame, ServerFrame
from bridge.protocol.frames import PONG
from shared.config.settings import Settings
from shared.model.codec import dumps

NAME: Final = "bridge"
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 3.0
"""A bridge at which somebody guesses tokens holds every attempt for a second."""


def bridge(settings: Settings) -> list[Finding]:
    """Connect, authenticate and ping, as a program on this machine would."""
    return [_talk(settings)]


def _talk(settings: Settings) -> Finding:
    url = settings.bridge_url
    try:
        with connect(url, open_timeout=CONNECT_SECONDS, close_timeout=CONNECT_SECONDS / 4, proxy=None, compression=None) as connection:
            return _log_in(connection, settings)
    except InvalidStatus as error:
        status = error.response.status_code
        return fail(
            NAME, f"{url} refuses the handshake with {status}", "Set SUPERVISOR_URL, at the bridge too, to the address that is used."
        )
    except TimeoutError:
        return fail(NAME, f"{url} does not answer in time", "Look at the bridge's log; end and start it again.")
    except OSError as error:
        silent = warn(NAME, f"nobody listens at {url} ({type(error).__name__})", "Run `boss bridge` if programs on this machine use it.")
        return not_running(silent)
    except (WebSocketException, ValueError) as error:
        todo = "Look which program has that port; set SUPERVISOR_URL or SUPERVISOR_PORT."
        return fail(NAME, f"{url} does not speak as the bridge does ({type(error).__name__})", todo)


def _log_in(connection: ClientConnection, settings: Settings) -> Finding:
    token = settings.supervisor_token.get_secret_value()
    connection.send(dumps({"type": ClientFrame.AUTH, "token": token, "protocol": PROTOCOL, "client": "boss doctor"}))
    answer: Any = json.loads(connection.recv(ANSWER_SECONDS))
    if not isinstance(answer, dict) or answer.get("type") != ServerFrame.AUTH_RESULT:
        raise ValueError
    if not answer.get("success"):
        return fail(
            NAME, f"{settings.bridge_url} has another token", "Start the bridge again, or set the same SUPERVISOR_TOKEN on both sides."
        )
    connection.send(dumps({"type": ClientFrame.PING}))
    if connection.recv(ANSWER_SECONDS) != PONG:
        raise ValueError
    return ok(NAME, f"{settings.bridge_url} took the token and answered a ping")
