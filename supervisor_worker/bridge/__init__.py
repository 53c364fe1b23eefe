"""The bridge's server: websockets around `shared.bridge.protocol`, the mailbox behind it (docs/bridge.md)."""
