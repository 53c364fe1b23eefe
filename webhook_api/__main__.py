"""`python -m webhook_api`: the web process, as `boss web` starts it."""

from __future__ import annotations

import sys

from shared.config.loading import load_settings
from shared.config.web_address import announce_web
from shared.process.honcho import end_with_honcho
from shared.process.lifecycle import guarded
from shared.process.ports import require_free_port


def main() -> None:
    """Check the port, announce the address to the other processes, and serve."""
    end_with_honcho()
    settings = load_settings()
    require_free_port(settings.web_host, settings.port, "PORT")
    announce_web(settings)
    from webhook_api.server import main as serve  # noqa: PLC0415 - after the settings are known to be right: it is heavy

    serve(settings)


if __name__ == "__main__":
    sys.exit(guarded(main))
