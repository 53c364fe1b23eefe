"""The DNS client against a server of the test's own, and against whatever a stranger sends."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boss.setup.dns_client import BadAnswer, DnsUnanswered, FoundRecord, _question, _records, query, server_of, system_servers
from tests.support.dns_server import DnsServer

HOST = "boss.example.com"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as running:
        yield running


def test_each_kind_of_record_is_read(server: DnsServer) -> None:
    """Names in lower case, without the last dot; a name without such a record has none, and so has one that is not there."""
    server.records = {
        (HOST, "MX"): ["10 MX.SendGrid.net", "20 other.example.net"],
        ("s1._domainkey." + HOST, "CNAME"): ["s1.domainkey.u1.wl.sendgrid.net"],
        (HOST, "TXT"): ["v=spf1 include:sendgrid.net ~all"],
    }
    ask = [server.address]
    assert query(HOST + ".", "MX", ask) == [FoundRecord("mx.sendgrid.net", 10), FoundRecord("other.example.net", 20)]
    assert query("S1._domainkey." + HOST, "CNAME", ask) == [FoundRecord("s1.domainkey.u1.wl.sendgrid.net")]
    assert query(HOST, "TXT", ask) == [FoundRecord("v=spf1 include:sendgrid.net ~all")]
    assert query(HOST, "CNAME", ask) == []
    assert query("nothing.example.com", "MX", ask) == []


def test_an_answer_that_was_cut_is_fetched_whole(server: DnsServer) -> None:
    """By TCP."""
    server.records = {(HOST, "MX"): [f"10 mx{number}.example.net" for number in range(40)]}
    server.cut = {HOST}
    assert len(query(HOST, "MX", [server.address])) == 40
    assert [way for _, _, way in server.asked] == ["udp", "tcp"]


def test_the_next_server_is_asked_where_one_does_not_answer(server: DnsServer) -> None:
    """And that none answers is said."""
    server.records = {(HOST, "MX"): ["10 mx.sendgrid.net"]}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        dead: tuple[str, int] = silent.getsockname()
        assert query(HOST, "MX", [dead, server.address], seconds=0.2) == [FoundRecord("mx.sendgrid.net", 10)]
        with pytest.raises(DnsUnanswered, match="no answer in time"):
            query(HOST, "MX", [dead], seconds=0.2)
    with pytest.raises(DnsUnanswered, match=r"resolv\.conf"):
        query(HOST, "MX", [])


def test_a_server_that_refuses_is_no_answer(server: DnsServer) -> None:
    """SERVFAIL says nothing about the record."""
    question = _question(HOST, 15)
    server.answer = struct.pack("!5H", 0x8182, 1, 0, 0, 0) + question[12:]
    with pytest.raises(DnsUnanswered):
        query(HOST, "MX", [server.address], seconds=0.5)


def test_a_name_that_goes_in_circles_ends(server: DnsServer) -> None:
    """A pointer to itself."""
    question = _question(HOST, 5)
    record = b"\xc0\x0c" + struct.pack("!2HIH", 5, 1, 60, 2)
    place = len(question) + len(record)
    server.answer = struct.pack("!5H", 0x8180, 1, 1, 0, 0) + question[12:] + record + struct.pack("!H", 0xC000 | place)
    with pytest.raises(DnsUnanswered):
        query(HOST, "CNAME", [server.address], seconds=0.5)


@given(st.binary(max_size=200), st.sampled_from([5, 15, 16]))
def test_whatever_comes_it_ends(tail: bytes, kind: int) -> None:
    """Records, or an error of ours."""
    question = _question(HOST, kind)
    for answer in (tail, question[:2] + struct.pack("!5H", 0x8180, 1, 3, 0, 0) + question[12:] + tail):
        with suppress(BadAnswer, struct.error):
            assert len(_records(answer, HOST, kind)) < len(answer)


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example.com"])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    """A label has 1 to 63 characters."""
    with pytest.raises(DnsUnanswered):
        query(name, "MX", [("127.0.0.1", 9)])


def test_the_machines_own_servers(tmp_path: Path) -> None:
    """In their order, three at most."""
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# mine\nsearch example.com\nnameserver 192.0.2.1\nnameserver ::1\nnameserver\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
    )
    assert system_servers(path) == (("192.0.2.1", 53), ("::1", 53), ("192.0.2.3", 53))
    assert system_servers(tmp_path / "nothing") == ()


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
        ("[::1]", ("::1", 53)),
    ],
)
def test_a_server_that_is_named(text: str, server: tuple[str, int]) -> None:
    """With or without a port."""
    assert server_of(text) == server


@pytest.mark.parametrize("text", ["", "dns.example.com", "192.0.2.1:x", "[::1"])
def test_what_is_no_server(text: str) -> None:
    """An address, since no name can be looked up without one."""
    with pytest.raises(ValueError, match=r".+"):
        server_of(text)
