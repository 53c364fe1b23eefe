"""HTTP: the server's interface (RSGI), the minimal Flask application, and request bodies."""
