"""The files that repeat the settings are generated, and the documents name only what exists."""

from __future__ import annotations

import re

import pytest

from boss.main import COMMANDS
from shared.config.env_example import example_file
from shared.config.settings import Settings
from tests.support.documents import NAMES, code, text_of
from tests.support.processes import ROOT

NAMED = re.compile(r"`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)(?:=[^`]*)?`")
RUN = re.compile(r"(?<![\w-])boss ([a-z-]+)\b")
"""A command of ours and its first word."""
OTHERS = {"HONCHO_PROCESS_NAME", "MAX_FORM_MEMORY_SIZE", "QUERY_STRING", "RAW_URI", "REMOTE_ADDR", "REQUEST_URI", "TCP_INFO"}


def test_the_example_file_is_what_the_settings_generate() -> None:
    """`.env.example` equals `boss config example`."""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example_file()


@pytest.mark.parametrize("document", NAMES)
def test_documents_name_only_settings_that_exist(document: str) -> None:
    """A setting in a document can be set."""
    text = text_of(document)
    known = {name.upper() for name in Settings.model_fields} | OTHERS
    named = {name for name in NAMED.findall(text) if not name.startswith(("SANDBOX_", "SOAK_"))}
    assert named <= known


@pytest.mark.parametrize("document", NAMES)
def test_documents_name_only_commands_that_exist(document: str) -> None:
    """A command in a document can be run."""
    assert {name for piece in code(text_of(document)) for name in RUN.findall(piece)} <= set(COMMANDS)


def test_a_command_is_found_in_prose_and_in_blocks() -> None:
    """Also where its line was wrapped; a program of another name is none of ours."""
    text = "`boss\ntail` `sudo boss pause`\n```sh\n.venv/bin/boss doctor | a\necho a | boss chat\n```\n    boss users erase\n`the boss`"
    assert [name for piece in code(text) for name in RUN.findall(piece)] == ["tail", "pause", "doctor", "chat", "users"]
