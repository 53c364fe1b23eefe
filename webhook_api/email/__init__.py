"""Mails and their events."""
