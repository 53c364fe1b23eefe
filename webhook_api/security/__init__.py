"""Who may call: signatures, secrets, and the one reading of a signed form."""
