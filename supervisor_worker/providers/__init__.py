"""HTTP to any provider."""
