"""The dashboard on the admin listener: how the whole system does, who is coming and why, and dead letters."""
