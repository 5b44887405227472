"""The pulse: what each process tells of itself in Redis, and the whole system read back from it."""
