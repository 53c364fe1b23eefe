"""`POST /v1/audio/transcriptions`: words for a recording, in OpenAI's form. Nothing is heard: the words say that they are simulated."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from sandbox.engine import credentials, provider_request
from sandbox.engine.provider_request import ErrorFormat, ProviderRequest, ProviderResponse
from sandbox.engine.state import STATE

if TYPE_CHECKING:
    from sandbox.engine.faults import InjectedFault, SpeechFaults
    from sandbox.engine.json_types import JsonObject

PATH: Final = "/v1/audio/transcriptions"
MAX_BYTES: Final = 25 * 1024 * 1024
FORMATS: Final = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm", "amr")
"""OpenAI's, by the ending of the file's name, and AMR, which the servers that people run themselves take."""
ENDLESS_BLOCKS: Final = 4_096
BLOCK: Final = bytes(65_536).replace(b"\0", b" ")
_KINDS: Final = {400: "invalid_request_error", 401: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_error"}


def routes() -> list[web.RouteDef]:
    """The one route."""
    return [web.post(PATH, transcriptions)]


async def transcriptions(http: web.Request) -> web.StreamResponse:
    """Answer a recording."""
    state = http.app[STATE]
    faults = state.faults.speech
    fields = await _form(http)
    data = fields.pop("data", b"")

    def perform() -> ProviderResponse:
        if (problem := _problem(fields, data)) is not None:
            return _error(*problem)
        return _words(fields, data, faults)

    shown = {**fields, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    request = ProviderRequest(kind="speech.transcriptions", operation="transcriptions", fields=shown, perform=perform)
    expected = state.settings.stt_api_key
    if expected is not None and not credentials.same(credentials.bearer(http.headers.get("Authorization")), expected):
        return await provider_request.reject(http, state, request, _error(401, "Incorrect API key provided"))
    answer = await provider_request.handle(http, state, request, faults=faults, errors=ErrorFormat(response=_fault))
    return answer if faults.answer is None else await _harmful(http, faults.answer)


async def _form(http: web.Request) -> JsonObject:
    """The fields of the form; the file as its name, its type and its `data`."""
    fields: dict[str, Any] = {}
    if http.content_type != "multipart/form-data":
        return fields
    for name, value in (await http.post()).items():
        if isinstance(value, web.FileField):
            fields |= {"file": value.filename, "content_type": value.content_type, "data": value.file.read()}
        else:
            fields[name] = value
    return fields


def _problem(fields: JsonObject, data: bytes) -> tuple[int, str] | None:
    """Why a request is refused."""
    if not fields.get("model"):
        return 400, "you must provide a model parameter"
    if "file" not in fields:
        return 400, "you must provide a file parameter"
    if len(data) > MAX_BYTES:
        return 413, f"Maximum content size limit ({MAX_BYTES}) exceeded"
    if str(fields["file"]).rpartition(".")[2] not in FORMATS or not data:
        return 400, f"Invalid file format. Supported formats: {list(FORMATS)}"
    return None


def _words(fields: JsonObject, data: bytes, faults: SpeechFaults) -> ProviderResponse:
    """The words, and how many seconds they took."""
    text = f"[simulated] the words of {fields['file']}, {len(data)} bytes" if faults.text is None else faults.text
    usage = {"type": "duration", "seconds": faults.seconds}
    return ProviderResponse(status=200, body={"text": text, **({"usage": usage} if faults.seconds is not None else {})}, accepted=True)


def _fault(status: int, fault: InjectedFault | None) -> ProviderResponse:
    wait = fault.retry_after if fault else None
    found = _error(status, "a simulated fault")
    return found if wait is None else ProviderResponse(status=status, body=found.body, headers={"Retry-After": f"{wait:g}"}, accepted=False)


def _error(status: int, message: str) -> ProviderResponse:
    error = {"message": message, "type": _KINDS.get(status, "server_error"), "param": None, "code": None}
    return ProviderResponse(status=status, body={"error": error}, accepted=False)


async def _harmful(http: web.Request, kind: str) -> web.StreamResponse:
    """In place of the answer, as the fault `answer` says: a redirect to another place, a page, or a body without end."""
    if kind == "redirect":
        return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/v1/audio/transcriptions"})
    if kind == "page":
        return web.Response(text="<html>words</html>", content_type="text/html")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(http)
    for _ in range(ENDLESS_BLOCKS):
        await response.write(BLOCK)
    return response
