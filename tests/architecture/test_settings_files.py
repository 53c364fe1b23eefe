"""The files that repeat the settings are generated, and the documents name only what exists."""

from __future__ import annotations

import re

import pytest

from boss.main import COMMANDS
from shared.config import settings as knobs
from shared.config.env_example import example_file
from tests.support.processes import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NAMED = re.compile(r"`([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)(?:=[^`]*)?`")
OTHERS = {"HONCHO_PROCESS_NAME", "MAX_FORM_MEMORY_SIZE", "QUERY_STRING", "RAW_URI", "REMOTE_ADDR", "REQUEST_URI", "TCP_INFO"}


def test_the_example_file_is_what_the_settings_generate() -> None:
    """`.env.example` equals `boss config example`."""
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_only_settings_that_exist(document: object) -> None:
    """A setting in a document can be set."""
    text = ROOT.joinpath(str(document)).read_text(encoding="utf-8")
    known = {name.upper() for name in knobs.Settings.model_fields} | OTHERS
    named = {name for name in NAMED.findall(text) if not name.startswith(("SANDBOX_", "SOAK_"))}
    assert named <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_only_commands_that_exist(document: object) -> None:
    """A command in a document can be run."""
    text = ROOT.joinpath(str(document)).read_text(encoding="utf-8")
    assert set(re.findall(r"\bboss ([a-z-]+)\b", " ".join(re.findall(r"`([^`\n]+)`", text)))) <= set(COMMANDS)


def test_links_between_documents_lead_somewhere() -> None:
    """No document points at a file that is not there."""
    for document in DOCUMENTS:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
