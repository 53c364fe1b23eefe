"""What Bossline's webhook is compared with: one Flask route that answers the same TwiML, under the product's own server."""

from __future__ import annotations

import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from flask import Flask, Response

from tests.support.processes import ROOT, answers, clean_environment, free_port
from tests.support.wait import wait_for
from webhook_api import server
from webhook_api.sms import EMPTY_TWIML


class BareServer:
    """The bare application in a process of its own, for `with`."""

    def __enter__(self) -> Self:
        self.port = free_port()
        command = [sys.executable, "-m", "bench.bare", str(self.port)]
        self._process = subprocess.Popen(command, cwd=ROOT, env=clean_environment(PYTHONPATH=str(ROOT)))  # noqa: S603 - our own program
        wait_for(lambda: answers(f"http://127.0.0.1:{self.port}/livez"), 30, "the bare server")
        return self

    @property
    def pid(self) -> int:
        """The process id of the server's parent."""
        return self._process.pid

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)


def load(*_: Any) -> Flask:
    """Two routes, no form read, no signature, no store."""
    app = Flask("bare", static_folder=None)
    app.add_url_rule("/sms/inbound", "sms", lambda: Response(EMPTY_TWIML, content_type="text/xml; charset=utf-8"), methods=["POST"])
    app.add_url_rule("/livez", "livez", lambda: Response("ok"))
    return app


if __name__ == "__main__":
    server.build("127.0.0.1", int(sys.argv[1])).serve(target_loader=load, wrap_loader=False)
