"""The commands of `response-sync`, one module per subject; `service/cli.py` lists them."""
