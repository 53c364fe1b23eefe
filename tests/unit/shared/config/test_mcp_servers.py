"""The file of MCP servers: what it may hold, and what is said of what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.loading import load_mcp_servers, load_settings, unknown_settings
from shared.config.mcp_servers import McpServer, ToolRule, load_servers
from shared.errors import ConfigurationError

WHOLE = """
[[servers]]
name = "calendar"
command = "/opt/calendar/mcp"
args = ["--all"]
env = { PLACE = "/srv" }
env_from = ["CALENDAR_TOKEN"]
cwd = "/srv"
timeout_seconds = 12
[servers.tools.search]
read_only = true
[servers.tools.add]
repeat = true
persons = ["ada"]
timeout_seconds = 5
[servers.tools.wipe]
approval = "never"
[servers.tools.look]
read_only = true
approval = "ask"

[[servers]]
name = "a-notes"
url = "https://notes.example.com/mcp"
token_env = "NOTES_TOKEN"
approval = "never"
persons = ["tom"]
[servers.tools.find]
approval = "always"
"""
ENVIRONMENT = {"CALENDAR_TOKEN": "secret-calendar", "NOTES_TOKEN": "secret-notes"}


def loaded(path: Path, text: str) -> tuple[McpServer, ...]:
    path.write_text(text)
    return load_servers(path, ENVIRONMENT)


def test_a_tool_that_the_operator_says_nothing_of_asks_first(tmp_path: Path) -> None:
    """And is everybody's, is not repeated, and has thirty seconds; `read_only` alone makes it `always`."""
    notes, calendar = loaded(tmp_path / "mcp.toml", WHOLE)
    assert ToolRule() == ToolRule(approval="ask", read_only=False, repeat=False, persons=None, timeout_seconds=30.0)
    assert calendar.rule_of("anything") == ToolRule(timeout_seconds=12)
    assert calendar.rule_of("search") == ToolRule(approval="always", read_only=True, timeout_seconds=12)
    assert calendar.rule_of("add") == ToolRule(repeat=True, persons=("ada",), timeout_seconds=5)
    assert calendar.rule_of("wipe").approval == "never"
    assert calendar.rule_of("look").approval == "ask"
    assert (notes.rule_of("else").approval, notes.rule_of("find")) == ("never", ToolRule(approval="always", persons=("tom",)))


def test_secrets_come_from_the_environment_and_are_in_no_repr(tmp_path: Path) -> None:
    """Of a program's own environment, too."""
    notes, calendar = loaded(tmp_path / "mcp.toml", WHOLE)
    assert (notes.token, calendar.env) == ("secret-notes", {"PLACE": "/srv", "CALENDAR_TOKEN": "secret-calendar"})
    assert "secret" not in repr((notes, calendar))
    assert set(ENVIRONMENT.values()) <= {*notes.secrets, *calendar.secrets}


PROGRAM = '[[servers]]\nname = "a"\ncommand = "x"\n'
ADDRESS = '[[servers]]\nname = "a"\n'


