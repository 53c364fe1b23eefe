"""`make lint` finds a secret in a file and a vulnerability in a package, and says so when no service answers."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path

import pytest

from tools import audit, secret_scan

KEYS = {
    "hex": secrets.token_hex(16),
    "base64": base64.b64encode(secrets.token_bytes(40)).decode(),
    "sendgrid": f"SG.{secrets.token_urlsafe(16)[:22]}.{secrets.token_urlsafe(32)[:43]}",
    "twilio": f"AC{secrets.token_hex(16)}",
    "in an address": f"https://somebody:{secrets.token_hex(12)}@host.example.com",
    "private key": "-----BEGIN " + "PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_generated_key_in_a_file_is_found(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text(f'value = "{KEYS[kind]}"\n', encoding="utf-8")
    assert {finding.line for finding in secret_scan.findings([str(file)])} == {1}


def test_what_shows_itself_to_be_an_example_is_none(tmp_path: Path) -> None:
    file = tmp_path / "settings.py"
    file.write_text('api_key = "sandbox-anthropic-key"\npassword = "short"\napi_key = "sk-ant-a-key-of-ours"\n', encoding="utf-8")
    assert secret_scan.findings([str(file)]) == []


def test_every_allowance_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in secret_scan.allowed().values())


def test_a_known_vulnerability_is_named_and_an_unknown_package_is_not_called_clean() -> None:
    rows = [
        {"name": "safe", "version": "1.0", "vulns": []},
        {"name": "holed", "version": "2.0", "vulns": [{"id": "PYSEC-0000-1", "aliases": ["CVE-0000-1"], "fix_versions": ["2.1"]}]},
        {"name": "strange", "skip_reason": "not found"},
    ]
    found = audit.read(json.dumps({"dependencies": rows, "fixes": []}))
    assert found == audit.Audit(vulnerabilities=("holed 2.0: PYSEC-0000-1",), audited=2, unknown=1)


def test_a_vulnerability_may_be_accepted_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audit.ACCEPTED, "CVE-0000-1", "we never call it")
    rows = [{"name": "holed", "version": "2.0", "vulns": [{"id": "PYSEC-0000-1", "aliases": ["CVE-0000-1"]}]}]
    assert audit.read(json.dumps({"dependencies": rows})).vulnerabilities == ()


@pytest.mark.parametrize("answer", ["", "Traceback (most recent call last)", "{}", "[]"])
def test_an_answer_that_is_none_is_not_taken_for_clean(answer: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        audit.read(answer)


@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [((None,), 0, "skipped"), ((audit.Audit((), 1, 0), audit.Audit(("holed 2.0: X",), 90, 1)), 1, "holed 2.0: X")],
)
def test_only_a_vulnerability_fails_and_a_missing_answer_is_said(
    answers: tuple[audit.Audit | None, ...], status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = iter(answers)
    monkeypatch.setattr(audit, "_ask", lambda _pinned: next(given))
    monkeypatch.setattr(audit, "_locked", list)
    monkeypatch.setattr(audit, "STAMP", Path("/nowhere"))
    assert audit.main() == status
    assert said in capsys.readouterr().out
