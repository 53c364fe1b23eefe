"""Measurements, side by side in one run: `make bench`. Ratios are what counts; the machine is whatever it is."""
