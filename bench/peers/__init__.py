"""The contestants: each queue with its own client and worker, all with the same work to do.

A module here is loaded in the contestant's own process only, and finds Valkey, the providers and the rest in the environment, in
Bossline's own settings. Every queue of them is called `bench`, each knows three functions: `nothing` (what a webhook enqueues),
`light` and `whole` (see `turns`).
"""
