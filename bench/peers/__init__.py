"""The other systems: each queue with its own client and worker, all with the same work.

A module here is loaded only in the contender's own process. It reads the addresses of Valkey and the providers from Bossline's
settings in the environment. Every queue is called `bench`, and has three functions: `nothing` (what a webhook enqueues), `light` and
`whole` (see `turns`).
"""
