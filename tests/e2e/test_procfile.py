"""The Procfile by other roads: honcho alone, a `.env`, several workers, and the two processes of production."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from tests.support.fresh_checkout import READY, FreshCheckout, fresh_copy
from tests.support.journal import delivered, reply_to
from tests.support.processes import answers, free_port
from tests.support.sandbox import SandboxProcess
from tests.support.server import EmbeddedServer
from tests.support.wait import wait_for

pytestmark = pytest.mark.timeout(150)
HONCHO = ".venv/bin/honcho"
USERS = """
[[users]]
username = "ada"
phone = "+15551234567"
boss_phone = "+15559876543"
email = "user@example.com"
boss_email = "boss@example.com"
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that the tests of this module start in turn."""
    return fresh_copy(tmp_path_factory.mktemp("clone") / "bossline")


def texted(checkout: FreshCheckout, words: str) -> None:
    """Text the Boss by the sandbox, see the reply, and see its delivery reported to the web process."""
    url = f"http://127.0.0.1:{checkout.sandbox_port}"
    wait_for(lambda: answers(url) or checkout.ended(), 60, "the sandbox")
    checkout.wait_for_output("worker_ready|worker ready")
    sent = checkout.run("curl", "-s", f"{url}/sandbox/sms", "-H", "Content-Type: application/json", "-d", f'{{"body": "{words}"}}')
    assert '"status": 200' in sent.stdout, sent
    reply_to(url, words)
    delivered(url, 1)


def test_honcho_with_its_own_port(tree: Path) -> None:
    """`honcho start -p`: the worker gets PORT + 100, and hands out the web process's address all the same."""
    port = free_port()
    with FreshCheckout(tree, HONCHO, "start", "-p", str(port)) as checkout:
        texted(checkout, "by honcho's port")
        assert checkout.web_url == f"http://127.0.0.1:{port}"


def test_a_port_in_the_env_file_and_two_workers(tree: Path) -> None:
    """`.env` goes first under honcho; `-c worker=2` gives the second worker yet another PORT."""
    port = free_port()
    (tree / ".env").write_text(f"PORT={port}\n")
    try:
        with FreshCheckout(tree, HONCHO, "start", "-c", "worker=2", PORT="1") as checkout:
            texted(checkout, "by the file's port")
            assert checkout.web_url == f"http://127.0.0.1:{port}"
            assert "worker.2 started" in checkout.output
    finally:
        (tree / ".env").unlink()


def test_web_and_worker_alone_against_servers_of_ours(tree: Path) -> None:
    """Production: REDIS_URL, base URLs and credentials are ours; no sandbox and no embedded server is started."""
    port = free_port()
    (tree / "users.toml").write_text(USERS)
    credentials = {
        "TWILIO_ACCOUNT_SID": "AC" + "5" * 32,
        "SENDGRID_API_KEY": f"SG.{secrets.token_hex(16)}",
        "ANTHROPIC_API_KEY": f"sk-ant-{secrets.token_hex(16)}",
        **{name: secrets.token_hex(16) for name in ("TWILIO_AUTH_TOKEN", "EMAIL_WEBHOOK_SECRET", "SUPERVISOR_TOKEN")},
        "TWILIO_API_KEY_SID": "SK" + "6" * 32,
        "TWILIO_API_KEY_SECRET": secrets.token_hex(16),
    }
    providers = {"SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{port}", "SANDBOX_PUBLIC_URL": "https://boss.example.test"}
    with EmbeddedServer() as server, SandboxProcess(**credentials, **providers) as played:
        settings = {
            **credentials,
            "ENVIRONMENT": "production",
            "PUBLIC_URL": "https://boss.example.test",
            "REDIS_URL": on_loopback(server),
            "BOSS_USERS_FILE": "users.toml",
            "BOSS_DATA_DIR": str(tree / "production"),
            "TWILIO_API_BASE_URL": played.url,
            "SENDGRID_API_BASE_URL": played.url,
            "ANTHROPIC_BASE_URL": played.url,
        }
        with FreshCheckout(tree, HONCHO, "start", "-p", str(port), "web", "worker", **settings) as checkout:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz") or checkout.ended(), 60, "the web process")
            played.send_sms("hello from production")
            assert "hello from production" in reply_to(played.url, "hello from production")
            delivered(played.url, 1)
            played.send_email("a mail in production", subject="Hello")
            mail = played.wait("sendgrid.send", 1, timeout=20)[0]
            assert "user@example.com" in str(mail)
            checkout.interrupt()
            checkout.wait(15)
            assert "redis" not in checkout.output.replace("redis:", "")
            assert not (tree / "production" / "redis").exists()


