"""The tests. A package, because some distributions install a top-level `tests` of their own."""
