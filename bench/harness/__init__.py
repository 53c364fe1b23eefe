"""Starts, loads and measures the systems, and reports the figures."""
