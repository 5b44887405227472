"""The throwaway certificate authority of the sandbox, and the certificates that it issues.

Must never write the authority's private key to disk: whoever trusts its certificate trusts this process only.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
CA_FILE_NAME = "ca.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafFiles:
    """A certificate with its key, as files for a server that terminates TLS."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """Issues certificates for loopback names, valid as long as anybody wants to test."""

    def __init__(self) -> None:
        self._authority = trustme.CA(organization_name="graph-response-sync sandbox")

    def write_certificate(self, path: Path) -> Path:
        """Write the authority's certificate as PEM, and make the folder if need be; give the path."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._authority.cert_pem.bytes())
        return path

    def build_server_context(self, names: Sequence[str] = LOCAL_NAMES) -> ssl.SSLContext:
        """Give a TLS server context with a new certificate for those names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*names).configure_cert(context)
        return context

    def build_client_context(self, trust_file: Path | None = None) -> ssl.SSLContext:
        """Give the context for calling webhooks: the system's trust, this authority, and one more file.

        Args:
            trust_file: PEM with further authorities.

        Raises:
            OSError: there is no such file (named), or no certificate in it.
        """
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        if trust_file is not None:
            context.load_verify_locations(cafile=trust_file.resolve(strict=True))
        return context

    def issue_leaf(self, folder: Path, names: Sequence[str] = LOCAL_NAMES) -> LeafFiles:
        """Write `cert.pem` (with its chain) and `key.pem` (mode 0600) for a webhook on this machine."""
        folder.mkdir(parents=True, exist_ok=True)
        leaf = self._authority.issue_cert(*names)
        files = LeafFiles(certificate=folder / "cert.pem", key=folder / "key.pem")
        files.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        _write_private(files.key, leaf.private_key_pem.bytes())
        return files


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
