"""Speaks to Microsoft Graph and to Entra ID. Decides nothing about waiting."""
