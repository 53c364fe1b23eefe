"""The checks of the mailbox can fail: each rule is taken away, in the Lua's text, and its check must notice.

The rules and how each one is broken stand in `mutations.toml`. A rule's text must stand in its script, so that
whoever rewrites a script meets this table.
"""

from __future__ import annotations

from typing import Final

import pytest
from redis import Redis

from shared.mailbox.scripts import lua
from tests.integration.mailbox import (
    test_accept,
    test_alarm,
    test_approvals,
    test_automatic,
    test_bound_turns,
    test_claim,
    test_closing,
    test_commands,
    test_copies,
    test_elsewhere,
    test_erasing,
    test_files,
    test_folds,
    test_forwarding,
    test_history,
    test_indexes,
    test_limits,
    test_liveness,
    test_memory,
    test_money,
    test_moved_zones,
    test_outgoing,
    test_pause,
    test_people,
    test_registry,
    test_reminders,
    test_requests,
    test_scripts,
    test_search,
    test_sending,
    test_share,
    test_spending,
    test_steps,
    test_summaries,
    test_threads,
    test_unsettled,
)
from tests.support.mailbox_driver import MailboxDriver
from tests.support.mutations import Broken, named, table

MODULES: Final = (
    test_accept,
    test_alarm,
    test_approvals,
    test_automatic,
    test_bound_turns,
    test_claim,
    test_closing,
    test_copies,
    test_commands,
    test_elsewhere,
    test_erasing,
    test_files,
    test_folds,
    test_forwarding,
    test_history,
    test_indexes,
    test_limits,
    test_liveness,
    test_money,
    test_memory,
    test_moved_zones,
    test_outgoing,
    test_pause,
    test_people,
    test_registry,
    test_reminders,
    test_requests,
    test_scripts,
    test_search,
    test_sending,
    test_share,
    test_spending,
    test_steps,
    test_summaries,
    test_threads,
    test_unsettled,
)
ROWS: Final = {name: row for module in MODULES for name, row in vars(module).items() if name.startswith("test_")}


@pytest.mark.parametrize("broken", named(table()))
def test_a_rule_taken_away_is_noticed_by_its_row(redis: Redis, broken: Broken) -> None:
    """The hand-made sequence fails; and it passes, elsewhere, with the rule in place."""
    assert lua(broken.script).count(broken.old) == 1, f"{broken.script}.lua has changed: say anew how to break this rule"
    driver = MailboxDriver(redis, (broken.old, broken.new))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        ROWS[f"test_{broken.row}"](driver, *broken.case)


def test_every_script_of_the_law_is_in_the_table() -> None:
    """A row of the law without a broken rule would be a row without a proof."""
    scripts = {broken.script for broken in table()}
    used = {
        "send_permit",
        "turns",
        "index_ends",
        "copies",
        "search",
        "memory_of",
        "requests",
        "threads",
        "forwarding",
        "ringing",
        "reminders",
        "approvals",
        "erasing",
    }  # where the rules stand that several scripts share
    law = {"accept", "claim", "renew", "store_reply", "outcome", "not_found", "reserve", "backoff", "park", "retry", "hand_over", "sweep"}
    beside = {
        "status",
        "pause",
        "resume",
        "cross_channel_notice",
        "erase",
        "alarm",
        "warn",
        "unsettled",
        "index",
        "request_retry",
        "serve_retry",
        "alarms",
        "fire",
        "erase_begin",
        "erase_spending",
        "approval_code",
        "change_registry",
        "erase_approvals",
    }
    assert law | used | beside <= scripts
