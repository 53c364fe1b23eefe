"""Twilio, played."""
