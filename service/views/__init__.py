"""What is held of meetings as plain data, fit for JSON: shared by the commands and the dashboard."""
