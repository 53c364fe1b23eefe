"""A service that turns recordings into words, as OpenAI's API does it."""
