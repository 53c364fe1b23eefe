"""Redis: clients, group commit, replication and Sentinels, and the embedded server."""
