"""Whose a message is, where people are added while it is judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar, cast

from shared.model.addresses import Channel, PhoneNumber
from shared.model.users import LOCAL_USER, User, Users
from shared.runtime import Runtime
from tests.support.fake_mailbox import IDENTITIES
from webhook_api.intake.judging import Judging
from webhook_api.intake.records import IgnoredMessage, JudgedMessage


class Slow:
    """A message that is judged while somebody is added."""

    channel: ClassVar[Channel] = "sms"

    def judged(self, runtime: Runtime) -> JudgedMessage:
        """Nobody's, by who was known when its judgement began."""
        runtime.users.replace([LOCAL_USER, User(username="ada", phone=PhoneNumber("+15557654321"), boss_phone=LOCAL_USER.boss_phone)], 8)
        return IgnoredMessage("m-1", "sms", "stranger", unknown=True)

    def fields(self) -> dict[str, object]:
        """As it came."""
        return {}


def test_what_was_judged_while_the_people_changed_bears_the_older_version() -> None:
    """Else the script would take the judgement for one by the newer."""
    runtime = cast("Any", SimpleNamespace(users=Users([LOCAL_USER], 7), identities=IDENTITIES))
    call = Judging(Slow(), runtime).call()
    assert (call.args["users"], runtime.users.version) == (7, 8)
