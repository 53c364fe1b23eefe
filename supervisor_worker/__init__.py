"""Thinks and sends: takes a conversation's turn, asks Claude, and delivers the reply."""
