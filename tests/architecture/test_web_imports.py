"""What the web process loads."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json, sys
import fakeredis
from shared import runtime, mailbox, registry
from shared.config.loading import load_settings
from shared.mailbox import wake_queue
from shared.model import addresses
import webhook_api.server
from webhook_api.app import create_app
redis = fakeredis.FakeRedis()
settings = load_settings(sandbox="on", _env_file=None)
salted = lambda: addresses.Identities(b"salt")
people = registry.PeopleDirectory(settings, redis)
held = runtime.Runtime(settings, people, redis, mailbox.Mailbox(redis), wake_queue.Dispatcher(redis), salted)
create_app(held)
print(json.dumps(sorted(sys.modules)))
"""


def test_the_web_process_loads_no_sdk_and_nothing_heavy() -> None:
    """Importing anthropic alone costs 1.9 s; twilio, sendgrid, lxml and asyncio clients are nothing that a webhook needs."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"anthropic", "twilio", "sendgrid", "lxml", "inscriptis", "mailparser_reply", "requests", "httpx2", "aiohttp"}
    assert not loaded & {"supervisor_worker", "bridge", "boss", "rq_async"}
