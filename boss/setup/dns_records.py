"""The DNS records that a set-up needs, and whether they are there: those that SendGrid asks for, and where mail to the Boss goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from boss.setup.dns_client import DnsUnanswered, FoundRecord
from boss.setup.standing import DnsRecord, StandingSendGrid

MAIL_EXCHANGER: Final = "mx.sendgrid.net"
PRIORITY: Final = 10
State = Literal["found", "missing", "other", "not checked"]
Lookup = Callable[[str, str], list[FoundRecord]]
"""Name and kind to records. Raises DnsUnanswered."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A record, and what was seen of it; `seen` is what stands there instead, or why nothing is known."""

    record: DnsRecord
    state: State
    seen: str = ""


def needed(standing: StandingSendGrid, hosts: Sequence[str]) -> Iterator[DnsRecord]:
    """The records of the Boss's mail hosts."""
    for host in hosts:
        domain = standing.domain(host)
        yield from domain.records if domain else ()
        yield DnsRecord(kind="MX", host=host, data=MAIL_EXCHANGER, priority=PRIORITY)


def check(records: Iterable[DnsRecord], lookup: Lookup) -> list[Checked]:
    """Look each of them up."""
    return [_checked(record, lookup) for record in records]


def _checked(record: DnsRecord, lookup: Lookup) -> Checked:
    try:
        found = lookup(record.host, record.kind)
    except (DnsUnanswered, KeyError) as error:
        return Checked(record, "not checked", getattr(error, "detail", "") or "a kind of record that is not looked up here")
    names = [each.data for each in found]
    if record.data.rstrip(".").lower() in [name.lower() for name in names]:
        others = [name for name in names if name.lower() != record.data.lower()]
        return Checked(record, "other", ", ".join(others)) if record.kind == "MX" and others else Checked(record, "found")
    return Checked(record, "other", ", ".join(names)) if names else Checked(record, "missing")


def table(checked: Sequence[Checked]) -> Iterator[str]:
    """The records as a person enters them, each with its state."""
    for each in checked:
        record = each.record
        data = f"{record.priority} {record.data}" if record.priority is not None else record.data
        state = f"{each.state}: {each.seen}" if each.seen else each.state
        yield f"{record.kind:<5} {record.host}  {data}  [{state}]"


def warnings(checked: Iterable[Checked]) -> Iterator[str]:
    """What a record that is something else would break."""
    for each in checked:
        if each.state == "other" and each.record.kind == "MX":
            yield (
                f"Mail to {each.record.host} goes to {each.seen} now. With the MX record above all mail to that host goes to the Boss: "
                f"use a subdomain of its own for the Boss, or take the other record out."
            )
