"""How a sandbox is started, and what it says once it is ready. Values only."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.sandbox.keys import KeyRing
from service.sandbox.outbox import OutboxLimits
from service.sandbox.rich import TokenVersion
from service.sandbox.wire import SandboxClock


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Everything that may be chosen; the defaults are a sandbox for one machine.

    Attributes:
        host: where to listen; the default is loopback in both families.
        port: 0 for a free one.
        name: host name in the URLs that are handed out.
        more_names: further names and addresses in the certificate.
        ready_file: where the ready line is written as well.
        env_file: where the settings of the service are written.
        ca_file: where the authority's certificate is written; None for a private folder that goes at the end.
        trust_file: PEM with further authorities that are trusted when webhooks are called.
        webhook_certificate_folder: where a certificate for a webhook on this machine is written.
        tenant_id, client_id, client_secret: random unless given.
        seed: the same seed gives the same ids and the same faults.
        token_lifetime_s: of access tokens.
        persona_token_lifetime_s: of the tokens in the ready line; long, so that tests may move the clock.
        validation_token_version: of the tokens beside resource data; None for either.
        latency_s: how long a request to Graph takes; above 0 the limit of 4 at a time per mailbox can be met.
        outbox: bounds and waits of the delivery.
        keys: signing keys to use; new ones unless given.
        clock: what the sandbox takes for now; the machine's unless given.
    """

    host: str = ""
    port: int = 0
    name: str = "localhost"
    more_names: tuple[str, ...] = ()
    ready_file: Path | None = None
    env_file: Path | None = None
    ca_file: Path | None = None
    trust_file: Path | None = None
    webhook_certificate_folder: Path | None = None
    tenant_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    client_secret: str = field(default_factory=lambda: f"s~{uuid.uuid4().hex}")
    seed: int | None = None
    token_lifetime_s: int = 3600
    persona_token_lifetime_s: int = 365 * 86_400
    validation_token_version: TokenVersion | None = None
    latency_s: float = 0.0
    outbox: OutboxLimits = field(default_factory=OutboxLimits)
    keys: KeyRing | None = None
    clock: SandboxClock | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPersona:
    """Somebody whose calendar and mail can be used at once."""

    id: str
    name: str
    address: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyLine:
    """What a program outside needs to use the sandbox; the members are those of design section 2.5."""

    graph_url: str
    authority_url: str
    ca_bundle: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    personas: dict[str, ReadyPersona]
    control_url: str

    def to_json(self) -> str:
        """Give the one line of JSON."""
        personas = {
            key: {"id": who.id, "name": who.name, "address": who.address, "token": who.token}
            for key, who in self.personas.items()
        }
        members: dict[str, Any] = {
            "graph_url": self.graph_url,
            "authority_url": self.authority_url,
            "ca_bundle": self.ca_bundle,
            "tenant_id": self.tenant_id,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "personas": personas,
            "control_url": self.control_url,
        }
        return json.dumps(members)

    def to_env(self) -> str:
        """Give the settings by which the service finds the sandbox, one a line."""
        settings = {
            "RESPONSE_SYNC_TENANT_ID": self.tenant_id,
            "RESPONSE_SYNC_CLIENT_ID": self.client_id,
            "RESPONSE_SYNC_CLIENT_SECRET": self.client_secret,
            "RESPONSE_SYNC_GRAPH_URL": self.graph_url,
            "RESPONSE_SYNC_AUTHORITY_URL": self.authority_url,
            "RESPONSE_SYNC_CA_BUNDLE": self.ca_bundle,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())
