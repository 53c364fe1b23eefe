"""The way in: to Redis, or to the spool while Redis is away."""
