"""`check`, with a fault of each kind planted."""
