"""Coverage-guided fuzzing of what reads foreign bytes: a command of its own, `python -m tests.fuzz`."""
