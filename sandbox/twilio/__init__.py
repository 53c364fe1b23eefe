"""Twilio's REST API, its status callbacks and its inbound webhook."""
