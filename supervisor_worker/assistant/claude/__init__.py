"""Claude, behind the model's port."""
