"""Reads the settings: from the environment, then from a `.env` file in the working directory; one error lists all that is wrong."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from shared import operator_files
from shared.config import mcp_servers, providers
from shared.config.cross_checks import faults_beside, faults_of
from shared.config.mcp_servers import McpServer
from shared.config.providers import Provider
from shared.config.settings import Settings
from shared.errors import ConfigurationError

ENV_FILE: Final = ".env"


def load_settings(**overrides: Any) -> Settings:
    """The settings, with `overrides` over what is read (`_env_file` is another file than `.env`, or None for none).

    Raises ConfigurationError, which lists every fault by the setting's name and never shows a value.
    """
    options = {"_env_file": ENV_FILE, **overrides}
    _env_of(options)
    try:
        return Settings(**options)
    except ValidationError as error:
        faults = faults_of(error)
        if broken := {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]}:
            faults += faults_beside(Settings, broken, options)
        raise ConfigurationError("\n" + "\n".join(faults)) from None


def unknown_settings(**overrides: Any) -> list[str]:
    """Names in `.env`, and in the environment where they look like ours, that set nothing, each in a sentence.

    Raises ConfigurationError as `load_settings`.
    """
    env = _env_of(overrides)
    known = {name.upper() for name in Settings.model_fields} | _names_of_servers({**env, **os.environ})
    return operator_files.unknown_names(env, os.environ, known)


def load_mcp_servers(settings: Settings, **overrides: Any) -> tuple[McpServer, ...]:
    """The MCP servers of BOSS_MCP_FILE; none without it. Raises ConfigurationError with every fault."""
    found = mcp_servers.load_servers(settings.boss_mcp_file, {**_env_of(overrides), **os.environ})
    if any(server.login for server in found) and not settings.boss_mcp_key.get_secret_value():
        raise ConfigurationError("BOSS_MCP_KEY: is missing; a server with `login = true` needs it (openssl rand -hex 32)")
    return found


def _names_of_servers(environment: dict[str, str]) -> frozenset[str]:
    """The names that hold secrets of MCP servers: ours in `.env`, too. None where the file cannot be read, which others tell."""
    path = environment.get(mcp_servers.SETTING, "")
    with suppress(ConfigurationError):
        return frozenset(name.upper() for name in mcp_servers.variables(Path(path))) if path else frozenset()
    return frozenset()


def providers_in_use(settings: Settings, **overrides: Any) -> dict[Provider, str]:
    """For each provider whether it is played or real, and where its key comes from. Raises ConfigurationError as `load_settings`."""
    return providers.in_use(settings, _env_of(overrides))


def _env_of(overrides: dict[str, Any]) -> dict[str, str]:
    """The contents of the `.env` file in use; {} for none. Raises ConfigurationError for a file that cannot be read."""
    path = overrides.get("_env_file", ENV_FILE)
    return operator_files.read_env(Path(path)) if path else {}
