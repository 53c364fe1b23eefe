"""A thousand requests each that are not what Twilio and SendGrid signed, through the whole application: none is taken.

The control, unchanged, is taken last. What no signature of theirs can tell apart is listed by itself: it makes no second message.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.payloads import BOUNDARY, FORM, MULTIPART, form_body, mail_fields, multipart_body, sms_fields
from tests.support.webhook_client import AUTH_TOKEN, ELSEWHERE, PUBLIC_URL, Web, opened, twilio_signature

COUNT: Final = 1000
SMS: Final = "/sms/inbound"
MAIL: Final = "/email/inbound"
FIELDS: Final = {**sms_fields(Body="Hello there"), "MessageSid": "SM" + "1" * 32, "SmsMessageSid": "SM" + "1" * 32}
BODY: Final = form_body(FIELDS)
RIGHT: Final = twilio_signature(PUBLIC_URL + SMS, BODY)
KEY: Final = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY: Final = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve's group."""
TIMESTAMP: Final = "1795000000"
POST: Final = multipart_body(mail_fields())
DER: Final = KEY.sign(TIMESTAMP.encode() + POST, ec.ECDSA(hashes.SHA256()))

Forged = tuple[str, bytes, str]
"""Path and query, body, signature."""
Dice = random.Random


@pytest.fixture
def web(redis_url: str) -> Iterator[Web]:
    """The application, which asks SendGrid for its signature."""
    with opened(redis_url, sendgrid_inbound_public_key=PUBLIC_KEY) as running:
        yield running


def flipped(raw: bytes, dice: Dice) -> bytes:
    """One bit of one byte."""
    place = dice.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ (1 << dice.randrange(8))]) + raw[place + 1 :]


def breaks_the_head(value: str) -> bool:
    """Whether a header's value would end its line: no server hands such a one over."""
    return "\r" in value or "\n" in value


def cut(raw: bytes, dice: Dice) -> bytes:
    """A beginning of it, or all but its beginning."""
    place = dice.randrange(1, len(raw))
    return raw[:place] if dice.random() < 0.5 else raw[place:]


# Twilio


def other_signature(dice: Dice) -> Forged:
    """Made of the right one."""
    forms: list[Callable[[], str]] = [
        lambda: flipped(RIGHT.encode(), dice).decode("latin-1"),
        lambda: cut(RIGHT.encode(), dice).decode(),
        lambda: RIGHT + dice.choice(["=", "==", "A", "AA==", ",", f",{RIGHT}", RIGHT, "\t", "%3D"]),
        lambda: dice.choice([RIGHT.rstrip("="), RIGHT.lower(), RIGHT.swapcase(), RIGHT[::-1], "", "=", "null", "None", "0"]),
        lambda: base64.b64decode(RIGHT).hex(),
        lambda: base64.b64encode(flipped(base64.b64decode(RIGHT), dice)).decode(),
    ]
    return SMS, BODY, dice.choice(forms)()


def signed_by_another(dice: Dice) -> Forged:
    """With a token that is not ours, or another hash."""
    text = (PUBLIC_URL + SMS + "".join(name + value for name, value in sorted(FIELDS.items()))).encode()
    token = dice.choice(["", " ", AUTH_TOKEN + " ", AUTH_TOKEN[:-1], AUTH_TOKEN.upper(), "x" * dice.randrange(64)])
    if dice.random() < 0.3:
        return SMS, BODY, base64.b64encode(hmac.new(AUTH_TOKEN.encode(), text, hashlib.sha256).digest()).decode()
    return SMS, BODY, base64.b64encode(hmac.new(token.encode(), text, hashlib.sha1).digest()).decode()


def signed_for_another_place(dice: Dice) -> Forged:
    """The right token and form, and a URL that is not the one that was called."""
    host = PUBLIC_URL.removeprefix("https://")
    places = [
        f"http://{host}{SMS}", f"https://evil.example{SMS}", f"https://{host}:8443{SMS}", f"https://{host.upper()}{SMS}", f"https://{host}/sms/status",
        f"https://{host}{SMS}/", f"https://{host}{SMS}?", f"https://{host}{SMS}?a={dice.randrange(99)}", f"https://{host}{SMS}#x", f"https://u:p@{host}{SMS}",
        f"https://{host}", f"{host}{SMS}", SMS, f"https://{host}.{SMS}", f"https://{host}{SMS}%20", f"HTTPS://{host}{SMS}",
    ]  # fmt: skip
    return SMS, BODY, twilio_signature(dice.choice(places), BODY)


def called_at_another_place(dice: Dice) -> Forged:
    """The right signature at another path or with another query."""
    value = dice.choice(["", "x", "%00", "%2e%2e", "é", "?"])
    path = dice.choice(
        [f"{SMS}?{value}=", f"{SMS}?a={value}x", "/sms/status", f"{SMS}?&", f"/sms//inbound?{value}", f"{SMS}/", "/SMS/inbound"]
    )
    return path, BODY, RIGHT


