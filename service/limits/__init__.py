"""The limits of each part, taken out of the settings; one module per side, so that a role imports its own.

Holds no default: those stand with the settings.
"""
