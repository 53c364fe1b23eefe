"""Measures WSGI servers under the webhooks: `python bench/scenarios/servers.py [seconds]`; figures in docs/web-server.md.

Each round starts each server on the same Valkey and asks it with wrk (Debian: apt install wrk): a plain Flask route, one that
reads and checks the same signed text, and the webhook. gunicorn is no dependency: point GUNICORN at one, e.g. of a scratch
environment, or leave it out. CPU is the server's own (user and system, all its processes) for each answered request, and also
given as a multiple of what the first server's plain route took in the same round: a machine's speed changes while it measures.
"""

# ruff: noqa: S603, S607 - it starts the servers and wrk

from __future__ import annotations

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from shared.config.settings import SANDBOX_CREDENTIALS  # noqa: E402
from tests.payloads import ACCOUNT, payload  # noqa: E402
from tests.support.processes import answers, free_port  # noqa: E402
from tests.support.server import EmbeddedServer  # noqa: E402
from tests.support.wait import wait_for  # noqa: E402
from webhook_api.security.signatures import twilio_signature  # noqa: E402
from webhook_api.sms.parsing import read_form  # noqa: E402

GRANIAN = """
import sys
from granian.constants import HTTPModes, Interfaces
from granian.server import Server
from bench.scenarios.servers_app import load
Server("x", port=int(sys.argv[1]), interface=Interfaces.WSGI, http=HTTPModes.http1, websockets=False, log_enabled=False,
       blocking_threads=int(sys.argv[2]), runtime_mode=sys.argv[3], runtime_threads=int(sys.argv[4]),
       backlog=2048, backpressure=2048).serve(target_loader=lambda *_: load(), wrap_loader=False)
"""
GUNICORN = os.environ.get("GUNICORN", "")
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
ROUNDS = 3
ROUTES = (("/plain/bare", 16), ("/plain/checked", 16), ("/sms/inbound", 16), ("/sms/inbound", 300))
GRANIANS = {
    "granian, 64 threads": (64, "auto", 1),
    "granian, 8 threads": (8, "auto", 1),
    "granian, 16 threads": (16, "auto", 1),
    "granian, 32 threads": (32, "auto", 1),
    "granian, 600 threads": (600, "auto", 1),
    "granian, 64 threads, runtime of one thread": (64, "st", 1),
    "granian, 64 threads, runtime of two threads": (64, "mt", 2),
}
"""Threads, the mode of the server's own runtime and its threads; the first is what the others are measured by."""
TICKS = os.sysconf("SC_CLK_TCK")


def commands(port: int) -> dict[str, list[str]]:
    """The servers to compare, by name."""
    found = {name: [sys.executable, "-c", GRANIAN, str(port), *map(str, options)] for name, options in GRANIANS.items()}
    if GUNICORN:
        base = [GUNICORN, "-b", f"127.0.0.1:{port}", "--log-level", "error"]
        for threads in (8, 64):
            found[f"gunicorn gthread, {threads}"] = [
                *base,
                "-k",
                "gthread",
                "--threads",
                str(threads),
                "bench.scenarios.servers_app:load()",
            ]
    return found


