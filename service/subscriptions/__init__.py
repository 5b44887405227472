"""Keeps subscriptions alive and finds what no notification announced."""
