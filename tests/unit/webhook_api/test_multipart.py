"""The bytes of multipart/form-data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from shared.errors import BadInput
from tests.payloads import BOUNDARY, MULTIPART, multipart_body, payload
from webhook_api.multipart import boundary_of, parts


@pytest.mark.parametrize("name", ["mail_parsed.multipart", "mail_raw.multipart"])
def test_well_formed_posts_are_read_as_werkzeug_reads_them(name: str) -> None:
    """The same names, the same bytes, in the same order."""
    request = Request(EnvironBuilder(method="POST", input_stream=None, data=payload(name), content_type=MULTIPART).get_environ())
    theirs = {field: value for field, value in request.form.items() if "\ufffd" not in value}
    ours = {part.name: bytes(part.value) for part in parts(payload(name), BOUNDARY.encode())}
    assert {field: ours[field].decode() for field in theirs} == theirs
    assert {field: ours[field] for field in request.files} == {field: file.read() for field, file in request.files.items()}
    assert set(ours) == set(request.form) | set(request.files)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=5), st.binary(max_size=60), max_size=6))
def test_any_bytes_come_back_as_they_were_posted(fields: dict[str, bytes]) -> None:
    """Line breaks, NULs and half boundaries inside of a value are its own."""
    found = {part.name: bytes(part.value) for part in parts(multipart_body(dict(fields)), BOUNDARY.encode())}
    assert found == {name: value for name, value in fields.items() if f"\r\n--{BOUNDARY}".encode() not in value} or any(
        f"--{BOUNDARY}".encode() in value for value in fields.values()
    )


def test_a_value_may_hold_a_longer_boundary() -> None:
    """The boundary of a mail inside of the mail is not ours."""
    body = multipart_body({"text": f"a\r\n--{BOUNDARY}more\r\nb", "last": "x"})
    assert [(part.name, bytes(part.value)) for part in parts(body, BOUNDARY.encode())] == [
        ("text", f"a\r\n--{BOUNDARY}more\r\nb".encode()),
        ("last", b"x"),
    ]


def test_a_file_name_that_is_not_utf8_costs_only_its_letters() -> None:
    """Werkzeug refuses the whole body for it."""
    head = b'Content-Disposition: form-data; name="attachment1"; filename="caf\xe9.txt"'
    body = b"--x\r\n" + head + b"\r\n\r\nabc\r\n--x--\r\n"
    (part,) = parts(body, b"x")
    assert (part.filename, bytes(part.value)) == ("café.txt", b"abc")


@given(st.binary(max_size=300) | st.lists(st.sampled_from([b"--x", b"\r\n", b"--", b"name", b'"', b":", b";", b"form-data"])).map(b"".join))
def test_no_bytes_raise(body: bytes) -> None:
    """Whatever comes, there are parts or none."""
    for part in parts(body, b"x"):
        assert part.name


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary=" + "x" * 300]
)
def test_what_is_no_form_is_said_to_be_none(content_type: str) -> None:
    """No boundary, no form."""
    with pytest.raises(BadInput, match="not_a_form"):
        boundary_of(content_type)
