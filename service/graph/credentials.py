"""How the application proves who it is, as MSAL wants it. Blocking: never on the event loop.

Nothing here is printed: a credential's `repr` holds no secret.

Source: https://learn.microsoft.com/entra/msal/python/
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, assert_never

import certifi
import msal  # type: ignore[import-untyped]
import requests
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from requests.adapters import HTTPAdapter
from yarl import URL

from service.errors import TokenError
from service.pem import list_blocks

CAPABILITIES: Final = ["CP1"]
"""We honour claims challenges. Source: https://learn.microsoft.com/entra/identity-platform/claims-challenge"""

_MICROSOFT_HOSTS: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.chinacloudapi.cn",
        "login.partner.microsoftonline.cn",
        "login.microsoft.com",
        "login.windows.net",
    }
)


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """The value of a client secret."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientSecretFile:
    """A file with the client secret; read anew whenever Entra ID refused what it held."""

    file: Path


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A PEM file with the private key and its certificate; read anew whenever Entra ID refused it."""

    file: Path


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """A file with a token of another issuer, replaced there before it expires; read at each acquisition.

    Source: https://learn.microsoft.com/entra/workload-id/workload-identity-federation
    """

    file: Path


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity of the Azure resource we run on; without a client id the system-assigned one."""

    client_id: str = ""


Credential = ClientSecret | ClientSecretFile | ClientCertificate | FederatedToken | ManagedIdentity
Acquire = Callable[[str], Mapping[str, object]]
"""Asks for a token that satisfies these claims (JSON text, or empty) and gives MSAL's result. Blocking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The application as Entra ID knows it.

    Attributes:
        authority: ends in the tenant, such as `https://login.microsoftonline.com/{tenant}`.
        resource: whose tokens are wanted, such as `https://graph.microsoft.com`.
    """

    authority: str
    client_id: str
    resource: str
    credential: Credential


def build_acquire(registration: Registration, session: requests.Session) -> Acquire:
    """Build MSAL's application; asks the authority for its endpoints. Blocking.

    Raises:
        TokenError: the credential cannot be read.
        ValueError, LookupError, requests.RequestException, MsalServiceError: as MSAL raises them.
    """
    credential = registration.credential
    if isinstance(credential, ManagedIdentity):
        return _build_managed_identity(credential, registration.resource, session)
    application = msal.ConfidentialClientApplication(
        registration.client_id,
        authority=registration.authority,
        client_credential=_build_client_credential(credential),
        client_capabilities=CAPABILITIES,
        instance_discovery=choose_discovery(registration.authority),
        http_client=session,
    )
    scopes = [f"{registration.resource.rstrip('/')}/.default"]

    def acquire(claims: str) -> Mapping[str, object]:
        result: Mapping[str, object] = application.acquire_token_for_client(
            scopes, claims_challenge=claims or None
        )
        return result

    return acquire


def choose_discovery(authority: str) -> bool | None:
    """Say whether MSAL may ask Microsoft about a host: its own are known, and any other is none of theirs."""
    return None if URL(authority).host in _MICROSOFT_HOSTS else False


class TokenSession(requests.Session):
    """The HTTP session that MSAL uses.

    MSAL itself sets no timeout, and `requests` lets the environment override what a session trusts: both
    are passed with each request. A .netrc is not looked at.

    Args:
        trust: which certificates are believed.
        timeout_s: for the connection, and for each wait for bytes.
        uses_proxy_environment: go through the proxy that HTTPS_PROXY names.
    """

    def __init__(
        self, *, trust: ssl.SSLContext, timeout_s: float, uses_proxy_environment: bool = False
    ) -> None:
        super().__init__()
        self._timeout_s = timeout_s
        self.trust_env = uses_proxy_environment
        self.auth = _no_authentication
        self.mount("https://", _TrustAdapter(trust))

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send a request as `requests` does, with our trust and timeout."""
        options["verify"] = certifi.where()  # a path: anything else gives way to REQUESTS_CA_BUNDLE
        options["timeout"] = self._timeout_s
        return super().request(*args, **options)


class _TrustAdapter(HTTPAdapter):
    def __init__(self, trust: ssl.SSLContext) -> None:
        self._trust = trust
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._trust, **options)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._trust, **options)


def _no_authentication(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _build_managed_identity(identity: ManagedIdentity, resource: str, session: requests.Session) -> Acquire:
    named = msal.UserAssignedManagedIdentity(client_id=identity.client_id) if identity.client_id else None
    client = msal.ManagedIdentityClient(
        named or msal.SystemAssignedManagedIdentity(),
        http_client=session,
        client_capabilities=CAPABILITIES,
    )

    def acquire(claims: str) -> Mapping[str, object]:
        result: Mapping[str, object] = client.acquire_token_for_client(
            resource=resource, claims_challenge=claims or None
        )
        return result

    return acquire


def _build_client_credential(
    credential: ClientSecret | ClientSecretFile | ClientCertificate | FederatedToken,
) -> Any:
    match credential:
        case ClientSecret():
            return credential.value
        case ClientSecretFile():
            return _read_text(credential.file, "CLIENT_SECRET_FILE").rstrip("\r\n")
        case ClientCertificate():
            return _read_certificate(credential.file)
        case FederatedToken():
            return {"client_assertion": lambda: _read_text(credential.file, "FEDERATED_TOKEN_FILE").strip()}
        case _:
            assert_never(credential)


def _read_certificate(file: Path) -> dict[str, str]:
    """Read key and certificates from a PEM file; the certificate of the key comes first.

    Raises:
        TokenError: the file holds no key, or no certificate of that key.
    """
    text = _read_text(file, "CLIENT_CERTIFICATE_FILE")
    blocks = list_blocks(text)
    keys = [block for label, block in blocks if label.endswith("PRIVATE KEY")]
    chain = [block for label, block in blocks if label == "CERTIFICATE"]
    try:
        public = _public_half(keys[0])
        own = next(one for one in chain if _certified_key(one) == public)
    except (IndexError, StopIteration, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _build_credential_error(
            f"{file.name} holds no key with its certificate ({type(error).__name__})",
            "Put a private key without passphrase and its certificate into CLIENT_CERTIFICATE_FILE, as PEM.",
        ) from error
    rest = [one for one in chain if one is not own]
    return {"private_key": keys[0], "public_certificate": "\n".join([own, *rest])}


def _public_half(key: str) -> bytes:
    public = load_pem_private_key(key.encode(), password=None).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _certified_key(certificate: str) -> bytes:
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read_text(file: Path, setting: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise _build_credential_error(
            f"{file.name} cannot be read ({reason})",
            f"Check that the file of {setting} is there and readable.",
        ) from error


def _build_credential_error(message: str, remedy: str) -> TokenError:
    return TokenError(message, code="credential", remedy=remedy, is_permanent=True)
