"""The control API, the page, and the life of the process."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.integration.sandbox.clients import BOSS, USER, ask, claude, mail, sendgrid, twilio
from tests.support.sandbox import SandboxProcess


def test_wait_answers_as_soon_as_the_entries_are_there(sandbox: SandboxProcess) -> None:
    """A long poll begun before, and one that runs out."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(sandbox.wait, "sendgrid.send", 2, 10, accepted=True)
        sendgrid(sandbox).send(mail())
        sendgrid(sandbox).send(mail())
        assert len(waiting.result(timeout=5)) == 2
    with pytest.raises(AssertionError, match=r"2 of 3 sendgrid\.send"):
        sandbox.wait("sendgrid.send", 3, timeout=0.1)


def test_journal_filters(sandbox: SandboxProcess) -> None:
    """By kind, sequence number, recipient, sender and content."""
    client = twilio(sandbox)
    for to in (USER, "+15550000001"):
        client.messages.create(to=to, from_=BOSS, body=f"for {to}")
    first, second = sandbox.journal("twilio.create")
    assert sandbox.journal("twilio.", since=first["seq"]) == [second]
    assert sandbox.journal("twilio.create,sendgrid.send", to=USER) == [first]
    assert sandbox.count("twilio.create", contains="for +15550000001") == 1
    assert sandbox.count("twilio.create", from_=USER) == 0
    sandbox.call("DELETE", "/sandbox/journal")
    assert sandbox.journal() == []
    assert sandbox.count("twilio.create") == 0


def test_a_reset_of_the_faults_ends_the_requests_that_hang(sandbox: SandboxProcess) -> None:
    """Their connections are reset, long before their own clients would give up."""
    sandbox.faults(twilio={"fail": ["hang"]})
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(twilio(sandbox, timeout=30).messages.create, to=USER, from_=BOSS, body="x")
        sandbox.wait("twilio.create", 1, timeout=5)
        assert sandbox.call("DELETE", "/sandbox/faults")["twilio"]["fail"] == []
        assert isinstance(hanging.exception(timeout=5), requests.ConnectionError)


def test_other_sites_and_other_names_are_refused(sandbox: SandboxProcess) -> None:
    """DNS rebinding and cross-origin posts do not work; the page's own do."""
    url = sandbox.url + "/sandbox/sms"
    assert requests.get(sandbox.url, headers={"Host": "evil.example"}, timeout=5).status_code == 421
    for origin, status in (("https://evil.example", 403), ("null", 403), (sandbox.url, 200)):
        answer = requests.post(url, json={"body": "x"}, headers={"Origin": origin}, timeout=5)
        assert answer.status_code == status
    assert requests.post(url, data={"body": "x"}, timeout=5).status_code == 400


def test_a_provider_that_is_real_is_named_on_the_page() -> None:
    """What the page says and which of its parts are of use follows from this; whoever is not named is played."""
    with SandboxProcess(SANDBOX_REAL="Claude is real (key from .env)\nSendGrid is real (key from .env)") as own:
        told = requests.get(f"{own.url}/sandbox/config", timeout=5).json()
    assert told["real"] == ["Claude is real (key from .env)", "SendGrid is real (key from .env)"]


def test_the_page_is_served_under_a_strict_policy(sandbox: SandboxProcess) -> None:
    """Everything the page needs comes from here, and it says what it is."""
    page = requests.get(sandbox.url, timeout=5)
    assert requests.get(f"{sandbox.url}/sandbox/config", timeout=5).json()["real"] == []
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "<style" not in page.text
    assert "style=" not in page.text
    files = ("style.css", "app.js", "dom.js", "faults.js")
    for path in ("/favicon.ico", *(f"/sandbox/static/{name}" for name in files)):
        assert requests.get(sandbox.url + path, timeout=5).status_code == 200


def test_every_answer_has_the_security_headers(sandbox: SandboxProcess) -> None:
    """The page, the providers' answers and errors; none says which server it is."""
    asked = ("/", "/sandbox/static/app.js", "/sandbox/journal", "/v1/messages", "/nowhere")
    answers = [requests.get(sandbox.url + path, timeout=5) for path in asked]
    answers.append(requests.get(sandbox.url, headers={"Host": "evil.example"}, timeout=5))
    answers.append(requests.post(sandbox.url + "/sandbox/sms", json={}, headers={"Origin": "null"}, timeout=5))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 405, 404, 421, 403]
    for answer in answers:
        assert (answer.headers["X-Frame-Options"], answer.headers["X-Content-Type-Options"]) == ("DENY", "nosniff")
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
        assert "Server" not in answer.headers


def test_sigterm_ends_it_within_a_second_and_it_starts_again_on_its_port() -> None:
    """Also with requests that hang."""
    sandbox = SandboxProcess().start()
    port = sandbox.port
    sandbox.faults(twilio={"fail": [{"fault": "hang", "times": None}]}, anthropic={"latency_seconds": 60})
    with ThreadPoolExecutor(2) as pool:
        pool.submit(_quietly, lambda: twilio(sandbox, timeout=10).messages.create(to=USER, from_=BOSS, body="x"))
        pool.submit(_quietly, lambda: ask(claude(sandbox)))
        sandbox.wait("twilio.create", 1, timeout=5)
        sandbox.wait("anthropic.messages", 1, timeout=5)
        start = time.monotonic()
        assert sandbox.stop() == 0
        assert time.monotonic() - start < 1
    with sandbox.start():
        assert sandbox.port == port
        assert sandbox.journal() == []


def _quietly(work: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        work()


@pytest.mark.parametrize("env", [{"SANDBOX_HOST": "0.0.0.0"}, {"SANDBOX_WEBHOOK_URL": "https://example.com"}])  # noqa: S104
def test_it_refuses_to_face_the_network(env: dict[str, str]) -> None:
    """Loopback only, both ways."""
    with pytest.raises(AssertionError, match=next(iter(env))):
        SandboxProcess(**env).start()


def test_a_taken_port_is_named() -> None:
    """Without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(AssertionError, match="address already in use") as refused:
        SandboxProcess().start(port=taken.getsockname()[1])
    assert "Traceback" not in str(refused.value)
