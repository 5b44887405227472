"""What `service.consumer` offers, in parts: reading as a group, what was seen already, and the fold."""
