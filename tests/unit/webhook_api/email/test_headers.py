"""Header blocks."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook_api.email.headers import Headers, decoded


def test_folded_headers_are_unfolded_and_repeated_ones_all_kept() -> None:
    """Order, case and folding of real blocks."""
    headers = Headers.parse("Received: one\nMessage-ID:\n <a@b>\r\nRECEIVED:\ttwo\n\tmore\nnot a header\n\nSubject: body\n")
    assert headers.all("received") == ["one", "two more"]
    assert headers.message_id("message-id") == "<a@b>"
    assert headers.first("subject") == ""


def test_message_ids_are_trimmed_and_given_their_brackets() -> None:
    """Ids come unfolded, bare or with words around them; text that is none gives none."""
    headers = Headers.parse("Message-ID: bare@example.com\nIn-Reply-To: your mail of today <x@y> and more\nX: two words\n")
    assert headers.message_id("message-id") == "<bare@example.com>"
    assert headers.message_id("in-reply-to") == "<x@y>"
    assert headers.message_id("x") == ""


def test_references_keep_the_root_and_the_last_twenty() -> None:
    """A thread's root makes its conversation: it must never fall off."""
    ids = [f"<{number}@x>" for number in range(500)]
    kept = Headers.parse("References: " + "\n ".join(ids)).references()
    assert kept[0] == "<0@x>"
    assert kept[1:] == tuple(ids[-20:])


def test_the_ids_of_in_reply_to_are_kept_without_the_words_around_them() -> None:
    """Four at most; an old program names the author as well."""
    for value, found in [
        ("<a@x>", "<a@x>"),
        ("a@x", "<a@x>"),
        ('Your message of "Mon, 3 May" <a@x>', "<a@x>"),
        ("Message from Ada <ada@x> of Monday <a@x>", "<ada@x> <a@x>"),
        ("<1@x> <2@x> <3@x> <4@x> <5@x>", "<1@x> <2@x> <3@x> <4@x>"),
        ("words alone", ""),
    ]:
        assert Headers.parse(f"In-Reply-To: {value}\n").in_reply_to() == found, value


def test_what_the_mails_of_an_outlook_thread_have_in_common_is_read() -> None:
    """22 bytes, whatever was appended, however it is folded and padded; anything else is none."""
    thread = bytes(range(22))
    first, answer = base64.b64encode(thread).decode(), base64.b64encode(thread + b"12345").decode()
    for value in (first, answer, first.rstrip("="), f"{answer[:20]}\n {answer[20:]}"):
        assert Headers.parse(f"Thread-Index: {value}\n").thread_index() == thread.hex(), value
    for value in ("", first[:20], "no base64, this", "é" * 40, "=" * 40):
        assert Headers.parse(f"Thread-Index: {value}\n").thread_index() == "", value


def test_encoded_words_are_decoded_and_broken_ones_left() -> None:
    """Unknown charsets and broken base64 do not raise."""
    assert decoded("=?iso-8859-1?q?Gr=FC=DFe?= =?utf-8?b?w6k=?=") == "Grüßeé"
    assert decoded("=?x-made-up?q?a?= b") == "a b"
    assert isinstance(decoded("=?utf-8?b?!?= \ud800"), str)
    assert decoded("Привет =?utf-8?q?_M=C3=BC?= \\u0041 =?utf-8*de?Q?ller?=") == "Привет  Mü \\u0041 ller"
    assert decoded("=?utf-8?B?TcM=?=\n =?UTF-8?B?vGxsZXI=?= =?utf-8?q??= x") == "Müller x"  # a letter cut in two
    assert decoded("=?gb2312?B?1uzpRrv5?= =?windows-31j?Q?=87=40?= =?us-ascii?Q?hei=DFt?=") == "朱镕基①heißt"
    assert decoded("a=?utf-8?q?b?=c =?utf-8?x?b?= =?utf-8?q?b") == "abc =?utf-8?x?b?= =?utf-8?q?b"
    assert decoded("=?utf-8?b?====?=") == ""
    assert decoded("=?utf-8?Q?Is_it_true??= =?utf-8?q?_or=20what?_=C3=A4?=") == "Is it true? or what? ä"


@given(st.text(max_size=300) | st.text(alphabet=":\n \tAb=?<>@", max_size=300))
def test_no_block_raises(block: str) -> None:
    """Any text is a header block."""
    headers = Headers.parse(block)
    assert [headers.references(), headers.in_reply_to(), headers.thread_index()]
    assert isinstance(decoded(headers.first("a")), str)


@pytest.mark.many_inputs
def test_no_block_takes_long() -> None:
    """Ten megabytes of header, of folds, of ids."""
    ids = ("<" * 1_000_000, "<a" * 500_000, "a@ " * 400_000, "A" * 1_000_000, '"' * 1_000_000)
    threads = [f"{name}: {value}" for name in ("References", "In-Reply-To", "Thread-Index") for value in ids]
    for block in ("A: " + "x" * 10_000_000, "A: b\n" + " fold\n" * 1_000_000, "A:b\n" * 2_000_000, *threads):
        start = time.thread_time()
        headers = Headers.parse(block)
        assert [headers.references(), headers.in_reply_to(), headers.thread_index()]
        assert time.thread_time() - start < 3
