"""Traces: one per notification, from the POST of Graph to what consumers do with the update."""
