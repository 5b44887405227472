"""What the demo's processes are told: free ports, and settings of their own in a bare environment."""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.demo.story import Persona
from service.settings import read_bare_environment

STREAM: Final = "responses"
ROLES: Final = ("web", "worker", "keeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFound:
    """The sandbox's ready line.

    Attributes:
        people: by first name in lower case.
    """

    graph_url: str
    authority_url: str
    ca_bundle: str
    tenant_id: str
    client_id: str
    client_secret: str
    control_url: str
    people: Mapping[str, Persona]


def parse_ready_line(line: str) -> SandboxFound:
    """Read the line with which the sandbox says that it is ready."""
    ready: dict[str, Any] = json.loads(line)
    people = {
        key: Persona(name=who["name"], address=who["address"], token=who["token"])
        for key, who in ready.pop("personas").items()
    }
    return SandboxFound(people=people, **ready)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Free ports of this machine."""

    public: int
    admin: Mapping[str, int]


def choose_ports() -> Ports:
    """Choose ports that are free now; all are held until each is known, so that they differ."""
    with ExitStack() as stack:
        found = []
        for _ in range(len(ROLES) + 1):
            probe = stack.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(int(probe.getsockname()[1]))
    return Ports(public=found[0], admin=dict(zip(ROLES, found[1:], strict=True)))


def build_settings(
    sandbox: SandboxFound, *, redis_url: str, ports: Ports, certificates: Path, owners_file: Path
) -> dict[str, str]:
    """Give the settings that all three roles share."""
    return {
        "REDIS_URL": redis_url,
        "HOST": "127.0.0.1",
        "PORT": str(ports.public),
        "RESPONSE_SYNC_TENANT_ID": sandbox.tenant_id,
        "RESPONSE_SYNC_CLIENT_ID": sandbox.client_id,
        "RESPONSE_SYNC_CLIENT_SECRET": sandbox.client_secret,
        "RESPONSE_SYNC_GRAPH_URL": sandbox.graph_url,
        "RESPONSE_SYNC_AUTHORITY_URL": sandbox.authority_url,
        "RESPONSE_SYNC_CA_BUNDLE": sandbox.ca_bundle,
        "RESPONSE_SYNC_PUBLIC_URL": f"https://localhost:{ports.public}",
        "RESPONSE_SYNC_TLS_CERT_FILE": str(certificates / "cert.pem"),
        "RESPONSE_SYNC_TLS_KEY_FILE": str(certificates / "key.pem"),
        "RESPONSE_SYNC_SECRET_KEY": secrets.token_hex(32),
        "RESPONSE_SYNC_OWNERS_FILE": str(owners_file),
        "RESPONSE_SYNC_STREAM": STREAM,
        "RESPONSE_SYNC_DEPLOYMENT": "demo",
        "RESPONSE_SYNC_LOG_FORMAT": "json",
    }


def build_environment(settings: Mapping[str, str], *, admin_port: int) -> dict[str, str]:
    """Give the whole environment of one role."""
    return {**read_bare_environment(), **settings, "RESPONSE_SYNC_ADMIN_PORT": str(admin_port)}
