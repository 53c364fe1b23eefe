"""What is said and by whom: addresses, events, users, and how they are written down. No I/O."""