def other_form(dice: Dice) -> Forged:
    """The right signature over another form: a value, a name, one more, one less, one twice, two exchanged."""
    fields = list(FIELDS.items())
    place, other = dice.sample(range(len(fields)), 2)
    name, value = fields[place]
    how = dice.randrange(7)
    if how == 0:
        fields[place] = (name, value + dice.choice([" ", "x", "\0", "+", "é"]))
    elif how == 1:
        fields[place] = (name + dice.choice([" ", "x", "[]", "."]), value)
    elif how == 2:
        fields.append((dice.choice(["Body", "From", "To", "X", ""]), dice.choice(["other", "+15557654321", "é"])))
    elif how == 3 and value:
        del fields[place]
    elif how == 4:
        fields.insert(0, (name, value + "2"))
    elif how == 5 and value != fields[other][1]:
        fields[place], fields[other] = (name, fields[other][1]), (fields[other][0], value)
    else:
        return SMS, flipped(BODY, dice), RIGHT
    return SMS, urlencode(fields).encode(), RIGHT


def meaning(body: bytes) -> str:
    """What Twilio signs of a form; what is the same here is another spelling of the same."""
    pairs = sorted(set(parse_qsl(body.decode("utf-8", "surrogateescape"), keep_blank_values=True, errors="surrogateescape")))
    return "".join(name + value for name, value in pairs)


TWILIO: Final = (other_signature, signed_by_another, signed_for_another_place, called_at_another_place, other_form)


def test_no_forgery_of_a_text_is_taken(web: Web) -> None:
    """403, or what a path that is not there gets; nothing is stored but the refusals."""
    dice, client, tried = Dice(17), web.client(), 0
    while tried < COUNT:
        path, body, signature = TWILIO[tried % len(TWILIO)](dice)
        if (path, meaning(body), signature) == (SMS, meaning(BODY), RIGHT) or breaks_the_head(signature):
            continue
        headers = {"X-Twilio-Signature": signature}
        answer = client.post(path, data=body, content_type=FORM, headers=headers, environ_overrides=ELSEWHERE)
        assert answer.status_code in ((403,) if path.startswith(f"{SMS}?") or path in (SMS, "/sms/status") else (403, 404)), (
            path,
            signature,
        )
        tried += 1
    nothing_but_refusals(web)
    assert web.sms(body=BODY, signature=RIGHT).status_code == 200
    assert len(web.stored()) == 1


LINE: Final = "".join(name + value for name, value in sorted(FIELDS.items()))
ENDS: Final = list(itertools.accumulate(len(piece) for field in sorted(FIELDS.items()) for piece in field))[:-1]
"""Where the pieces of the signed line end: a name, its value, the next name."""


def cut_otherwise(dice: Dice) -> bytes | None:
    """The signed line with a mark or two moved, taken out or put in; None when it would not be signed with that line."""
    ends = list(ENDS)
    for _ in range(dice.randrange(1, 3)):
        place, how = dice.randrange(len(ends)), dice.randrange(3)
        if how == 0:
            ends[place] += dice.randrange(-40, 40)
        elif how == 1:
            del ends[place : place + 2]
        else:
            start = dice.randrange(1, len(LINE))
            ends += [start, start + dice.randrange(1, 12)]
    places = [0, *sorted(ends), len(LINE)]
    pieces = [LINE[start:end] for start, end in itertools.pairwise(places)]
    names = pieces[::2]
    if ends == ENDS or places != sorted(places) or len(pieces) % 2 or any(not a or b <= a for a, b in itertools.pairwise([*names, "~"])):
        return None
    return urlencode(list(zip(names, pieces[1::2], strict=True))).encode()


def test_a_form_cut_up_otherwise_under_the_same_signature_is_no_text(web: Web) -> None:
    """Twilio signs names and values without a mark between them: whoever has seen one signed text can shift the marks."""
    dice, client, tried = Dice(19), web.client(), 0
    headers = {"X-Twilio-Signature": RIGHT}
    while tried < COUNT:
        body = cut_otherwise(dice)
        if body is None:
            continue
        assert meaning(body) == meaning(BODY)
        assert client.post(SMS, data=body, content_type=FORM, headers=headers, environ_overrides=ELSEWHERE).status_code == 400, body
        tried += 1
    nothing_but_refusals(web)
    assert web.sms(body=BODY, signature=RIGHT).status_code == 200
    assert len(web.stored()) == 1


# SendGrid


def der(r: int, s: int) -> bytes:
    """The two numbers as SendGrid writes them."""
    return utils.encode_dss_signature(r, s)


def other_der(dice: Dice) -> bytes:
    """The right two numbers written otherwise, or other two."""
    r, s = utils.decode_dss_signature(DER)
    inner = DER[2:]
    return dice.choice([
        der(s, r), der(r, s + 1), der(r + 1, s), der(0, s), der(r, 0), der(r, ORDER), der(r + ORDER, s), der(r, s + ORDER), der(1, 1),
        b"\x30\x81" + bytes([len(inner)]) + inner, b"\x31" + DER[1:], DER + b"\x00", DER[:1] + bytes([len(inner) + 1]) + inner + b"\x00",
        b"\x30\x80" + inner + b"\x00\x00", b"\x30" + bytes([len(inner) + 1]) + b"\x02" + bytes([inner[1] + 1]) + b"\x00" + inner[2:],
        r.to_bytes(32, "big") + s.to_bytes(32, "big"), flipped(DER, dice), cut(DER, dice), b"", DER * 2,
    ])  # fmt: skip


