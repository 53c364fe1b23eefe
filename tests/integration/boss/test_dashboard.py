"""`boss dashboard`: every page shows the truth about real jobs, and its known traps are closed."""

from __future__ import annotations

import os
import pickle
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from boss.commands.dashboard import create_app
from boss.dashboard.access import HEADERS, require_password
from boss.dashboard.rq_classes import jobs_of
from shared.config.loading import load_settings
from shared.errors import ConfigurationError
from shared.mailbox.wake_queue import QUEUE, BosslineJob, Dispatcher
from shared.security.password import FREE_GUESSES
from tests.support.processes import BossProcess
from tests.support.rq_enqueue import wake

PAGES = ("/", "/0/view/queues", "/0/view/workers", "/0/view/jobs", "/favicon.ico", "/static/favicon.ico", "/static/css/main.css")
LISTS = ("queued", "started", "finished", "failed", "deferred", "scheduled", "canceled")


def boom(_conversation: str) -> None:
    """Fail with something that a browser would take for a tag."""
    raise RuntimeError("<img src=x onerror=alert(1)> in <module>")


def run(redis: Redis, monkeypatch: pytest.MonkeyPatch, function: Callable[[str], object]) -> None:
    """Let a real worker run what is queued, with `function` in the place of ours."""
    monkeypatch.setattr(BosslineJob, "func", property(lambda _job: function))
    worker = SimpleWorker([QUEUE], connection=redis, job_class=BosslineJob, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")


def job_ids(client: FlaskClient, registry: str, *, per_page: int = 8, order: str = "asc", page: int = 1) -> list[str]:
    """The ids on one page of a registry."""
    answer = client.get(f"/0/data/jobs/{QUEUE}/{registry}/{per_page}/{order}/{page}.json")
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in (answer.json or {})["jobs"]]


@pytest.fixture
def client(redis: Redis, redis_url: str) -> FlaskClient:
    return create_app(load_settings(redis_url=redis_url, sandbox="on"), redis).test_client()


@pytest.fixture
def dispatcher(redis: Redis) -> Dispatcher:
    return Dispatcher(redis)


def test_every_page_is_there_while_there_is_nothing_to_show(client: FlaskClient) -> None:
    """An empty server gives empty pages, not errors."""
    paths = [*PAGES, "/0/data/queues.json", "/0/data/workers.json"]
    paths += [f"/0/view/jobs/{QUEUE}/{name}/8/asc/1" for name in LISTS]
    assert {path: client.get(path, follow_redirects=True).status_code for path in paths} == dict.fromkeys(paths, 200)
    assert {name: job_ids(client, name) for name in LISTS} == {name: [] for name in LISTS}


