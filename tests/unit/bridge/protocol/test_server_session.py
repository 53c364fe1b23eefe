"""The bridge's protocol without a network: every rule over any sequence of frames, and each by itself."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.protocol import frames
from bridge.protocol.codes import Close
from bridge.protocol.frames import Auth, Subscribe
from bridge.protocol.server_session import (
    MAX_REJECTED_IN_A_ROW,
    CloseConnection,
    MessageOutcome,
    MessageRequest,
    ServerSession,
    SessionLimits,
)
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.events import SendEmailResponse, SendSmsResponse
from tests.support.effort import rounds

JsonObject = dict[str, Any]
USER, BOSS = PhoneNumber("+15551234567"), PhoneNumber("+15559876543")
SMS = {"type": "sms_received", "from": USER.value, "to": BOSS.value, "message": "Hello", "user": "ada"}
MAIL = {"type": "email_received", "from": "user@example.com", "to": "boss@example.com", "subject": "Hi", "body": "Hello", "user": "ada"}
FAST = SessionLimits(requests_per_second=1e9, burst=1000)


def nonces() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"{next(numbers):024x}"


def session(rules: SessionLimits = FAST, *, authenticated: bool = True) -> ServerSession:
    made = ServerSession(rules, 0.0, nonces())
    if authenticated:
        made.accept(Auth("t", None, "", ""))
    return made


def said(text: object) -> JsonObject:
    assert isinstance(text, str)
    return cast("JsonObject", json.loads(text))


def say(made: ServerSession, frame: object, now: float = 0.0) -> Any:
    return made.receive(frame if isinstance(frame, str | bytes) else json.dumps(frame), now)


def ask(made: ServerSession, **more: object) -> MessageRequest:
    request = say(made, SMS | more)
    assert isinstance(request, MessageRequest)
    return request


def reply(text: str = "Hi", user: str = "ada") -> MessageOutcome:
    return MessageOutcome(SendSmsResponse(to=USER, from_=BOSS, message=text, user=user))


class Conversations(RuleBasedStateMachine):
    """A client that says anything, and a mailbox that answers at any time: the promises hold all the same."""

    @initialize(rate=st.sampled_from([1e9, 10.0]))
    def begin(self, rate: float) -> None:
        """Nobody has said anything."""
        self.session = session(SessionLimits(requests_per_second=rate, burst=8, max_pending=6), authenticated=False)
        self.now = 0.0
        self.numbers = itertools.count()
        self.heard: list[JsonObject] = []
        self.in_line: list[str] = []  # the user of each frame that has no id, in order; "" for one that is refused
        self.storing: list[MessageRequest] = []
        self.waiting: list[MessageRequest] = []
        self.asked: dict[str, int] = {}

    def receive(self, frame: object, *, name: str = "", request_id: str = "") -> None:
        """The session judges a frame; what it expects of the server is put on its desk."""
        before = self.session.authenticated
        decision = say(self.session, frame, self.now)
        if isinstance(decision, MessageRequest):
            assert before, "nothing is taken before authentication"
            self.storing.append(decision)
        elif isinstance(decision, Auth):
            self.heard.append(said(self.session.accept(decision)))
            return
        elif isinstance(decision, str):
            self.hear((decision,))
        if isinstance(decision, CloseConnection) or self.session.closed or isinstance(decision, Subscribe):
            return
        if request_id:
            self.asked[request_id] = self.asked.get(request_id, 0) + 1
        else:
            self.in_line.append(name if isinstance(decision, MessageRequest) else "")

    def hear(self, texts: tuple[str, ...]) -> None:
        """The client reads."""
        self.heard += [said(text) for text in texts]

    @rule(seconds=st.sampled_from([0.0, 0.05, 1.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule()
    def authenticate(self) -> None:
        """With the right token."""
        if not self.session.closed:
            decision = say(self.session, {"type": "auth", "token": "t"}, self.now)
            if isinstance(decision, Auth):
                self.hear((self.session.accept(decision),))
            elif isinstance(decision, str):
                self.in_line.append("")
                self.hear((decision,))
            elif decision is None:
                self.in_line.append("")

    @rule(request_id=st.sampled_from(["", "p"]))
    def ping(self, request_id: str) -> None:
        """It is never counted, never queued and never refused."""
        frame = {"type": "ping"} | ({"id": request_id} if request_id else {})
        answer = say(self.session, frame, self.now)
        if not self.session.closed:
            assert said(answer) == {"type": "pong"} | ({"in_reply_to": request_id} if request_id else {})

    @rule(request_id=st.sampled_from(["", "", "a", "b"]), fields=st.sampled_from([SMS, MAIL, SMS | {"message": 5}]))
    def request(self, request_id: str, fields: JsonObject) -> None:
        """A text or a mail, under an id or none."""
        name = f"u{next(self.numbers)}"
        self.receive(fields | {"user": name} | ({"id": request_id} if request_id else {}), name=name, request_id=request_id)

    @rule(frame=st.sampled_from(["{", "[]", "5", b"\0", '{"type":"x"}', '{"type":"sms_received","id":5}', "[" * 9999, "9" * 9999]))
    def nonsense(self, frame: str | bytes) -> None:
        """What no client of ours would say."""
        self.receive(frame)

    @precondition(lambda self: self.storing)
    @rule(verdict=st.sampled_from(["stored", "stored", "failed"]))
    def mailbox_takes(self, verdict: str) -> None:
        """One after the other, in the order of the requests."""
        request = self.storing.pop(0)
        if verdict == "failed":
            self.hear(self.session.failed(request, "storage_unavailable"))
        else:
            self.hear(self.session.stored(request, 0.0))
            self.waiting.append(request)

    @precondition(lambda self: self.storing or self.waiting)
    @rule(data=st.data(), ended=st.sampled_from([reply(), MessageOutcome(code="parked")]))
    def mailbox_ends(self, data: st.DataObject, ended: MessageOutcome) -> None:
        """At any time, also before the acknowledgement, and more than once."""
        message = data.draw(st.sampled_from([*self.storing, *self.waiting])).message_id
        if request := self.session.request_of(message):
            self.hear(self.session.ended(request, ended))

    @precondition(lambda self: any(not request.id for request in (*self.storing, *self.waiting)))
    @rule(data=st.data())
    def time_is_up(self, data: st.DataObject) -> None:
        """The limit of a request without an id has passed."""
        requests = [request for request in (*self.storing, *self.waiting) if not request.id]
        self.hear(self.session.overdue(data.draw(st.sampled_from(requests)), 0.0))

    @invariant()
    def answers_without_an_id_keep_their_order(self) -> None:
        """Each is one frame's, and they come in the frames' order."""
        plain = [frame for frame in self.heard if "in_reply_to" not in frame and frame["type"] != "auth_result"]
        assert len(plain) <= len(self.in_line)
        for frame, name in zip(plain, self.in_line, strict=False):
            assert frame["type"] == "error" or frame["user"] == name
            assert frame["type"] != "error" or name == "" or frame["code"] in ("storage_unavailable", "parked")

    @invariant()
    def an_id_is_acknowledged_first_and_answered_once(self) -> None:
        """At most one final answer for each time that it was asked."""
        for request_id, times in self.asked.items():
            kinds = [frame["type"] for frame in self.heard if frame.get("in_reply_to") == request_id]
            finals = [index for index, kind in enumerate(kinds) if kind != "message_acknowledged"]
            assert len(finals) <= times
            for index in finals:
                assert kinds[index] == "error" or "message_acknowledged" in kinds[:index]

    def teardown(self) -> None:
        """At the end every request has its answer: exactly one each without an id."""
        for request in self.storing:
            self.hear(self.session.stored(request, 0.0))
            self.waiting.append(request)
        for request in self.waiting:
            if open_request := self.session.request_of(request.message_id):
                self.hear(self.session.ended(open_request, reply()))
        assert self.session.messages() == ()
        plain = [frame for frame in self.heard if "in_reply_to" not in frame and frame["type"] != "auth_result"]
        assert len(plain) == len(self.in_line)
        for request_id in self.asked:
            mine = [frame["type"] for frame in self.heard if frame.get("in_reply_to") == request_id]
            assert not mine or mine[-1] != "message_acknowledged"


TestConversations = Conversations.TestCase
TestConversations.settings = settings(
    max_examples=rounds(30), stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much]
)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "bad_json"),
        ('"text"', "bad_json"),
        ("[" * 100_000, "bad_json"),
        (b"\x00", "not_text"),
        ({"type": "nonsense"}, "unknown_type"),
        ({"type": 5}, "unknown_type"),
        ({"type": ["auth"]}, "unknown_type"),
        ({}, "unknown_type"),
        ({"type": "auth"}, "bad_field"),
        ({"type": "auth", "token": 5}, "bad_field"),
        ({"type": "auth", "token": "t", "protocol": "1"}, "bad_field"),
        ({"type": "auth", "token": "t", "protocol": True}, "bad_field"),
        ({"type": "auth", "token": "t", "client": "x" * 200}, "bad_field"),
        ({"type": "subscribe", "since": "yesterday"}, "bad_field"),
        ({"type": "subscribe", "conversation": "+15551234567"}, "bad_field"),
        ({"type": "ping", "id": 5}, "bad_field"),
        (SMS | {"id": ""}, "bad_field"),
        (SMS | {"id": "x" * 129}, "bad_field"),
        (SMS | {"message": " "}, "bad_field"),
        (SMS | {"message": None}, "bad_field"),
        (SMS | {"from": 15551234567}, "bad_field"),
        (SMS | {"user": ["ada"]}, "bad_field"),
        ({name: value for name, value in SMS.items() if name != "user"}, "bad_field"),
        (MAIL | {"subject": "", "body": " "}, "bad_field"),
        (MAIL | {"subject": 1}, "bad_field"),
        (MAIL | {"message_id": "<a b>"}, "bad_field"),
        (MAIL | {"in_reply_to": 7}, "bad_field"),
        (MAIL | {"references": {"a": 1}}, "bad_field"),
        (MAIL | {"references": ["<a@b>", 5]}, "bad_field"),
    ],
)
def test_what_cannot_be_used_gets_an_error_with_a_code(frame: object, code: str) -> None:
    """And nothing else happens: nothing is taken, nothing closed, and no word of the frame is repeated."""
    made = session()
    answer = said(say(made, frame))
    assert (answer["type"], answer["code"], answer["retryable"]) == ("error", code, False)
    assert "1555" not in answer["message"]
    assert not made.closed
    assert made.messages() == ()


@pytest.mark.parametrize("frame", [SMS, MAIL | {"id": "1"}, {"type": "subscribe"}, {"type": "nonsense"}])
def test_nothing_happens_before_authentication(frame: JsonObject) -> None:
    """The client hears why, in the words of the first dialect."""
    made = session(authenticated=False)
    answer = said(say(made, frame))
    assert (answer["message"], answer["code"]) == ("Not authenticated", "not_authenticated")
    assert answer.get("in_reply_to") == frame.get("id")


def test_a_ping_needs_no_authentication_and_no_budget() -> None:
    """It costs nothing, so it is not counted."""
    made = session(SessionLimits(burst=1), authenticated=False)
    assert [said(say(made, {"type": "ping"})) for _ in range(300)] == [{"type": "pong"}] * 300


def test_the_first_dialect_is_told_no_more_than_it_knows() -> None:
    """`protocol`, `server` and `limits` are for clients that asked."""
    made = session(authenticated=False)
    assert said(made.accept(Auth("t", None, "", ""))) == {"type": "auth_result", "success": True, "message": "Authenticated"}
    answer = said(made.accept(Auth("t", 7, "me", "")))
    assert answer["protocol"] == 1
    assert answer["limits"]["max_frame"] == 65_536
    assert said(made.reject(Auth("x", None, "", "")))["success"] is False
    assert made.receive('{"type":"ping"}', 0.0) is None


def test_an_id_belongs_to_its_client() -> None:
    """The same id of the same client is the same message; of another client it is another; without one each is new."""
    one, two = session(), session()
    one.accept(Auth("t", 1, "laptop", ""))
    two.accept(Auth("t", 1, "phone", ""))
    assert ask(one, id="1").message_id == ask(one, id="1").message_id != ask(two, id="1").message_id
    assert len({ask(one).message_id for _ in range(5)}) == 5


def test_text_that_utf8_cannot_hold_is_replaced() -> None:
    """JSON can name half of a surrogate pair; nothing behind the bridge can."""
    request = say(session(), r'{"type":"sms_received","from":"a","to":"b","message":"\ud800!","user":"\udfff","id":"\ud801"}')
    assert (request.content.text, request.user, request.id) == ("?!", "?", "?")


def test_a_mail_is_read_whole() -> None:
    """Ids get their brackets, a subject stays on one line, a long thread keeps its root and its end."""
    more = {"subject": "a\r\nBcc: b", "message_id": "1@x", "references": [f"<{number}@x>" for number in range(40)], "in_reply_to": " <9@x>"}
    content = say(session(), MAIL | more).content
    assert (content.subject, content.message_id, content.in_reply_to) == ("a Bcc: b", "<1@x>", "<9@x>")
    assert (len(content.references), content.references[0], content.references[-1]) == (21, "<0@x>", "<39@x>")
    assert say(session(), MAIL | {"references": "<1@x> <2@x>"}).content.references == ("<1@x>", "<2@x>")


def test_the_reply_waits_for_those_before_it() -> None:
    """The second request's reply is there first; an old client would take it for the first one's."""
    made = session()
    first, second = ask(made, user="one"), ask(made, user="two")
    assert made.stored(first, 0.0) == made.stored(second, 0.0) == ()
    assert made.ended(second, reply("B")) == ()
    assert [said(text)["message"] for text in made.ended(first, reply("A"))] == ["A", "B"]
    assert made.ended(first, reply("again")) == ()


def test_an_error_waits_for_those_before_it() -> None:
    """Also one for a frame that could not be read: the client counts answers."""
    made = session()
    first = ask(made)
    assert say(made, "{") is None
    assert say(made, SMS | {"message": ""}) is None
    made.stored(first, 0.0)
    assert [said(text)["type"] for text in made.overdue(first, 0.0)] == ["message_acknowledged", "error", "error"]


def test_a_message_to_which_there_is_nothing_to_say_has_one_end() -> None:
    """With an id its own code; without one what an old client knows: it was taken, and the client goes on alone."""
    made = session()
    old, new = ask(made), ask(made, id="2")
    made.stored(old, 7.0)
    made.stored(new, 7.0)
    (acknowledged,) = made.ended(old, MessageOutcome(code="nothing_to_say"))
    assert (said(acknowledged)["type"], said(acknowledged)["timestamp"][:19]) == ("message_acknowledged", "1970-01-01T00:00:07")
    (final,) = made.ended(new, MessageOutcome(code="nothing_to_say"))
    assert (said(final)["type"], said(final)["code"], said(final)["retryable"]) == ("error", "nothing_to_say", False)
    assert made.ended(old, reply()) == made.ended(new, reply()) == made.overdue(old, 8.0) == ()


def test_answers_with_an_id_wait_for_nobody() -> None:
    """They say whose they are."""
    made = session()
    ask(made)
    second = ask(made, id="2")
    assert [said(text)["type"] for text in made.stored(second, 0.0)] == ["message_acknowledged"]
    (final,) = made.ended(second, reply())
    assert said(final) == {"type": "send_sms_response", "to": USER.value, "message": "Hi", "user": "ada", "in_reply_to": "2"}


def test_the_reply_to_a_mail_is_a_mail() -> None:
    """With its subject; `user` is the request's own word."""
    made = session()
    request = say(made, MAIL | {"id": "1", "user": "whoever"})
    made.stored(request, 0.0)
    command = SendEmailResponse(
        to=EmailAddress("user@example.com"),
        from_=EmailAddress("boss@example.com"),
        subject="Re: Hi",
        body="B",
        user="ada",
        message_id="<r>",
    )
    (final,) = made.ended(request, MessageOutcome(command))
    shown = {"to": "user@example.com", "subject": "Re: Hi", "body": "B", "user": "whoever"}
    assert said(final) == {"type": "send_email_response", **shown, "in_reply_to": "1"}


