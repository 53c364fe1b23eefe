"""How a process starts, ends and runs blocking code."""
