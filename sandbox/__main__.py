"""`python -m sandbox`: run the sandbox with the settings of the environment."""

from __future__ import annotations

import asyncio
import os
import sys

from pydantic import ValidationError

from sandbox.app import serve
from sandbox.engine.settings import SandboxSettings


def main() -> int:
    """Run until a signal ends it. Exit status 2 when a setting is wrong or the port is in use."""
    try:
        asyncio.run(serve(SandboxSettings.from_environ(os.environ)))
    except (OSError, TypeError, ValueError, ValidationError) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201 - why the process ends
        return 2
    return 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # An orderly end of the interpreter takes most of a second on a busy machine, and nothing here needs it.
    os._exit(status)
