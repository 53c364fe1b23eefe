"""`python -m sandbox`: run the sandbox with the settings of the environment."""

from __future__ import annotations

import asyncio
import os
import sys

from pydantic import ValidationError

from sandbox.app import serve
from sandbox.engine.settings import Settings


def main() -> int:
    """Run; 2 when the environment is wrong or the port is taken."""
    try:
        asyncio.run(serve(Settings.from_environ(os.environ)))
    except (OSError, TypeError, ValueError, ValidationError) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201 - the process's own last word
        return 2
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Nothing here is worth an interpreter's orderly end, which takes most of a second on a busy machine.
    os._exit(status)
