"""Enqueues one job for each line of its input, by a contender's own client: `python -m bench.peers.send celery_peer light`."""

from __future__ import annotations

import sys
from importlib import import_module


def main(peer: str, kind: str, *more: str) -> None:
    """Send them all."""
    import_module(f"bench.peers.{peer}").send_all(kind, sys.stdin.read().split(), *more)


if __name__ == "__main__":
    main(*sys.argv[1:])
