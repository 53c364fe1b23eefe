"""Nothing of what was said, who said it, or which key opens what stands where it does not belong.

All of Bossline runs, with a word in every number, address, name, subject, text, file name, key, token and password that stands nowhere
else; every path is driven, the bad ones above all; then everything that the processes wrote is searched for it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import pytest
import requests
from pydantic import SecretStr
from redis import Redis
from websockets.sync.client import connect

from shared.config.loading import load_settings
from shared.mailbox import keys
from shared.runtime import open_runtime
from supervisor_worker.process.resources import open_resources
from tests.integration.worker.test_foreign_jobs import write
from tests.support.bridge import BridgeProcess
from tests.support.crashing_worker_process import CrashingWorker
from tests.support.installation import Installation
from tests.support.processes import BossProcess
from tests.support.sandbox import SandboxProcess
from tests.support.users_file import BOSS_EMAIL, BOSS_PHONE
from tests.support.wait import wait_for
from webhook_api.security.authentication import WebhookAuthenticator

pytestmark = pytest.mark.timeout(120)  # many processes on a busy machine

WORD: Final = "zqxjwvkh"
"""In every canary but the number; long enough that packed data do not contain it by chance."""
DIGITS: Final = "5550142857"
PHONE: Final = f"+1{DIGITS}"
EMAIL: Final = f"{WORD}mail@{WORD}host.example.com"
TEXT: Final = f"{WORD}body of +1 555 014 2857"
SECRETS: Final = {
    "TWILIO_AUTH_TOKEN": f"{WORD}0123456789abcdef0123456789abc",
    "SENDGRID_API_KEY": f"{WORD}sendgridkey",
    "ANTHROPIC_API_KEY": f"{WORD}anthropickey",
    "EMAIL_WEBHOOK_SECRET": f"{WORD}mail/secret é",
    "SUPERVISOR_TOKEN": f"{WORD}bridgetoken0123",
    "CONSOLE_PASSWORD": f"{WORD}consolepassword",
}
ACCOUNT: Final = "AC" + "7" * 32
ECHO: Final[dict[str, Any]] = {
    "message": f"{TEXT} from {PHONE} and {EMAIL} with key {SECRETS['ANTHROPIC_API_KEY']}",
    "errors": [{"message": f"{EMAIL} {TEXT} {SECRETS['SENDGRID_API_KEY']}", "field": f"{WORD}field"}],
    "error": {"type": f"{WORD}type", "message": f"{TEXT} {PHONE}"},
    "code": 30001,
}


class House(Installation):
    """All of it, on credentials and for a user made of canaries."""

    def __init__(self) -> None:
        super().__init__()
        more = {**SECRETS, "TWILIO_ACCOUNT_SID": ACCOUNT, "SENDER_TURNS_PER_HOUR": "1000"}
        self.settings |= more
        self.web.settings |= more
        people = {
            "SANDBOX_USER_PHONE": PHONE,
            "SANDBOX_USER_EMAIL": EMAIL,
            "SANDBOX_BOSS_PHONE": BOSS_PHONE,
            "SANDBOX_BOSS_EMAIL": BOSS_EMAIL,
        }
        credentials = {name: value for name, value in SECRETS.items() if not name.startswith(("SUPERVISOR", "CONSOLE"))}
        self.sandbox = SandboxProcess(SANDBOX_WEBHOOK_URL=self.web.url, TWILIO_ACCOUNT_SID=ACCOUNT, **credentials, **people)
        user = {"username": "u", "name": f"{WORD}name", "phone": PHONE, "boss_phone": BOSS_PHONE, "email": EMAIL, "boss_email": BOSS_EMAIL}
        users = self.directory / "canaries.toml"
        users.write_text("[[users]]\n" + "".join(f'{name} = "{value}"\n' for name, value in user.items()))
        self.settings["BOSS_USERS_FILE"] = self.web.settings["BOSS_USERS_FILE"] = str(users)

    def mail_of(self, word: str) -> None:
        """A mail that starts a thread, with a file."""
        file = {"filename": f"{WORD}file.txt", "content_base64": base64.b64encode(TEXT.encode()).decode()}
        subject = f"{WORD}subject {word}"
        self.sandbox.send_email(
            f"{TEXT} {word}", from_=EMAIL, to=BOSS_EMAIL, subject=subject, message_id=f"<{word.replace(' ', '.')}@x>", attachments=[file]
        )

    def text_of(self, word: str) -> int | None:
        """A text."""
        return cast("int | None", self.sandbox.send_sms(f"{TEXT} {word}", from_=PHONE, to=BOSS_PHONE)["status"])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Everything that was written while every path was driven, by where it stands."""
    said: dict[str, str] = {}
    with House() as house, open_files(tmp_path_factory.mktemp("canaries")) as scratch:
        (worker,), bridge = house.fork(), house.bridge()
        good_paths(house)
        faults_of_providers(house)
        forgeries(house, said)
        talk_over_the_bridge(house, bridge)
        foreign_and_broken_records(house)
        faults_of_redis(house)
        crash(house, worker)
        said["argv"] = "\n".join(read(path).replace("\0", " ") for path in Path("/proc").glob("[0-9]*/cmdline"))
        commands(house, said, scratch)
        said["metrics"] = requests.get(f"{house.web.url}/metrics", timeout=5).text
        said.update(stored(house.redis))
        said |= {"web": house.web.output, "worker": worker.output, "bridge": bridge.output}
        yield said


