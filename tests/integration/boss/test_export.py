"""`boss users export`: everything that is kept of one person, for their eyes alone, and nothing of anybody else's."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from boss.main import main
from shared.mailbox import calls
from shared.model.files import File
from shared.model.users import LOCAL_USER, Users
from tests.support.sandbox import SandboxProcess
from tests.support.turn_environment import TurnEnvironment, calling

KEY = "ab" * 16


@pytest.fixture
def environment(redis: Redis, redis_url: str, sandbox: SandboxProcess) -> Iterator[TurnEnvironment]:
    sandbox.faults(twilio={"status_callbacks": False}, sendgrid={"events": False})
    found = TurnEnvironment(redis, redis_url, sandbox)
    found.users = Users([LOCAL_USER])
    yield found
    found.close()


def boss(environment: TurnEnvironment, *words: str) -> Result:
    """The command, on this server."""
    return CliRunner().invoke(main, list(words), env={"REDIS_URL": environment.redis_url, "SANDBOX": "on"})


def opened(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """An archive's document, and its files."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content.pop("keys.json")
    return json.loads(content.pop("everything.json")), content


def test_all_that_is_kept_of_a_person_is_exported_and_nothing_of_others(environment: TurnEnvironment, tmp_path: Path) -> None:
    """Conversations with answers, facts, lists, reminders and files; readable by its owner alone, and never written over."""
    environment.sandbox.script(calling("remember", text="likes tea"), {"text": "I will."})
    environment.once(environment.text("Remember that I like tea"))
    environment.sandbox.script(calling("add_to_list", list="shopping", items=["milk"]), {"text": ""})
    environment.once(environment.text("Milk"))
    environment.sandbox.script(calling("set_reminder", text="call mum", in_minutes=20), {"text": ""})
    environment.once(environment.mail("Remind me"))
    content = b"%PDF" + bytes(1_000)
    run = environment.mailbox.run
    run(calls.file_room("m-1", environment.identities.user("user"), [(KEY, len(content))], most=10**9))
    run(calls.file_piece(KEY, 0, content[:600]))
    run(calls.file_piece(KEY, 1, content[600:]))
    files = (File(KEY, "Plan.PDF", "application/pdf", len(content)), File("cd" * 16, "gone.pdf", "application/pdf", 7))
    environment.once(environment.mail("The plan", attachments=("Plan.PDF", "gone.pdf"), files=files))
    environment.once(environment.text("Not mine", "+15550009999"))
    client, me = environment.redis, environment.identities.user("user")
    talk = environment.conversation(environment.text("Milk, too"))
    client.hset(f"boss:summary:{talk}", mapping={"v": 1, "user": me, "text": "They like tea."})
    client.hset(f"boss:summary:{talk}:other", mapping={"v": 1, "user": "u-eve", "text": "Not mine either."})
    client.zadd(f"boss:approvals:{me}", {"ap-1": 1, "ap-2": 2})
    client.hset("boss:approval:ap-1", mapping={"user": me, "at": 1_795_390_200_000, "state": "pending", "calls": '[{"tool":"mail__send"}]'})
    client.hset("boss:approval:ap-2", mapping={"user": "u-eve", "approver": me, "at": 1, "state": "pending", "calls": '["Not mine"]'})
    path = tmp_path / "user.zip"
    done = boss(environment, "users", "export", "user", "--to", str(path))
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "tea" not in done.output
    assert "+1555" not in done.output
    document, found = opened(path)
    assert [fact["text"] for fact in document["facts"]] == ["likes tea"]
    assert [(each["name"], [item["text"] for item in each["items"]]) for each in document["lists"]] == [("shopping", ["milk"])]
    assert [(each["text"], each["channel"], each["state"]) for each in document["reminders"]] == [("call mum", "email", "waiting")]
    texts = [each["text"] for talk in document["conversations"] for each in talk["messages"]]
    assert document["questions"] == [{"at": "2026-11-22T23:30:00Z", "state": "pending", "calls": [{"tool": "mail__send"}]}]
    assert [text for each in document["conversations"] for text in each["summaries"]] == ["They like tea."]
    texts.remove("Milk, too")
    assert sorted(texts) == ["Milk", "Remember that I like tea", "Remind me", "The plan"]
    answers = [each["answer"]["text"] for talk in document["conversations"] for each in talk["messages"] if "answer" in each]
    assert "Remembered: likes tea\n\nI will." in answers
    assert document["person"]["phone"] == "+15551234567"
    assert found == {f"files/{KEY}.pdf": content}
    assert "gone.pdf" in done.output
    assert "Not mine" not in json.dumps(document)
    again = boss(environment, "users", "export", "user", "--to", str(path))
    assert again.exit_code == 1
    assert "there is such a file already" in again.output


def test_of_who_was_erased_or_never_wrote_nothing_is_exported(environment: TurnEnvironment, tmp_path: Path) -> None:
    """No empty archive is left behind."""
    environment.sandbox.script(calling("remember", text="likes tea"), {"text": "I will."})
    environment.once(environment.text("Remember that I like tea"))
    assert boss(environment, "users", "erase", "user", "--yes").exit_code == 0
    for name in ("user", "nobody"):
        done = boss(environment, "users", "export", name, "--to", str(tmp_path / "user.zip"))
        assert (done.exit_code, list(tmp_path.iterdir())) == (2, []), done.output
        assert "nothing is kept" in done.output
    assert environment.redis.keys("boss:talks:*") == []
