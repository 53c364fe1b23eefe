"""The list of the ledger's types, which `boss tail --type` goes by, is that of what is appended."""

from __future__ import annotations

import re

from shared.mailbox import ledger
from shared.mailbox.records import MessageState, ReplyState
from shared.model.channels import CHANNELS
from tests.support.processes import ROOT

SCRIPTS = ROOT / "shared" / "mailbox" / "lua"
LINE = re.compile(r"\bappend\(((?:[^,()]|\([^()]*\))+)")
VARIABLES = {
    "kind": set(),  # the function's own
    "channel .. '_received'": {f"{name}_received" for name in CHANNELS},
    "state": {"answered", "ignored", "parked", "handed_over"} | {"sent", "delivered", "undelivered", "failed"},
    "name": {"maybe_sent", "maybe_duplicate"},
}
"""What stands for a type that a script does not spell, and what it can be."""


def test_every_type_that_a_script_appends_is_on_the_list() -> None:
    """And nothing else."""
    found: set[str] = set()
    for path in SCRIPTS.glob("*.lua"):
        code = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
        for expression in LINE.findall(code):
            spelt = set(re.findall(r"'([a-z_]+)'", expression))
            found |= VARIABLES.get(expression.strip(), spelt)
            assert spelt or expression.strip() in VARIABLES, f"{path.name}: {expression}"
    assert found == ledger.TYPES


def test_the_states_that_are_types_exist() -> None:
    """Of messages and of replies."""
    states = {state.value for state in (*MessageState, *ReplyState)}
    assert VARIABLES["state"] <= states
