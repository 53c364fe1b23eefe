"""Whether the bridge can be talked to: somebody listens, takes our token, and answers a ping."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.sync.client import ClientConnection, connect

from shared.settings import EXAMPLE_TOKEN, Settings, is_loopback
from shared.telemetry import mask
from supervisor_worker.cli.checks.finding import Finding, fail, ok, warn

NAME: Final = "bridge"
CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 3.0
START: Final = "Start it: `boss bridge`."


def bridge(settings: Settings) -> list[Finding]:
    """Connect, authenticate, ping; and whether the token is one that everybody knows."""
    return [_reached(settings), *_token(settings)]


def _reached(settings: Settings) -> Finding:
    url, place = settings.bridge_url, mask(settings.bridge_url)
    proxy: Any = None if is_loopback(urlsplit(url).hostname or "") else True
    try:
        with connect(url, proxy=proxy, compression=None, open_timeout=CONNECT_SECONDS, close_timeout=1) as connection:
            return _greeted(connection, settings, place)
    except (InvalidHandshake, InvalidMessage) as error:
        return fail(NAME, f"what listens at {place} is not our bridge, or refuses us ({type(error).__name__})", "See SUPERVISOR_URL.")
    except ConnectionClosed:
        return fail(NAME, f"{place} closed the connection: it is full, or just ends", "Look at the bridge's log.")
    except TimeoutError:
        return fail(NAME, f"{place} does not answer in time", "Look at the bridge's log, or start it again.")
    except OSError as error:
        # Messages by SMS and mail need no bridge, so its absence is no failure of theirs.
        return warn(NAME, f"nobody listens at {place} ({type(error).__name__})", START)


def _greeted(connection: ClientConnection, settings: Settings, place: str) -> Finding:
    token = settings.supervisor_token.get_secret_value()
    taken = _asked(connection, {"type": "auth", "token": token, "protocol": 1, "client": "doctor"})
    if taken.get("success") is not True:
        return fail(NAME, f"{place} has another token", "Give this process and the bridge the same SUPERVISOR_TOKEN.")
    if _asked(connection, {"type": "ping"}).get("type") != "pong":
        return fail(NAME, f"{place} does not answer a ping as our bridge does", "See SUPERVISOR_URL.")
    return ok(NAME, f"{place} takes our token and answers")


def _asked(connection: ClientConnection, frame: dict[str, object]) -> dict[str, Any]:
    """The answer to one frame; empty for what is no JSON object."""
    connection.send(json.dumps(frame))
    try:
        answer: Any = json.loads(connection.recv(timeout=ANSWER_SECONDS))
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _token(settings: Settings) -> list[Finding]:
    if settings.sandbox_on or settings.supervisor_token.get_secret_value() != EXAMPLE_TOKEN:
        return []
    return [warn("bridge token", "SUPERVISOR_TOKEN is the published example, and real providers are configured", "Set one of your own.")]
