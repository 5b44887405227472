"""The one application registered in the sandbox's tenant: its credentials, what it was granted. No I/O."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import serialization

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
GRAPH_ROOTS = (
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
)
"""Audiences of Graph by cloud. Source: https://learn.microsoft.com/graph/deployments"""

APPLICATION_ROLES = frozenset({
    "Calendars.Read",
    "Calendars.ReadWrite",
    "Mail.Read",
    "Mail.ReadWrite",
    "Mail.Send",
    "MailboxSettings.Read",
    "MailboxSettings.ReadWrite",
    "User.Read.All",
})  # fmt: skip
DELEGATED_SCOPES = frozenset({
    "Calendars.Read",
    "Calendars.Read.Shared",
    "Calendars.ReadWrite",
    "Calendars.ReadWrite.Shared",
    "Mail.Read",
    "Mail.Read.Shared",
    "Mail.ReadWrite",
    "Mail.ReadWrite.Shared",
    "Mail.Send",
    "Mail.Send.Shared",
    "MailboxSettings.Read",
    "MailboxSettings.ReadWrite",
    "User.Read",
    "User.ReadBasic.All",
})  # fmt: skip
KNOWN_PERMISSIONS = (
    APPLICATION_ROLES | DELEGATED_SCOPES | {"Mail.ReadBasic", "Mail.ReadBasic.All", "User.Read.All"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedCredential:
    """Whose assertions are taken in place of a secret.

    Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation
    """

    issuer: str
    subject: str
    audience: str = "api://AzureADTokenExchange"


@dataclass(slots=True, kw_only=True)
class Application:
    """An app registration with its service principal; changed by the control API only.

    Attributes:
        roles: application permissions that an administrator consented to.
        scopes: delegated permissions that were consented to.
        certificates: registered certificates by their SHA-1 and by their SHA-256 thumbprint, base64url.
        denied_mailboxes: object ids of mailboxes that an application access policy keeps from it.
    """

    app_id: str
    object_id: str
    secret: str
    roles: frozenset[str] = APPLICATION_ROLES
    scopes: frozenset[str] = DELEGATED_SCOPES
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    federated: list[FederatedCredential] = field(default_factory=list)
    denied_mailboxes: frozenset[str] = frozenset()

    def register(self, certificate: x509.Certificate) -> None:
        """Take assertions signed with the key of this certificate."""
        der = certificate.public_bytes(serialization.Encoding.DER)
        for digest in (hashlib.sha1(der, usedforsecurity=False).digest(), hashlib.sha256(der).digest()):
            self.certificates[urlsafe_b64encode(digest).rstrip(b"=").decode()] = certificate
