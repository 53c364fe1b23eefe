"""The settings are read from the environment, and one error names all that is wrong."""

from __future__ import annotations

import pytest

from sandbox.engine.settings import SandboxSettings, SandboxSettingsError


def test_settings_name_everything_that_is_wrong() -> None:
    """One error, all faults; empty values are unset; the public URL follows the webhook URL."""
    with pytest.raises(SandboxSettingsError) as caught:
        SandboxSettings.from_environ({"SANDBOX_HOST": "0.0.0.0", "SANDBOX_PORT": "x", "SANDBOX_WEBHOOK_URL": "http://10.0.0.1"})  # noqa: S104
    assert all(name in str(caught.value) for name in ("SANDBOX_HOST", "SANDBOX_PORT", "SANDBOX_WEBHOOK_URL"))
    settings = SandboxSettings.from_environ({"SANDBOX_WEBHOOK_URL": "http://localhost:1/", "TWILIO_AUTH_TOKEN": " "})
    assert (settings.public_url, settings.twilio_auth_token) == ("http://localhost:1", None)


def test_the_old_name_of_the_fault_settings_is_read_and_the_new_one_counts() -> None:
    """SANDBOX_KNOBS, and SANDBOX_FAULTS."""
    assert SandboxSettings.from_environ({"SANDBOX_KNOBS": '{"a": 1}'}).faults == '{"a": 1}'
    assert SandboxSettings.from_environ({"SANDBOX_FAULTS": '{"b": 2}', "SANDBOX_KNOBS": '{"a": 1}'}).faults == '{"b": 2}'
