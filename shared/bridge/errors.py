"""The old name of `bridge.client.errors`, for one release."""

from bridge.client.errors import *  # noqa: F403
