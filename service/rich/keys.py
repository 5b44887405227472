"""Keys for resource data: a PEM file each, with an RSA key and its self-signed certificate. Blocking.

A private key is never logged, never put into an error, and leaves this process in no other way than into a
file of mode 0600. Of a certificate Graph looks at the public key alone: issuer and dates do not matter.

Source: https://learn.microsoft.com/graph/change-notifications-with-resource-data#managing-encryption-keys
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from service.errors import ConfigError
from service.pem import list_blocks

BITS: Final = range(2048, 4097)
"""What Graph takes."""
PATTERN: Final = "*.pem"
_FILE_BYTES_MAX: Final = 65_536
_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKey:
    """A key pair with its certificate.

    Attributes:
        id: `encryptionCertificateId`: derived from the certificate, so that every process gives it the same.
        encoded: `encryptionCertificate`: base64 of DER.
        thumbprint: SHA-1 of the certificate, hex in capitals.
        made_at: when the certificate begins to be valid, UTC.
    """

    id: str
    file: Path
    encoded: str
    thumbprint: str
    made_at: datetime
    private_key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def bits(self) -> int:
        """Give the length of the RSA key."""
        return self.private_key.key_size


def split_places(setting: str) -> tuple[Path, ...]:
    """Give the files and directories that ENCRYPTION_KEY_FILE names, separated by commas."""
    return tuple(Path(part.strip()) for part in setting.split(",") if part.strip())


def list_key_files(places: Sequence[Path]) -> list[Path]:
    """Give the files in the order of the setting; of a directory its `*.pem`."""
    files: list[Path] = []
    for place in places:
        files += sorted(place.glob(PATTERN)) if place.is_dir() else [place]
    return files


def read_key_file(file: Path) -> EncryptionKey:
    """Read a key with its certificate; other certificates in the file are passed over.

    Raises:
        ConfigError: the file cannot be read, or does not hold what it should.
    """
    try:
        with file.open(encoding="ascii") as opened:
            text = opened.read(_FILE_BYTES_MAX)
        return _build(text, file)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm, StopIteration, IndexError) as error:
        reason = getattr(error, "strerror", None) or "no RSA key of 2048 to 4096 bits with its certificate"
        sentence = (
            f"RESPONSE_SYNC_ENCRYPTION_KEY_FILE: {file} cannot be used ({reason}): "
            "put a private key without passphrase and its certificate there; `response-sync keys new` does."
        )
        raise ConfigError([sentence]) from error


def _build(text: str, file: Path) -> EncryptionKey:
    blocks = [(label, block.encode()) for label, block in list_blocks(text)]
    private_key = load_pem_private_key(
        next(block for label, block in blocks if label.endswith("PRIVATE KEY")), password=None
    )
    if not isinstance(private_key, rsa.RSAPrivateKey) or private_key.key_size not in BITS:
        raise ValueError("no RSA key that Graph takes")
    certificates = [
        x509.load_pem_x509_certificate(block) for label, block in blocks if label == "CERTIFICATE"
    ]
    own = next(one for one in certificates if one.public_key() == private_key.public_key())
    return _describe(private_key, own, file)


def _describe(private_key: rsa.RSAPrivateKey, certificate: x509.Certificate, file: Path) -> EncryptionKey:
    der = certificate.public_bytes(Encoding.DER)
    return EncryptionKey(
        id=hashlib.sha256(der).hexdigest()[:_ID_DIGITS],
        file=file,
        encoded=b64encode(der).decode(),
        thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
        made_at=certificate.not_valid_before_utc,
        private_key=private_key,
    )


def make_key_file(directory: Path, *, now: datetime, bits: int, days: int) -> EncryptionKey:
    """Make a key with a self-signed certificate, in a file of its own that nobody else may read.

    The file appears whole or not at all, so that a service that looks into the directory never reads half.

    Raises:
        OSError: it cannot be written.
    """
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    certificate = _certify(private_key, now=now, days=days)
    key = _describe(private_key, certificate, directory)
    file = directory / f"{now:%Y%m%dT%H%M%S}-{key.id[:8]}.pem"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(file, _encode_private(private_key) + certificate.public_bytes(Encoding.PEM))
    return _describe(private_key, certificate, file)


def _certify(private_key: rsa.RSAPrivateKey, *, now: datetime, days: int) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graph-response-sync resource data")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days))
        .sign(private_key, SHA256())
    )


def _encode_private(private_key: rsa.RSAPrivateKey) -> bytes:
    return private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(file: Path, content: bytes) -> None:
    unfinished = file.with_suffix(".unfinished")
    with suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    unfinished.rename(file)
