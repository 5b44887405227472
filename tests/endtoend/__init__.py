"""The whole service from outside: separate processes, judged by what people did, never by its own rules."""
