"""Where the web process is: it writes its address into a file, by which the other processes of this machine find it.

honcho gives each kind of process a PORT of its own, so `PORT` is the web process's only within the web process.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from shared.config.settings import Settings
from shared.errors import ConfigurationError


def own_web_url(settings: Settings) -> str:
    """Where this machine reaches this process, if it is the web process."""
    host = "127.0.0.1" if settings.web_host in ("", "0.0.0.0", "::") else settings.web_host  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def web_url_file(settings: Settings) -> Path:
    """The file with the web process's address."""
    return settings.boss_data_dir / "web.url"


def announce_web(settings: Settings) -> None:
    """Write the web process's address for the others. Raises ConfigurationError when BOSS_DATA_DIR cannot be written."""
    path = web_url_file(settings)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # two containers may have the same process id
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_text(own_web_url(settings) + "\n", encoding="ascii")
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"BOSS_DATA_DIR: {settings.boss_data_dir} cannot be written ({error.strerror})") from None


def local_web_url(settings: Settings) -> str:
    """Where this machine reaches the web process: as that wrote it at its start, else at `PORT`.

    The file is read at each call, because all processes start at the same time.
    """
    try:
        written = web_url_file(settings).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        written = ""
    return written if urlsplit(written).scheme == "http" else own_web_url(settings)


def webhook_base_url(settings: Settings) -> str:
    """The base of the webhook URLs as the providers know them, without a slash at the end. Without PUBLIC_URL the file is read."""
    return (settings.public_url or local_web_url(settings)).rstrip("/")
