"""An MCP server with two tools: a garage door that can be looked at and opened. Its state is the file GARAGE_DOOR.

    python docs/examples/mcp_door.py        # speaks MCP over stdin and stdout, as the Boss starts it

A real one would talk to the door instead of a file.
"""  # noqa: INP001 - a program, not a package

import os
from pathlib import Path

from mcp.server.mcpserver import MCPServer

DOOR = Path(os.environ.get("GARAGE_DOOR", "/tmp/garage-door"))  # noqa: S108 - an example
server = MCPServer("door")


@server.tool()
def look_at_door() -> str:
    """Say whether the garage door is open or closed. Changes nothing."""
    return DOOR.read_text() if DOOR.exists() else "closed"


@server.tool()
def open_door(minutes: int) -> str:
    """Open the garage door for so many minutes."""
    DOOR.write_text(f"open for {minutes} minutes")
    return f"The garage door is open for {minutes} minutes."


if __name__ == "__main__":
    server.run("stdio")
