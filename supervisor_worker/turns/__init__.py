"""One turn, from claim to finish."""
