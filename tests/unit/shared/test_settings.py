"""Settings: one error that lists all that is wrong, and a sandbox that never leaks into production."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import settings
from shared.errors import ConfigurationError
from shared.settings import SANDBOX_CREDENTIALS, Settings
from shared.settings_example import example_file

PRODUCTION: dict[str, str] = {
    "ENVIRONMENT": "production", "PUBLIC_URL": "https://boss.example.com", "BOSS_USERS_FILE": "/etc/bossline/users.toml",
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "real-twilio",
    "SENDGRID_API_KEY": "SG.real", "ANTHROPIC_API_KEY": "sk-real",
    "EMAIL_WEBHOOK_SECRET": "real-secret", "SUPERVISOR_TOKEN": "a-token-of-our-own",
}  # fmt: skip


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any of our variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    """The settings of an environment, without a `.env` file."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return settings.load(_env_file=None)


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What the error says."""
    with pytest.raises(ConfigurationError) as caught:
        read(monkeypatch, **environment)
    return str(caught.value)


def test_nothing_set_is_the_sandbox(bare: pytest.MonkeyPatch) -> None:
    """`make run` needs no account: every provider is the sandbox on loopback."""
    found = read(bare)
    assert found.sandbox_on
    assert set(found.provider_urls.values()) == {"http://127.0.0.1:8790"}
    assert found.twilio_auth_token.get_secret_value() == SANDBOX_CREDENTIALS["twilio_auth_token"]


def test_the_sandbox_follows_its_port(bare: pytest.MonkeyPatch) -> None:
    """Two checkouts side by side."""
    found = read(bare, SANDBOX_PORT="9999")
    assert set(found.provider_urls.values()) == {found.sandbox_url} == {"http://127.0.0.1:9999"}


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "ANTHROPIC_API_KEY"])
def test_one_real_credential_turns_the_sandbox_off(bare: pytest.MonkeyPatch, name: str) -> None:
    """A half-configured installation must not answer real users from a sandbox."""
    found = read(bare, **{name: "real"})
    assert not found.sandbox_on
    assert found.provider_urls == {
        "twilio": "https://api.twilio.com",
        "sendgrid": "https://api.sendgrid.com",
        "anthropic": "https://api.anthropic.com",
    }
    assert SANDBOX_CREDENTIALS["sendgrid_api_key"] != found.sendgrid_api_key.get_secret_value()


def test_empty_values_count_as_unset(bare: pytest.MonkeyPatch) -> None:
    """`.env.example` copied as it is changes nothing."""
    assert read(bare, **{name.upper(): "" for name in Settings.model_fields}) == settings.load(_env_file=None)
    assert read(bare, TWILIO_AUTH_TOKEN="", PORT="").port == 8787


def test_the_sandbox_may_be_forced_beside_real_values(bare: pytest.MonkeyPatch) -> None:
    """What is set stays; the rest is filled in."""
    found = read(bare, SANDBOX="on", TWILIO_AUTH_TOKEN="mine")
    assert found.sandbox_on
    assert found.twilio_auth_token.get_secret_value() == "mine"
    assert found.sendgrid_api_key.get_secret_value() == SANDBOX_CREDENTIALS["sendgrid_api_key"]


def test_a_complete_production_starts(bare: pytest.MonkeyPatch) -> None:
    """And talks to the providers themselves."""
    found = read(bare, **PRODUCTION)
    assert not found.sandbox_on
    assert found.webhook_base_url == "https://boss.example.com"


def test_production_names_everything_that_is_missing(bare: pytest.MonkeyPatch) -> None:
    """In one error."""
    text = faults(bare, ENVIRONMENT="production")
    for name in (
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "SENDGRID_API_KEY",
        "ANTHROPIC_API_KEY",
        "EMAIL_WEBHOOK_SECRET",
        "PUBLIC_URL",
        "BOSS_USERS_FILE",
    ):
        assert name in text, name


def test_a_wrong_value_does_not_hide_what_is_missing(bare: pytest.MonkeyPatch) -> None:
    """One start tells all: the port that is no number and the credentials that are not there."""
    text = faults(bare, ENVIRONMENT="production", PORT="eighty")
    assert all(f"{name}: " in text for name in ("PORT", "TWILIO_AUTH_TOKEN", "BOSS_USERS_FILE"))


@pytest.mark.parametrize("name", sorted(SANDBOX_CREDENTIALS))
def test_production_refuses_each_example_credential(bare: pytest.MonkeyPatch, name: str) -> None:
    """The sandbox's values are public."""
    text = faults(bare, **{**PRODUCTION, name.upper(): SANDBOX_CREDENTIALS[name]})
    assert name.upper() in text
    assert "example" in text
    assert SANDBOX_CREDENTIALS[name] not in text


def test_production_has_no_sandbox(bare: pytest.MonkeyPatch) -> None:
    """Not even when asked for."""
    assert "SANDBOX" in faults(bare, **PRODUCTION, SANDBOX="on")


def test_production_needs_an_https_address(bare: pytest.MonkeyPatch) -> None:
    """Twilio signs over it."""
    assert "PUBLIC_URL" in faults(bare, **{**PRODUCTION, "PUBLIC_URL": "http://boss.example.com"})


def test_a_signing_policy_replaces_the_mail_secret(bare: pytest.MonkeyPatch) -> None:
    """One of the two is enough."""
    rest = {name: value for name, value in PRODUCTION.items() if name != "EMAIL_WEBHOOK_SECRET"}
    assert "EMAIL_WEBHOOK_SECRET" in faults(bare, **rest)
    assert read(bare, **rest, SENDGRID_INBOUND_PUBLIC_KEY="MFkw").environment == "production"


