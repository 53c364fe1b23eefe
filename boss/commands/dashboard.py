"""`boss dashboard`: rq-dashboard 0.9 as an operator may open it, with its traps closed.

What it does by itself, and what is done here instead:

- binds 0.0.0.0 without a login: loopback only, with CONSOLE_PASSWORD when it is set, which production asks for; and a name that is
  not this machine's is refused (DNS rebinding);
- POSTs without a token, GET /requeue/<queue> changes things: only POST does, and only from the dashboard's own pages;
- reads jobs as pickle in five places: `rq_views` knows nothing but JSON and our own job class;
- opens a connection per page, cannot open unix sockets, answers a job that has gone with 500: one pool of ours, 404;
- writes texts from Redis into the page as HTML: every template escapes;
- pages through a registry wrongly from page two on, and offers deletion: `rq_views.jobs_of`, and off.
"""

from __future__ import annotations

import socket
from importlib import resources
from typing import Any, Final
from urllib.parse import urlsplit

import click
from flask import Flask, request
from jinja2 import Environment, FileSystemLoader
from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from werkzeug.exceptions import HTTPException, abort
from werkzeug.serving import make_server

from boss.dashboard.access import Handler, guard, refusal, require_password
from boss.dashboard.rq_classes import REGISTRIES, SeenJob, SeenQueue, SeenWorker, jobs_of, requeue
from boss.terminal.output import Command, Ending, remark
from shared.config.loading import load_settings
from shared.config.settings import Settings
from shared.observability import logs
from shared.runtime import redis_url
from shared.storage import clients

HOST: Final = "127.0.0.1"
MAX_PER_PAGE: Final = 200


@click.command(cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", default=None, help="Instead of DASHBOARD_PORT; 0 takes a free one.")
def dashboard(port: int | None) -> None:
    r"""Show RQ's queues, jobs and workers in the browser.

    Serves rq-dashboard on this machine only (127.0.0.1). Jobs carry ids and
    no texts. Failed jobs can be requeued: that only wakes their conversation
    once more. Nothing can be deleted here. The browser asks for
    CONSOLE_PASSWORD when it is set; production does not start without it.

    \b
    From elsewhere, use a tunnel:
      ssh -L 9181:127.0.0.1:9181 HOST
    """
    settings = load_settings()
    require_password(settings)
    logs.configure("dashboard", settings.log_format, settings.secrets)
    clients.wait_until_up(redis_url(settings), settings.startup_wait_seconds, remark)
    with clients.for_web(redis_url(settings)) as redis, _listen(settings.dashboard_port if port is None else port) as listener:
        app = create_app(settings, redis)
        bound = listener.getsockname()[1]
        server = make_server(HOST, bound, app, threaded=True, request_handler=Handler, fd=listener.fileno())
        click.echo(f"dashboard: http://{HOST}:{bound}/ (this machine only; Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            remark("dashboard ended")


def create_app(settings: Settings, redis: Redis) -> Flask:
    """The dashboard as an application on `redis`; rq-dashboard's module is patched, so one server a process."""
    from rq_dashboard import web  # noqa: PLC0415 - only this command needs it, and it loads a lot

    _patch(web, redis)
    folder = resources.files("rq_dashboard")
    app = Flask("boss-dashboard", static_folder=str(folder / "static"), template_folder=str(folder / "templates"))
    app.jinja_loader = EscapingLoader(str(folder / "templates"))
    app.redis_conn = redis  # type: ignore[attr-defined]  # where rq-dashboard looks for it
    app.config["RQ_DASHBOARD_REDIS_URL"] = (_shown(redis_url(settings)),)
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = True
    guard(app, settings)
    app.before_request(_check_arguments)
    app.register_blueprint(web.blueprint)
    _register_errors(app)
    return app


class EscapingLoader(FileSystemLoader):
    """rq-dashboard's templates with every `<%= %>`, which writes raw HTML, turned into `<%- %>`, which escapes."""

    def get_source(self, environment: Environment, template: str) -> Any:
        """The template's text, made safe; the places that escape by hand would escape twice."""
        source, name, current = super().get_source(environment, template)
        for field in ("description", "exc_info"):
            source = source.replace(f"$('<div/>').text(d.{field}).html()", f"d.{field}")
        return source.replace("<%=", "<%-"), name, current


def _patch(web: Any, redis: Redis) -> None:
    """Hand rq-dashboard our classes and our one connection pool."""
    web.Job, web.Queue, web.Worker, web.requeue_job = SeenJob, SeenQueue, SeenWorker, requeue
    web.from_url = lambda *_args, **_kwargs: (None, redis)

    def page(queue: str, registry: str, *window: Any) -> tuple[int, list[Any]]:
        offset, per_page, order, connection = window
        total, jobs = jobs_of(queue, registry, connection, first=offset, count=per_page, newest_first=order == "dsc")
        return total, [web.serialize_job(job) for job in jobs]

    web.get_queue_registry_jobs_count = page


def _check_arguments() -> None:
    """404 for what is not there, before rq-dashboard stumbles over it."""
    asked = request.view_args or {}
    registry = asked.get("registry_name")
    if asked.get("instance_number") or (registry is not None and registry not in (*REGISTRIES, "queued")):
        abort(404)
    if asked.get("order", "asc") not in ("asc", "dsc"):
        abort(404)
    for name, most in (("per_page", MAX_PER_PAGE), ("page", 1_000_000)):
        text = str(asked.get(name, 1))
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            abort(404)


def _register_errors(app: Flask) -> None:
    answers: dict[type[Exception], tuple[int, str]] = {
        NoSuchJobError: (404, "no such job: finished ones are kept for ten minutes, failed ones for a week"),
        InvalidJobOperation: (409, "only a failed job can be requeued"),
        RedisError: (503, "Redis does not answer; is `boss redis` running, is REDIS_URL right?"),
    }
    for kind, (status, sentence) in answers.items():
        app.register_error_handler(kind, lambda _error, status=status, sentence=sentence: refusal(status, sentence))
    app.register_error_handler(HTTPException, lambda error: refusal(error.code or 500, error.name))


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise Ending(f"port {port} cannot be used ({error.strerror}); name another with --port") from None
    listener.listen(128)
    return listener


def _shown(url: str) -> str:
    """A Redis address without user, password and options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
