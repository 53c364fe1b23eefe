"""Logs, what must not be in them, and outages that are logged once."""
