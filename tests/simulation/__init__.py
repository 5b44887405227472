"""The real service against the sandbox, under a scheduler and a clock that one seed decides.

`python -m tests.simulation --seeds 1000` plays a thousand histories,
`--seed 17` one; each that does not come right tells its story.
`python -m tests.simulation.mutants` breaks the service in one place at a time and says which history notices.
"""
