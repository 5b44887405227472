"""Notifications that carry the item itself, encrypted: keys, decryption, and what vouches for them."""
