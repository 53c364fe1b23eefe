"""Tools of MCP servers: the one way to them is `tools`. It knows nothing of turns.

`sdk` and what it imports are loaded when a server is used for the first time: the SDK takes 0.8 s and 56 MiB.
"""
