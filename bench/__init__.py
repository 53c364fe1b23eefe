"""Measurements of several systems in one run: `make bench`. Compare the ratios: the absolute figures depend on the machine."""
