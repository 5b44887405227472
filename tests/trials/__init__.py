"""What guarantee 3 promises, tried on real processes: `python -m tests.trials [NAME ...]`, `make trials`.

A real Redis-compatible server that is killed, emptied and set back, a real sandbox over TLS, and the service
by its commands. A trial prints what it measured, and fails with its history when a promise is broken.
"""
