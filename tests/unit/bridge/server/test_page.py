"""docs/reference/bridge.md against the code: a client is written from that page alone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bridge.protocol import frames
from bridge.protocol.codes import ClientFrame, Close, ErrorCode, ServerFrame
from bridge.protocol.frames import Auth, Subscribe
from bridge.protocol.server_session import MessageRequest, ServerSession, SessionLimits
from shared.config.secret_rules import EXAMPLE_TOKEN
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "reference" / "bridge.md").read_text(encoding="utf-8")
SHOWN = [json.loads(line) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL) for line in block.splitlines()]


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


@pytest.mark.parametrize("kind", [*ClientFrame, *ServerFrame])
def test_every_frame_has_an_example_and_a_row(kind: str) -> None:
    """Of both sides."""
    assert any(frame["type"] == kind for frame in SHOWN)
    tables = rows("What a client sends") + rows("What the bridge sends")
    assert any(row[0] == f"`{kind}`" for row in tables)


@pytest.mark.parametrize("frame", [frame for frame in SHOWN if frame["type"] in set(ClientFrame)], ids=lambda frame: frame["type"])
def test_the_examples_of_a_client_are_understood(frame: dict[str, Any]) -> None:
    """Each is what the table says, and taken as it stands."""
    session = ServerSession(SessionLimits(), 0.0, lambda: "0" * 24)
    session.accept(Auth(EXAMPLE_TOKEN, 1, "", ""))
    decision = session.receive(json.dumps(frame), 0.0)
    kinds = {
        ClientFrame.AUTH: Auth,
        ClientFrame.SUBSCRIBE: Subscribe,
        ClientFrame.PING: str,
        ClientFrame.SMS: MessageRequest,
        ClientFrame.EMAIL: MessageRequest,
    }
    assert isinstance(decision, kinds[ClientFrame(frame["type"])])
    if frame["type"] == ClientFrame.AUTH:
        assert frame["token"] == EXAMPLE_TOKEN


def test_the_example_of_the_greeting_is_the_bridges_own() -> None:
    """With every limit at its default."""
    greeting = json.loads(ServerSession(SessionLimits(server="bossline/0.1.0"), 0.0, str).accept(Auth("t", 1, "", "")))
    assert greeting in SHOWN


def test_every_code_is_explained() -> None:
    """And no error is called retryable that is not."""
    explained = {
        code: row[2] for row in rows("Errors") for code in re.findall(r"`([a-z_]+)`", row[0] + (row[1] if "ignored" in row[1] else ""))
    }
    codes = {*ErrorCode, *frames.SENTENCES}
    assert codes <= set(explained)
    assert {code for code in codes if explained[code] == "yes"} == set(frames.RETRYABLE)
    assert {str(code.value) for code in Close} <= {row[0] for row in rows("Close codes")}
