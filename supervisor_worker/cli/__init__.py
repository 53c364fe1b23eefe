"""The command `boss`."""
