"""The WebSocket bridge: its protocol without I/O, its Python client and its server (docs/reference/bridge.md)."""
