"""The Messages API, played."""
