"""Rich notifications made and read by code that shares nothing with the service or the sandbox."""
