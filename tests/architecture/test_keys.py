"""The names of the database's keys have one owner."""

from __future__ import annotations

import ast
import re

from shared.mailbox import keys
from tests.support.processes import ROOT

PROGRAMS = ("boss", "bridge", "rq_async", "shared", "supervisor_worker", "webhook_api")
OWNER = ROOT / "shared" / "mailbox" / "keys.py"
MODULES = [path for package in PROGRAMS for path in sorted((ROOT / package).rglob("*.py")) if path != OWNER]
NAME = re.compile(rf"{keys.PREFIX}[a-z]|rq:[a-z]")


def test_no_key_is_written_out_outside_of_its_owner() -> None:
    """Of ours, nor of RQ's: a key that two modules spell is one that nobody can rename."""
    written = [
        f"{module.relative_to(ROOT)}: {node.value}"
        for module in MODULES
        if NAME.search(source := module.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.match(node.value)
    ]
    assert written == []


def test_the_test_would_find_one() -> None:
    """In a plain string and in one with a value in it."""
    assert len(MODULES) > 250
    for text in ("boss:open", "boss:msg:", "rq:queue:boss"):
        assert NAME.match(text)
    assert not NAME.match("boss: an error")


def test_the_scripts_and_python_spell_the_same_keys() -> None:
    """Each that Python names is one that a script, or Python alone, writes: none is misspelt on one side."""
    lua = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "shared" / "mailbox" / "lua").glob("*.lua"))
    spelt = set(re.findall(r"P \.\. '([a-z_]+)", lua))
    ours = {value.removeprefix(keys.PREFIX) for name, value in vars(keys).items() if name.isupper() and str(value).startswith(keys.PREFIX)}
    functions = {
        keys.conversation, keys.file, keys.inbox, keys.message, keys.pause, keys.provider, keys.reply, keys.seen, keys.threads, keys.unsure,
    }  # fmt: skip
    ours |= {function("x").removeprefix(keys.PREFIX).partition(":")[0] for function in functions}
    python_alone = {"", "salt", "heard", "probe", "barrier", "reconcile:turn", "reconcile:since", "reconcile:next"}
    python_alone |= {"mcp:accepted", "mcp:newest", "mcp:logins"}
    assert ours - spelt - python_alone == set()
