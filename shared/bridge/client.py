"""The old name of `bridge.client`, for one release."""

from bridge.client import SupervisorClient, get_supervisor_client

__all__ = ["SupervisorClient", "get_supervisor_client"]
