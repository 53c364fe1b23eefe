"""The throttled comparison of secrets."""
