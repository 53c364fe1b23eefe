"""Logs, and what must not be in them."""
