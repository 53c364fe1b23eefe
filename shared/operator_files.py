"""Reads the files that the operator writes. Each fault is one line that names the file and what to do, and shows no contents."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

from shared.errors import ConfigurationError

MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""Bytes: ten thousand users take two million."""
OTHERS_NAMES: Final = frozenset(
    {
        *(
            "PATH",
            "HOME",
            "WEB_CONCURRENCY",
            "USER",
            "SHELL",
            "TZ",
            "LANG",
            "LANGUAGE",
            "TERM",
            "TMPDIR",
            "NO_COLOR",
            "FORCE_COLOR",
            "DEBUG",
        ),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "VIRTUAL_ENV"),
    }
)
OTHERS_PREFIXES: Final = ("LC_", "PYTHON", "UV_", "PIP_", "HONCHO_", "COMPOSE_", "DOCKER_", "OTEL_", "SOAK_", "XDG_")
"""Names in `.env` that are meant for other programs: honcho passes that file to all that it starts."""
_OF_THE_SANDBOX: Final = (
    *("HOST", "WEBHOOK_URL", "PUBLIC_URL", "SENDGRID_PRIVATE_KEY", "FAULTS", "KNOBS", "REAL"),
    *("USER_PHONE", "BOSS_PHONE", "USER_EMAIL", "BOSS_EMAIL"),
)
SANDBOX_NAMES: Final = tuple(f"SANDBOX_{name}" for name in _OF_THE_SANDBOX)
"""What the sandbox reads in addition to our settings."""
_NAME: Final = re.compile(r"[A-Z]{2,20}(?:_[A-Z]{1,20}){0,4}")
_NEAR: Final = 0.75
_VERY_NEAR: Final = 0.85


def read(name: str, path: Path) -> str:
    """A file's text, without a byte order mark; ConfigurationError that begins with `name`."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except PermissionError:
        there, user = path.absolute(), _who()
        raise ConfigurationError(f"{name}: {there} cannot be read by {user}; run: chown {user} {there} && chmod 600 {there}") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{name}: {path} is a directory; put a file in its place, or name another") from None
    except FileNotFoundError:
        raise ConfigurationError(f"{name}: {path} is not there; write it, or correct its path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its path holds a character that none may"
        raise ConfigurationError(f"{name}: {path} cannot be read ({reason}); correct its path") from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigurationError(f"{name}: {path} has more than {MAX_FILE_BYTES >> 20} MiB; name another file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{name}: {path} is not UTF-8 in line {line}; save it as UTF-8") from None


def read_env(path: Path) -> dict[str, str]:
    """The names and values in a `.env`; {} for a missing file. Raises ConfigurationError when any line cannot be used."""
    try:
        path.lstat()
    except FileNotFoundError:
        return {}
    except OSError:  # a directory that we may not enter: `read` reports it
        pass
    found: dict[str, str] = {}
    broken = []
    for binding in parse_stream(io.StringIO(read(".env", path))):
        if binding.key is not None and binding.value is not None:
            found[binding.key.upper()] = binding.value
        elif binding.error or binding.key is not None:
            broken.append(str(_first_line(binding.original.line, binding.original.string)))
    if broken:
        lines = f"lines {', '.join(broken)} are" if len(broken) > 1 else f"line {broken[0]} is"
        raise ConfigurationError(f".env: {lines} not of the form NAME=value; correct it, and close every quote")
    return found


def unknown_names(env: Iterable[str], environment: Mapping[str, str], known: Iterable[str]) -> list[str]:
    """Names that set nothing, each in a sentence with the most similar setting: all those in `.env`, and misspelt ones in the environment.

    The environment belongs to all programs: there a name counts only if it is a misspelling of one of ours.
    """
    ours = sorted({*known, *SANDBOX_NAMES})
    strange = [name for name in env if name.upper() not in {*ours, *OTHERS_NAMES} and not name.upper().startswith(OTHERS_PREFIXES)]
    slips = [name for name in environment if name.upper() not in {*ours, *strange} and _is_slip(name.upper(), ours)]
    return [_sentence(name, ".env", ours) for name in strange] + [_sentence(name, "the environment", ours) for name in sorted(slips)]


def _is_slip(name: str, ours: list[str]) -> bool:
    prefixes = {each.partition("_")[0] + "_" for each in ours if "_" in each}
    if name.startswith(OTHERS_PREFIXES) or name in OTHERS_NAMES or name.partition("_")[0] + "_" not in prefixes:
        return False
    return bool(get_close_matches(name, ours, n=1, cutoff=_VERY_NEAR))


def _sentence(name: str, place: str, ours: list[str]) -> str:
    near = get_close_matches(name.upper(), ours, n=1, cutoff=_NEAR)
    shown = name if near or _NAME.fullmatch(name) else "a name that is not shown"  # a secret may have been put where a name belongs
    return f"{shown} in {place} sets nothing" + (f"; did you mean {near[0]}?" if near else "; `boss config example` lists what does")


def _first_line(line: int, text: str) -> int:
    """The line on which a statement begins; blank lines before it do not count."""
    return line + len(text[: len(text) - len(text.lstrip())].splitlines())


def _who() -> str:
    """The name of the user who runs this process, or the number of a user without a name."""
    import pwd  # noqa: PLC0415 - only a fault needs it

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
