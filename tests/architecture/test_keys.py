"""The names of the database's keys have one owner."""

from __future__ import annotations

import ast
import re

from shared.mailbox import keys
from shared.mailbox.key_names import NAMES
from tests.support.processes import ROOT

PROGRAMS = ("boss", "bridge", "rq_async", "shared", "supervisor_worker", "webhook_api")
OWNERS = (ROOT / "shared" / "mailbox" / "key_names.py", ROOT / "shared" / "mailbox" / "keys.py")
MODULES = [path for package in PROGRAMS for path in sorted((ROOT / package).rglob("*.py")) if path not in OWNERS]
SCRIPTS = sorted((ROOT / "shared" / "mailbox" / "lua").glob("*.lua"))
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


def test_no_script_writes_a_key_out() -> None:
    """It takes the names from the table `K`, which holds each that is used, and no other."""
    for path in SCRIPTS:
        code = "\n".join(line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("--"))
        assert not re.search(rf"['\"]{keys.PREFIX}", code), path.name
        assert set(re.findall(r"\bK\.(\w+)", code)) <= set(NAMES), path.name
        assert not re.search(r"\bK\[|[=(,] ?K\b(?!\.)", code), f"{path.name}: a name of the table is written where it can be found"


def test_each_name_is_used_and_none_stands_there_twice() -> None:
    """A day's book and a person's begin alike, and so do what senders were told; each is found by what it is made of."""
    lua = {name for path in SCRIPTS for name in re.findall(r"\bK\.(\w+)", path.read_text(encoding="utf-8"))}
    python = set(re.findall(r'\bkey\("(\w+)"\)', OWNERS[1].read_text(encoding="utf-8")))
    assert lua | python == set(NAMES)
    texts = [each.text for each in NAMES.values()]
    assert {text for text in texts if texts.count(text) > 1} == {"spent:"}


def test_a_name_says_whose_keys_it_makes() -> None:
    """What ends in a colon is made of somebody's id; what does not is one key."""
    for name, each in NAMES.items():
        assert each.text.endswith(":") == bool(each.owner), name
