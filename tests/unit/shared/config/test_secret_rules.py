"""The table of the operator's secrets: which are refused, and that nothing of them is shown."""

from __future__ import annotations

import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.config.secret_rules import MIN_LENGTHS, PUBLISHED, fault_of, faults, guessable
from shared.config.settings import Settings

OBVIOUS = (
    *("a" * 40, "abcabcabcabcabcabcabcabcabcabcabc", "0123456789abcdef0123456789abcdef", "changemechangemechangemechangeme"),
    *("password123456789012345678901234", "my-webhook-secret-for-bossline-in-2026", "EMAIL_WEBHOOK_SECRET_EMAIL_WEBHOOK_SECRET"),
    *(
        "supervisor_token_goes_here_please",
        "Passw0rdPassw0rdPassw0rdPassw0rd!",
        "P@ssw0rd-P@ssw0rd-2026-P@ssw0rd-",
        "qwertyuiopasdfghjklzxcvbnmqwertyu",
    ),
    *(
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "deadbeefdeadbeefdeadbeefdeadbeef",
        "11112222111122221111222211112222",
        "secret-secret-token-token-admin-key",
    ),
    *(
        "your-twilio-auth-token-goes-here",
        "S3cr3t-t0k3n-f0r-th3-w3bh00k-2026",
        "zyxwvutsrqponmlkjihgfedcbazyxwvuts",
        "<what `openssl rand -hex 32` prints>",
    ),
)
GOOD = ("correct horse battery staple and rain", "Zugspitze-im-Nebel, drei Kraehen 77 x", "fFq2-9xLw-Tz3m-81cd-00aZ-pP4r-Rk5v")


@pytest.mark.parametrize("name", MIN_LENGTHS)
def test_every_secret_has_its_least_length(name: str) -> None:
    """One less than that is refused, and the length is said."""
    good = GOOD[2]
    assert fault_of(name, good[: MIN_LENGTHS[name]]) == ""
    assert str(MIN_LENGTHS[name]) in fault_of(name, good[: MIN_LENGTHS[name] - 1])


def test_every_secret_setting_is_in_the_table() -> None:
    """A new one cannot be forgotten."""
    assert {name for name, field in Settings.model_fields.items() if field.annotation is SecretStr} == set(MIN_LENGTHS)


@pytest.mark.parametrize("name", MIN_LENGTHS)
def test_what_is_tried_first_opens_nothing(name: str) -> None:
    """However long it is, and in whatever spelling; the sentence shows nothing of it."""
    for text in [*OBVIOUS, *sorted(PUBLISHED)]:
        for spelling in (text, text.upper(), f"{text[:1].upper()}{text[1:]}", text.replace("-", "_")):
            fault = fault_of(name, spelling)
            assert fault, spelling
            assert spelling not in fault or spelling in "openssl rand -hex 32"


@pytest.mark.parametrize("text", GOOD)
def test_a_sentence_of_one_s_own_is_a_secret(text: str) -> None:
    """Not only digits are."""
    assert fault_of("email_webhook_secret", text) == ""


@given(st.binary(min_size=32, max_size=32))
def test_what_openssl_makes_is_taken(raw: bytes) -> None:
    """But for bytes that no chance gives: few different digits, or one piece again and again."""
    text = raw.hex()
    if len(set(raw)) > 16:
        assert not guessable(text)


def test_chance_is_refused_once_in_ten_thousand_at_most() -> None:
    """Sixteen letters and digits, twelve of them, thirty-two hexadecimal digits."""
    letters = string.ascii_letters + string.digits
    made = [*("".join(secrets.choice(letters) for _ in range(12)) for _ in range(1000)), *(secrets.token_hex(16) for _ in range(1000))]
    assert sum(map(guessable, made)) <= 2


@pytest.mark.parametrize("text", [f" {GOOD[2]}", f"{GOOD[2]}\n", f"{GOOD[2]}\x00 and more"])
def test_what_cannot_be_seen_is_refused(text: str) -> None:
    """A blank that was pasted along is no part of a key."""
    assert "blank" in fault_of("sendgrid_api_key", text)


def test_two_doors_have_two_secrets() -> None:
    """All faults come together, each with its setting's name."""
    same = secrets.token_hex(32)
    found = faults([("email_webhook_secret", same), ("supervisor_token", same), ("console_password", "short"), ("redis_url", "tiny")])
    assert [line.partition(":")[0] for line in found] == ["SUPERVISOR_TOKEN", "CONSOLE_PASSWORD", "REDIS_URL"]
    assert "EMAIL_WEBHOOK_SECRET" in found[0]
    assert same not in str(found)


def test_both_passwords_of_one_address_may_be_the_same() -> None:
    """The Sentinels' and the servers' are one setting."""
    same = secrets.token_hex(32)
    assert faults([("redis_url", same), ("redis_url", same)]) == []
