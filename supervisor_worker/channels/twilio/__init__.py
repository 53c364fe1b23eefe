"""Texts out, and Twilio's list."""
