"""The whole web side is away while people write: what Twilio could not bring is found in its list and answered, once."""

from __future__ import annotations

import re
from typing import Final, cast

from shared.config.secret_rules import SANDBOX_CREDENTIALS
from shared.model.sms_admission import sms_id
from tests.support.wait import wait_for
from tests.support.whole import Whole, reply_id

SOON: Final = {"RECONCILE_MINUTES": "0.02", "RECONCILE_WINDOW_MINUTES": "60"}
"""Every 1.2 s; a text is left to its webhook for a fifth of that."""
ACCOUNT: Final = SANDBOX_CREDENTIALS["twilio_account_sid"]


def first_look(whole: Whole) -> None:
    wait_for(lambda: whole.redis.exists("boss:reconcile:since"), 15, "the first look")


def test_an_outage_of_the_whole_web_side_loses_nothing_and_doubles_nothing(whole: Whole) -> None:
    """Several people and several texts each; two workers, one of them killed; and every webhook comes late as well."""
    people = [whole.person() for _ in range(3)]
    first, _second = whole.fork(2, **SOON)
    first_look(whole)
    assert whole.texts(people, "before") == [200] * 3
    whole.quiet()  # a reply that is just being taken down could be one that a failover lost
    whole.web.kill9()
    try:
        sids = {(person.tag, word): whole.text(person, word) for word in ("one", "two", "three") for person in people}
        assert {answer["status"] for answer in sids.values()} == {None}
        first.kill9()
        wait_for(lambda: all(len(whole.assert_one_copy(person)) == 4 for person in people), 20, "all answers")
    finally:
        whole.web.start()
    for (tag, word), answer in sids.items():
        person = next(each for each in people if each.tag == tag)
        assert whole.text(person, word, message_sid=answer["message_sid"])["status"] == 200
    whole.quiet()
    for person in people:
        assert whole.assert_one_copy(person) == ["before", "one", "two", "three"]
        lines = whole.lines(whole.conversation(person), "sms_received")
        assert [line.fields.get("via") for line in lines] == [None, *["reconciler"] * 3]
        assert [line.fields["msg"] for line in lines[1:]] == [
            sms_id(ACCOUNT, str(sids[person.tag, word]["message_sid"])) for word in ("one", "two", "three")
        ]
    assert not any(whole.marked(reply_id(entry)) for person in people for entry in whole.replies(person))


def test_an_answered_text_that_a_failover_forgot_is_answered_with_the_mark(whole: Whole) -> None:
    """The reply may be the second one, and says so; a text of somebody else's, missed at the same time, does not."""
    person, other = whole.person(), whole.person()
    whole.fork(1, RECONCILE_MINUTES="0")  # a look of its own would be the last for minutes
    answer = whole.text(person, "hello")
    whole.wait_for_replies(person)
    whole.quiet()
    whole.end_workers()
    forget(whole, str(answer["message_sid"]))
    look_at_all_of_the_window(whole)
    whole.web.kill9()
    try:
        assert whole.text(other, "me, too")["status"] is None
        whole.fork(1, **SOON)
        whole.wait_for_replies(person, 2)
        whole.wait_for_replies(other)
    finally:
        whole.web.start()
    marks = [whole.marked(reply_id(entry)) for entry in (whole.replies(person)[1], whole.replies(other)[0])]
    assert marks == [True, False]
    assert len(whole.replies(person)) == 2
    [line] = whole.lines(whole.conversation(person), "sms_received")[1:]
    assert (line.fields["via"], line.fields["maybe_duplicate"]) == ("reconciler", "1")


def forget(whole: Whole, sid: str) -> None:
    """What a replica did not get before it became the master: the message, its mark, its reply and the provider's id."""
    message = sms_id(ACCOUNT, sid)
    for key in whole.redis.scan_iter(count=1000):
        if re.match(rb"boss:(provider|reply|turn|history|conv):", key) or key.decode().endswith(message):
            whole.redis.delete(key)


def look_at_all_of_the_window(whole: Whole) -> None:
    """As if the numbers had been looked at for longer."""
    whole.fork(1, **SOON)
    first_look(whole)
    whole.end_workers()
    for name in cast("list[bytes]", whole.redis.hkeys("boss:reconcile:since")):
        whole.redis.hset("boss:reconcile:since", name.decode(), 0)
