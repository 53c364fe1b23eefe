"""What the frames of a client are read into."""

from __future__ import annotations

from bridge.protocol.frames import Auth


def test_no_repr_of_what_a_client_said_shows_its_token() -> None:
    """It may be the right one."""
    assert "guéss" not in repr(Auth("guéss", 1, "client", ""))
