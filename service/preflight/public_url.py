"""Does PUBLIC_URL lead to us? Name, certificate, handshake and notification are tried.

What is seen from here need not be what Graph sees: a name may have another address inside than outside.

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

import aiohttp

from service.intake.client_state import LIFECYCLE_PATH, NOTIFICATIONS_PATH
from service.preflight.addresses import find_addresses, judge_addresses
from service.preflight.certificate import check_certificate
from service.preflight.finding import Finding, State, fault, ok

_SUBJECT: Final = "public URL"
_ANSWER_CHARS_MAX: Final = 4096
_PORTS: Final = {"https": 443, "http": 80}
_LEAD: Final = "Let the way to PUBLIC_URL lead to the role web, path and query unchanged and without sign-in."
_EMPTY: Final = b'{"value": []}'


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicUrl:
    """Where Graph is to reach us, and how it is tried.

    Attributes:
        trust: which certificates are believed.
        graph_trust: what Graph believes, where that is known to be less: without CA_BUNDLE.
        is_local: Graph is a sandbox on this machine, so an address that only we can reach is right.
        timeout_s: for each step; Graph waits 10 s.
    """

    url: str
    trust: ssl.SSLContext
    graph_trust: ssl.SSLContext | None = None
    is_local: bool = False
    timeout_s: float = 10.0


async def check_public_url(public: PublicUrl) -> AsyncIterator[Finding]:
    """Look at name, certificate and both routes; stops where nothing further can succeed."""
    parts = urlsplit(public.url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    addresses = await find_addresses(host, port, timeout_s=public.timeout_s)
    yield judge_addresses(addresses, is_local=public.is_local)
    if not addresses:
        return
    if parts.scheme == "https":
        certificate = await check_certificate(
            host, port, trust=public.trust, graph_trust=public.graph_trust, timeout_s=public.timeout_s
        )
        if certificate is not None:
            yield certificate
            if certificate.state is State.FAULT:
                return
    async for finding in _try_routes(public):
        yield finding


async def _try_routes(public: PublicUrl) -> AsyncIterator[Finding]:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=public.trust),
        timeout=aiohttp.ClientTimeout(total=public.timeout_s),
        trust_env=False,
    )
    async with session:
        finding = await _shake_hands(session, f"{public.url}{NOTIFICATIONS_PATH}", _SUBJECT)
        yield finding
        if finding.state is State.FAULT:
            return
        yield await _shake_hands(session, f"{public.url}{LIFECYCLE_PATH}", f"{_SUBJECT}, lifecycle")
        yield await _notify(session, f"{public.url}{NOTIFICATIONS_PATH}")


async def _shake_hands(session: aiohttp.ClientSession, url: str, subject: str) -> Finding:
    token = f"Validation: preflight of {secrets.token_hex(8)} <&+%"
    try:
        async with session.post(
            f"{url}?validationToken={quote(token, safe='')}", allow_redirects=False
        ) as answer:
            body = (await answer.content.read(_ANSWER_CHARS_MAX)).decode("utf-8", "replace")
            return _judge_handshake(subject, answer.status, answer.content_type, body, token)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _explain(subject, error)


async def _notify(session: aiohttp.ClientSession, url: str) -> Finding:
    """Post a collection without items, which stores nothing: some firewalls let no body through."""
    subject = f"{_SUBJECT}, notification"
    headers = {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=_EMPTY, headers=headers, allow_redirects=False) as answer:
            if answer.status == 202:
                return ok(subject, "was taken")
            return fault(
                subject,
                f"an empty notification was answered with {answer.status}",
                "Let what stands before the role web pass POST with a JSON body, unchanged.",
            )
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return _explain(subject, error)


def _judge_handshake(subject: str, status: int, content_type: str, body: str, token: str) -> Finding:
    if status != 200:
        return fault(subject, f"the handshake was answered with {status}", _LEAD)
    if body != token or content_type != "text/plain":
        return fault(
            subject,
            "the handshake was answered, but not by us",
            "Let PUBLIC_URL lead to the role web, with nothing in between that answers or changes the query.",
        )
    return ok(subject, "the handshake came back")


def _explain(subject: str, error: Exception) -> Finding:
    match error:
        case TimeoutError():
            return fault(
                subject, "no answer in time", "Start the role web, and open the way to it within 10 s."
            )
        case _:
            return fault(
                subject, f"cannot be reached: {error}", "Start the role web, and open the way to it."
            )
