"""The user of `deploy/users.acl` may send every command that a script sends."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.processes import ROOT

_CALLED = re.compile(r"redis\.p?call\('(\w+)'")


def test_the_shipped_user_may_send_each_command_of_each_script() -> None:
    """A command that it may not send fails in the middle of a script, and only where that branch runs."""
    allowed = set(re.findall(r"\+([a-z|]+)", next(line for line in _acl().splitlines() if line.startswith("user bossline "))))
    scripts = [*(ROOT / "shared" / "mailbox" / "lua").glob("*.lua"), *(ROOT / "rq_async").rglob("*.lua")]
    sent = {command.lower() for script in scripts for command in _CALLED.findall(script.read_text(encoding="utf-8"))}
    assert "hset" in sent
    assert sent - allowed == set()


def _acl() -> str:
    return Path(ROOT / "deploy" / "users.acl").read_text(encoding="utf-8")
