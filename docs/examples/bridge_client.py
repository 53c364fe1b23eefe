"""Text the Boss over the bridge and print its reply.

    python docs/examples/bridge_client.py "What can you do?"

The bridge's address and token come from the settings (SUPERVISOR_URL, SUPERVISOR_TOKEN), as everywhere.
"""  # noqa: INP001 - a program, not a package

import asyncio
import sys

from bridge.client import BridgeError, get_supervisor_client

ME, BOSS = "+15551234567", "+15559876543"  # a user of the users file, and that user's Boss


async def main(text: str) -> str:
    """One question and its answer. The client reconnects by itself and repeats what was not answered."""
    client = get_supervisor_client()
    await client.connect()
    try:
        frame = await client.send_sms_event(ME, BOSS, text, "user", timeout=60)
        return str(frame.get("message") or "The Boss has it, and has not answered yet.")
    finally:
        await client.disconnect()


if __name__ == "__main__":
    try:
        print(asyncio.run(main(" ".join(sys.argv[1:]) or "What can you do?")))  # noqa: T201 - what it is for
    except BridgeError as error:
        sys.exit(f"no answer: {error}")
