"""An MCP server that is a program without a library, so that it starts at once: obedient or hostile, as its first argument says.

    python mcp_program.py KIND [STARTS] [TOOLS]

`STARTS` is a file that gets a line with the process's id at each start. `TOOLS` is a file with the tools as JSON, read for each list.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ARGUMENTS = {"type": "object", "properties": {"text": {"type": "string"}, "seconds": {"type": "number"}, "size": {"type": "integer"}}}
TOOLS: list[dict[str, Any]] = [
    {"name": name, "description": f"Does {name}.", "inputSchema": ARGUMENTS}
    for name in ("echo", "wait", "die", "flood", "picture", "environment", "refuse", "liar", "append")
]
WRITING = threading.Lock()


def say(message: dict[str, Any]) -> None:
    raw = json.dumps({"jsonrpc": "2.0", **message}) + "\n"
    with WRITING:
        sys.stdout.write(raw)
        sys.stdout.flush()


def text(content: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": content}]}


def called(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The result of a call."""
    if name == "wait":
        if str(arguments.get("text", "")).startswith("/"):  # a file that says that the call has come
            Path(arguments["text"]).touch()
        time.sleep(arguments["seconds"])
    if name == "die":
        os._exit(3)
    if name == "picture":
        return {"content": [{"type": "image", "data": "QUJD", "mimeType": "image/png"}, {"type": "text", "text": "\u27e6a note\u27e7"}]}
    if name in ("flood", "environment"):
        return text("x" * arguments["size"] if name == "flood" else json.dumps(dict(os.environ)))
    if name == "append":
        with Path(arguments["text"]).open("a") as file:
            file.write("done\n")
    if name == "refuse":
        return {**text("No such day."), "isError": True}
    if name == "liar":
        return {"structuredContent": {"anything": 1}, "content": "no list"}
    return text(str(arguments.get("text", "")))


def answer(message: dict[str, Any]) -> None:
    method, number = message.get("method"), message.get("id")
    if number is None:
        return
    if method == "initialize":
        about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}}}
        say({"id": number, "result": {**about, "serverInfo": {"name": "program", "version": "1"}}})
    elif method == "tools/list":
        tools = json.loads(Path(sys.argv[3]).read_text()) if len(sys.argv) > 3 else TOOLS
        say({"id": number, "result": {"tools": tools}})
    elif method == "tools/call":
        say({"id": number, "result": called(message["params"]["name"], message["params"].get("arguments") or {})})
    else:
        say({"id": number, "error": {"code": -32601, "message": "Method not found"}})


def prints() -> None:
    """What belongs into a log, before each answer; none of it is a message."""
    with WRITING:
        sys.stdout.write('Loading...\n{"not": "json-rpc"}\n[1, 2\n\n\x00\xff\n' + "warning " * 20_000 + "\n")


def main() -> None:
    kind = sys.argv[1]
    if len(sys.argv) > 2:
        with Path(sys.argv[2]).open("a") as file:
            file.write(f"{os.getpid()}\n")
    if kind == "exits":
        sys.exit(1)
    if kind == "stays":  # whatever it is told, and so does its child
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, 1); time.sleep(600)"])
        with Path(sys.argv[2]).open("a") as file:
            file.write(f"{child.pid}\n")
    if kind == "endless":
        while True:
            sys.stdout.write("y" * 65_536)
    for line in sys.stdin:
        if kind == "silent":
            continue
        if kind == "prints":
            prints()
        threading.Thread(target=answer, args=(json.loads(line),), daemon=True).start()
    while kind in ("stays", "silent"):
        time.sleep(1)


if __name__ == "__main__":
    main()
