"""The only JSON of the house: records, ledger and bridge speak it.

An event is one flat object: `v` (the schema version), `type` (the wire name) and its fields. Python's `from_` is `from`
on the wire, addresses and media are strings, tuples are arrays.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final, get_type_hints

from shared.errors import BadInput, SchemaTooNew
from shared.model.addresses import EmailAddress, PhoneNumber
from shared.model.channels import event_classes
from shared.model.events import Event
from shared.model.files import MAX_NAMED, File
from shared.model.marks import MAX_MARKS, Mark
from shared.model.media import MAX_MEDIA, Media

SCHEMA_VERSION: Final = 1
"""The version of every record that this code writes; it reads this one and older."""
DATA_VERSION: Final = 2
"""The version of the data as a whole: a process that knows an older one alone must not work on it.

2: turns with steps, which an older worker would form anew, and reminders, whose text it would ask the model about.
"""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def dumps(value: object) -> str:
    """Compact JSON in ASCII: what the wire, the records and the command's `--json` use."""
    return _ENCODER.encode(value)


def loads(text: str | bytes) -> Any:
    """JSON to Python; raises BadInput `bad_json`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput(code="bad_json") from None


def encode(event: Event) -> str:
    """One event as JSON text."""
    record: dict[str, object] = {"v": SCHEMA_VERSION, "type": event.type}
    for name, wire in _names(type(event)):
        record[wire] = _plain(getattr(event, name))
    return dumps(record)


def decode(text: str | bytes) -> Event:
    """The event of a JSON text.

    Raises BadInput (`bad_json`, `unknown_type`, `bad_field`) or SchemaTooNew. Unknown fields of a known version are
    ignored, missing optional ones take their defaults.
    """
    value = loads(text)
    if not isinstance(value, dict):
        raise BadInput(code="bad_json")
    check_version(value.get("v"))
    cls = next((each for each in event_classes() if each.type == value.get("type")), None)
    if cls is None:
        raise BadInput(code="unknown_type")
    hints = _hints(cls)
    arguments: dict[str, Any] = {name: _typed(hints[name], value[wire], name) for name, wire in _names(cls) if wire in value}
    try:
        return cls(**arguments)
    except TypeError:
        raise BadInput("a required field is missing", code="bad_field") from None


def plain_fields(record: object, names: Iterable[str]) -> dict[str, object]:
    """Some fields of a record of ours, as an event's are written."""
    return {name: _plain(getattr(record, name)) for name in names}


def typed_fields(cls: type, names: Iterable[str], value: Mapping[str, Any]) -> dict[str, Any]:
    """The same, read for a record of that class. Raises BadInput `bad_field` for one that is missing, or of another kind."""
    hints = get_type_hints(cls)
    return {name: _typed(hints[name], value.get(name, _MISSING), name) for name in names}


def check_version(version: object) -> None:
    """Refuse a record of a newer schema (SchemaTooNew) or one without a version (BadInput)."""
    if isinstance(version, bool) or not isinstance(version, int):
        raise BadInput(code="bad_version")
    if version > SCHEMA_VERSION:
        raise SchemaTooNew(f"record has version {version}, this process knows {SCHEMA_VERSION}")


@cache
def _hints(cls: type[Event]) -> dict[str, Any]:
    """Python makes these anew at each call, and half of a decoding's time would go there."""
    return get_type_hints(cls)


@cache
def _names(cls: type[Event]) -> tuple[tuple[str, str], ...]:
    """Each field's name in Python and on the wire."""
    return tuple((field.name, field.name.rstrip("_")) for field in dataclasses.fields(cls))


def _plain(value: object) -> object:
    """JSON writes tuples as arrays already."""
    if isinstance(value, tuple):
        return tuple(str(item) for item in value)
    return value.value if isinstance(value, (PhoneNumber, EmailAddress)) else value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError
    return tuple(value)


def _media(value: object) -> tuple[Media, ...]:
    return tuple(Media.parse(text) for text in _texts(value)[:MAX_MEDIA])


def _marks(value: object) -> tuple[Mark, ...]:
    return tuple(Mark.parse(text) for text in _texts(value)[:MAX_MARKS])


def _files(value: object) -> tuple[File, ...]:
    return tuple(File.parse(text) for text in _texts(value)[:MAX_NAMED])


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise TypeError
    return number


def _exactly(kind: type) -> Callable[[object], object]:
    def check(value: object) -> object:
        if type(value) is not kind:
            raise TypeError
        return value

    return check


def _if_any(reader: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: None if value is None else reader(value)


_MISSING: Final = object()
_READERS: Final[dict[object, Callable[[Any], object]]] = {
    PhoneNumber: PhoneNumber.parse,
    EmailAddress: EmailAddress.parse,
    tuple[str, ...]: _texts,
    tuple[Media, ...]: _media,
    tuple[Mark, ...]: _marks,
    tuple[File, ...]: _files,
    float: _number,
    int: _exactly(int),
    bool: _exactly(bool),
    str | None: _if_any(_exactly(str)),
    EmailAddress | None: _if_any(EmailAddress.parse),
}


def _typed(hint: object, value: object, name: str) -> object:
    try:
        return _READERS.get(hint, _exactly(str))(value)
    except (TypeError, AttributeError, OverflowError, BadInput):
        raise BadInput(f"field {name}", code="bad_field") from None
