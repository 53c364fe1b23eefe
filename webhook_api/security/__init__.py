"""Who may call: signatures and secrets, and whether a signed form has only one reading."""
