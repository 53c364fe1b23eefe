"""HTTP: the server's interface, the minimal Flask, and bodies."""
