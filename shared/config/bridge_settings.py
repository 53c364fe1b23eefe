"""The settings of the bridge, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from shared.config.field import setting
from shared.config.secret_rules import EXAMPLE_TOKEN
from shared.net import is_loopback, is_loopback_url


class BridgeSettings(BaseSettings):
    """Where the bridge is, who may connect, and how much one connection may ask for."""

    supervisor_url: str = setting(
        "", "Where bridge clients find the bridge (ws:// or wss://). Empty: ws://127.0.0.1 and SUPERVISOR_PORT.", "Bridge"
    )
    supervisor_token: SecretStr = setting(
        SecretStr(EXAMPLE_TOKEN), "What a bridge client must know; in production at least 16 characters of your own.", "Bridge"
    )
    supervisor_host: str = setting("127.0.0.1", "The address that the bridge binds.", "Bridge")
    supervisor_port: int = setting(9999, "The port that the bridge binds.", "Bridge", ge=0, le=65535)
    bridge_allow_remote: bool = setting(
        False, "Bind an address other than loopback without TLS: only behind a proxy or in a private network.", "Bridge"
    )
    bridge_tls_cert: Path | None = setting(None, "A certificate chain (PEM) for wss://; with BRIDGE_TLS_KEY.", "Bridge")
    bridge_tls_key: Path | None = setting(None, "The certificate's private key (PEM).", "Bridge")
    bridge_origins: str = setting(
        "", "Web pages that may connect: origins such as https://chat.example.com, with commas between. Empty: none.", "Bridge"
    )
    bridge_max_connections: int = setting(100, "Authenticated connections at once.", "Bridge", ge=1, le=100_000)
    bridge_max_unauthenticated: int = setting(
        200, "Connections at once that have not authenticated yet; of more, the oldest is dropped.", "Bridge", ge=1, le=100_000
    )
    bridge_requests_per_second: float = setting(10.0, "Requests a second on one connection; pings are not counted.", "Bridge", gt=0)
    bridge_burst: int = setting(20, "Requests that one connection may send at once.", "Bridge", ge=1)
    bridge_max_frame: int = setting(65_536, "The largest request, in bytes.", "Bridge", ge=1024, le=16_777_216)
    bridge_auth_seconds: float = setting(5.0, "How long a new connection may take to authenticate.", "Bridge", gt=0, le=60)
    bridge_answer_seconds: float = setting(
        8.0,
        "How long a client that sends no ids waits for the reply before it is told only that the message was accepted.",
        "Bridge",
        gt=0,
        le=600,
    )

    @property
    def bridge_url(self) -> str:
        """Where bridge clients connect."""
        return self.supervisor_url or f"ws://127.0.0.1:{self.supervisor_port}"

    def bridge_faults(self) -> list[str]:
        """What is wrong, each in a line that begins with the setting's name."""
        faults = []
        if self.supervisor_url and (
            urlsplit(self.supervisor_url).scheme not in ("ws", "wss") or not urlsplit(self.supervisor_url).hostname
        ):
            faults.append("SUPERVISOR_URL: must be a ws:// or wss:// address")
        elif self.supervisor_url.startswith("ws://") and not (is_loopback_url(self.supervisor_url) or self.bridge_allow_remote):
            faults.append(
                "SUPERVISOR_URL: must be wss://, but for an address of this machine or with BRIDGE_ALLOW_REMOTE=true: the token goes there"
            )
        if bool(self.bridge_tls_cert) != bool(self.bridge_tls_key):
            faults.append("BRIDGE_TLS_CERT: goes together with BRIDGE_TLS_KEY")
        if not (is_loopback(self.supervisor_host) or self.bridge_tls_cert or self.bridge_allow_remote):
            faults.append("SUPERVISOR_HOST: is not loopback; set BRIDGE_TLS_CERT and BRIDGE_TLS_KEY, or BRIDGE_ALLOW_REMOTE=true")
        return faults
