"""The heart: facts, their join, what they mean, and what is said about them. No I/O, no clock."""