def test_without_a_worker_the_standby_answers(tree: Path) -> None:
    """The web host's processes alone, all workers elsewhere and dead: the standby steps in, and says so."""
    processes = ("web", "bridge", "standby", "redis", "sandbox")
    with FreshCheckout(tree, HONCHO, "start", "-p", str(free_port()), *processes, STANDBY_AFTER_SECONDS="2") as checkout:
        texted(checkout, "by the standby")
        found = checkout.run(".venv/bin/boss", "tail", "--no-follow", "--lines", "1000", "--type", "standby_started")
        assert "standby_started" in found.stdout, found.stdout + found.stderr
        checkout.interrupt()
        checkout.wait(15)
        wait_for(lambda: not checkout.processes(), 5, "the end of every process")


def test_a_real_claude_behind_the_sandbox_phone(tree: Path) -> None:
    """The natural second step: a key in the shell. The curl of the README works, the model is the real one, and all say so."""
    key = {"ANTHROPIC_API_KEY": "sk-ant-of-the-shell"}
    with (
        SandboxProcess(**key) as elsewhere,
        FreshCheckout(tree, "make", "-o", "install", "run", ANTHROPIC_BASE_URL=elsewhere.url, **key) as checkout,
    ):
        elsewhere.faults(anthropic={"text": "Said by the real one."})
        checkout.wait_for_output(re.escape(READY))
        page = f"http://127.0.0.1:{checkout.sandbox_port}"
        texted_by_curl(checkout, "Who are you?")
        reply_to(page, "Said by the real one.")
        assert elsewhere.count("anthropic.messages", accepted=None) == 1
        assert elsewhere.count("twilio.create", accepted=None) == 0
        place = elsewhere.url.removeprefix("http://")
        said = f"real (key from the environment), at {place}"
        told = checkout.output.partition(READY)[2]
        assert re.search(rf"Claude +{re.escape(said)}", told), told
        assert re.search(r"Twilio +played by the sandbox", told)
        assert "costs money" in told
        assert "leaves" not in told
        doctor = checkout.run(".venv/bin/boss", "doctor")
        assert f"Claude: {said}" in doctor.stdout, doctor.stdout + doctor.stderr
        assert re.search(r"[0-9,]+ of 2,000,000 tokens today, [1-9] of 5,000 turns today", doctor.stdout), doctor.stdout
        config = checkout.run("curl", "-s", f"{page}/sandbox/config").stdout
        assert f'"real": ["Claude is {said}"]' in config
        sandbox = next(line.split()[0] for line in checkout.processes() if "shared.process.honcho\0sandbox" in line)
        assert b"sk-ant-of-the-shell" not in Path(f"/proc/{sandbox}/environ").read_bytes(), "a real key is the worker's alone"


