"""Parses REDIS_URL: one server, or a service whose master the Sentinels name. Pure; faults are reported without the URL's values.

::

    redis://[user:password@]host[:6379][/db]               rediss:// is the same over TLS, certificates checked
    unix://[user:password@]/path[?db=N]
    redis+sentinel://[user:password@]host[:26379],host,host/service[/db]      rediss+sentinel:// is TLS to all of them

Options after `?`. For TLS: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (files), `ssl_check_hostname` (`false` for certificates of
a private authority that do not name the hosts). For Sentinels: `sentinel_username`, `sentinel_password`, and `tls`: `all`, `servers`,
`sentinels` or `none`. Users, passwords and options are percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

SENTINEL_PORT: Final = 26379
MAX_SENTINELS: Final = 15
SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
TLS_OPTIONS: Final = (*TLS_FILES, "ssl_check_hostname")
SENTINEL_OPTIONS: Final = ("sentinel_username", "sentinel_password", "tls")
_TLS: Final = {"all": (True, True), "servers": (True, False), "sentinels": (False, True), "none": (False, False)}
_SENTINEL_URL: Final = re.compile(r"(rediss?)\+sentinel://(?:([^@/?#]*)@)?([^@/?#]*)(?:/([^?#]*))?(?:\?([^#]*))?")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:,\s]+)(?::(\d{1,5}))?")
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class SentinelService:
    """A service that Sentinels watch: its `name`, and where the Sentinels are (host and port).

    `server_options` and `sentinel_options` are redis-py's options for a connection to either; they hold passwords. `tls` says whether
    connections to the servers use TLS.
    """

    sentinels: tuple[tuple[str, int], ...]
    name: str
    server_options: Mapping[str, Any] = field(repr=False)
    sentinel_options: Mapping[str, Any] = field(repr=False)
    tls: bool = False


def url_fault(url: str) -> str:
    """What is wrong with a URL, in one sentence that shows nothing of it; '' for a valid one."""
    if "#" in url:
        return "must not hold a #: in a password it is written %23"
    try:
        if sentinel_service(url) is None:
            _check_one_server(url)
    except ValueError as error:
        return str(error)
    return ""


def url_passwords(url: str) -> tuple[str, ...]:
    """The passwords in a URL, decoded as they are sent, so that logs can mask them."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    return tuple(word for word in (unquote(parts.password or ""), options.get("sentinel_password", "")) if word)


def sentinel_service(url: str) -> SentinelService | None:
    """The service of a Sentinel URL, None for any other URL. Raises ValueError with a sentence that shows nothing of the URL."""
    if not url.partition("://")[0].endswith("+sentinel"):
        return None
    found = _SENTINEL_URL.fullmatch(url)
    if not found:
        raise ValueError("must look like redis+sentinel://host1:26379,host2:26379,host3:26379/service (a / in a password is written %2F)")
    scheme, login, hosts, path, query = found.groups(default="")
    service, _, db = path.partition("/")
    options = _options(query, (*TLS_OPTIONS, *SENTINEL_OPTIONS))
    tls = options.get("tls", "all" if scheme == "rediss" else "none")
    if not service:
        raise ValueError("must name the service that the Sentinels watch: .../service after the hosts")
    if tls not in _TLS:
        raise ValueError(f"tls must be one of {', '.join(_TLS)}")
    ssl = _tls_options(options, on=tls != "none")
    servers_tls, sentinels_tls = _TLS[tls]
    name, _, password = login.partition(":")
    server = {"db": _database(db), **_known(username=unquote(name), password=unquote(password)), **(ssl if servers_tls else {})}
    sentinel = _known(username=options.get("sentinel_username", ""), password=options.get("sentinel_password", ""))
    tls_there: dict[str, Any] = {"ssl": True, **ssl} if sentinels_tls else {}
    return SentinelService(_hosts(hosts), unquote(service), server, {**sentinel, **tls_there}, tls=servers_tls)


def tls_options(url: str) -> dict[str, Any]:
    """redis-py's TLS options for the URL of one server. Raises ValueError."""
    parts = urlsplit(url)
    tls = parts.scheme == "rediss"
    allowed = (*TLS_OPTIONS, "db") if parts.scheme != "unix" else ("db",)
    return _tls_options(_options(parts.query, allowed), on=tls)


def _check_one_server(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("must close the brackets of its host") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES[:-1])} or {SCHEMES[-1]}://")
    try:
        parts.port  # noqa: B018 - reading it raises for an invalid port
    except ValueError:
        raise ValueError("must have a number as its port, up to 65535") from None
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("must name the socket's path: unix:///path")
    else:
        _database(parts.path.strip("/"))
    tls_options(url)


def _hosts(text: str) -> tuple[tuple[str, int], ...]:
    found = [_HOST.fullmatch(part) for part in text.split(",")]
    if not text or len(found) > MAX_SENTINELS:
        raise ValueError(f"must name 1 to {MAX_SENTINELS} Sentinels, with commas between")
    hosts = [(match[1].strip("[]"), int(match[2] or SENTINEL_PORT)) for match in found if match]
    if len(hosts) < len(found) or any(not 0 < port <= 65_535 for _, port in hosts):  # noqa: PLR2004 - the highest port
        raise ValueError("must name each Sentinel as host or host:port")
    return tuple(hosts)


def _database(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) <= 5):  # noqa: PLR2004 - far more than any server has
        raise ValueError("must have a number as its database")
    return int(text or 0)


def _options(query: str, allowed: tuple[str, ...]) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    if not found.keys() <= set(allowed):
        raise ValueError(f"has an option that is not known; known are {', '.join(allowed)}")
    return found


def _tls_options(options: Mapping[str, str], *, on: bool) -> dict[str, Any]:
    """redis-py's options for TLS. The certificate is always checked, its host name unless `ssl_check_hostname` is false."""
    given: dict[str, Any] = {name: options[name] for name in TLS_OPTIONS if name in options}
    if given and not on:
        raise ValueError("has options for TLS but does not use it: it must begin with rediss")
    for name in TLS_FILES:
        if name in given and not Path(given[name]).is_file():
            raise ValueError(f"{name} names no file that is there")
    if "ssl_check_hostname" in given:
        word = given["ssl_check_hostname"].lower()
        if word not in _BOOLEANS:
            raise ValueError("ssl_check_hostname must be true or false")
        given["ssl_check_hostname"] = _BOOLEANS[word]
    return given


def _known(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
