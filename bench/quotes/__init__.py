"""Simulated replies: how mail programs quote our answers, and what of a quote the product folds."""
