"""Traces: what is recorded, what passes through, and what leaves."""
