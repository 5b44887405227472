"""Does PUBLIC_URL lead to us? The handshake is made through it, as Graph would make it.

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation
"""

from __future__ import annotations

import secrets
import ssl
from typing import Final
from urllib.parse import quote

import aiohttp

from service.intake.client_state import NOTIFICATIONS_PATH
from service.preflight.finding import Finding, fault, ok

_SUBJECT: Final = "public URL"
_ANSWER_CHARS_MAX: Final = 4096


async def check_public_url(public_url: str, trust: ssl.SSLContext, *, timeout_s: float) -> Finding:
    """Make a handshake through the public URL.

    Args:
        timeout_s: Graph waits 10 s.
    """
    token = f"Validation: preflight of {secrets.token_hex(8)} <&+%"
    url = f"{public_url}{NOTIFICATIONS_PATH}?validationToken={quote(token, safe='')}"
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        trust_env=False,
    )
    try:
        async with session, session.post(url, allow_redirects=False) as answer:
            body = (await answer.content.read(_ANSWER_CHARS_MAX)).decode("utf-8", "replace")
            return _judge(answer.status, answer.content_type, body, token)
    except (aiohttp.ClientError, TimeoutError, ssl.SSLError, ValueError) as error:
        return _explain(error)


def _judge(status: int, content_type: str, body: str, token: str) -> Finding:
    if status != 200:
        return fault(
            _SUBJECT,
            f"the handshake was answered with {status}",
            "Let the way to PUBLIC_URL lead to the role web, path and query unchanged and without sign-in.",
        )
    if body != token or content_type != "text/plain":
        return fault(
            _SUBJECT,
            "the handshake was answered, but not by us",
            "Let PUBLIC_URL lead to the role web; something in between answers, or changes the query.",
        )
    return ok(_SUBJECT, "the handshake came back")


def _explain(error: Exception) -> Finding:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return fault(
                _SUBJECT,
                f"the certificate is not trusted: {error.certificate_error}",
                "Use a certificate of a public CA with its whole chain; a private CA goes into CA_BUNDLE.",
            )
        case aiohttp.ClientConnectorDNSError():
            return fault(_SUBJECT, "the host name is not known", "Check PUBLIC_URL and its DNS entry.")
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return fault(
                _SUBJECT, f"no TLS connection: {error}", "Let PUBLIC_URL be served by TLS 1.2 or later."
            )
        case TimeoutError():
            return fault(_SUBJECT, "no answer in time", "Graph waits 10 s: start web, open the way to it.")
        case _:
            return fault(
                _SUBJECT, f"cannot be reached: {error}", "Start the role web, and open the way to it."
            )
