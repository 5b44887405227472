"""Redis: every key, every atomic step. Moves flat text fields and understands none of them."""
