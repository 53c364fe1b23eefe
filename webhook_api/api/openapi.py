"""The description of the API, OpenAPI 3.1: written by hand, but for the body's schema, which is its model's own."""

from __future__ import annotations

from functools import cache
from typing import Any

from webhook_api.api.requests import RequestedMessage

_STATES = ["pending", "sent", "delivered", "undelivered", "failed", "ignored", "parked", "stored", "sending"]
_PROBLEM = {
    "type": "object",
    "required": ["title", "status", "code", "detail"],
    "properties": {"title": {"type": "string"}, "status": {"type": "integer"}, "code": {"type": "string"}, "detail": {"type": "string"}},
}
_TAKEN = {
    "type": "object", "required": ["id", "state"], "properties": {"id": {"type": "string"}, "state": {"const": "pending"}},
}  # fmt: skip
_MESSAGE = {
    "type": "object",
    "required": ["id", "user", "channel", "state", "reason"],
    "properties": {
        "id": {"type": "string"}, "user": {"type": "string"}, "channel": {"enum": ["sms", "email"]}, "state": {"enum": _STATES},
        "reason": {"type": "string"}, "first": {"type": "string"},
    },
}  # fmt: skip
_USERS = {
    "type": "object",
    "required": ["users"],
    "properties": {
        "users": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["username", "name", "channels"],
                "properties": {
                    "username": {"type": "string"}, "name": {"type": "string"},
                    "channels": {"type": "array", "items": {"enum": ["sms", "email"]}},
                },
            },
        }
    },
}  # fmt: skip
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}  # fmt: skip
_ID = {"name": "message_id", "in": "path", "required": True, "schema": {"type": "string"}}


def _answer(description: str, schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    problem = _answer("A problem.", {"$ref": "#/components/schemas/Problem"}, "application/problem+json")
    return {str(status): problem for status in (401, 404, 429, 503, *statuses)}


@cache
def document() -> dict[str, Any]:
    """The document."""
    body = RequestedMessage.model_json_schema(ref_template="#/components/schemas/{model}")
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bossline", "version": "1", "description": "Have the Boss write to a person."},
        "security": [{"token": []}],
        "paths": {
            "/api/messages": {
                "post": {
                    "summary": "Have a text or a mail written.",
                    "parameters": [_KEY],
                    "requestBody": {
                        "required": True,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RequestedMessage"}}},
                    },
                    "responses": {"202": _answer("It is stored.", _TAKEN), **_problems(400, 409, 413, 415, 422)},
                }
            },
            "/api/messages/{message_id}": {
                "get": {
                    "summary": "What became of a message.",
                    "parameters": [_ID],
                    "responses": {"200": _answer("Its state.", _MESSAGE), **_problems()},
                }
            },
            "/api/users": {
                "get": {"summary": "Whom the token may write to.", "responses": {"200": _answer("The people.", _USERS), **_problems()}}
            },
        },
        "components": {
            "schemas": {"RequestedMessage": body, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
