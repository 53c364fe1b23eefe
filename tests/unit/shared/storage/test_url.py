"""REDIS_URL: what it means, and what is said of a bad one without saying it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, ResponseError
from redis.sentinel import Sentinel

from shared.config.loading import load_settings
from shared.errors import ConfigurationError
from shared.storage import clients, sentinel
from shared.storage.url import sentinel_service, url_fault

TRIO = "redis+sentinel://a.example.com,b.example.com:26380,[::1]:26381/bossline"


def test_a_sentinel_address_names_who_watches_what() -> None:
    """Hosts with and without a port, IPv6, the service, the database; users and passwords are decoded."""
    found = sentinel_service(
        "redis+sentinel://boss:p%2Fw%40@a.example.com,[::1]:26381/boss%20line/3?sentinel_username=me&sentinel_password=s%26w"
    )
    assert found is not None
    assert found.sentinels == (("a.example.com", 26379), ("::1", 26381))
    assert found.name == "boss line"
    assert found.server_options == {"db": 3, "username": "boss", "password": "p/w@"}
    assert found.sentinel_options == {"username": "me", "password": "s&w"}
    assert not found.tls


@pytest.mark.parametrize(
    ("scheme", "option", "servers", "sentinels"),
    [
        ("redis", "", False, False),
        ("rediss", "", True, True),
        ("redis", "?tls=all", True, True),
        ("rediss", "?tls=servers", True, False),
        ("redis", "?tls=sentinels", False, True),
        ("rediss", "?tls=none", False, False),
    ],
)
def test_tls_may_be_for_all_or_for_one_of_them(scheme: str, option: str, servers: bool, sentinels: bool) -> None:
    """Sentinels are often in the same network, and the servers not, or the other way round."""
    found = sentinel_service(f"{scheme}+sentinel://a.example.com/bossline{option}")
    assert found is not None
    assert (found.tls, found.sentinel_options.get("ssl", False)) == (servers, sentinels)


def test_tls_options_go_to_those_who_speak_it(tmp_path: Path) -> None:
    """And the certificate is checked, always."""
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    found = sentinel_service(f"rediss+sentinel://a.example.com/bossline?ssl_ca_certs={ca}&ssl_check_hostname=false&tls=servers")
    assert found is not None
    assert found.server_options == {"db": 0, "ssl_ca_certs": str(ca), "ssl_check_hostname": False}
    assert found.sentinel_options == {}


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1",
        "redis://u:p%40@h.example.com:7000/2",
        "rediss://h.example.com?ssl_check_hostname=no",
        "unix:///run/r.sock?db=1",
        TRIO,
    ],
)
def test_good_addresses_are_taken(url: str) -> None:
    """All kinds."""
    assert url_fault(url) == ""


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://SECRET@h", "must begin with"),
        ("SECRET", "must begin with"),
        ("redis://u:SECRET@h:port", "port"),
        ("redis://u:SECRET@h:99999", "port"),
        ("redis://u:SECRET@h/first", "database"),
        ("redis://u:SEC#RET@h", "%23"),
        ("redis+sentinel://u:SEC#RET@a/s", "%23"),
        ("redis://u:SECRET@[::1", "brackets"),
        ("redis://h?password=SECRET", "not known"),
        ("rediss://h?ssl_cert_reqs=none", "not known"),
        ("redis://h?ssl_ca_certs=/SECRET", "rediss"),
        ("rediss://h?ssl_ca_certs=/SECRET", "no file"),
        ("rediss://h?ssl_check_hostname=SECRET", "true or false"),
        ("unix://", "path"),
        ("redis+sentinel://u:SECRET@a,b", "service"),
        ("redis+sentinel://u:SECRET@a,/s", "each Sentinel"),
        ("redis+sentinel://u:SECRET@a:0/s", "each Sentinel"),
        ("redis+sentinel://u:SECRET@/s", "1 to 15"),
        ("redis+sentinel://u:SEC/RET@a/s", "database"),
        ("redis+sentinel://u:SECRET@a/s/first", "database"),
        ("redis+sentinel://a/s?tls=SECRET", "one of"),
        ("redis+sentinel://a/s?SECRET=1", "not known"),
        ("redis+sentinel://u:SEC@RET@a/s", "must look like"),
        ("redis+sentinel://" + ",".join("a" * 16) + "/s", "1 to 15"),
    ],
)
def test_a_bad_address_is_told_without_being_shown(url: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to mend; the password stays where it is."""
    said = url_fault(url)
    assert word in said
    assert "SEC" not in said
    assert "RET" not in said
    monkeypatch.setenv("REDIS_URL", url)
    with pytest.raises(ConfigurationError, match="REDIS_URL: ") as caught:
        load_settings(_env_file=None)
    assert "SEC" not in str(caught.value)


def test_no_password_shows_in_anything_that_is_printed() -> None:
    """Settings, the parsed address, and each client."""
    url = "redis+sentinel://boss:SECRET@127.0.0.1:1/bossline?sentinel_password=SECRET"
    settings = load_settings(_env_file=None, redis_url=url, sandbox="on")
    opened: list[Any] = [make(each) for each in (url, "redis://boss:SECRET@127.0.0.1:1") for make in (clients.for_web, clients.for_loop)]
    shown = [settings, settings.redis_url, sentinel_service(url), *opened, *(client.connection_pool for client in opened)]
    shown += [client.connection_pool.make_connection() for client in opened]
    assert not [one for one in shown if "SECRET" in f"{one!r}{one}"]


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (ReadOnlyError("You can't write against a read only replica."), True),
        (MasterDownError("Link with MASTER is down"), True),
        (ResponseError("NOREPLICAS Not enough good replicas to write."), True),
        (ResponseError("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"), True),
        (ResponseError("Error running script (call to f_0): @user_script:9: @user_script: 9: -READONLY You can't write"), True),
        (ResponseError("Error running script (call to f_0): @user_script:9: @user_script: 9: -NOREPLICAS Not enough"), True),
        (ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), False),
        (ResponseError("unknown command 'READONLY', with args beginning with: "), False),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), False),
    ],
)
def test_a_server_that_may_not_write_is_told_from_a_call_that_is_wrong(error: ResponseError, away: bool) -> None:
    """Also where an old server says so from within a script."""
    assert sentinel.not_serving(error) is away


def test_a_silent_master_is_not_waited_for_longer_than_the_sentinels_wait() -> None:
    """They may have made another one the master meanwhile; a server on its own is given more time."""
    url = "redis+sentinel://127.0.0.1:1/bossline"
    opened: list[Any] = [make(url) for make in (clients.for_worker, clients.for_loop, clients.for_waiting)]
    assert {client.connection_pool.connection_kwargs["socket_timeout"] for client in opened} == {clients.MAX_SENTINEL_TIMEOUT}
    alone = clients.for_worker("redis://127.0.0.1:1").connection_pool.connection_kwargs
    assert alone["socket_timeout"] > clients.MAX_SENTINEL_TIMEOUT


def test_one_at_a_time_asks_the_sentinels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds an answer puts its Sentinel first in the one list of them: two at once would lose one for ever."""
    found = sentinel_service(TRIO)
    assert found is not None
    master = sentinel.Master(found)
    held: list[bool] = []

    def discover(_self: Sentinel, service: str) -> tuple[str, int]:
        held.append(master._lock.locked())
        return service, 1

    monkeypatch.setattr(Sentinel, "discover_master", discover)
    assert master.address() == ("bossline", 1)
    assert held == [True]
