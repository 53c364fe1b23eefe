"""Puts the parts together: the application with its routes, and the life of the process."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Final

from aiohttp import web

from sandbox import control_api as control
from sandbox import page
from sandbox.anthropic import api as anthropic_api
from sandbox.engine.faults import Knobs
from sandbox.engine.signing import SendGridSigner
from sandbox.engine.state import STATE, Sandbox
from sandbox.engine.webhook_sender import Courier
from sandbox.origin_guard import guard, secure
from sandbox.sendgrid import api as sendgrid_api
from sandbox.twilio import api as twilio_api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sandbox.engine.settings import Settings

LARGEST_BODY: Final = 40 * 1024 * 1024
BACKLOG: Final = 1024
GRACE: Final = 0.05
"""How long a request may go on after SIGTERM: a hanging one would go on for ever."""
LAST_RESORT: Final = 0.5


def create_app(settings: Settings) -> web.Application:
    """Build the application; connections open when it starts."""
    if settings.sendgrid_private_key:
        SendGridSigner.load(settings.sendgrid_private_key)
    knobs = Knobs().merged(json.loads(settings.knobs))
    app = web.Application(middlewares=[guard], client_max_size=LARGEST_BODY)
    app[STATE] = Sandbox(settings=settings, courier=Courier(settings=settings), knobs=knobs)
    for part in (twilio_api, sendgrid_api, anthropic_api, control, page):
        app.add_routes(part.routes())
    app.on_response_prepare.append(secure)
    app.cleanup_ctx.append(_courier)
    app.on_shutdown.append(_release)
    return app


async def _courier(app: web.Application) -> AsyncIterator[None]:
    await app[STATE].courier.open()
    yield
    app[STATE].stop_tasks()
    await app[STATE].courier.close()


async def _release(app: web.Application) -> None:
    """Let hanging requests end."""
    app[STATE].closing.set()
    app[STATE].let_go()


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    runner = web.AppRunner(create_app(settings), access_log=None, shutdown_timeout=GRACE)
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, backlog=BACKLOG, reuse_address=True)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"sandbox listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)  # noqa: T201
    await stop.wait()
    try:
        await asyncio.wait_for(runner.cleanup(), LAST_RESORT)
    except TimeoutError:
        return
