"""Checks of `make lint` beyond style: known vulnerabilities in the locked packages, and secrets in the repository."""
