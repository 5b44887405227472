"""People who let the service read their own mailbox: who they are, their sealed tokens, when those end."""
