"""What every provider of the sandbox is played with."""
