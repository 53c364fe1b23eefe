"""Threads: one spelling of an id, the order in which a mail's ids are looked up, and when a subject counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.model.addresses import EmailAddress, Identities
from shared.model.events import EmailReceived, SendEmailResponse
from shared.model.threads import MAX_ID, MAX_IDS, NO_NAMES, canonical, ids_in, is_answer, of_mail, of_reply, topic_of

LETTERS = st.sampled_from("abAB09.+$!_=-/'")
IDS = st.builds("<{}@{}>".format, st.text(LETTERS, min_size=1, max_size=30), st.text(st.sampled_from("abAB09.-"), min_size=1, max_size=20))
WORDS = st.text(st.sampled_from("abAB9 :;,.()\"'"), max_size=20)


@given(st.lists(IDS, min_size=1, max_size=6, unique=True), st.lists(WORDS, min_size=7, max_size=7))
def test_words_around_ids_are_left_out_and_their_order_stays(ids: list[str], words: list[str]) -> None:
    """Whatever a program writes between them."""
    assert ids_in(" ".join(f"{word}{name}" for word, name in zip(words, ids, strict=False)) + words[-1]) == ids


@given(st.text(max_size=60) | IDS)
def test_an_id_has_one_spelling(text: str) -> None:
    """The same when it is spelled again; in other capitals of the host, with blanks around, and without brackets."""
    one = canonical(text)
    assert canonical(one) == one
    local, at, host = one.rpartition("@")
    if one and host.isascii():
        assert one == canonical(f" {local}{at}{host.upper()} ") == canonical(one[1:-1])


@given(st.lists(IDS, max_size=5), st.lists(IDS, max_size=20), IDS)
def test_a_mail_is_looked_up_by_its_parent_then_its_row_from_the_newest_on_and_by_the_root_of_a_long_one(
    parents: list[str], row: list[str], own: str
) -> None:
    """And by its own id last; bounded, each once, in one spelling."""
    ids = of_mail(own, " ".join(parents), row, "", "Re: Trip").ids
    spelled = [canonical(name) for name in dict.fromkeys([*parents, *reversed(row)])]
    named = [*dict.fromkeys(spelled)]
    assert len(ids) == len(set(ids)) <= MAX_IDS
    assert canonical(own) in ids
    assert list(ids)[: MAX_IDS - 2] == ([*named, canonical(own)] if canonical(own) not in named else named)[: MAX_IDS - 2]
    assert not row or canonical(row[0]) in ids


def test_of_a_very_long_row_the_newest_and_the_root_are_looked_up() -> None:
    """However many a mail names."""
    row = [f"<{number}@x.example>" for number in range(500)]
    ids = of_mail("<own@x.example>", "<p@x.example>", row, "", "").ids
    assert len(ids) == MAX_IDS
    assert (ids[:2], ids[-2:]) == (("<p@x.example>", "<499@x.example>"), ("<0@x.example>", "<own@x.example>"))


def test_what_mail_programs_write_is_read() -> None:
    """Old ones with words, some without brackets; what is no id is none."""
    for value, ids in [
        ("<a@x.example>", ["<a@x.example>"]),
        ('Your message of "Mon, 3 May 2027 09:00." <a@x.example>', ["<a@x.example>"]),
        ("Message from Ada <ada@example.com> of Monday <a@x.example>", ["<ada@example.com>", "<a@x.example>"]),
        ("<a@x.example> (Ada's message of Monday) <a@x.example>", ["<a@x.example>"]),
        ("a@x.example", ["<a@x.example>"]),
        ("a@x.example, b@x.example;", ["<a@x.example>", "<b@x.example>"]),
        ("12345", ["<12345>"]),
        ("your message of Monday", []),
        ("< r-1@example.com >", ["<r-1@example.com>"]),
        ("<r-0123456789 abcdef@example.com> <b@x>", ["<r-0123456789abcdef@example.com>", "<b@x>"]),
        ("<r-1@ example .com>", ["<r-1@example.com>"]),
        ("<a@x <b@y>", ["<b@y>"]),
        ("<Ada Lee> <b@y>", ["<b@y>"]),
        ("<>", []),
        ("", []),
    ]:
        assert ids_in(value) == ids, value
    assert canonical("<A.b@X.Example>") == "<A.b@x.example>"
    assert canonical("<" + "a" * (MAX_ID + 1) + ">") == ""


def test_a_subject_counts_where_a_mail_says_that_it_is_an_answer_and_names_nothing() -> None:
    """In the languages of mail programs, however often; a forward is none, and what is left must be something."""
    for subject, topic, answer in [
        ("Trip", "trip", False),
        ("Re: Trip", "trip", True),
        ("RE:  TRIP ", "trip", True),
        ("AW: Re: Sv: Trip", "trip", True),
        ("Re[2]: Trip", "trip", True),
        ("Re^3: Trip", "trip", True),
        ("RE : Trip", "trip", True),
        ("回复\uff1a行程", "行程", True),
        ("Re: Fwd: Trip", "fwd: trip", True),
        ("Fwd: Trip", "fwd: trip", False),
        ("Review: Trip", "review: trip", False),
        ("Re:", "", True),
        ("", "", False),
        ("Re: " * 5_000, "", True),
    ]:
        assert (topic_of(subject), is_answer(subject)) == (topic, answer), subject
    assert of_mail("<2@x>", "", [], "", "Re: Trip").by_topic
    assert of_mail("<2@x>", "", [], "01ab", "Re: Trip").by_topic
    assert not of_mail("<2@x>", "<1@x>", [], "", "Re: Trip").by_topic
    assert not of_mail("<2@x>", "", ["<1@x>"], "", "Re: Trip").by_topic
    assert not of_mail("<2@x>", "", [], "", "Trip").by_topic
    assert not of_mail("<2@x>", "", [], "", "Re:").by_topic


def test_a_mail_and_the_answer_to_it_have_one_topic() -> None:
    """However long the subject is, and however an answer cuts it."""
    subject = "İ" * 400
    assert of_reply("<r@x>", f"Re: {subject[:200]}").topic == of_mail("<1@x>", "", [], "", subject).topic


def test_what_is_kept_of_a_thread_shows_nothing_of_it() -> None:
    """Hashes with the installation's key; another installation has others. A text has none."""
    mail = EmailReceived(
        id="m-1", from_=EmailAddress("user@example.com"), to=EmailAddress("boss@example.com"), subject="Re: Trip", body="", user="user",
        message_id="<own@example.com>", in_reply_to="<parent@Example.com>", thread_index="01ab",
    )  # fmt: skip
    here, there = Identities(b"one").thread(mail.thread), Identities(b"two").thread(mail.thread)
    assert [name[:2] for name in here.names] == ["i-", "i-", "x-"]
    assert here.topic[:2] == "j-"
    assert not {*here.names, here.topic} & {*there.names, there.topic}
    assert "example" not in repr(here)
    assert here.names[1] == Identities(b"one").message_id("<own@example.com>")
    reply = SendEmailResponse(to=mail.from_, from_=mail.to, subject="Re: Trip", body="", user="user", message_id="<r-1@example.com>")
    assert Identities(b"one").thread(reply.thread).topic == here.topic
    assert Identities(b"one").thread(of_mail("", "", [], "", "")) is NO_NAMES
