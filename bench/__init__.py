"""Measurements that the project promises to hold; each is a module to run with `python -m`."""
