"""The bridge's Python client: `from bridge.client import SupervisorClient` (docs/reference/bridge.md)."""

from bridge.client.client import State, SupervisorClient, get_supervisor_client
from bridge.client.errors import BridgeClosed, BridgeError, BridgeRefused, BridgeUnavailable, RequestTimeout, RequestTooBig, TooManyWaiting

__all__ = [
    "BridgeClosed",
    "BridgeError",
    "BridgeRefused",
    "BridgeUnavailable",
    "RequestTimeout",
    "RequestTooBig",
    "State",
    "SupervisorClient",
    "TooManyWaiting",
    "get_supervisor_client",
]