def test_jobs_of_every_kind_are_shown_with_what_became_of_them(
    client: FlaskClient, dispatcher: Dispatcher, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failed, started, finished and queued jobs and the worker: in the lists and each on its page, the failed one with its traceback."""
    wake(dispatcher, "c-failed", "sms")
    run(redis, monkeypatch, boom)
    seen: dict[str, Any] = {}

    def look(_conversation: str) -> None:
        seen["started"] = job_ids(client, "started")
        seen["workers"] = (client.get("/0/data/workers.json").json or {})["workers"]

    wake(dispatcher, "c-finished", "email")
    run(redis, monkeypatch, look)
    wake(dispatcher, "c-queued", "sms")

    (failed,), (finished,), (queued,) = (job_ids(client, name) for name in ("failed", "finished", "queued"))
    assert seen["started"] == [finished]
    assert [worker["current_job"]["description"] for worker in seen["workers"]] == ["email_received c-finished"]
    counts = (client.get("/0/data/queues.json").json or {})["queues"]
    assert [(each["name"], each["count"], each["failed_job_registry_count"], each["finished_job_registry_count"]) for each in counts] == [
        (QUEUE, 1, 1, 1)
    ]
    for job, status in ((failed, "failed"), (finished, "finished"), (queued, "queued")):
        assert client.get(f"/0/view/job/{job}").status_code == 200
        assert (client.get(f"/0/data/job/{job}.json").json or {})["status"] == status
    assert "in <module>" in (client.get(f"/0/data/job/{failed}.json").json or {})["exc_info"]


def test_no_page_writes_a_text_from_redis_into_the_page_as_html(client: FlaskClient, dispatcher: Dispatcher, redis: Redis) -> None:
    """Every template value is escaped, also where rq-dashboard escapes by hand."""
    wake(dispatcher, "c-1", "sms")
    (job,) = jobs_of(QUEUE, "queued", redis, first=0, count=9, newest_first=False)[1]
    pages = ["/0/view/queues", "/0/view/workers", "/0/view/jobs", f"/0/view/job/{job.id}"]
    texts = [client.get(page).text for page in pages]
    assert not [text for text in texts if "<%=" in text]
    assert "<%- d.exc_info %>" in texts[2]
    assert "<%- d.exc_info %>" in texts[3]


@pytest.mark.parametrize("order", ["asc", "dsc"])
@pytest.mark.parametrize("registry", ["queued", "failed"])
def test_paging_shows_every_job_once(
    client: FlaskClient, dispatcher: Dispatcher, redis: Redis, monkeypatch: pytest.MonkeyPatch, *, registry: str, order: str
) -> None:
    """Five jobs on pages of two: two, two, one, each once, in the order asked for."""
    for number in range(5):
        wake(dispatcher, f"c-{number}", "sms")
    whole = job_ids(client, "queued")
    if registry == "failed":
        run(redis, monkeypatch, boom)
        whole = job_ids(client, "failed")
    pages = [job_ids(client, registry, per_page=2, order=order, page=page) for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [job for page in pages for job in page] == (whole if order == "asc" else whole[::-1])


def test_a_failed_job_can_be_requeued_by_its_button_and_all_by_theirs(
    client: FlaskClient, dispatcher: Dispatcher, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requeueing works for JSON jobs; a job that has not failed says so."""
    for number in range(3):
        wake(dispatcher, f"c-{number}", "sms")
    run(redis, monkeypatch, boom)
    first, *rest = job_ids(client, "failed")
    assert client.post(f"/job/{first}/requeue").status_code == 200
    assert job_ids(client, "queued") == [first]
    assert client.post(f"/job/{first}/requeue").status_code == 409
    assert client.post(f"/requeue/{QUEUE}").status_code == 200
    assert sorted(job_ids(client, "queued")) == sorted([first, *rest])
    assert client.post(f"/queue/{QUEUE}/compact").status_code == 200
    run(redis, monkeypatch, lambda _conversation: None)
    assert client.post(f"/queue/{QUEUE}/compact").status_code == 200
    assert sorted(job_ids(client, "finished")) == sorted([first, *rest])


def test_nothing_can_be_deleted_and_nothing_changes_by_get(
    client: FlaskClient, dispatcher: Dispatcher, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleting is refused with a sentence and has no button; GET /requeue does nothing."""
    wake(dispatcher, "c-1", "sms")
    run(redis, monkeypatch, boom)
    (job,) = job_ids(client, "failed")
    refused = [client.post(f"/job/{job}/delete"), *(client.post(f"/queue/{QUEUE}/{name}/empty") for name in LISTS)]
    assert {answer.status_code for answer in refused} == {403}
    assert "deleting is off" in refused[0].text
    assert client.get(f"/requeue/{QUEUE}").status_code == 405
    assert job_ids(client, "failed") == [job]
    assert "Delete</" not in client.get(f"/0/view/job/{job}").text + client.get(f"/0/view/jobs/{QUEUE}/failed/8/asc/1").text


class Payload:
    """What a writer of Redis would hide in a job: reading it as a pickle makes a directory."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("job_class", ["queued", "failed"])
def test_a_pickle_in_a_job_is_never_read(
    client: FlaskClient, dispatcher: Dispatcher, redis: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, job_class: str
) -> None:
    """Every page and the requeue button read the job's notes, which are pickles by RQ's default: that would run them."""
    wake(dispatcher, "c-1", "sms")
    if job_class == "failed":
        run(redis, monkeypatch, boom)
    (job,) = job_ids(client, job_class)
    redis.hset(f"rq:job:{job}", mapping={name: pickle.dumps(Payload(tmp_path / name)) for name in ("meta", "result")})
    pages = [f"/0/view/job/{job}", f"/0/data/job/{job}.json", f"/0/data/jobs/{QUEUE}/{job_class}/8/asc/1.json", "/0/data/workers.json"]
    assert [client.get(page).status_code for page in pages] == [200] * 4
    for path in (f"/job/{job}/requeue", f"/job/{job}/delete", f"/requeue/{QUEUE}"):
        client.post(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9181", "169.254.1.1", "[bad", ""])
def test_a_foreign_name_for_this_machine_is_refused(client: FlaskClient, host: str) -> None:
    """A page that rebinds its own name to 127.0.0.1 reads nothing."""
    assert client.get("/0/data/queues.json", headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_post_from_another_page_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    """A browser sends a password along to whoever asks for it, so the asking page is what counts."""
    assert client.post(f"/requeue/{QUEUE}", headers=headers).status_code == 403


def test_its_own_pages_may_post(client: FlaskClient) -> None:
    """What the browser sends for a button of ours passes; no other site may frame the page to have it clicked."""
    headers = {"Origin": "http://127.0.0.1:9181", "Sec-Fetch-Site": "same-origin", "Host": "127.0.0.1:9181"}
    assert client.post(f"/requeue/{QUEUE}", headers=headers).status_code == 200
    assert "frame-ancestors 'none'" in client.get("/").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        *("/1/view/queues", "/0/view/job/gone", "/0/data/job/gone.json", "/nothing"),
        *(f"/0/data/jobs/{QUEUE}/{rest}.json" for rest in ("wrong/8/asc/1", "failed/0/asc/1", "failed/x/asc/1")),
        *(f"/0/data/jobs/{QUEUE}/{rest}.json" for rest in ("failed/8/asc/0", "failed/999/asc/1", "failed/8/up/1")),
    ],
)
def test_what_is_not_there_is_404(client: FlaskClient, path: str) -> None:
    """Never a 500 for a job that has gone, an unknown registry or a page that cannot be."""
    assert client.get(path).status_code == 404


def test_looking_at_workers_leaves_the_connection_as_it_was(
    client: FlaskClient, dispatcher: Dispatcher, redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ would raise the pool's socket timeout to 415 s, and a page would hang that long on a frozen server."""
    before = dict(redis.connection_pool.connection_kwargs)
    wake(dispatcher, "c-1", "sms")
    with Redis.from_url(redis_url, protocol=2) as other:
        run(other, monkeypatch, lambda _conversation: client.get("/0/data/workers.json"))
    assert redis.connection_pool.connection_kwargs == before


def test_without_redis_the_pages_say_so(redis_url: str) -> None:
    """503 with a sentence, not a traceback."""
    away = Redis.from_url(f"{redis_url}.away", protocol=2, retry=None)
    client = create_app(load_settings(redis_url=redis_url, sandbox="on"), away).test_client()
    answer = client.get("/0/data/queues.json")
    assert (answer.status_code, "Redis does not answer" in answer.text) == (503, True)


PASSWORD = "three old lighthouse keepers"


@pytest.fixture
def closed(redis: Redis, redis_url: str) -> FlaskClient:
    """A dashboard with a password."""
    return create_app(load_settings(redis_url=redis_url, sandbox="on", console_password=PASSWORD), redis).test_client()


def test_with_a_password_nothing_is_shown_or_changed_without_it(closed: FlaskClient, dispatcher: Dispatcher) -> None:
    """Pages, figures, files and buttons; the answer says which password is meant, and never shows it."""
    wake(dispatcher, "c-1", "sms")
    for path in (*PAGES, "/0/data/queues.json", "/nowhere"):
        answer = closed.get(path)
        assert (answer.status_code, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        assert "CONSOLE_PASSWORD" in answer.text
        assert PASSWORD not in answer.text
    assert closed.post(f"/requeue/{QUEUE}").status_code == 401
    for wrong in ("", PASSWORD[:-1], PASSWORD.upper()):
        assert closed.get("/", auth=("", wrong)).status_code == 401
    assert closed.get("/", headers={"Authorization": "Basic garbled"}).status_code == 401
    for user in ("", "boss", "anybody"):
        assert closed.get("/0/data/queues.json", auth=(user, PASSWORD)).status_code == 200


def test_guesses_take_a_second_each_and_the_right_one_gets_in(closed: FlaskClient) -> None:
    """Ten are free; who has not been asked yet guesses nothing."""
    assert {closed.get("/").status_code for _ in range(2 * FREE_GUESSES)} == {401}
    assert {closed.get("/", auth=("", "guess")).status_code for _ in range(FREE_GUESSES + 1)} == {401}
    start = time.monotonic()
    assert closed.get("/0/data/queues.json", auth=("", PASSWORD)).status_code == 200
    assert time.monotonic() - start > 0.5


def test_a_stranger_and_a_foreign_page_are_told_no_more_than_before(closed: FlaskClient) -> None:
    """The name and the asking page are judged first, with the right password too: a browser that knows it sends it along."""
    assert closed.get("/", headers={"Host": "evil.example"}, auth=("", PASSWORD)).status_code == 421
    assert closed.post(f"/requeue/{QUEUE}", headers={"Origin": "https://evil.example"}, auth=("", PASSWORD)).status_code == 403


def test_production_does_not_open_the_dashboard_without_a_password(redis_url: str, tmp_path: Path) -> None:
    """One sentence that names the setting; elsewhere it may be open to this machine."""
    user = '[[users]]\nusername = "u"\nphone = "+15551234567"\nboss_phone = "+15559876543"\nbridge_only = true\n'
    (tmp_path / "users.toml").write_text(user)
    real = {name: secrets.token_hex(16) for name in ("anthropic_api_key", "supervisor_token")}
    more = {"boss_users_file": tmp_path / "users.toml"}

    def production(**change: str) -> None:
        require_password(load_settings(environment="production", redis_url=redis_url, **real, **more, **change))

    with pytest.raises(ConfigurationError, match="CONSOLE_PASSWORD: is missing; in production the dashboard opens with it alone"):
        production()
    for bad, fault in (("short", "at least 12 characters"), ("dev-token-12345", "an example"), ("sandbox-email-secret", "an example")):
        with pytest.raises(ConfigurationError, match=f"CONSOLE_PASSWORD: .*{fault}") as caught:
            production(console_password=bad)
        assert bad not in str(caught.value)
    production(console_password=PASSWORD)
    require_password(load_settings(redis_url=redis_url, sandbox="on"))


def test_over_the_wire_every_answer_has_the_headers_and_none_names_the_server(redis_url: str) -> None:
    """`boss dashboard` itself: a page, an error and a figure."""
    settings = {"REDIS_URL": redis_url, "SANDBOX": "on", "CONSOLE_PASSWORD": PASSWORD}
    with BossProcess("dashboard", "--port", "0", settings=settings) as process:
        said = process.wait_for_output("this machine only")
        url = said.partition("dashboard: ")[2].partition(" ")[0].rstrip("/")
        for path, auth, status in (("/", None, 401), ("/", ("", PASSWORD), 200), ("/static/css/main.css", ("", PASSWORD), 200)):
            answer = requests.get(url + path, auth=auth, allow_redirects=False, timeout=10)
            assert answer.status_code == status
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
            assert "Server" not in answer.headers
        assert PASSWORD not in process.output
