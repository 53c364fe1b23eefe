"""Which schemas of a tool's input the Messages API rejects: those that are no JSON Schema, and for `strict` what it cannot hold to."""

from __future__ import annotations

from typing import Any, Final

INVALID: Final = "JSON schema is invalid. It must match JSON Schema draft 2020-12"
TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
NOT_AT_THE_TOP: Final = ("oneOf", "allOf", "anyOf")
LISTS_OF_SCHEMAS: Final = ("oneOf", "allOf", "anyOf", "prefixItems")
MAPS_OF_SCHEMAS: Final = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
SCHEMAS: Final = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else", "unevaluatedProperties")
LENGTHS: Final = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
NOT_IF_STRICT: Final = (*LENGTHS, *NUMBERS, "pattern", "uniqueItems", "patternProperties")
MAX_DEPTH: Final = 32


def problem_of(schema: object, *, strict: bool) -> str | None:
    """Why a tool's input schema is rejected; None if it is accepted."""
    if not isinstance(schema, dict):
        return "Input should be a valid dictionary"
    if schema.get("type") != "object":
        return "type: Field required" if "type" not in schema else "type: Input should be 'object'"
    if any(name in schema for name in NOT_AT_THE_TOP):
        return "input_schema does not support oneOf, allOf, or anyOf at the top level"
    if not _is_valid(schema, MAX_DEPTH):
        return INVALID
    return _problem_if_strict(schema) if strict else None


def _is_valid(schema: object, depth: int) -> bool:
    """Whether every keyword that is known has a value of its kind."""
    if isinstance(schema, bool):
        return True
    return (
        isinstance(schema, dict) and depth > 0 and _has_valid_values(schema) and all(_is_valid(part, depth - 1) for part in _parts(schema))
    )


def _has_valid_values(schema: dict[str, Any]) -> bool:
    texts = [schema.get(name, "") for name in ("title", "description", "pattern", "format", "$ref")]
    return (
        _are_types(schema.get("type", "null"))
        and _are_different_names(schema.get("required", []))
        and isinstance(schema.get("enum", []), list)
        and all(isinstance(text, str) for text in texts)
        and all(_is_number(schema[name]) for name in (*LENGTHS, *NUMBERS) if name in schema)
        and all(isinstance(schema[name], dict) for name in MAPS_OF_SCHEMAS if name in schema)
        and all(isinstance(schema[name], list) and schema[name] for name in LISTS_OF_SCHEMAS if name in schema)
    )


def _are_types(value: object) -> bool:
    """Whether this is the name of a type, or a list of such names."""
    kinds = [value] if isinstance(value, str) else value
    return isinstance(kinds, list) and bool(kinds) and all(isinstance(kind, str) and kind in TYPES for kind in kinds)


def _are_different_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _parts(schema: dict[str, Any]) -> list[object]:
    """The schemas within a schema."""
    named = [part for name in MAPS_OF_SCHEMAS for part in schema.get(name, {}).values()]
    listed = [part for name in LISTS_OF_SCHEMAS for part in schema.get(name, [])]
    return [*named, *listed, *(schema[name] for name in SCHEMAS if name in schema)]


def _problem_if_strict(schema: dict[str, Any]) -> str | None:
    """What keeps the API from holding the model to a schema."""
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    found = [name for name in NOT_IF_STRICT if name in schema]
    if found:
        return f"For '{schema.get('type')}' type, properties {', '.join(found)} are not supported"
    inner = [part for part in _parts(schema) if isinstance(part, dict)]
    return next((problem for part in inner if (problem := _problem_if_strict(part)) is not None), None)
