"""Which addresses a call may name where words of others are shown."""

from __future__ import annotations

import pytest

from supervisor_worker.assistant.addresses import MAX_WRITTEN, named_in, names_a_strangers, written_in

WRITTEN = written_in(["Look at https://shop.example/sale?x=1, ask tom@shop.example or (www.news.example).", "or call +15550001111"])


@pytest.mark.parametrize(
    "text",
    ["https://evil.example/?q=all", "evil.example", "EVIL.example/x", "evil\uff0eexample", "evil\u3002example/x", "//evil/x", "\\\\evil\\x",
     "mallory@evil.example", "http://3221225985/x", "192.0.2.7", "+15550009999", "mailto:x", "tel:123", "xn--evil-x",
     "https://shop.example@evil.example/", "https://shop.example:80@evil.example/", "https://shop.example.evil.example/",
     "mallory@shop.example",
     "https://shop.example\\@evil.example", "https://shop.example\t.evil.example/", "https://evil.example/https://shop.example/"],
)  # fmt: skip
def test_an_address_that_nobody_of_ours_wrote_is_a_strangers(text: str) -> None:
    """However it is spelled, and wherever in the arguments it stands."""
    for arguments in ({"url": text}, {"a": [{"b": f"see {text} now"}]}, {text: 1}):
        assert names_a_strangers(arguments, WRITTEN, [])


@pytest.mark.parametrize(
    "text",
    ["https://shop.example/sale?x=1", "tom@shop.example", "shop.example", "https://news.example/today", "+15550001111", "the dentist",
     "z.B. 3.5",
     "2027-03-02T09:00", "2027-03-02T09:00+01:00", "v1.2.3", "10.30", "and/or", "12", ""],
)  # fmt: skip
def test_what_the_person_wrote_may_be_named_and_what_is_no_address_too(text: str) -> None:
    """Another page of a host that they named as well."""
    assert not names_a_strangers({"a": text, "n": 7, "x": None, "y": [True, 1.5]}, WRITTEN, [])


def test_what_the_same_server_said_may_be_named_letter_for_letter() -> None:
    """Nothing can be put into it, not even on a host that it names."""
    said = ['{"id": "e17@calendar.example", "url": "https://calendar.example/e17"}']
    assert not names_a_strangers({"id": "e17@calendar.example"}, [], said)
    assert not names_a_strangers({"url": "https://calendar.example/e17"}, [], said)
    assert names_a_strangers({"url": "https://calendar.example/e17?said=everything"}, [], said)
    assert names_a_strangers({"url": "https://calendar.example/e17", "then": "evil.example"}, [], said)


def test_an_example_of_a_text_that_names_several() -> None:
    """In the spelling in which they are compared, each once, and no more than are kept."""
    assert named_in('See <A HREF="HTTPS://Shop.example/A">, shop.example, shop.example.') == ["https://shop.example/a", "shop.example"]
    assert len(written_in([f"x{number}.example" for number in range(MAX_WRITTEN + 5)])) == MAX_WRITTEN
