"""What `boss mcp login` got for a server, kept encrypted in Redis, and renewed by one process of all hosts at a time.

A worker never starts a login: where the tokens have ended and cannot be renewed, its calls fail at once with a sentence for the operator.
Tokens are replaced by newer ones, and removed by nobody but the operator: a renewal that fails may have failed for an hour.
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

import httpx2
from cryptography.fernet import Fernet, InvalidToken
from redis.exceptions import RedisError

from shared.config.mcp_servers import McpServer
from shared.errors import BadInput
from shared.mailbox import keys
from shared.mailbox.client import Commands
from shared.model import codec
from supervisor_worker.mcp import http
from supervisor_worker.mcp.sessions import SessionEnded

EARLY_SECONDS: Final = 60.0
"""How long before its end a token is renewed: also a clock that is a little slow sends no stale one."""
RENEW_SECONDS: Final = 15.0
"""How long one process has to renew a token, and how long the others then leave it to whoever tries next."""
LOOK_SECONDS: Final = 0.2
MAX_TEXT: Final = 20_000
REFUSED: Final = 401


class LoginNeeded(SessionEnded):
    """There is no token that the server takes."""

    def __init__(self, server: str) -> None:
        super().__init__(f"its login has ended, or was never made; the operator runs: boss mcp login {server}", begun=False)


@dataclass(frozen=True, slots=True)
class Login:
    """Tokens, and what a renewal needs. Times are epoch seconds; 0 for a token without an end."""

    url: str
    access_token: str = field(repr=False)
    expires_at: float
    refresh_token: str = field(repr=False)
    token_endpoint: str
    client_id: str
    client_secret: str = field(repr=False)
    auth_method: str
    resource: str
    scope: str

    def good(self, now: float) -> bool:
        """Whether its token can be sent now."""
        return not self.expires_at or now < self.expires_at - EARLY_SECONDS


def sealed(key: str, login: Login) -> str:
    """A login as it is stored."""
    return _cipher(key).encrypt(codec.dumps(asdict(login)).encode()).decode()


def unsealed(key: str, stored: str | bytes | None) -> Login | None:
    """The login of a stored text; None where there is none, or where it was stored under another key."""
    if not stored:
        return None
    try:
        return Login(**codec.loads(_cipher(key).decrypt(stored)))
    except (InvalidToken, BadInput, TypeError):
        return None


def _cipher(key: str) -> Fernet:
    return Fernet(urlsafe_b64encode(sha256(b"bossline mcp login\0" + key.encode()).digest()))


class Logins:
    """The stored logins."""

    def __init__(self, commands: Commands, key: str) -> None:
        self._commands, self._key = commands, key

    async def read(self, server: str) -> Login | None:
        """A server's login. Raises RedisError."""
        return unsealed(self._key, await self._commands.execute_command("HGET", keys.MCP_LOGINS, server))

    async def write(self, server: str, login: Login) -> None:
        """Replace a server's login. Raises RedisError."""
        await self._commands.execute_command("HSET", keys.MCP_LOGINS, server, sealed(self._key, login))

    async def may_renew(self, server: str) -> bool:
        """Whether this process is the one to renew it now. Raises RedisError."""
        lasting = int(RENEW_SECONDS * 1000)
        return bool(await self._commands.execute_command("SET", keys.mcp_renewal(server), "1", "NX", "PX", lasting))


class StoredLogin(httpx2.Auth):
    """Sends the stored token with every request to one server."""

    def __init__(self, server: McpServer, logins: Logins) -> None:
        self._server, self._logins = server, logins
        self._login: Login | None = None
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """A token that the server refuses is looked up and renewed once. Raises LoginNeeded."""
        login = await self._current("")
        request.headers["Authorization"] = f"Bearer {login.access_token}"
        response = yield request
        if response.status_code == REFUSED:
            login = await self._current(login.access_token)
            request.headers["Authorization"] = f"Bearer {login.access_token}"
            response = yield request
            if response.status_code == REFUSED:
                raise LoginNeeded(self._server.name)

    async def _current(self, refused: str) -> Login:
        """A login whose token is good and is not the refused one. Raises LoginNeeded."""
        async with self._lock:
            login = self._login
            if login is None or not self._good(login, refused):
                try:
                    login = self._login = await self._renewed(refused)
                except (RedisError, OSError, httpx2.HTTPError):
                    raise LoginNeeded(self._server.name) from None
            return login

    def _good(self, login: Login, refused: str) -> bool:
        return login.url == self._server.url and login.access_token != refused and login.good(time.time())

    async def _renewed(self, refused: str) -> Login:
        """The stored login, renewed by us where nobody else does it. A refresh token may be good once only: two must not use it."""
        end = time.monotonic() + RENEW_SECONDS
        while True:
            login = await self._logins.read(self._server.name)
            if login is None or login.url != self._server.url:
                raise LoginNeeded(self._server.name)
            if self._good(login, refused):
                return login
            if await self._logins.may_renew(self._server.name):
                # Read once more: who held the right to it before us may have renewed it between the two.
                login = await self._logins.read(self._server.name) or login
                return login if self._good(login, refused) else await self._renew(login)
            if time.monotonic() > end:
                raise LoginNeeded(self._server.name)
            await asyncio.sleep(LOOK_SECONDS)

    async def _renew(self, login: Login) -> Login:
        if not login.refresh_token:
            raise LoginNeeded(self._server.name)
        headers, form = renewal(login)
        async with asyncio.timeout(RENEW_SECONDS - 1), http.client(replace(self._server, token=""), None) as client:
            response = await client.post(login.token_endpoint, data=form, headers=headers)
        newer = renewed(login, response.content, time.time()) if response.status_code == httpx2.codes.OK else None
        if newer is None:
            raise LoginNeeded(self._server.name)
        await self._logins.write(self._server.name, newer)
        return newer


def renewal(login: Login) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and the form of a renewal (RFC 6749, 6), with the client's own proof as it was registered."""
    form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token, "client_id": login.client_id}
    form |= {"resource": login.resource} if login.resource else {}
    if login.client_secret and login.auth_method == "client_secret_basic":
        proof = f"{quote(login.client_id, safe='')}:{quote(login.client_secret, safe='')}"
        return {"Authorization": f"Basic {b64encode(proof.encode()).decode()}"}, form
    return {}, {**form, **({"client_secret": login.client_secret} if login.client_secret else {})}


def renewed(login: Login, content: bytes, now: float) -> Login | None:
    """The login after a renewal; None for an answer that is none."""
    try:
        answer: Any = codec.loads(content[:MAX_TEXT])
        token = answer["access_token"]
        seconds = float(answer.get("expires_in") or 0)
        refresh = answer.get("refresh_token") or login.refresh_token
    except (BadInput, TypeError, KeyError, ValueError, AttributeError):
        return None
    if not isinstance(token, str) or not isinstance(refresh, str) or not token:
        return None
    return replace(login, access_token=token, refresh_token=refresh, expires_at=now + seconds if seconds > 0 else 0.0)
