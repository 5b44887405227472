"""Will the certificate that signs us in be good tomorrow? Reads one file; of a secret nobody can tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from service.preflight.finding import Finding, fault, ok, warning

_SUBJECT: Final = "client certificate"
_SOON: Final = timedelta(days=30)


def check_client_certificate(file: Path, *, now: datetime) -> Finding:
    """Look at the certificate of CLIENT_CERTIFICATE_FILE.

    Args:
        now: UTC.
    """
    try:
        certificate = x509.load_pem_x509_certificates(file.read_bytes())[0]
    except (OSError, ValueError, IndexError) as error:
        return fault(
            _SUBJECT,
            f"cannot be read: {type(error).__name__}",
            "Let CLIENT_CERTIFICATE_FILE name a PEM file with the private key and its certificate.",
        )
    return judge_certificate(_SUBJECT, certificate.not_valid_before_utc, certificate.not_valid_after_utc, now)


def judge_certificate(subject: str, begins: datetime, ends: datetime, now: datetime) -> Finding:
    """Judge a certificate of ours by its dates, all UTC."""
    if now < begins:
        return fault(
            subject,
            f"is not valid before {begins:%Y-%m-%d}",
            "Set this machine's clock, or wait until then.",
        )
    if now >= ends:
        return fault(
            subject,
            f"ended on {ends:%Y-%m-%d}",
            "Make a new certificate, upload its public half to the application, and replace the file.",
        )
    if ends - now < _SOON:
        return warning(
            subject,
            f"ends on {ends:%Y-%m-%d}",
            "Make a new certificate and upload its public half beside this one before it ends.",
        )
    return ok(subject, f"good until {ends:%Y-%m-%d}")