def forged_mail(dice: Dice) -> tuple[bytes, str, str]:
    """Body, timestamp and signature, one of them not as it was."""
    right = base64.b64encode(DER).decode()
    how = dice.randrange(5)
    if how == 0:
        return flipped(POST, dice), TIMESTAMP, right
    if how == 1:
        return dice.choice([cut(POST, dice), POST + b"x", b"x" + POST, POST + POST, POST.replace(b"\r\n", b"\n", 1)]), TIMESTAMP, right
    if how == 2:
        times = [
            "",
            "0" + TIMESTAMP,
            TIMESTAMP + " x",
            TIMESTAMP[:-1],
            TIMESTAMP + "0",
            "-1",
            "1e9",
            f"{TIMESTAMP}.0",
            str(dice.randrange(2 * 10**9)),
        ]
        return POST, dice.choice(times), right
    if how == 3:
        url_safe = right.replace("+", "-").replace("/", "_") + "-"
        texts = [right.rstrip("="), right + "=", right + "A", right.lower(), url_safe, right[:-4], "", "===="]
        texts += [flipped(right.encode(), dice).decode("latin-1"), right + "," + right, right[:9] + "\t" + right[9:]]
        return POST, TIMESTAMP, dice.choice(texts)
    return POST, TIMESTAMP, base64.b64encode(other_der(dice)).decode()


def post_mail(web: Web, body: bytes, timestamp: str, signature: str) -> int:
    headers = {"X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": timestamp}
    answer = web.client().post(MAIL, data=body, content_type=MULTIPART, headers=headers, environ_overrides=ELSEWHERE)
    return answer.status_code


def test_no_forgery_of_a_mail_is_taken(web: Web) -> None:
    """Bytes, times and signatures: all 403, and nothing is stored but the refusals."""
    dice, right, tried = Dice(23), base64.b64encode(DER).decode(), 0
    while tried < COUNT:
        forged = forged_mail(dice)
        if forged == (POST, TIMESTAMP, right) or breaks_the_head(forged[2]):
            continue
        assert post_mail(web, *forged) == 403, forged[1:]
        tried += 1
    nothing_but_refusals(web)
    assert post_mail(web, POST, TIMESTAMP, right) == 200
    assert len(web.stored()) == 1


def test_what_a_mails_signature_cannot_tell_apart_is_no_second_mail(web: Web) -> None:
    """Every ECDSA signature has a twin, and the timestamp's end may stand at the body's beginning; not the other way round."""
    r, s = utils.decode_dss_signature(DER)
    right, twin = (base64.b64encode(raw).decode() for raw in (DER, der(r, ORDER - s)))
    assert post_mail(web, POST, TIMESTAMP, right) == 200
    assert post_mail(web, POST, TIMESTAMP, twin) == 200
    assert post_mail(web, TIMESTAMP[-3:].encode() + POST, TIMESTAMP[:-3], right) == 200
    first_line = POST.partition(b"\r\n")[0]
    assert post_mail(web, POST.removeprefix(first_line), TIMESTAMP + first_line.decode(), right) == 403
    assert [line for line in web.lines() if line[0] != "refused"] == [("email_received", ""), ("ignored", "bad_form")]


def test_under_another_boundary_a_signed_mail_is_no_other(web: Web) -> None:
    """The Content-Type is not signed: a mail that holds a form of its author's own would be read as that one."""
    inner = multipart_body(mail_fields(text="Send me all of it")).replace(BOUNDARY.encode(), b"evil").decode()
    stranger = {
        "from": "eve@evil.example",
        "headers": "From: eve@evil.example\nMessage-ID: <e@evil.example>\n",
        "dkim": "none",
        "SPF": "fail",
    }
    body = multipart_body(mail_fields(**stranger, text=f"Hi\r\n{inner}"))
    signature = base64.b64encode(KEY.sign(TIMESTAMP.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {"X-Twilio-Email-Event-Webhook-Signature": signature, "X-Twilio-Email-Event-Webhook-Timestamp": TIMESTAMP}
    for boundary in ("evil", BOUNDARY):
        content_type = MULTIPART.replace(BOUNDARY, boundary)
        answer = web.client().post(MAIL, data=body, content_type=content_type, headers=headers, environ_overrides=ELSEWHERE)
        assert answer.status_code == 200
    assert web.lines() == [("ignored", "bad_form"), ("ignored", "stranger")]


def nothing_but_refusals(web: Web) -> None:
    """No message, no job, no id that is seen."""
    assert web.stored() == []
    assert web.runtime.dispatcher.queue.count == 0
    assert not web.redis.keys("boss:seen:*")
    assert {kind for kind, _ in web.lines()} == {"refused"}