@contextmanager
def serving(command: list[str], port: int, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server that answers."""
    site = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": url,
        "SANDBOX": "on",
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": f"{ROOT}:{site}",
    }
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/livez"), 30, command[0])
        yield process
    finally:
        process.terminate()
        process.wait(15)


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    return [pid, *(int(child) for child in children)]


def cpu(pids: list[int]) -> float:
    """Seconds of CPU that processes used so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def peak_memory(pid: int) -> float:
    """A process's largest resident size, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def script(port: int, path: str, *, fresh: bool) -> str:
    """A wrk script that posts a signed text; `fresh` gives each request a MessageSid of its own (signatures made before)."""
    bodies = []
    for number in range(2000 if fresh else 1):
        body = payload("sms_plain.form").replace(b"SM" + b"1" * 32, f"SM{number:032d}".encode())
        signature = twilio_signature(SANDBOX_CREDENTIALS["twilio_auth_token"], f"http://127.0.0.1:{port}{path}", read_form(body))
        bodies.append(f'{{"{body.decode()}", "{signature}"}}')
    assert ACCOUNT.encode() in payload("sms_plain.form")
    return f"""
local texts = {{ {",".join(bodies)} }}
local n = 0
request = function()
  n = n + 1
  local text = texts[(n % #texts) + 1]
  return wrk.format("POST", "{path}", {{["Content-Type"]="application/x-www-form-urlencoded", ["X-Twilio-Signature"]=text[2]}}, text[1])
end
"""


def ask(port: int, path: str, connections: int, pids: list[int], *, fresh: bool) -> tuple[float, float, float, float, int]:
    """Requests a second, p50 and p99 in ms, CPU in microseconds a request, answers that were no 2xx."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script(port, path, fresh=fresh))
        lua.flush()
        before = cpu(pids)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", lua.name, f"http://127.0.0.1:{port}"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = cpu(pids) - before
    total = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return total / SECONDS, milliseconds(text, "50%"), milliseconds(text, "99%"), used / total * 1e6, int(bad[1]) if bad else 0


def milliseconds(text: str, name: str) -> float:
    """A line of wrk's table of latencies."""
    number, unit = re.search(rf"{name}\s+([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def behind_slow_bodies(port: int, count: int) -> str:
    """How long a text waits behind clients that sent half a body and stay."""
    head = b"POST /sms/inbound HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nFrom="
    return _waiting(port, count, head)


def behind_slow_heads(port: int, count: int) -> str:
    """The same behind clients that never end their headers."""
    return _waiting(port, count, b"POST /sms/inbound HTTP/1.1\r\nHost: x\r\nX-Slow: ")


def _waiting(port: int, count: int, head: bytes) -> str:
    slow = []
    try:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            client.sendall(head)
            slow.append(client)
        time.sleep(0.3)
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=12) as client:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            client.recv(10)
        return f"{(time.monotonic() - start) * 1000:.0f} ms"
    except OSError:
        return "> 12 s"
    finally:
        for client in slow:
            client.close()


def main() -> None:
    """Print the tables."""
    figures: dict[tuple[str, str], list[tuple[float, float, float, float, int]]] = {}
    slow: dict[str, tuple[str, str, str]] = {}
    memory: dict[str, float] = {}
    with EmbeddedServer() as redis:
        for round_ in range(ROUNDS):
            port = free_port()
            for name, command in commands(port).items():
                with redis.client() as client:
                    client.flushall()
                with serving(command, port, redis.url) as process:
                    pids = family(process.pid)
                    for path, connections in ROUTES:
                        rows = figures.setdefault((name, f"{path}, {connections} at once"), [])
                        rows.append(ask(port, path, connections, pids, fresh=True))
                    memory[name] = max(memory.get(name, 0), *(peak_memory(pid) for pid in pids))
                    if round_ == 0:
                        heads = behind_slow_heads(port, 500)
                        slow[name] = heads, behind_slow_bodies(port, 60), behind_slow_bodies(port, 500)
    print("| server | route | req/s | p50 ms | p99 ms | CPU us/req | of the plain route | not 2xx |\n|---|---|---|---|---|---|---|---|")
    plain = next(iter(figures.values()))
    for (name, path), rows in figures.items():
        rate, p50, p99, used = (statistics.median(row[column] for row in rows) for column in range(4))
        times = statistics.median(row[3] / base[3] for row, base in zip(rows, plain, strict=True))
        print(f"| {name} | {path} | {rate:.0f} | {p50:.1f} | {p99:.0f} | {used:.0f} | {times:.1f} | {sum(row[4] for row in rows)} |")
    print("\n| server | behind 500 slow headers | behind 60 slow bodies | behind 500 slow bodies | MB at its peak |\n|---|---|---|---|---|")
    for name, waits in slow.items():
        print(f"| {name} | " + " | ".join(waits) + f" | {memory[name]:.0f} |")


if __name__ == "__main__":
    main()
