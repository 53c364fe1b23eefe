"""The application with its routes, and the life of the process."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Final

from aiohttp import web

import sandbox.anthropic.api
import sandbox.sendgrid.api
import sandbox.speech.api
import sandbox.twilio.api
from sandbox import account_api, control_api, page
from sandbox.engine.faults import FaultSettings
from sandbox.engine.signing import SendGridSigner
from sandbox.engine.state import STATE, SandboxState
from sandbox.engine.webhook_sender import WebhookSender
from sandbox.origin_guard import add_security_headers, reject_other_origins
from sandbox.sendgrid import api_keys, domains, event_settings, parse_settings
from sandbox.twilio import deletion, messaging_services, numbers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sandbox.engine.settings import SandboxSettings

MAX_BODY: Final = 40 * 1024 * 1024
"""Bytes: the largest mail, and then some."""
BACKLOG: Final = 1024
"""Connections that may wait to be accepted."""
GRACE_SECONDS: Final = 0.05
"""How long a request may go on after SIGTERM; one that hangs would never end."""
CLEANUP_SECONDS: Final = 0.5
"""How long all of the cleaning up may take."""


def create_app(settings: SandboxSettings) -> web.Application:
    """Build the application; connections open when it starts. Raises for a private key or fault settings that cannot be read."""
    if settings.sendgrid_private_key:
        SendGridSigner.load(settings.sendgrid_private_key)
    faults = FaultSettings().merged(json.loads(settings.faults))
    app = web.Application(middlewares=[reject_other_origins], client_max_size=MAX_BODY)
    app[STATE] = SandboxState(settings=settings, webhooks=WebhookSender(settings=settings), faults=faults)
    providers = (
        sandbox.twilio.api, deletion, numbers, messaging_services, sandbox.sendgrid.api, api_keys, domains, parse_settings, event_settings,
    )  # fmt: skip
    for module in (*providers, sandbox.anthropic.api, sandbox.speech.api, control_api, account_api, page):
        app.add_routes(module.routes())
    app.on_response_prepare.append(add_security_headers)
    app.cleanup_ctx.append(_webhook_sender)
    app.on_shutdown.append(_end_requests)
    return app


async def _webhook_sender(app: web.Application) -> AsyncIterator[None]:
    await app[STATE].webhooks.open()
    yield
    app[STATE].stop_tasks()
    await app[STATE].webhooks.close()


async def _end_requests(app: web.Application) -> None:
    """End the requests that hang, and those that begin now."""
    app[STATE].closing.set()
    app[STATE].release_requests()


async def serve(settings: SandboxSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises OSError when the port is in use."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=GRACE_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG, reuse_address=True)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"sandbox listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)  # noqa: T201
    await stop.wait()
    try:
        await asyncio.wait_for(runner.cleanup(), CLEANUP_SECONDS)
    except TimeoutError:
        return
