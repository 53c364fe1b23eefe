"""`make soak`: an hour of the whole product under traffic, provider faults and random kills."""
