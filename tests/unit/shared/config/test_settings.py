"""Settings: one error that lists all that is wrong, and a sandbox that never leaks into production."""

from __future__ import annotations

import hashlib
from email.utils import getaddresses
from itertools import combinations
from pathlib import Path

import pytest

from shared.config.env_example import example_file
from shared.config.loading import load_settings, providers_in_use
from shared.config.secret_rules import MIN_LENGTHS, SANDBOX_CREDENTIALS
from shared.config.settings import Settings
from shared.config.web_address import webhook_base_url
from shared.errors import ConfigurationError


def digest(word: str) -> str:
    """A secret as `openssl rand -hex 16` makes them, the same each time."""
    return hashlib.sha256(word.encode()).hexdigest()[:32]


PRODUCTION: dict[str, str] = {
    "ENVIRONMENT": "production", "PUBLIC_URL": "https://boss.example.com",
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": digest("twilio"),
    "SENDGRID_API_KEY": "SG." + digest("sendgrid"), "ANTHROPIC_API_KEY": "sk-" + digest("claude"),
    "EMAIL_WEBHOOK_SECRET": digest("mail"), "SUPERVISOR_TOKEN": digest("bridge"),
}  # fmt: skip
TEXTS = '[[users]]\nusername = "ada"\nphone = "+15551234567"\nboss_phone = "+15559876543"\n'
MAILS = '[[users]]\nusername = "eve"\nemail = "eve@example.com"\nboss_email = "boss@example.com"\n'
BRIDGE = '[[users]]\nusername = "bob"\nphone = "+15551234568"\nboss_phone = "+15559876543"\nbridge_only = true\n'


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """A complete production for texts and mails."""
    return {**PRODUCTION, "BOSS_USERS_FILE": str(users_file(tmp_path, TEXTS, MAILS))}


def users_file(directory: Path, *tables: str) -> Path:
    """A users file of these tables."""
    path = directory / "users.toml"
    path.write_text("".join(tables))
    return path


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
    return load_settings(_env_file=None)


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


TWILIO = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}
REAL: dict[str, dict[str, str]] = {
    "twilio": TWILIO,
    "sendgrid": {"SENDGRID_API_KEY": "SG.mine"},
    "anthropic": {"ANTHROPIC_API_KEY": "mine"},
}
PUBLIC = {"twilio": "https://api.twilio.com", "sendgrid": "https://api.sendgrid.com", "anthropic": "https://api.anthropic.com"}


@pytest.mark.parametrize(
    "real", [set(each) for count in range(4) for each in combinations(REAL, count)], ids=lambda each: "+".join(sorted(each)) or "none"
)
def test_each_provider_is_played_or_real_by_itself(bare: pytest.MonkeyPatch, real: set[str]) -> None:
    """What has credentials is real, at its own address and with them alone; what has none is played, with the sandbox's."""
    found = read(bare, **{name: value for each in real for name, value in REAL[each].items()})
    assert found.played == REAL.keys() - real
    assert (found.sandbox_on, found.all_played) == (len(real) < 3, not real)
    assert found.provider_urls == {each: PUBLIC[each] if each in real else found.sandbox_url for each in REAL}
    keys = {"twilio": found.twilio_auth_token, "sendgrid": found.sendgrid_api_key, "anthropic": found.anthropic_api_key}
    for each, key in keys.items():
        assert (key.get_secret_value() in SANDBOX_CREDENTIALS.values()) == (each not in real)
    assert bool(found.email_webhook_secret.get_secret_value()) == ("sendgrid" not in real), "a published secret opens no real mailbox"
    assert found.spending_bounds == ((2_000_000, 5_000) if "anthropic" in real else (0, 0))


