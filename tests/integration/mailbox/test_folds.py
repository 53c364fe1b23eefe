"""What of a mail is folded is kept once, with the mail."""

from __future__ import annotations

from shared.mailbox import calls
from shared.model.folds import Fold, decode
from tests.support.mailbox_driver import C, MailboxDriver

FIRST, OTHER = [Fold(0, 9, "one")], [Fold(3, 9, "other")]


def test_the_first_judgement_of_a_mail_stays_and_goes_with_its_record(driver: MailboxDriver) -> None:
    """Whoever judges it again gets the first; what was judged to have none stays so; what was erased gets no record of it."""
    driver.accept("m-1", kind="mail")
    assert decode(driver.run(calls.store_folds("m-1", FIRST))) == tuple(FIRST)
    assert decode(driver.run(calls.store_folds("m-1", OTHER))) == tuple(FIRST)
    driver.accept("m-2", kind="mail")
    for folds in ([], FIRST):
        assert driver.run(calls.store_folds("m-2", folds)) == "[]"
    message = driver.box.message("m-2")
    assert message is not None
    assert message.folds == ()
    driver.run(calls.erase(C, ["m-1"]))
    assert driver.run(calls.store_folds("m-1", FIRST)) == ""
    assert not driver.redis.exists("boss:msg:m-1")
