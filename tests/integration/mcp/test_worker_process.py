"""In a process as a worker is: its loop, and its log."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from shared.config.loading import load_settings
from shared.mailbox import mcp_lists
from shared.model.mcp_tools import listed
from shared.observability.redaction import mask
from shared.runtime import open_runtime
from supervisor_worker.channels.notes import theirs
from supervisor_worker.process.resources import open_resources
from tests.support.processes import ROOT

PROCESS = """
import asyncio, sys, uvloop
from pathlib import Path
from redis.asyncio import Redis
from shared.config.loading import load_settings
from shared.mailbox import mcp_lists
from shared.observability import logs
from supervisor_worker.mcp.logins import Logins
from supervisor_worker.mcp.tools import open_tools, opener_of
from supervisor_worker.mcp.trial import trial
from tests.support.mcp_http import http_server

async def main():
    settings = load_settings(_env_file=None)
    async with http_server() as server, Redis.from_url(sys.argv[1], protocol=2) as redis:
        server.token = "another-token"
        settings.boss_mcp_file.write_text(settings.boss_mcp_file.read_text() + f'''
[[servers]]
name = "http"
url = "{server.url}"
token_env = "CANARY_TOKEN"
''')
        tools = open_tools(settings, redis)
        for name in ("prints", "good"):
            found = await trial(tools._servers[name], opener_of(Logins(redis, ""), None))
            await mcp_lists.heard_async(redis, name, found.tools, 1)
            await redis.hset("boss:mcp:accepted", name, await redis.hget("boss:mcp:newest", name))
        await redis.hset("boss:mcp:accepted", "http", await redis.hget("boss:mcp:newest", "good"))
        await redis.hset("boss:mcp:accepted", "gone", await redis.hget("boss:mcp:newest", "good"))
        await tools.refresh()
        asked = [("prints", "echo"), ("good", "refuse"), ("good", "liar"), ("good", "flood"), ("good", "environment"), ("good", "die"),
                 ("http", "echo"), ("gone", "echo")]
        for server_name, tool in asked:
            found = await tools.call(f"{server_name}__{tool}", {"text": "canary-argument", "size": 5_000_000}, "ada", 10)
            print(server_name, tool, found.fate, flush=True)
        await tools.aclose()

logs.configure("worker", "json")
uvloop.run(main())
"""


def test_no_argument_result_token_or_description_is_in_the_log(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    """Whatever servers print, answer and break, on the worker's own loop; nothing else reaches its output, and it ends by itself."""
    program = f'command = "{sys.executable}"\nargs = ["-S", "-E", "{ROOT}/tests/support/mcp_program.py", '
    (tmp_path / "mcp.toml").write_text(
        "".join(f'[[servers]]\nname = "{kind}"\n{program}"{kind}"]\nenv_from = ["CANARY_TOKEN"]\n' for kind in ("good", "prints"))
        + '[[servers]]\nname = "gone"\ncommand = "/nowhere/canary-command"\n'
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CANARY_TOKEN": "canary-token-123", "BOSS_MCP_FILE": str(tmp_path / "mcp.toml")}
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, redis_url], capture_output=True, text=True, env={**environment, "BOSS_DATA_DIR": str(tmp_path)},
        cwd=ROOT, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "prints echo answered", "good refuse answered", "good liar unknown", "good flood unknown", "good environment answered",
        "good die unknown", "http echo not_made", "gone echo not_made",
    ]  # fmt: skip
    assert "canary" not in done.stderr
    assert "Does echo" not in done.stderr
    assert "No such day" not in done.stderr
    assert "warning warning" not in done.stderr
    lines = [line for line in map(json.loads, done.stderr.splitlines()) if line.get("logger") != "aiohttp.access"]  # the test's own server
    assert {(line["action"], line["server"]) for line in lines} == {("mcp_failed", name) for name in ("good", "http", "gone")}
    assert "it refuses our token (401)" in done.stderr
    assert redis.hlen("boss:mcp:newest") == 2


def test_a_worker_opens_the_tools_that_were_accepted_and_masks_their_secrets(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its first turn; a token of a server's file is in none of our own settings."""
    (tmp_path / "mcp.toml").write_text('[[servers]]\nname = "notes"\nurl = "https://notes.example.com/mcp"\ntoken_env = "CANARY_TOKEN"\n')
    monkeypatch.setenv("CANARY_TOKEN", "canary-token-of-notes")
    schema = {"type": "object", "properties": {}}
    mcp_lists.accept(redis, "notes", listed("notes", [("search", "Looks.", schema)], theirs, lambda _: True), 1, "operator")

    async def shown() -> tuple[str, ...]:
        settings = load_settings(
            _env_file=None, redis_url=redis_url, sandbox="on", boss_mcp_file=tmp_path / "mcp.toml", boss_data_dir=tmp_path
        )
        runtime = open_runtime(settings, "worker")
        try:
            async with open_resources(runtime) as resources:
                assert resources.context.mcp is not None
                return tuple(tool.name for tool in resources.context.mcp.definitions("user"))
        finally:
            runtime.close()

    assert asyncio.run(shown()) == ("notes__search",)
    assert mask("it said canary-token-of-notes") == "it said ***"