def test_a_reply_that_is_faster_than_the_acknowledgement_comes_after_it() -> None:
    """The ledger's line may be read before the thread that stored the message has said so."""
    made = session()
    request = ask(made, id="1")
    assert made.ended(request, reply()) == ()
    assert [said(text)["type"] for text in made.stored(request, 0.0)] == ["message_acknowledged", "send_sms_response"]


def test_a_repetition_that_fails_leaves_the_first_one_waiting() -> None:
    """Also two of them, and also when the end came meanwhile."""
    made = session()
    first = ask(made, id="1")
    made.stored(first, 0.0)
    second, third = ask(made, id="1"), ask(made, id="1")
    assert made.request_of(first.message_id) is third
    assert said(made.failed(second, "storage_unavailable")[0])["retryable"] is True
    made.ended(third, reply())
    assert [said(text)["type"] for text in made.failed(third, "id_reused")] == ["error", "send_sms_response"]
    assert made.messages() == ()


def test_a_repetition_that_is_refused_changes_nothing() -> None:
    """The first request is answered as if the other had never come."""
    made = session()
    first = ask(made, id="1")
    made.stored(first, 0.0)
    made.failed(ask(made, id="1", message="Other"), "id_reused")
    assert made.request_of(first.message_id) is first
    assert len(made.ended(first, reply())) == 1


