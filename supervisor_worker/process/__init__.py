"""The worker process: its start, its resources, its sweep and its end."""
