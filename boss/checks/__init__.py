"""The doctor's checks: `machine` looks at this machine, `redis` at Redis and what is in it, `providers` at what answers HTTP.

A check is a function that returns findings. It may raise: the doctor turns that, and silence, into findings of its own.
No finding holds a secret, a number, an address or a text.
"""