@contextlib.contextmanager
def open_files(directory: Path) -> Iterator[Path]:
    """Where a command finds a `.env` of canaries."""
    (directory / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in SECRETS.items()))
    (directory / ".env").chmod(0o644)
    yield directory


def read(path: Path) -> str:
    """A file that may go at any time."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def good_paths(house: House) -> None:
    """A text and a mail, answered with what they said."""
    assert house.text_of("hello") == 200
    house.mail_of("hello")
    for kind in ("twilio.create", "sendgrid.send"):
        assert WORD in json.dumps(house.sandbox.wait(kind, 1, 20, accepted=True)), "the canary has to get through where it belongs"


def faults_of_providers(house: House) -> None:
    """Refusals that quote everything, answers cut short, no answers, each for a thread of its own; and a number in a look-up's URL."""

    def faults(provider: str, *words: str) -> dict[str, Any]:
        return {"fail": [{"fault": word, "match": f"{provider} {word}", **({"body": ECHO} if word.isdigit() else {})} for word in words]}

    claude = ("400", "500", "broken_json", "reset_midway", "reset_before")
    mail = ("400", "500", "reset_after_accept", "broken_json")
    texts = ("500", "reset_after_accept", "400")
    house.sandbox.faults(anthropic=faults("claude", *claude), sendgrid=faults("mail", *mail), twilio=faults("text", *texts))
    for provider, words in (("claude", claude), ("mail", mail)):
        for word in words:
            house.mail_of(f"{provider} {word}")
    for word in texts:
        house.text_of(f"text {word}")
        house.sandbox.wait("twilio.create", 1, 20, contains=f"text {word}")
    house.quiet(30)
    assert all(not section["fail"] for name, section in house.sandbox.faults().items() if name != "inbound"), "each fault has hit"


def forgeries(house: House, said: dict[str, str]) -> None:
    """Requests that are refused, with canaries in path, query, headers, body and login; none is answered with any of it."""
    url, query = house.web.url, f"?token={SECRETS['EMAIL_WEBHOOK_SECRET']}x&to={PHONE}"
    form = {"From": PHONE, "To": BOSS_PHONE, "Body": TEXT, "MessageSid": f"SM{WORD}"}
    headers = {"X-Twilio-Signature": f"{WORD}signature", f"X-{WORD}": TEXT, "User-Agent": TEXT}
    answers = [
        requests.post(f"{url}/sms/inbound{query}", data=form, headers=headers, timeout=10),
        requests.post(f"{url}/email/inbound{query}", files={"text": TEXT, "from": EMAIL}, timeout=10),
        requests.post(
            f"{url}/email/inbound", data=TEXT.encode(), headers={"Content-Type": f"multipart/form-data; boundary={WORD}"}, timeout=10
        ),
        requests.post(f"{url}/email/events{query}", data=f"[{TEXT}", timeout=10),
        requests.get(f"{url}/{WORD}{query}", headers=headers, timeout=10),
        requests.get(f"{url}/metrics", auth=(WORD, f"{WORD}wrong"), headers={"X-Forwarded-For": WORD}, timeout=10),
        requests.get(f"{url}/livez", headers={"Authorization": f"Bearer {WORD}"}, timeout=10),
    ]
    said["answers"] = "".join(f"{answer.status_code} {answer.headers} {answer.text}\n" for answer in answers)


