"""What `make lint` looks for beyond style: holes known in what is locked, and secrets in the repository."""
