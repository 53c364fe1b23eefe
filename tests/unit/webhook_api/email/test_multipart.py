"""The bytes of multipart/form-data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from shared.errors import BadInput
from tests.payloads import BOUNDARY, MULTIPART, multipart_body, payload
from webhook_api.email.multipart import MAX_PARTS, TruncatedForm, boundary_of, parts


@pytest.mark.parametrize("name", ["mail_parsed.multipart", "mail_raw.multipart"])
def test_well_formed_posts_are_read_as_werkzeug_reads_them(name: str) -> None:
    """The same names, the same bytes, in the same order."""
    request = Request(EnvironBuilder(method="POST", input_stream=None, data=payload(name), content_type=MULTIPART).get_environ())
    theirs = {field: value for field, value in request.form.items() if "\ufffd" not in value}
    found, whole = parts(payload(name), BOUNDARY.encode())
    assert whole
    ours = {part.name: bytes(part.value) for part in found}
    assert {field: ours[field].decode() for field in theirs} == theirs
    assert {field: ours[field] for field in request.files} == {field: file.read() for field, file in request.files.items()}
    assert set(ours) == set(request.form) | set(request.files)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.binary(max_size=60), max_size=6))
def test_any_bytes_come_back_as_they_were_posted(fields: dict[str, bytes]) -> None:
    """Line breaks, NULs and half boundaries inside of a value are its own."""
    found, whole = parts(multipart_body(dict(fields)), BOUNDARY.encode())
    mine = f"\r\n--{BOUNDARY}".encode()
    held = any(mine in b"\r\n" + value for value in fields.values())
    assert held or (whole and {part.name: bytes(part.value) for part in found} == fields)


@pytest.mark.parametrize("ending", ["more", "-more", "-", " more", "\tx"])
def test_a_value_may_hold_a_longer_boundary(ending: str) -> None:
    """The boundary of a mail inside of the mail is not ours."""
    body = multipart_body({"text": f"a\r\n--{BOUNDARY}{ending}\r\nb", "last": "x"})
    found, whole = parts(body, BOUNDARY.encode())
    assert whole
    assert [(part.name, bytes(part.value)) for part in found] == [("text", f"a\r\n--{BOUNDARY}{ending}\r\nb".encode()), ("last", b"x")]


def test_a_file_of_any_name_is_there() -> None:
    """A name of ten thousand letters, and one that goes on in the next line."""
    for name in ("\u6f22" * 10_000 + ".txt", "a\r\n b.txt"):
        head = f'Content-Disposition: form-data; name="attachment1"; filename="{name}"'
        found, whole = parts(f"--b\r\n{head}\r\n\r\nwords\r\n--b--\r\n".encode(), b"b")
        assert ([(part.name, part.filename, bytes(part.value)) for part in found], whole) == (
            [("attachment1", name.replace("\r\n", ""), b"words")],
            True,
        )


def test_a_file_name_that_is_not_utf8_costs_only_its_letters() -> None:
    """Werkzeug refuses the whole body for it."""
    head = b'Content-Disposition: form-data; name="attachment1"; filename="caf\xe9.txt"'
    body = b"--x\r\n" + head + b"\r\n\r\nabc\r\n--x--\r\n"
    (part,), whole = parts(body, b"x")
    assert whole
    assert (part.filename, bytes(part.value)) == ("café.txt", b"abc")


@given(st.binary(max_size=300) | st.lists(st.sampled_from([b"--x", b"\r\n", b"--", b"name", b'"', b":", b";", b"form-data"])).map(b"".join))
def test_any_bytes_are_parts_or_half_a_form(body: bytes) -> None:
    """No other exception; and only what begins and ends as a form does is whole."""
    try:
        found, whole = parts(body, b"x")
    except TruncatedForm:
        return
    assert all(part.name for part in found)
    assert not whole or (body.startswith(b"--x") and body.rstrip().endswith(b"--x--"))


WHOLE = multipart_body({"from": "user@example.com", "text": "Hello,\r\nyes.\r\n", "attachment1": ("a.bin", bytes(range(256)))})


def test_no_beginning_of_a_form_is_taken_for_the_whole() -> None:
    """Half a mail would be another mail; its sender is told to send it again."""
    for length in range(len(WHOLE) - len("--\r\n")):
        with pytest.raises(TruncatedForm) as error:
            parts(WHOLE[:length], BOUNDARY.encode())
        assert (error.value.code, error.value.status) == ("truncated", 503)


@pytest.mark.parametrize(
    "body",
    [
        b"0" + WHOLE,
        b"\r\n" + WHOLE,
        WHOLE + b"x",
        WHOLE + b" " * 300,
        WHOLE + WHOLE,
        multipart_body({"text": f"a\r\n--{BOUNDARY}--\r\nb", "SPF": "fail"}),
        multipart_body(dict.fromkeys(map(str, range(MAX_PARTS + 1)), b"x")),
    ],
)
def test_more_than_a_form_is_not_whole(body: bytes) -> None:
    """What stands before it, behind it, or beyond what is read: its fields are not known to be all."""
    assert not parts(body, BOUNDARY.encode())[1]


@pytest.mark.parametrize("boundary", [BOUNDARY[:-1], BOUNDARY[:1], "evil"])
def test_under_another_boundary_no_form_is_whole(boundary: str) -> None:
    """The header that names it is not signed: a mail that holds a form of its own would be read instead."""
    inner = b"\r\n--" + boundary.encode() + b'\r\nContent-Disposition: form-data; name="SPF"\r\n\r\npass\r\n--' + boundary.encode()
    body = multipart_body({"text": inner + b"--\r\n", "SPF": "fail"})
    assert parts(body, BOUNDARY.encode())[1]
    assert not parts(body, boundary.encode())[1]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=" + "x" * 300]
)
def test_what_is_no_form_is_said_to_be_none(content_type: str) -> None:
    """No boundary, no form."""
    with pytest.raises(BadInput, match="not_a_form"):
        boundary_of(content_type)
