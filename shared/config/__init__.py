"""The settings: what there is, what each must be, and how they are explained."""
