"""The bridge's server: websockets around `bridge.protocol.server_session`, the mailbox behind it (docs/reference/bridge.md)."""
