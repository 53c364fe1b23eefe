"""Redis: the connections, what is sent together, replicas and Sentinels, and the embedded server."""
