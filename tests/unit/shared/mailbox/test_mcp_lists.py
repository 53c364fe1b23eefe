"""The lists of MCP tools in Redis."""

from __future__ import annotations

from fakeredis import FakeRedis

from shared.mailbox import keys, mcp_lists
from shared.model.mcp_tools import ListedTool, ToolList

ONE = ToolList((ListedTool("add", "Adds.", '{"type":"object"}'),), ("'x y': a fault",))
TWO = ToolList((ListedTool("add", "Adds more.", '{"type":"object"}'), ListedTool("new", "", '{"type":"object"}')))


def test_a_list_is_shown_when_it_was_accepted_and_as_it_was_accepted() -> None:
    """What the server says later is shown by nobody, until that is accepted, too."""
    redis = FakeRedis()
    mcp_lists.heard(redis, "calendar", ONE, 1)
    assert mcp_lists.read(redis).usable("calendar") == ()
    mcp_lists.accept(redis, "calendar", ONE, 2, "ada")
    found = mcp_lists.read(redis)
    assert (found.usable("calendar"), found.accepted["calendar"].by, found.accepted["calendar"].at_ms) == (ONE.tools, "ada", 2)
    mcp_lists.heard(redis, "calendar", TWO, 3)
    assert mcp_lists.read(redis).usable("calendar") == ()
    mcp_lists.accept(redis, "calendar", TWO, 4, "ada")
    assert mcp_lists.read(redis).usable("calendar") == TWO.tools


def test_a_record_that_cannot_be_read_is_no_list() -> None:
    """The other servers' are."""
    redis = FakeRedis()
    mcp_lists.accept(redis, "good", ONE, 1, "ada")
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"at":1,"by":"","list":"[]"}'), ("d", '{"at":"x","by":"","list":"{}"}')):
        redis.hset(keys.MCP_ACCEPTED, name, text)
    assert set(mcp_lists.read(redis).accepted) == {"good"}
