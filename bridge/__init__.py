"""The WebSocket bridge: its words, its protocol without I/O, and its Python client (docs/bridge.md)."""
