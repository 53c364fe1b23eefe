"""What it is measured with."""
