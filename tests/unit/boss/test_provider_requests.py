"""The posts that `boss simulate` makes are what the web process takes for the providers' own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs

import pytest

from boss.provider_requests import Mail, Text, compose, email_post, first_address, read_mail, sms_post
from shared.config.loading import load_settings
from shared.config.settings import Settings
from webhook_api.email.parsing import parse_email
from webhook_api.security.signatures import twilio_signed

PUBLIC = "https://boss.example.com/hooks"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(sandbox="on", public_url=PUBLIC, port=8123, boss_data_dir=tmp_path)


@pytest.mark.parametrize(("signature", "good"), [("good", True), ("bad", False)])
def test_a_text_is_signed_over_the_public_url_and_posted_to_this_machine(
    settings: Settings, signature: Literal["good", "bad"], *, good: bool
) -> None:
    """As behind a proxy: Twilio signs what it called, and the request arrives elsewhere."""
    post = sms_post(settings, Text(sender="+15551234567", to="+15559876543", body="é 😀 \udcff", signature=signature))
    form = parse_qs(post.body.decode(), keep_blank_values=True)
    token = settings.twilio_auth_token.get_secret_value()
    assert post.url == "http://127.0.0.1:8123/sms/inbound"
    assert twilio_signed(token, f"{PUBLIC}/sms/inbound", form, post.headers["X-Twilio-Signature"]) is good
    assert (form["Body"], form["MessageSid"], form["ToCity"]) == (["é 😀 ?"], [post.id], [""])
    assert form["AccountSid"] == [settings.twilio_account_sid]


def test_an_unsigned_text_has_no_signature_and_a_given_sid_is_kept(settings: Settings) -> None:
    """The same SID again is a duplicate; a word stands for the same whole one each time."""
    sid = "SM" + "0123456789abcdef" * 2
    whole, word, again = (sms_post(settings, Text(sender="", to="", body="", sid=given, signature="none")) for given in (sid, "x", "x"))
    assert ("X-Twilio-Signature" in whole.headers, whole.id) == (False, sid)
    assert word.id == again.id != sid


@pytest.mark.parametrize("raw", [False, True])
def test_a_mail_is_read_by_the_web_process_as_it_was_written(settings: Settings, *, raw: bool) -> None:
    """Both of SendGrid's modes carry subject, text, thread and ends."""
    headers = {"In-Reply-To": "<parent@x>", "References": "<root@x> <parent@x>"}
    message = compose(sender="user@example.com", to="boss@example.com", subject="Grüße", text="Hallo ü\n", html=None, headers=headers)
    post = email_post(settings, Mail(message=message, sender="user@example.com", to="boss@example.com", raw=raw))
    mail = parse_email(post.body, post.headers["Content-Type"])
    assert post.url == "http://127.0.0.1:8123/email/inbound?token=sandbox-email-secret"
    assert (mail.subject, mail.body.strip(), mail.message_id) == ("Grüße", "Hallo ü", post.id)
    assert (mail.in_reply_to, mail.references) == ("<parent@x>", ("<root@x>", "<parent@x>"))
    assert [each.value for each in mail.recipients] == ["boss@example.com"]


def test_a_saved_mail_is_taken_as_it_is_with_its_attachments(settings: Settings, tmp_path: Path) -> None:
    """`--file` changes nothing in the mail."""
    whole = compose(sender="Ada <ada@example.com>", to="boss@example.com", subject="s", text="hello", html="<p>hello</p>", headers={})
    whole.add_attachment(b"\0\1", maintype="application", subtype="pdf", filename='a"b.pdf')
    path = tmp_path / "mail.eml"
    path.write_bytes(whole.as_bytes())
    message = read_mail(path)
    ends = first_address(message, "From"), first_address(message, "To")
    post = email_post(settings, Mail(message=message, sender=ends[0], to=ends[1]))
    mail = parse_email(post.body, post.headers["Content-Type"])
    assert ends == ("ada@example.com", "boss@example.com")
    assert (mail.body.strip(), len(mail.attachments)) == ("hello", 1)