def talk_over_the_bridge(house: House, bridge: BridgeProcess) -> None:
    """A wrong token, requests that are taken and that are none, nonsense."""
    sms = {"type": "sms_received", "from": PHONE, "to": BOSS_PHONE, "message": f"{TEXT} bridge", "user": f"{WORD}user", "id": f"{WORD}id"}
    with connect(bridge.url) as stranger:
        stranger.send(json.dumps({"type": "auth", "token": f"{WORD}wrong"}))
        assert '"success":false' in str(stranger.recv(10))
    with connect(bridge.url) as client:
        client.send(json.dumps({"type": "auth", "token": SECRETS["SUPERVISOR_TOKEN"], "protocol": 1, "client": f"{WORD}client"}))
        assert '"success":true' in str(client.recv(10))
        for frame in (sms, {**sms, "from": f"{PHONE}9", "id": f"{WORD}2"}, {**sms, "to": [WORD]}, {"type": WORD}, WORD):
            client.send(frame if isinstance(frame, str) else json.dumps(frame))
        while "send_sms_response" not in str(client.recv(20)):
            pass
    del house


def foreign_and_broken_records(house: House) -> None:
    """Jobs and records that somebody else wrote, or that were cut."""
    write(house.redis, "foreign", {"data": ["os.system", None, ["true"], {}], "description": "x"})
    house.sandbox.faults(anthropic={"latency_seconds": 0.5})
    house.text_of("broken")
    (message,) = wait_for(lambda: cast("list[bytes]", house.redis.zrange("boss:open", 0, -1)), 10, "an open message")[:1]
    house.redis.hset(f"boss:msg:{message.decode()}", "event", f'{{"type":"{TEXT}","{PHONE}":')
    house.sandbox.faults(anthropic={"latency_seconds": 0})
    wait_for(lambda: house.redis.hget("rq:job:foreign", "status") == b"failed", 10, "the foreign job's end")
    house.redis.hset("rq:job:again", mapping={"data": zlib.compress(b'["supervisor_worker.jobs.sms_received", null, ["c-1"], {}]')})


def faults_of_redis(house: House) -> None:
    """A script that fails at a key of the wrong kind, and no memory: redis-py's errors quote the command, and with it the text."""
    house.redis.rename(keys.LEDGER, "kept")
    house.redis.set(keys.LEDGER, "x")
    house.text_of("wrong type")
    house.redis.delete(keys.LEDGER)
    house.redis.rename("kept", keys.LEDGER)
    house.redis.config_set("maxmemory", 1)
    assert house.text_of("no memory") == 200
    house.redis.config_set("maxmemory", "256mb")
    house.text_of("again")
    house.quiet(40)


def crash(house: House, worker: CrashingWorker) -> None:
    """Killed in the middle of a turn."""
    house.sandbox.faults(anthropic={"latency_seconds": 5})
    house.mail_of("killed")
    house.sandbox.wait("anthropic.messages", 1, 20, contains="killed")
    worker.kill9()
    house.sandbox.faults(anthropic={"latency_seconds": 0})


def commands(house: House, said: dict[str, str], directory: Path) -> None:
    """What an operator's commands print, and what a process says that must not start."""
    wrong = {
        "PORT": f"{WORD}port",
        "REDIS_URL": f"ftp://{WORD}user:{WORD}pass@host",
        "PUBLIC_URL": f"{WORD}url",
        "ENVIRONMENT": "production",
    }
    login = {
        "REDIS_URL": f"redis://{WORD}user:{WORD}pass@127.0.0.1:1/0",
        "TWILIO_API_BASE_URL": f"http://{WORD}user:{WORD}pass@127.0.0.1:1",
    }
    away = {**login, "STARTUP_WAIT_SECONDS": "0.1", "SUPERVISOR_PORT": "0", "PORT": "0"}
    runs: list[tuple[tuple[str, ...], dict[str, str]]] = [
        (("doctor",), {}),
        (("messages", "list"), {}),
        (("config", "show"), login),
        (("web",), wrong),
        (("worker",), away),
    ]
    running = [(name, BossProcess(*name, settings=house.settings | more, directory=directory).start()) for name, more in runs]
    for number, (name, process) in enumerate(running):
        process.wait(40)
        said[f"{number} {' '.join(name)}"] = process.output
        process.close()


