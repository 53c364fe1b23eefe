"""Where a fetch may connect to: the open internet, and in sandbox mode one port of this machine."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor_worker.media.public_addresses import AddressPolicy, NotPublic, PublicResolver, is_public

CLOSED = [
    "0.0.0.0", "0.1.2.3",  # noqa: S104 - refused
    "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.254", "192.0.0.1", "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8",
    "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00::1", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1",
]  # fmt: skip
OPEN = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("address", CLOSED)
def test_an_address_of_somebodys_own_network_is_closed(address: str) -> None:
    """Private, shared, loopback, link-local, multicast, reserved, and every form of IPv6 that holds an IPv4 address."""
    assert not is_public(ip_address(address))
    with pytest.raises(NotPublic):
        AddressPolicy().check(address, 443)


@pytest.mark.parametrize("address", OPEN)
def test_an_address_of_the_open_internet_is_open(address: str) -> None:
    """Both families, and right beside what is closed."""
    assert is_public(ip_address(address))
    AddressPolicy().check(address, 443)


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_outside_of_global_unicast_is_open(address: object) -> None:
    """What is not handed out yet leads nowhere good."""
    found = ip_address(str(address))
    assert not is_public(found) or str(found)[0] in "23"


@pytest.mark.parametrize("address", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "", "8.8.8.8 ", "\uff1127.0.0.1"])
def test_what_is_not_written_as_an_address_is_closed(address: str) -> None:
    """Decimal, octal and short forms, which a look-up would take for this machine."""
    with pytest.raises(NotPublic):
        AddressPolicy().check(address, 443)
    with pytest.raises(NotPublic):
        AddressPolicy(local_port=443).check(address, 443)


def test_the_sandbox_is_one_port_of_this_machine() -> None:
    """No other port, and no other machine nearby."""
    policy = AddressPolicy(local_port=8790)
    policy.check("127.0.0.1", 8790)
    policy.check("::1", 8790)
    for address, port in (("127.0.0.1", 6379), ("::1", 80), ("10.0.0.1", 8790), ("169.254.169.254", 8790)):
        with pytest.raises(NotPublic):
            policy.check(address, port)


def test_one_closed_address_in_a_look_ups_answer_closes_the_name() -> None:
    """The answer's order is the sender's choice, and so is which one is tried first."""

    async def resolve(*addresses: str) -> list[str]:
        async def lookup(_host: str, _port: int) -> list[str]:
            return list(addresses)

        return [result["host"] for result in await PublicResolver(AddressPolicy(), lookup).resolve("media.example.com", 443)]

    assert asyncio.run(resolve("8.8.8.8", "2606:4700:4700::1111")) == ["8.8.8.8", "2606:4700:4700::1111"]
    for mixed in (("8.8.8.8", "127.0.0.1"), ("10.0.0.1", "8.8.8.8"), ("8.8.8.8", "::ffff:10.0.0.1")):
        with pytest.raises(NotPublic):
            asyncio.run(resolve(*mixed))


def test_the_last_check_is_at_the_socket() -> None:
    """A number in a URL is never looked up: it is judged where it would be connected to."""
    with pytest.raises(NotPublic):
        AddressPolicy().open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80)))
    with AddressPolicy().open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))) as opened:
        assert not opened.getblocking()
