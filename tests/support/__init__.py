"""What the tests share: a real server, real processes, the sandbox, and waiting for conditions instead of sleeping."""
