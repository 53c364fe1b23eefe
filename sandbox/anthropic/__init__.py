"""The Anthropic Messages API, with a simulated model."""
