"""Who this process is, and the keys that are derived from its secret."""

from __future__ import annotations

import os
import secrets
import socket

from service.intake.client_state import ClientStateKeys, derive_client_state_keys
from service.settings import Settings


def derive_keys(settings: Settings) -> ClientStateKeys:
    """Derive what client states are made with, and those of former keys that are still honoured."""
    return derive_client_state_keys(list_secret_keys(settings), settings.deployment)


def list_secret_keys(settings: Settings) -> list[str]:
    """Give SECRET_KEY, then its former values that are still honoured."""
    former = settings.former_secret_keys.get_secret_value().split()
    return [settings.secret_key.get_secret_value(), *former]


def name_process() -> str:
    """Name this process so that no other has the name, and a person can find it."""
    return f"{socket.gethostname()[:60]}-{os.getpid()}-{secrets.token_hex(4)}"
