"""Texts and their status reports."""
