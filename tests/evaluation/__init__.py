"""Conversations with the Boss, driven through the whole product: what the model was shown, what its tools did, what reached the person."""
