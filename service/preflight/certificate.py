"""The certificate behind PUBLIC_URL: is its chain whole and trusted, by us and by Graph, and for how long?

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from typing import Final

from service.preflight.finding import Finding, State, fault, ok, warning

_SUBJECT: Final = "TLS of public URL"
_SOON: Final = timedelta(days=14)
_CHAIN: Final = "Use a certificate of a public CA, and let the server send its whole chain."
_REMEDIES: Final = {
    9: "Set this machine's clock, or install a certificate that is valid already.",
    10: "Renew the certificate, and see why its renewal failed.",
    18: "Use a certificate of a public CA: Graph does not take a self-signed one.",
    19: "Use a certificate of a public CA; that of a private one goes into CA_BUNDLE for a sandbox only.",
    20: _CHAIN,
    21: _CHAIN,
    62: "Use a certificate that names the host of PUBLIC_URL.",
    64: "Use a certificate that names the host of PUBLIC_URL.",
}
"""By OpenSSL's code. Source: https://docs.openssl.org/master/man3/X509_STORE_CTX_get_error/"""


async def check_certificate(
    host: str, port: int, *, trust: ssl.SSLContext, graph_trust: ssl.SSLContext | None, timeout_s: float
) -> Finding | None:
    """Make a TLS connection, and another one as Graph would; None where nothing listens at all.

    Args:
        graph_trust: what Graph believes; None where that is what we believe.
    """
    found = await _connect(host, port, trust, timeout_s)
    if graph_trust is None or found is None or found.state is State.FAULT:
        return found
    as_graph = await _connect(host, port, graph_trust, timeout_s)
    if as_graph is None or as_graph.state is not State.FAULT:
        return found
    return warning(
        _SUBJECT,
        "trusted by CA_BUNDLE alone, of which Graph knows nothing",
        "Use a certificate of a public CA, unless a proxy of yours shows another one outside.",
    )


async def _connect(host: str, port: int, trust: ssl.SSLContext, timeout_s: float) -> Finding | None:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port, ssl=trust)
    except ssl.SSLCertVerificationError as error:
        remedy = _REMEDIES.get(error.verify_code, _CHAIN)
        return fault(_SUBJECT, f"the certificate is not trusted: {error.verify_message}", remedy)
    except ssl.SSLError as error:
        return fault(
            _SUBJECT, f"no TLS connection: {error.reason or error}", "Serve PUBLIC_URL by TLS 1.2 or later."
        )
    except (OSError, TimeoutError):
        return None
    try:
        return _judge(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


def _judge(connection: ssl.SSLObject) -> Finding:
    certificate = connection.getpeercert() or {}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    return judge_end(ends, datetime.now(UTC), connection.version() or "TLS")


def judge_end(ends: datetime, now: datetime, version: str) -> Finding:
    """Judge a trusted certificate by the day on which it ends."""
    detail = f"{version}, the chain is trusted, good until {ends:%Y-%m-%d}"
    if ends - now < _SOON:
        return warning(_SUBJECT, detail, "Renew the certificate, and see why that was not done by itself.")
    return ok(_SUBJECT, detail)
