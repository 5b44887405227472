"""The roles web, worker and keeper as things that run until told to stop and say whether they are ready."""