def test_all_faults_come_in_one_error_without_values(bare: pytest.MonkeyPatch) -> None:
    """Whoever sets it up fixes it in one go; a secret in the wrong variable is not printed."""
    text = faults(bare, PORT="canary", LEASE_SECONDS="0.1", SANDBOX="canary", WORKER_CONCURRENCY="-5", ENVIRONMENT="canary")
    for name in ("PORT", "LEASE_SECONDS", "SANDBOX", "WORKER_CONCURRENCY", "ENVIRONMENT"):
        assert name in text, name
    assert "canary" not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://canary"),
        ("PUBLIC_URL", "boss.example.com"),
        ("TWILIO_API_BASE_URL", "api.twilio.com"),
        ("ANTHROPIC_BASE_URL", "ftp://canary"),
    ],
)
def test_an_address_of_the_wrong_kind_is_named(bare: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Before the first request fails."""
    text = faults(bare, **{name: value})
    assert name in text
    assert value not in text


def test_a_send_must_fit_into_the_lease(bare: pytest.MonkeyPatch) -> None:
    """Otherwise no worker could ever get leave to send."""
    assert "SEND_TIMEOUT_SECONDS" in faults(bare, LEASE_SECONDS="10")
    found = read(bare, LEASE_SECONDS="3", SEND_TIMEOUT_SECONDS="0.75")
    assert found.send_timeout_seconds + found.send_margin_seconds < found.lease_seconds


def test_the_reconciler_looks_back_farther_than_to_its_last_look(bare: pytest.MonkeyPatch) -> None:
    """Else texts would fall between two looks; 0 turns it off."""
    text = faults(bare, RECONCILE_MINUTES="30", RECONCILE_WINDOW_MINUTES="30", LEASE_SECONDS="1")
    assert "RECONCILE_WINDOW_MINUTES" in text
    assert "SEND_TIMEOUT_SECONDS" in text
    assert read(bare, RECONCILE_MINUTES="0", RECONCILE_WINDOW_MINUTES="1", LEASE_SECONDS="60").reconcile_minutes == 0


def test_secrets_are_not_in_a_repr(bare: pytest.MonkeyPatch) -> None:
    """A traceback may show it."""
    found = read(bare, **PRODUCTION)
    for name in ("TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "ANTHROPIC_API_KEY", "EMAIL_WEBHOOK_SECRET"):
        assert PRODUCTION[name] not in repr(found)


@pytest.mark.usefixtures("bare")
def test_the_example_file_shows_every_setting_and_changes_nothing(tmp_path: Path) -> None:
    """Uncommenting all of it gives the defaults."""
    text = example_file()
    for name in Settings.model_fields:
        assert f"\n#{name.upper()}=" in text, name
    path = tmp_path / ".env"
    path.write_text("\n".join(line.removeprefix("#") if "=" in line and line[1:2].isupper() else line for line in text.splitlines()))
    assert settings.load(_env_file=path) == settings.load(_env_file=None)


@pytest.mark.parametrize("token", ["", "dev-token-12345", "fifteen-letters"])
def test_production_wants_a_bridge_token_of_its_own(bare: pytest.MonkeyPatch, token: str) -> None:
    """The published default, or one that can be guessed, would let any program of the machine talk on the owner's bill."""
    assert "SUPERVISOR_TOKEN" in faults(bare, **{**PRODUCTION, "SUPERVISOR_TOKEN": token})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::", "boss.example.com"])  # noqa: S104 - refused, not bound
def test_the_bridge_leaves_loopback_only_with_tls_or_on_request(bare: pytest.MonkeyPatch, host: str) -> None:
    """A token must not cross a network in the clear by accident."""
    assert "SUPERVISOR_HOST" in faults(bare, SUPERVISOR_HOST=host)
    assert read(bare, SUPERVISOR_HOST=host, BRIDGE_ALLOW_REMOTE="true").supervisor_host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
def test_loopback_needs_nothing(bare: pytest.MonkeyPatch, host: str) -> None:
    """The default and its other names."""
    assert read(bare, SUPERVISOR_HOST=host).supervisor_host == host


def test_tls_needs_both_of_its_files(bare: pytest.MonkeyPatch) -> None:
    """A certificate without its key is a mistake, not half a wish."""
    assert "BRIDGE_TLS_KEY" in faults(bare, BRIDGE_TLS_CERT="/etc/bossline/cert.pem")
    found = read(bare, BRIDGE_TLS_CERT="/etc/bossline/cert.pem", BRIDGE_TLS_KEY="/etc/bossline/key.pem", SUPERVISOR_HOST="192.0.2.7")
    assert found.supervisor_host == "192.0.2.7"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999", "127.0.0.1:9999", "ws://"])
def test_the_bridges_address_is_a_websockets(bare: pytest.MonkeyPatch, url: str) -> None:
    """What cannot be connected to is said at the start."""
    assert "SUPERVISOR_URL" in faults(bare, SUPERVISOR_URL=url)


def test_clients_find_the_bridge_at_its_port_unless_told_otherwise(bare: pytest.MonkeyPatch) -> None:
    """One setting moves both ends."""
    assert read(bare).bridge_url == "ws://127.0.0.1:9999"
    assert read(bare, SUPERVISOR_PORT="9000").bridge_url == "ws://127.0.0.1:9000"
    assert read(bare, SUPERVISOR_URL="wss://boss.example.com").bridge_url == "wss://boss.example.com"


@pytest.mark.parametrize(("after", "beat"), [("15", 5), ("60", 5), ("3", 1)])
def test_workers_are_heard_of_three_times_before_the_standby_works(bare: pytest.MonkeyPatch, after: str, beat: float) -> None:
    """One lost heartbeat must not call the standby."""
    assert read(bare, STANDBY_AFTER_SECONDS=after).heartbeat_seconds == beat
