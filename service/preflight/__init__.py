"""The preflight: what must be so before the service can work, each fault with its remedy. Changes nothing."""