@pytest.mark.parametrize("name", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"])
def test_half_a_login_is_named(bare: pytest.MonkeyPatch, name: str) -> None:
    """It makes Twilio real, and a real one with it takes and sends nothing."""
    (missing,) = TWILIO.keys() - {name}
    text = faults(bare, **{name: TWILIO[name]})
    assert f"{missing}: is missing; {name} is set, so Twilio is real" in text
    assert read(bare, SANDBOX="off", **{name: TWILIO[name]}).played == frozenset()


def test_an_address_of_one_s_own_is_real_without_a_key(bare: pytest.MonkeyPatch) -> None:
    """A gateway that knows the key itself: nobody else's credentials are sent there, and its answers may cost."""
    found = read(bare, ANTHROPIC_BASE_URL="http://127.0.0.1:4000")
    assert found.played == {"twilio", "sendgrid"}
    assert found.anthropic_api_key.get_secret_value() == ""
    assert found.spending_bounds != (0, 0)
    assert providers_in_use(found, _env_file=None)["anthropic"] == "real, and ANTHROPIC_API_KEY is not set, at 127.0.0.1:4000"


def test_the_sandbox_s_own_address_is_played_however_it_is_written(bare: pytest.MonkeyPatch) -> None:
    """Somebody who writes it out means the sandbox."""
    found = read(bare, TWILIO_API_BASE_URL="http://localhost:8790/", ANTHROPIC_BASE_URL="http://127.0.0.1:8791")
    assert found.played == {"twilio", "sendgrid"}


def test_where_a_key_comes_from_is_said(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key that somebody's shell has for another program is the surprise; under honcho what `.env` says is in the environment too."""
    path = tmp_path / ".env"
    path.write_text("SENDGRID_API_KEY=SG.in-the-file\nANTHROPIC_API_KEY=in-the-file\n")
    bare.setenv("SENDGRID_API_KEY", "SG.in-the-file")
    bare.setenv("ANTHROPIC_API_KEY", "in-the-shell")
    said = providers_in_use(load_settings(_env_file=path), _env_file=path)
    assert said == {
        "twilio": "played by the sandbox",
        "sendgrid": "real (key from .env)",
        "anthropic": "real (key from the environment)",
    }


def test_empty_values_count_as_unset(bare: pytest.MonkeyPatch) -> None:
    """`.env.example` copied as it is changes nothing."""
    assert read(bare, **{name.upper(): "" for name in Settings.model_fields}) == load_settings(_env_file=None)
    assert read(bare, TWILIO_AUTH_TOKEN="", PORT="").port == 8787


def test_the_sandbox_may_be_forced_beside_real_values(bare: pytest.MonkeyPatch) -> None:
    """What is set stays; the rest is filled in."""
    found = read(bare, SANDBOX="on", TWILIO_AUTH_TOKEN="mine")
    assert found.sandbox_on
    assert found.twilio_auth_token.get_secret_value() == "mine"
    assert found.sendgrid_api_key.get_secret_value() == SANDBOX_CREDENTIALS["sendgrid_api_key"]


def test_a_complete_production_starts(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """And talks to the providers themselves."""
    found = read(bare, **production)
    assert not found.sandbox_on
    assert webhook_base_url(found) == "https://boss.example.com"


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
    ):
        assert name in text, name


def test_a_wrong_value_does_not_hide_what_is_missing(bare: pytest.MonkeyPatch) -> None:
    """One start tells all: the port that is no number and the credentials that are not there."""
    text = faults(bare, ENVIRONMENT="production", PORT="eighty")
    assert all(f"{name}: " in text for name in ("PORT", "TWILIO_AUTH_TOKEN", "ANTHROPIC_API_KEY"))


@pytest.mark.parametrize("name", sorted(SANDBOX_CREDENTIALS))
def test_production_refuses_each_example_credential(bare: pytest.MonkeyPatch, name: str, production: dict[str, str]) -> None:
    """The sandbox's values are public."""
    text = faults(bare, **{**production, name.upper(): SANDBOX_CREDENTIALS[name]})
    assert name.upper() in text
    assert "example" in text
    assert SANDBOX_CREDENTIALS[name] not in text


def test_production_has_no_sandbox(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """Not even when asked for."""
    assert "SANDBOX" in faults(bare, **production, SANDBOX="on")


def test_production_needs_an_https_address(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """Twilio signs over it."""
    assert "PUBLIC_URL" in faults(bare, **{**production, "PUBLIC_URL": "http://boss.example.com"})


def test_a_signing_policy_replaces_the_mail_secret(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """One of the two is enough."""
    rest = {name: value for name, value in production.items() if name != "EMAIL_WEBHOOK_SECRET"}
    assert "EMAIL_WEBHOOK_SECRET" in faults(bare, **rest)
    keys = {"SENDGRID_INBOUND_PUBLIC_KEY": "MFkw", "SENDGRID_EVENTS_PUBLIC_KEY": "MFkw"}
    assert read(bare, **rest, **keys).environment == "production"


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


@pytest.mark.parametrize("lease", [1, 2, 3, 10, 16, 30, 59.9, 60, 61, 600, 3600])
def test_the_lease_can_be_set_alone(bare: pytest.MonkeyPatch, lease: float) -> None:
    """What depends on it follows: a request and its margin fit into it, with room for a renewal at a quarter of it."""
    found = read(bare, LEASE_SECONDS=str(lease))
    assert found.send_timeout_seconds == min(15, lease / 4)
    assert found.send_timeout_seconds + found.send_margin_seconds < 0.75 * lease
    assert found.sweep_recheck_seconds <= lease


@pytest.mark.parametrize(("send", "least"), [("15", "16.4"), ("60", "65.1"), ("2", "2.2"), ("110", "115.1")])
def test_a_lease_too_short_for_what_is_fixed_is_one_line(bare: pytest.MonkeyPatch, send: str, least: str) -> None:
    """It says how long it would have to be; otherwise no worker could ever get a permit to send."""
    text = faults(bare, LEASE_SECONDS=str(float(send) / 2), SEND_TIMEOUT_SECONDS=send)
    (line,) = text.strip().splitlines()[1:]
    assert line.startswith(f"  LEASE_SECONDS: {float(send) / 2:g} is too short for SEND_TIMEOUT_SECONDS={send}")
    assert f"at least {least};" in line
    assert read(bare, LEASE_SECONDS=least, SEND_TIMEOUT_SECONDS=send).send_timeout_seconds == float(send)


def test_the_reconciler_looks_back_farther_than_to_its_last_look(bare: pytest.MonkeyPatch) -> None:
    """Else texts would fall between two looks; 0 turns it off."""
    text = faults(bare, RECONCILE_MINUTES="30", RECONCILE_WINDOW_MINUTES="30", LEASE_SECONDS="1", SEND_TIMEOUT_SECONDS="1")
    assert "RECONCILE_WINDOW_MINUTES" in text
    assert "SEND_TIMEOUT_SECONDS" in text
    assert read(bare, RECONCILE_MINUTES="0", RECONCILE_WINDOW_MINUTES="1", LEASE_SECONDS="60").reconcile_minutes == 0


def test_secrets_are_not_in_a_repr(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """A traceback may show it."""
    found = read(bare, **production)
    for name in ("TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "ANTHROPIC_API_KEY", "EMAIL_WEBHOOK_SECRET"):
        assert production[name] not in repr(found)


@pytest.mark.usefixtures("bare")
def test_the_example_file_shows_every_setting_and_changes_nothing(tmp_path: Path) -> None:
    """Uncommenting all of it gives the defaults."""
    text = example_file()
    for name in Settings.model_fields:
        assert f"\n#{name.upper()}=" in text, name
    path = tmp_path / ".env"
    path.write_text("\n".join(line.removeprefix("#") if "=" in line and line[1:2].isupper() else line for line in text.splitlines()))
    assert load_settings(_env_file=path) == load_settings(_env_file=None)


@pytest.mark.parametrize("token", ["", "dev-token-12345", "fifteen-letters"])
def test_production_wants_a_bridge_token_of_its_own(bare: pytest.MonkeyPatch, token: str, production: dict[str, str]) -> None:
    """The published default, or one that can be guessed, would let any program of the machine talk on the owner's bill."""
    assert "SUPERVISOR_TOKEN" in faults(bare, **{**production, "SUPERVISOR_TOKEN": token})


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


@pytest.mark.parametrize("sid", ["SK0123456789abcdef0123456789abcdef", "AC123", "AC" + "g" * 32, "AC" + "1" * 33, "ac" + "1" * 32])
@pytest.mark.parametrize("environment", ["local", "production"])
def test_an_account_that_is_none_is_named_at_the_start(
    bare: pytest.MonkeyPatch, production: dict[str, str], sid: str, environment: str
) -> None:
    """An API key in the account's place, and every other id that Twilio would refuse with each request."""
    text = faults(bare, **{**production, "ENVIRONMENT": environment, "TWILIO_ACCOUNT_SID": sid})
    assert "TWILIO_ACCOUNT_SID: an Account SID begins with AC and has 32 hexadecimal digits" in text
    assert sid not in text


def test_an_api_key_is_a_pair(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """Half of it is a mistake; the whole signs in, and the token is needed all the same."""
    sid, secret = "SK" + "2" * 32, digest("api key")
    assert "TWILIO_API_KEY_SECRET: is missing" in faults(bare, **production, TWILIO_API_KEY_SID=sid)
    assert "TWILIO_API_KEY_SID: " in faults(bare, **{**production, "TWILIO_API_KEY_SID": "AC" + "2" * 32, "TWILIO_API_KEY_SECRET": secret})
    pair = {"TWILIO_API_KEY_SID": sid, "TWILIO_API_KEY_SECRET": secret}
    without = {**production, **pair, "TWILIO_AUTH_TOKEN": ""}
    assert "signs its webhooks with the token" in faults(bare, **without)
    found = read(bare, **production, **pair)
    assert found.twilio_login == (sid, secret)
    assert secret in found.secrets
    assert read(bare, TWILIO_API_KEY_SID="", TWILIO_API_KEY_SECRET="").twilio_login == (
        PRODUCTION["TWILIO_ACCOUNT_SID"],
        PRODUCTION["TWILIO_AUTH_TOKEN"],
    )


@pytest.mark.parametrize("name", ["TWILIO_API_BASE_URL", "SENDGRID_API_BASE_URL", "ANTHROPIC_BASE_URL"])
@pytest.mark.parametrize("environment", ["local", "production"])
def test_a_credential_crosses_no_network_in_the_clear(
    bare: pytest.MonkeyPatch, production: dict[str, str], name: str, environment: str
) -> None:
    """http:// is for this machine alone, however its name begins."""
    there = {**production, "ENVIRONMENT": environment}
    for url in (
        "http://api.example.com",
        "http://192.0.2.7:8080",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com/x",
        "http://10.0.0.1",
    ):
        assert f"{name}: must be https://" in faults(bare, **{**there, name: url})
    for url in ("http://127.0.0.1:8790", "http://localhost", "http://[::1]:8790", "https://api.eu.example.com"):
        assert getattr(read(bare, **{**there, name: url}), name.lower()) == url


def test_the_bridge_s_token_crosses_no_network_in_the_clear(bare: pytest.MonkeyPatch) -> None:
    """Unless the operator says that the network is theirs."""
    assert "SUPERVISOR_URL: must be wss://" in faults(bare, SUPERVISOR_URL="ws://192.0.2.7:9999")
    assert read(bare, SUPERVISOR_URL="ws://192.0.2.7:9999", BRIDGE_ALLOW_REMOTE="true").bridge_allow_remote


@pytest.mark.parametrize("name", sorted(set(MIN_LENGTHS) - {"redis_url"}))
def test_production_takes_no_secret_that_is_none(bare: pytest.MonkeyPatch, production: dict[str, str], name: str) -> None:
    """The least length is one of the table's; elsewhere than in production nobody is stopped."""
    pair = {"TWILIO_API_KEY_SID": "SK" + "2" * 32, "TWILIO_API_KEY_SECRET": digest("api key")}
    text = faults(bare, **{**production, **pair, name.upper(): "a"})
    assert f"{name.upper()}: must have at least {MIN_LENGTHS[name]} characters" in text
    assert read(bare, ENVIRONMENT="local").environment == "local"


def test_a_password_within_redis_s_address_is_a_secret(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """Whoever writes to it speaks for the Boss."""
    assert "REDIS_URL: the password in it must have" in faults(bare, **production, REDIS_URL="redis://boss:tiny@127.0.0.1")
    assert "REDIS_URL: the password in it" in faults(bare, REDIS_URL="redis+sentinel://h:26379/s?sentinel_password=PASSWORD-OF-bossline")
    assert read(bare, REDIS_URL=f"redis://boss:{digest('redis')}@127.0.0.1").redis_url


def test_all_that_is_wrong_with_secrets_comes_at_once(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """With whatever else is wrong."""
    wrong = {
        "EMAIL_WEBHOOK_SECRET": "a",
        "SUPERVISOR_TOKEN": "changeme" * 4,
        "CONSOLE_PASSWORD": digest("twilio"),
        "PUBLIC_URL": "http://x.example",
    }
    text = faults(bare, **{**production, **wrong})
    assert [name for name in wrong if f"{name}: " not in text] == []
    assert [value for value in (*production.values(), *wrong.values()) if len(value) > 8 and value in text] == []


OF_TEXTS = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
OF_MAILS = ("SENDGRID_API_KEY", "SENDGRID_INBOUND_PUBLIC_KEY", "SENDGRID_EVENTS_PUBLIC_KEY", "EMAIL_WEBHOOK_SECRET")
USES = {
    "texts": ((TEXTS,), {*OF_TEXTS, "PUBLIC_URL"}),
    "mails": ((MAILS,), {*OF_MAILS, "PUBLIC_URL"}),
    "both": ((TEXTS, MAILS), {*OF_TEXTS, *OF_MAILS, "PUBLIC_URL"}),
    "the bridge": ((BRIDGE,), set()),
    "the bridge and mails": ((BRIDGE, MAILS), {*OF_MAILS, "PUBLIC_URL"}),
}


@pytest.mark.parametrize("use", USES)
def test_production_asks_for_what_the_users_file_needs_and_for_no_more(bare: pytest.MonkeyPatch, tmp_path: Path, use: str) -> None:
    """Each alone is a complete installation, and lacks each of its own settings."""
    tables, wanted = USES[use]
    always = {"ENVIRONMENT": "production", "BOSS_USERS_FILE": str(users_file(tmp_path, *tables))}
    text = faults(bare, **always)
    assert {name for name in (*OF_TEXTS, *OF_MAILS, "PUBLIC_URL") if name in text} == wanted
    assert all(f"{name}: " in text for name in ("ANTHROPIC_API_KEY", "SUPERVISOR_TOKEN"))
    given = {name: value for name, value in PRODUCTION.items() if name in wanted or name in {"ANTHROPIC_API_KEY", "SUPERVISOR_TOKEN"}}
    assert read(bare, **always, **given).environment == "production"


def test_claude_s_key_is_asked_for_unless_the_model_is_on_this_machine(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """A model of one's own needs none; a gateway elsewhere does."""
    without = {**production, "ANTHROPIC_API_KEY": ""}
    assert "ANTHROPIC_API_KEY" in faults(bare, **without)
    assert "ANTHROPIC_API_KEY" in faults(bare, **without, ANTHROPIC_BASE_URL="https://gateway.example.com")
    assert read(bare, **without, ANTHROPIC_BASE_URL="http://127.0.0.1:4000").environment == "production"


def test_the_boss_s_name_can_stand_in_a_header_as_it_is(bare: pytest.MonkeyPatch) -> None:
    """Nothing that needs a quote, reads like an address, ends a line or is not seen."""
    for name in ("Ada's Boss", "Büro Müller & Co.", "秘书", "Jean-Luc"):
        assert read(bare, BOSS_NAME=name).boss_name == name
        assert getaddresses([f"{name} <boss@example.com>"]) == [(name, "boss@example.com")]
    for name in ("a@b.example", "Boss, Ada", "Boss\nBcc: x", "<Boss>", '"Boss"', "Bo\u202ess", " Boss", "x" * 61, "Boss\\", "Boss\u200b"):
        with pytest.raises(ConfigurationError, match="BOSS_NAME"):
            read(bare, BOSS_NAME=name)


def test_a_webhook_of_sendgrid_s_that_nothing_proves_is_named(bare: pytest.MonkeyPatch, production: dict[str, str]) -> None:
    """With the inbound key alone every event would get 403, and a mail of unknown outcome go out twice."""
    without = {**production, "EMAIL_WEBHOOK_SECRET": ""}
    text = faults(bare, **without, SENDGRID_INBOUND_PUBLIC_KEY="MFkw")
    assert "SENDGRID_EVENTS_PUBLIC_KEY: is missing" in text
    assert "SENDGRID_INBOUND" not in text
    assert "SENDGRID_INBOUND_PUBLIC_KEY: is missing" in faults(
        bare, **{**without, "SENDGRID_INBOUND_PUBLIC_KEY": "", "SENDGRID_EVENTS_PUBLIC_KEY": "MFkw"}
    )


def test_a_users_file_that_cannot_be_read_is_told_with_all_the_rest(
    bare: pytest.MonkeyPatch, production: dict[str, str], tmp_path: Path
) -> None:
    """Until it can, both providers are asked for."""
    text = faults(bare, ENVIRONMENT="production", BOSS_USERS_FILE=str(tmp_path))
    assert "BOSS_USERS_FILE: " in text
    assert all(name in text for name in (*OF_TEXTS, "SENDGRID_API_KEY"))
    assert read(bare, **production).boss_users_file


def test_settings_are_a_value_and_loading_reads_the_file(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever makes settings by hand, as tests do, gets what it gave, whatever lies in the working directory."""
    bare.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=5005\n")
    assert (Settings().port, load_settings().port) == (8787, 5005)
