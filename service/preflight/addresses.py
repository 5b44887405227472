"""Which addresses a name has, and whether the internet could reach them."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

from service.preflight.finding import Finding, fault, ok, warning

_SUBJECT: Final = "DNS of public URL"


async def find_addresses(host: str, port: int, *, timeout_s: float) -> tuple[str, ...]:
    """Give the addresses of a name, each once, in order; none where it is not known or nobody answers."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(sorted({str(address[0]) for *_, address in found}))


def judge_addresses(addresses: Sequence[str], *, is_local: bool) -> Finding:
    """Judge what a name leads to.

    Args:
        is_local: who calls us is on this machine too.
    """
    listed = ", ".join(addresses)
    if not addresses:
        return fault(
            _SUBJECT, "the host name is not known", "Correct PUBLIC_URL, or make the DNS entry of its host."
        )
    if is_local or any(ipaddress.ip_address(one.partition("%")[0]).is_global for one in addresses):
        return ok(_SUBJECT, listed)
    return warning(
        _SUBJECT,
        f"leads to {listed}, which is not reachable from the internet",
        "Make sure that the name has a public address outside, for Graph resolves it there.",
    )
