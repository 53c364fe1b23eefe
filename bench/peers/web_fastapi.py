"""The FastAPI webhook with arq behind it: the product's form and check, or its own form and Twilio's `RequestValidator`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response

from bench.peers.arq_peer import connect
from bench.peers.web_flask import NAMES, url
from webhook_api.security.signatures import twilio_signed
from webhook_api.sms.parsing import read_form
from webhook_api.sms.routes import EMPTY_TWIML


async def checked(request: Any) -> list[str] | None:
    """The text's fields; None for a wrong signature."""
    form = read_form(await request.body())
    if not twilio_signed(os.environ["TWILIO_AUTH_TOKEN"], url(), form, request.headers.get("X-Twilio-Signature", "")):
        return None
    return [form[name][0] for name in NAMES]


async def checked_by_sdk(request: Any) -> list[str] | None:
    """The same by FastAPI's form and Twilio's SDK."""
    form = await request.form()
    if not _validator().validate(url(), form, request.headers.get("X-Twilio-Signature", "")):
        return None
    return [form[name] for name in NAMES]


def _validator() -> Any:
    global _VALIDATOR  # noqa: PLW0603 - made in the serving process, once
    if _VALIDATOR is None:
        from twilio.request_validator import RequestValidator  # noqa: PLC0415 - only stock parts need it

        _VALIDATOR = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])
    return _VALIDATOR


_VALIDATOR: Any = None


def load(*_: Any, stock: bool = False) -> Any:
    """The application."""
    client: list[Any] = []
    check = checked_by_sdk if stock else checked

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        client.append(await connect(stock=stock))
        yield

    app = FastAPI(lifespan=lifespan)

    async def inbound(request: Request) -> Any:
        fields = await check(request)
        if fields is None:
            return Response(status_code=403)
        await client[0].enqueue_job("nothing", *fields)
        return Response(EMPTY_TWIML, media_type="text/xml")

    async def livez() -> Any:
        return Response("ok")

    inbound.__annotations__["request"] = Request  # FastAPI reads the annotation itself, not its name
    app.add_api_route("/sms/inbound", inbound, methods=["POST"], response_model=None)
    app.add_api_route("/livez", livez, response_model=None)
    return app


def stock_app() -> Any:
    """For uvicorn's --factory."""
    return load(stock=True)
