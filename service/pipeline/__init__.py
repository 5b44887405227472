"""From one entry of the intake stream to a commit."""