def test_each_fault_is_a_sentence_without_a_value(tmp_path: Path) -> None:
    """It names the field, and what it must be."""
    for text, said in (
        ("servers = 3", "must hold [[servers]] tables"),
        ("[[servers]]\nname = a", "is not TOML at line 2"),
        ("", "must hold 1 to 20"),
        (PROGRAM * 21, "must hold 1 to 20"),
        (PROGRAM * 2, "two servers have the name a"),
        ('[[servers]]\ncommand = "x"', "server 1: name must be 1 to 24"),
        ('[[servers]]\nname = "My_Server"\ncommand = "x"', "server 1: name must be"),
        ('[[servers]]\nname = "a\\n"\ncommand = "x"', "server 1: name must be"),
        (ADDRESS, "server a: needs either command or url"),
        (PROGRAM + 'url = "https://a.example"', "needs either command or url"),
        (PROGRAM + 'token_env = "NOTES_TOKEN"', "token_env does not go with command"),
        (PROGRAM + "comand = 3", "unknown field 'comand' (did you mean command?)"),
        (PROGRAM + "args = [1]", "args must be a list of texts"),
        (PROGRAM + 'env = { "a b" = "c" }', "env must be a table"),
        (PROGRAM + 'env = { A = "a\\u0000b" }', "env must be a table"),
        (PROGRAM + 'env_from = ["NOT_SET"]', "env_from names NOT_SET, which is set neither"),
        (PROGRAM + 'cwd = "srv"', "cwd must be an absolute path"),
        (PROGRAM + "timeout_seconds = 121", "timeout_seconds must be more than 0 and at most 120"),
        (PROGRAM + "timeout_seconds = nan", "timeout_seconds must be more than 0"),
        (PROGRAM + "at_once = 0", "at_once must be 1 to 200"),
        (PROGRAM + "at_once = true", "at_once must be 1 to 200"),
        (PROGRAM + 'approval = "yes"', "approval must be always, ask or never"),
        (PROGRAM + 'read_only = "no"', "read_only must be true or false"),
        (PROGRAM + 'persons = "ada"', "persons must be a list of usernames"),
        (PROGRAM + "[servers.tools.x]\nrepeat = 1", "tool 'x': repeat must be true or false"),
        (PROGRAM + "[servers.tools.x]\nread_onl = true", "tool 'x': unknown field 'read_onl' (did you mean read_only?)"),
        (ADDRESS + 'url = "http://notes.example.com/mcp"', "url must be an https:// address"),
        (ADDRESS + 'url = "https://me:password-of-mine@notes.example.com"', "url must be an https:// address"),
        (ADDRESS + 'url = "https://notes.example.com"\ntoken_env = "NOTES_TOKEN"\nlogin = true', "token_env and login; one of them"),
        (ADDRESS + 'url = "https://notes.example.com"\ncwd = "/"', "cwd does not go with url"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            loaded(tmp_path / "mcp.toml", text)
        assert said in str(refused.value), text
        assert "password-of-mine" not in str(refused.value)
    for url in ("http://127.0.0.1:8080/mcp", "http://localhost/mcp", "http://[::1]/", "https://notes.example.com:8443"):
        assert loaded(tmp_path / "mcp.toml", f'{ADDRESS}url = "{url}"')[0].url == url


def test_the_names_of_its_secrets_may_stand_in_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read from there, and nobody is told that they set nothing; a misspelt one is."""
    (tmp_path / "mcp.toml").write_text(WHOLE)
    env = tmp_path / "env"
    env.write_text(f"BOSS_MCP_FILE={tmp_path}/mcp.toml\nCALENDAR_TOKEN=secret-a\nNOTES_TOKEN=secret-b\nNOTES_TOKN=secret-c\n")
    monkeypatch.delenv("BOSS_MCP_FILE", raising=False)
    settings = load_settings(_env_file=env)
    assert {server.token for server in load_mcp_servers(settings, _env_file=env)} == {"", "secret-b"}
    assert ["NOTES_TOKN" in sentence for sentence in unknown_settings(_env_file=env)] == [True]
    assert load_mcp_servers(load_settings(_env_file=None), _env_file=None) == ()


def test_a_login_needs_the_key_by_which_it_is_stored(tmp_path: Path) -> None:
    """It is the operator's own, and long."""
    file = tmp_path / "mcp.toml"
    file.write_text(ADDRESS + 'url = "https://notes.example.com"\nlogin = true')
    with pytest.raises(ConfigurationError, match="BOSS_MCP_KEY: is missing"):
        load_mcp_servers(load_settings(_env_file=None, boss_mcp_file=file), _env_file=None)
    key = "the key of a test, and not of anybody"
    settings = load_settings(_env_file=None, boss_mcp_file=file, boss_mcp_key=key)
    assert (load_mcp_servers(settings, _env_file=None)[0].login, key in settings.secrets) == (True, True)
