"""How a process lives and ends, and runs what blocks."""
