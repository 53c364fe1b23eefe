"""Flask without what no webhook needs. Routing, contexts, error handlers and signals stay, in their order.

A session, the host that the caller names (which is never believed), hooks that nobody registered and a stream for an answer
of 66 bytes cost as much as verifying a text (measured). An application that registers a hook gets Flask's own code again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Request, Response
from flask.globals import request_ctx
from flask.sessions import NullSession, SessionInterface
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import Headers
from werkzeug.routing import Map, MapAdapter, Rule

from shared.net import ANSWER_HEADERS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


SECURITY_HEADERS: Final = [*ANSWER_HEADERS.items(), ("Server", "")]  # granian adds its own name where no Server header is given
"""On every answer. Strict-Transport-Security is the proxy's to send, which has the certificate."""
MESSAGE_HEADER: Final = "X-Bossline-Message"
"""On a 2xx: our id of the message, by which `boss simulate` waits for its reply; of a mail to several of our addresses, several ids."""


class CompleteResponse(Response):
    """A response whose content is complete when it is made, with headers of our own, which werkzeug need not validate one by one."""

    def __init__(self, content: bytes = b"", status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> None:
        ours = Headers()
        ours._list = [*headers]  # noqa: SLF001 - what `extend` would make of them
        super().__init__([content] if content else [], status, ours)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer the server (PEP 3333). The response to a HEAD has no content."""
        start_response(self.status, self.headers.to_wsgi_list() + SECURITY_HEADERS)
        return () if environ["REQUEST_METHOD"] == "HEAD" else self.response  # type: ignore[return-value] # made of bytes above


class NoSessions(SessionInterface):
    """Every request has the same empty session, which cannot be written to: no caller logs in here."""

    _none: Final = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 - Flask's two
        """The empty session."""
        return self._none


class PlainRule(MapAdapter):
    """The router of requests whose rule has no variables and was found by path and method alone."""

    def __init__(self, url_map: Map, rule: Rule) -> None:
        super().__init__(url_map, "", "/", "", "http", rule.rule, "GET")
        self._found = rule, dict[str, Any]()

    def match(self, *_: Any, **__: Any) -> Any:
        """The rule, and no variables."""
        return self._found


class MinimalFlask(Flask):
    """A Flask application whose callers are machines."""

    session_interface = NoSessions()
    reads: Callable[[WSGIEnvironment], bool] = staticmethod(lambda _environ: True)
    quick: Callable[[WSGIEnvironment], bool] = staticmethod(lambda _environ: False)
    """What `rsgi` asks before it reads a request's body, and before it gives the request to a thread."""

    def __init__(self, import_name: str, **options: Any) -> None:
        super().__init__(import_name, static_folder=None, **options)
        # An address has one spelling, and nobody is redirected: a provider's signature covers the address that it called.
        self.url_map.redirect_defaults = self.url_map.merge_slashes = False

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The router for a request, by its path and method alone: the host that was called decides nothing."""
        if request is None:
            return None
        found = self._plain_rules.get((request.environ["PATH_INFO"], request.method))
        return found or MapAdapter(self.url_map, "", "/", "", request.scheme, request.path, request.method)

    @cached_property
    def _plain_rules(self) -> dict[tuple[str, str], PlainRule]:
        """The rules without variables, by path and method. Complete at the first request: Flask accepts no rule after that."""
        rules = [rule for rule in self.url_map.iter_rules() if not rule.arguments]
        return {(rule.rule, method): PlainRule(self.url_map, rule) for rule in rules for method in (rule.methods or set()) - {"OPTIONS"}}

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Call the hooks before the request, if there are any."""
        return super().preprocess_request() if self.before_request_funcs or self.url_value_preprocessors else None

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the view of the rule that matched; each is a plain function without arguments."""
        request = request_ctx.request
        if request.url_rule is None or request.view_args or request.method == "OPTIONS":
            return super().dispatch_request()
        return self.view_functions[request.url_rule.endpoint]()  # type: ignore[return-value] # none is asynchronous

    def make_default_options_response(self) -> CompleteResponse:
        """The answer to OPTIONS: the methods of this address."""
        return CompleteResponse(headers=[("Allow", super().make_default_options_response().headers["Allow"])])

    def process_response(self, response: Response) -> Response:
        """Call the hooks after the request, if there are any; there is no session to save."""
        return super().process_response(response) if self.after_request_funcs else response

    def do_teardown_request(self, exc: BaseException | None = None) -> None:
        """Call the hooks at the end of a request, if there are any."""
        if self.teardown_request_funcs:
            super().do_teardown_request(exc)