def stored(redis: Redis) -> dict[str, str]:
    """All of RQ's records as texts, unpacked; the ledger; the names of all keys."""
    found = {
        "names of keys": repr(redis.keys("*")),
        "ledger": repr(redis.xrange(keys.LEDGER)),
        "counts": repr(redis.hgetall("boss:counts")),
    }
    for raw in cast("list[bytes]", redis.keys("rq:*")):
        key, kind = raw.decode(), cast("bytes", redis.type(raw)).decode()
        readers: dict[str, Any] = {"hash": redis.hgetall, "stream": redis.xrange, "set": redis.smembers, "string": redis.get}
        value: Any = readers[kind](key) if kind in readers else redis.lrange(key, 0, -1) if kind == "list" else redis.zrange(key, 0, -1)
        found[key] = repr(unpacked(value))
    return found


def unpacked(value: Any) -> Any:
    """Bytes as they are, and what they are when they are packed."""
    if isinstance(value, dict):
        return {key: unpacked(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [unpacked(each) for each in value]
    forms = [value]
    for unpack in (zlib.decompress, lambda text: base64.b64decode(text, validate=True)):
        with contextlib.suppress(Exception):
            forms.append(unpack(value))
    with contextlib.suppress(Exception):
        forms.append(zlib.decompress(forms[-1]))
    return forms


def leaks(text: str) -> list[str]:
    """Where a canary stands in a text, with what is around it."""
    low = text.lower()
    return [
        text[max(0, place - 200) : place + 80]
        for word in (WORD, DIGITS, "555 014", "555-014", "555%20014")
        if (place := low.find(word)) >= 0
    ]


def test_no_canary_stands_where_it_does_not_belong(told: dict[str, str]) -> None:
    """Logs of all processes, argv, answers, RQ's records, names of keys, ledger, figures, and what the commands say."""
    for place, text in told.items():
        assert not leaks(text), place


def test_the_paths_were_driven(told: dict[str, str]) -> None:
    """The search is worth something only if there was something to be found."""
    web, worker = told["web"], told["worker"]
    for reason in ("bad_signature", "bad_secret", "storage_unavailable"):
        assert reason in web
    for word in ("foreign_job", "Traceback (in outline)", "outcome_unknown"):
        assert word in worker
    assert "token_refused" in told["bridge"]
    assert "bossline_refused_total" in told["metrics"]
    assert "foreign_job" in told["rq:results:foreign"] + told["rq:job:foreign"]
    assert "TWILIO_AUTH_TOKEN=(set)" in told["2 config show"]
    assert "chmod 600" in told["0 doctor"]
    assert "PORT: " in told["3 web"]


def test_no_repr_shows_a_secret(redis_url: str, tmp_path: Path) -> None:
    """Settings, what a process holds, the gate, and the providers' clients, in a traceback with locals for one."""
    users = tmp_path / "users.toml"
    users.write_text(f'[[users]]\nusername = "u"\nname = "{WORD}"\nemail = "{EMAIL}"\nboss_email = "{BOSS_EMAIL}"\n')
    login = redis_url.replace("unix://", f"unix://{WORD}user:{WORD}pass@")
    given: dict[str, Any] = {name.lower(): value for name, value in SECRETS.items()}
    settings = load_settings(_env_file=None, sandbox="on", redis_url=login, boss_users_file=users, boss_data_dir=tmp_path, **given)
    plain = settings.model_copy(update={"redis_url": SecretStr(redis_url)})
    assert WORD in SECRETS["TWILIO_AUTH_TOKEN"]
    assert set(settings.secrets) >= {*SECRETS.values(), f"{WORD}pass"}

    async def shown() -> list[str]:
        runtime = open_runtime(plain, "worker")
        try:
            async with open_resources(runtime) as resources:
                things = [resources, resources.context, *vars_of(resources.context)]
                return [
                    repr(thing) + str(thing) for thing in (settings, runtime, WebhookAuthenticator.of(settings), runtime.users, *things)
                ]
        finally:
            runtime.close()

    texts = asyncio.run(shown())
    assert len(texts) > 8
    assert not [text for text in texts if leaks(text)]


def vars_of(thing: object) -> list[object]:
    """What an object holds, one step deep."""
    names = getattr(thing, "__slots__", None) or vars(thing)
    return [getattr(thing, name) for name in names]


def test_a_job_of_ours_names_no_more_than_a_conversation(told: dict[str, str]) -> None:
    """Each job's data, as RQ would read it."""
    jobs = [text for key, text in told.items() if key.startswith("rq:job:") and "supervisor_worker.jobs" in text]
    assert jobs
    for text in jobs:
        assert re.search(r'\["supervisor_worker\.jobs\.(sms|email)_received", null, \["c-[0-9a-f]{1,24}"\], \{\}\]', text), text
