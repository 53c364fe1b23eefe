"""The persons of the users file, by the ids under which the mailbox knows them."""

from __future__ import annotations

from dataclasses import replace

from shared.model.addresses import EmailAddress, Identities
from shared.model.users import LOCAL_USER
from shared.operations.people import People


def test_a_pause_of_a_person_holds_for_each_address_that_they_write_from() -> None:
    """For further addresses and for all tags, of theirs and of the Boss's: an operator names the person alone."""
    ids = Identities(b"salt")
    user = replace(LOCAL_USER, email_aliases=(EmailAddress("ada@home.example"),))
    pairs = People((user,), ids).pairs(user)
    assert len(set(pairs)) == 3
    for own in ("user@example.com", "user+x@example.com", "ada@home.example", "ada+y@home.example"):
        for boss in ("boss@example.com", "boss+shop@example.com"):
            assert ids.pair(EmailAddress(boss), EmailAddress(own)) in pairs, own
    assert ids.pair(EmailAddress("boss@example.com"), EmailAddress("eve@home.example")) not in pairs
    assert [found.username for found in People((user,), ids).shown_as(EmailAddress("ada@home.example").masked())] == ["user"]
