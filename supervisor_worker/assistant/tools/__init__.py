"""The tools that the model may call: what each is told of, what it changes, and what the model and the person are told afterwards."""
