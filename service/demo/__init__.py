"""The demo: the walkthrough of a delegated calendar, through the real service in separate processes."""
