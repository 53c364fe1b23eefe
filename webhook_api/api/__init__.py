"""The API: programs have the Boss write, and ask what became of it."""
