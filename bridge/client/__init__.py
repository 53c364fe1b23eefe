"""The bridge's Python client."""