def test_a_real_twilio_with_a_played_claude(tree: Path) -> None:
    """Texts must be signed, the phone of the page is nobody's, and that answers are simulated is said before anybody wonders."""
    twilio = {"TWILIO_ACCOUNT_SID": "AC" + "5" * 32, "TWILIO_AUTH_TOKEN": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}
    port = free_port()
    there = {"SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{port}", "SANDBOX_PUBLIC_URL": "https://boss.example.test"}
    here = {"PORT": str(port), "PUBLIC_URL": "https://boss.example.test"}
    with (
        SandboxProcess(**twilio, **there) as elsewhere,
        FreshCheckout(tree, "make", "-o", "install", "run", TWILIO_API_BASE_URL=elsewhere.url, **twilio, **here) as checkout,
    ):
        checkout.wait_for_output(re.escape(READY))
        told = checkout.output.partition(READY)[2]
        assert re.search(r"Claude +played by the sandbox", told)
        assert "simulated answers" in told
        assert "curl" not in told
        fields = ("--data-urlencode", "From=+15551234567", "--data-urlencode", "To=+15559876543", "-d", "Body=x")
        assert (
            checkout.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{checkout.web_url}/sms/inbound", *fields).stdout == "403"
        )
        elsewhere.send_sms("signed, by the real one")
        reply_to(elsewhere.url, "[simulated]")
        delivered(elsewhere.url, 1)


def texted_by_curl(checkout: FreshCheckout, words: str) -> None:
    """The line of the banner, with words of the test."""
    fields = ("--data-urlencode", "From=+15551234567", "--data-urlencode", "To=+15559876543", "-d", f"Body={words}")
    assert checkout.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{checkout.web_url}/sms/inbound", *fields).stdout == "200"


def test_a_damaged_file_ends_nobody_and_is_repaired_beside_them(tree: Path) -> None:
    """`redis` says what to do and stays, a text is kept on disk, and after the repair it is answered without any restart."""
    with FreshCheckout(tree, HONCHO, "start", PORT=str(free_port())) as checkout:
        texted(checkout, "before the damage")
        checkout.interrupt()
        checkout.wait(15)
    (newest,) = (tree / ".boss" / "redis" / "appendonlydir").glob("*.incr.aof")
    data = newest.read_bytes()
    middle = len(data) - 200
    newest.write_bytes(data[:middle] + bytes(100) + data[middle + 100 :])
    with FreshCheckout(tree, HONCHO, "start", PORT=str(free_port())) as checkout:
        checkout.wait_for_output("`boss redis --repair`")
        wait_for(lambda: answers(f"{checkout.web_url}/readyz") or checkout.ended(), 60, "the web process")
        url = f"http://127.0.0.1:{checkout.sandbox_port}"
        wait_for(lambda: answers(url) or checkout.ended(), 60, "the sandbox")
        texted_by_curl(checkout, "while it was damaged")
        assert "spooling" in checkout.run("curl", "-s", f"{checkout.web_url}/readyz").stdout
        assert not checkout.ended()
        found = checkout.run(".venv/bin/boss", "redis", "--repair")
        assert found.returncode == 0, found.stdout + found.stderr
        assert "bytes are lost" in found.stdout
        reply_to(url, "while it was damaged")
        assert not checkout.ended()
        assert checkout.run(".venv/bin/boss", "ready", "--within", "30").returncode == 0
        checkout.interrupt()
        checkout.wait(15)
        wait_for(lambda: not checkout.processes(), 5, "the end of every process")


def test_without_its_settings_production_refuses_and_names_them_all(tree: Path) -> None:
    """One message for each process, no traceback, and honcho ends."""
    with FreshCheckout(tree, HONCHO, "start", "web", "worker", ENVIRONMENT="production") as checkout:
        assert checkout.wait(60) != 0
        for name in ("TWILIO_AUTH_TOKEN", "SENDGRID_API_KEY", "ANTHROPIC_API_KEY", "SUPERVISOR_TOKEN", "PUBLIC_URL"):
            assert name in checkout.output
        assert "Traceback" not in checkout.output


def on_loopback(server: EmbeddedServer) -> str:
    """Open a TCP port on a server that has only a socket so far, as a Redis of ours would have."""
    port = free_port()
    with server.client() as client:
        client.config_set("bind", "127.0.0.1")
        client.config_set("port", port)
    return f"redis://127.0.0.1:{port}/0"
