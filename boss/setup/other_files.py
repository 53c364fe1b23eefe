"""Files for the programs around us: a Caddyfile, and systemd's unit. Pure; what they must not let through is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from shared.errors import ConfigurationError

UNIT: Final = "bossline@.service"
STATE: Final = Path("/var/lib")
GRACE: Final = 30
"""Seconds that requests to the providers get at the end."""
_SAFE_PATH: Final = re.compile(r"/[A-Za-z0-9._/+-]*")
_SAFE_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def caddyfile(public_url: str, port: int) -> str:
    """A site that passes on the providers' webhooks and /livez, and nothing else: neither /metrics nor a console.

    A mail with its attachments is one request of up to 30 MB. Raises ConfigurationError for an address that no site can be written for.
    """
    parts = urlsplit(public_url)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise ConfigurationError("PUBLIC_URL: a Caddyfile is written for https:// and a host without a path")
    return (
        f"# Written by boss setup. /metrics and the console are for this machine alone.\n"
        f"{parts.netloc} {{\n"
        f"\t@webhooks path /sms/* /email/* /livez\n"
        f"\thandle @webhooks {{\n"
        f"\t\trequest_body {{\n"
        f"\t\t\tmax_size 36MB\n"
        f"\t\t}}\n"
        f"\t\treverse_proxy 127.0.0.1:{port} {{\n"
        f"\t\t\trequest_buffers 36MB\n"
        f"\t\t}}\n"
        f"\t}}\n"
        f"\thandle {{\n"
        f"\t\trespond 404\n"
        f"\t}}\n"
        f"}}\n"
    )


@dataclass(frozen=True, slots=True)
class Service:
    """Where the processes run, and as whom."""

    user: str
    directory: Path
    boss: Path
    data_dir: Path

    def unit(self) -> str:
        """The unit of all processes: bossline@web, bossline@worker and so on. Raises ConfigurationError for a path that it cannot hold."""
        for path in (self.directory, self.boss, self.data_dir):
            if not _SAFE_PATH.fullmatch(str(path)):
                raise ConfigurationError(f"{path}: a unit is written for paths of letters, digits and ._+-/ alone")
        if not _SAFE_USER.fullmatch(self.user):
            raise ConfigurationError("a unit is written for a user whose name has small letters, digits, - and _ alone")
        return _UNIT.format(user=self.user, directory=self.directory, boss=self.boss, data=self._data(), grace=GRACE, stop=GRACE + 15)

    def _data(self) -> str:
        """Systemd makes a directory below /var/lib itself; another one it lets the processes write to."""
        if self.data_dir.parent == STATE:
            return f"StateDirectory={self.data_dir.name}\nStateDirectoryMode=0700"
        return f"ReadWritePaths={self.data_dir}"


_UNIT: Final = """\
# Written by boss setup.
[Unit]
Description=Bossline %i
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
User={user}
WorkingDirectory={directory}
Environment=SHUTDOWN_GRACE_SECONDS={grace}
ExecStart={boss} %i
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec={stop}
LimitCORE=0
{data}
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes
UMask=0077

[Install]
WantedBy=multi-user.target
"""
