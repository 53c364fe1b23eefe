"""What comes from outside is thrown at everything that reads it: by hypothesis, and led by coverage. See `targets`."""
