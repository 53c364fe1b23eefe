"""The Boss's mind: the prompt, the model, the reply and what it costs."""
