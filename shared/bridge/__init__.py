"""The old place of `bridge.client`, for one release."""
