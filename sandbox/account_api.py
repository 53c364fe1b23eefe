"""The accounts at the providers as a whole, under /sandbox/account: what a test wants to stand there, and what stands there now."""

from __future__ import annotations

import json

from aiohttp import web
from pydantic import ValidationError

from sandbox.control_api import all_errors, bad_request, read_document
from sandbox.engine.faults import StrictModel
from sandbox.engine.sendgrid_account import SendGridAccount
from sandbox.engine.state import STATE, SandboxState
from sandbox.engine.twilio_account import TwilioAccount


class AccountsDocument(StrictModel):
    """What POST /sandbox/account takes, and GET shows. One that is left out of a POST stays as it is."""

    twilio: TwilioAccount | None = None
    sendgrid: SendGridAccount | None = None


def routes() -> list[web.RouteDef]:
    """The routes."""
    path = "/sandbox/account"
    return [web.get(path, show), web.post(path, replace), web.delete(path, reset)]


async def show(http: web.Request) -> web.Response:
    """Show the accounts, without a key."""
    return _shown(http.app[STATE])


async def replace(http: web.Request) -> web.Response:
    """Put other accounts in their place. In these nothing is assumed: a number or a host that is not there is not the product's."""
    state = http.app[STATE]
    try:
        document = AccountsDocument.model_validate(await read_document(http))
    except ValidationError as error:
        raise bad_request(all_errors(error)) from None
    state.twilio = document.twilio or state.twilio
    state.sendgrid = document.sendgrid or state.sendgrid
    return _shown(state)


async def reset(http: web.Request) -> web.Response:
    """The accounts as after a start."""
    http.app[STATE].reset_accounts()
    return _shown(http.app[STATE])


def _shown(state: SandboxState) -> web.Response:
    return web.json_response(text=json.dumps(AccountsDocument(twilio=state.twilio, sendgrid=state.sendgrid).model_dump()))
