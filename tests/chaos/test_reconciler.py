"""The whole web side is away while people write: what Twilio could not bring is found in its list and answered, once."""

from __future__ import annotations

import re
from typing import Final, cast

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.model.sms_admission import sms_id
from tests.support.installation import Installation, reply_id
from tests.support.wait import wait_for

SOON: Final = {"RECONCILE_MINUTES": "0.02", "RECONCILE_WINDOW_MINUTES": "60"}
"""Every 1.2 s; a text is left to its webhook for a fifth of that."""
ACCOUNT: Final = SANDBOX_CREDENTIALS["twilio_account_sid"]


def first_look(installation: Installation) -> None:
    wait_for(lambda: installation.redis.exists("boss:reconcile:since"), 15, "the first look")


def test_an_outage_of_the_whole_web_side_loses_nothing_and_doubles_nothing(installation: Installation) -> None:
    """Several people and several texts each; two workers, one of them killed; and every webhook comes late as well."""
    people = [installation.person() for _ in range(3)]
    first, _second = installation.fork(2, **SOON)
    first_look(installation)
    assert installation.texts(people, "before") == [200] * 3
    installation.quiet()  # a reply that is just being taken down could be one that a failover lost
    installation.web.kill9()
    try:
        sids = {(person.tag, word): installation.text(person, word) for word in ("one", "two", "three") for person in people}
        assert {answer["status"] for answer in sids.values()} == {None}
        first.kill9()
        wait_for(lambda: all(len(installation.assert_one_copy(person)) == 4 for person in people), 20, "all answers")
    finally:
        installation.web.start()
    for (tag, word), answer in sids.items():
        person = next(each for each in people if each.tag == tag)
        assert installation.text(person, word, message_sid=answer["message_sid"])["status"] == 200
    installation.quiet()
    for person in people:
        assert installation.assert_one_copy(person) == ["before", "one", "two", "three"]
        lines = installation.lines(installation.conversation(person), "sms_received")
        assert [line.fields.get("via") for line in lines] == [None, *["reconciler"] * 3]
        assert [line.fields["msg"] for line in lines[1:]] == [
            sms_id(ACCOUNT, str(sids[person.tag, word]["message_sid"])) for word in ("one", "two", "three")
        ]
    assert not any(installation.marked(reply_id(entry)) for person in people for entry in installation.replies(person))


def test_an_answered_text_that_a_failover_forgot_is_answered_with_the_mark(installation: Installation) -> None:
    """The reply may be the second one, and says so; a text of somebody else's, missed at the same time, does not."""
    person, other = installation.person(), installation.person()
    installation.fork(1, RECONCILE_MINUTES="0")  # a look of its own would be the last for minutes
    answer = installation.text(person, "hello")
    installation.wait_for_replies(person)
    installation.quiet()
    installation.end_workers()
    forget(installation, str(answer["message_sid"]))
    look_at_all_of_the_window(installation)
    installation.web.kill9()
    try:
        assert installation.text(other, "me, too")["status"] is None
        installation.fork(1, **SOON)
        installation.wait_for_replies(person, 2)
        installation.wait_for_replies(other)
    finally:
        installation.web.start()
    marks = [installation.marked(reply_id(entry)) for entry in (installation.replies(person)[1], installation.replies(other)[0])]
    assert marks == [True, False]
    assert len(installation.replies(person)) == 2
    [line] = installation.lines(installation.conversation(person), "sms_received")[1:]
    assert (line.fields["via"], line.fields["maybe_duplicate"]) == ("reconciler", "1")


def forget(installation: Installation, sid: str) -> None:
    """What a replica did not get before it became the master: the message, its mark, its reply and the provider's id."""
    message = sms_id(ACCOUNT, sid)
    for key in installation.redis.scan_iter(count=1000):
        if re.match(rb"boss:(provider|reply|turn|history|conv):", key) or key.decode().endswith(message):
            installation.redis.delete(key)


def look_at_all_of_the_window(installation: Installation) -> None:
    """As if the numbers had been looked at for longer."""
    installation.fork(1, **SOON)
    first_look(installation)
    installation.end_workers()
    for name in cast("list[bytes]", installation.redis.hkeys("boss:reconcile:since")):
        installation.redis.hset("boss:reconcile:since", name.decode(), 0)
