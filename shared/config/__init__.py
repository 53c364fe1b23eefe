"""The settings: what there is, what each must be, where they are read from, and how they are explained."""