def test_a_final_answer_is_final() -> None:
    """Also one that still waits for those before it: an acknowledgement that hands over is not taken back by a late reply."""
    made = session()
    named, first, second = ask(made, id="1"), ask(made, user="one"), ask(made, user="two")
    for request in (named, first, second):
        made.stored(request, 0.0)
    assert [len(made.ended(named, reply())), len(made.ended(named, reply()))] == [1, 0]
    assert made.overdue(second, 0.0) == made.ended(second, reply()) == ()
    assert [said(text)["type"] for text in made.overdue(first, 0.0)] == ["message_acknowledged"] * 2


def test_a_repetition_after_the_answer_is_answered_again() -> None:
    """The client was away, or did not listen."""
    made = session()
    for _ in range(2):
        request = ask(made, id="1")
        made.stored(request, 0.0)
        assert len(made.ended(request, reply())) == 1


def test_time_that_is_up_before_the_message_is_stored_is_a_failure() -> None:
    """An acknowledgement would promise what is not so."""
    made = session()
    request = ask(made)
    (answer,) = made.overdue(request, 0.0)
    assert (said(answer)["code"], said(answer)["retryable"]) == ("storage_unavailable", True)
    assert made.stored(request, 0.0) == ()


def test_requests_are_counted_and_a_flood_is_sent_away() -> None:
    """A burst, then the rate; a hundred refusals in a row end it, and one that is taken begins the count anew."""
    made = session(SessionLimits(requests_per_second=10, burst=20))
    codes = [said(say(made, SMS | {"id": "1", "message": ""}))["code"] for _ in range(25)]
    assert codes == ["bad_field"] * 20 + ["too_many_requests"] * 5
    assert said(say(made, {"type": "x", "id": "2"}, 0.1))["code"] == "unknown_type"
    refusals = [say(made, {"type": "x", "id": "2"}, 0.1) for _ in range(MAX_REJECTED_IN_A_ROW + 1)]
    assert all(said(text)["retryable"] for text in refusals[:-1])
    assert refusals[-1] == CloseConnection(Close.OVERLOADED, "too many requests")
    assert say(made, {"type": "ping"}, 9.0) is None


def test_what_waits_is_bounded() -> None:
    """With an id or without one; what repeats an id takes no more room."""
    made = session(SessionLimits(requests_per_second=1e9, burst=100, max_pending=3))
    ask(made)
    ask(made, id="1")
    ask(made, id="2")
    ask(made, id="1")
    answer = said(say(made, SMS | {"id": "3"}))
    assert (answer["code"], answer["retryable"]) == ("too_many_pending", True)
    assert say(made, SMS) is None
    assert len(made.messages()) == 3


def test_the_events_of_the_ledger_are_shown_as_they_are() -> None:
    """`seq` is what `since` takes."""
    seen = said(frames.event("5-1", "answered", {"msg": "m-1"}))
    assert seen == {"type": "event", "seq": "5-1", "event": {"type": "answered", "msg": "m-1"}}
    wish = say(session(), {"type": "subscribe", "since": seen["seq"], "conversation": "c-" + "0" * 24, "id": "s"})
    assert wish == Subscribe("c-" + "0" * 24, "5-1", "s")
