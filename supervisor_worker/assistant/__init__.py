"""The assistant: the prompt, the model, the reply and its cost in tokens."""
