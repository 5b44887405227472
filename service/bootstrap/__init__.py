"""Builds every object from the settings: the only place that names all concrete classes. Holds no rule.

One module per side and role, imported by whoever needs it: a command starts with no more than it uses.
"""
