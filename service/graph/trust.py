"""Which certificates are believed when we call Graph and Entra ID."""

from __future__ import annotations

import ssl
from pathlib import Path

import certifi

from service.errors import ConfigError


def build_trust(ca_bundle: Path | None = None) -> ssl.SSLContext:
    """Give a context that believes the system, the bundle that comes with `certifi`, and the given one.

    A slim image may have no certificates of its own, hence `certifi`.

    Args:
        ca_bundle: PEM file; adds to what is believed anyhow.

    Raises:
        ConfigError: the file cannot be read.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca_bundle is not None:
        try:
            context.load_verify_locations(ca_bundle)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or type(error).__name__
            raise ConfigError([f"CA_BUNDLE: {ca_bundle} is no readable PEM file ({reason})"]) from error
    return context
