"""The public side: from the bytes of a request to entries of the intake stream."""
