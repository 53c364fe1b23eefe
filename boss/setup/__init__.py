"""`boss setup`: asks for keys, writes `.env` and the first person, and does at Twilio and SendGrid what their APIs can do.

What is wanted (`wanted`) is compared with what stands (`standing`, read by `twilio`, `sendgrid` and `env_file`); the difference is a list
of steps (`plan`), which are shown and then done one at a time (`apply`). After each step the provider is read again, so that a run that was
interrupted anywhere is simply run again. What stood before a step is kept (`record`), and `undo` puts it back.
"""
