"""The chain behind PUBLIC_URL, with real servers that have something wrong with theirs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from service.preflight.certificate import check_certificate
from service.preflight.finding import Finding, State

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
TRUSTED = trustme.CA()


def trust(*authorities: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for authority in authorities:
        authority.configure_trust(context)
    return context


@asynccontextmanager
async def serving(leaf: trustme.LeafCert, *, whole_chain: bool = True) -> AsyncIterator[int]:
    """Serve a certificate; gives the port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if whole_chain:
        leaf.configure_cert(context)
    else:
        with leaf.cert_chain_pems[0].tempfile() as chain, leaf.private_key_pem.tempfile() as key:
            context.load_cert_chain(chain, key)

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await server.wait_closed()


async def look(
    port: int, *, host: str = "127.0.0.1", graph_trust: ssl.SSLContext | None = None
) -> Finding | None:
    return await check_certificate(host, port, trust=trust(TRUSTED), graph_trust=graph_trust, timeout_s=20)


async def test_a_whole_chain_of_a_trusted_ca_is_well() -> None:
    leaf = TRUSTED.create_child_ca().issue_cert("127.0.0.1", not_after=NOW + 90 * DAY)
    async with serving(leaf) as port:
        finding = await look(port)
    assert finding is not None
    assert finding.state is State.OK, finding
    assert "TLSv1" in finding.detail


async def test_a_certificate_that_ends_soon_is_told() -> None:
    async with serving(TRUSTED.issue_cert("127.0.0.1", not_after=NOW + 3 * DAY)) as port:
        finding = await look(port)
    assert finding is not None
    assert finding.state is State.WARNING, finding


@pytest.mark.parametrize(
    ("leaf", "whole_chain", "words", "remedy"),
    [
        (trustme.CA().issue_cert("127.0.0.1"), True, "", "public CA"),
        (TRUSTED.create_child_ca().issue_cert("127.0.0.1"), False, "unable to", "its whole chain"),
        (
            TRUSTED.issue_cert("127.0.0.1", not_before=NOW - 9 * DAY, not_after=NOW - DAY),
            True,
            "expired",
            "Renew the certificate",
        ),
        (TRUSTED.issue_cert("elsewhere.example"), True, "mismatch", "names the host of PUBLIC_URL"),
    ],
    ids=["unknown ca", "intermediate missing", "expired", "another host"],
)
async def test_each_fault_of_a_chain_has_its_own_remedy(
    leaf: trustme.LeafCert, whole_chain: bool, words: str, remedy: str
) -> None:
    async with serving(leaf, whole_chain=whole_chain) as port:
        finding = await look(port)
    assert finding is not None
    assert finding.state is State.FAULT
    assert words in finding.detail
    assert remedy in finding.remedy


async def test_a_chain_that_only_ca_bundle_makes_good_is_told_because_graph_has_none() -> None:
    async with serving(TRUSTED.issue_cert("127.0.0.1", not_after=NOW + 90 * DAY)) as port:
        finding = await look(port, graph_trust=trust())
    assert finding is not None
    assert (finding.state, "CA_BUNDLE" in finding.detail) == (State.WARNING, True)


async def test_what_speaks_no_tls_is_told_and_what_does_not_listen_is_left_to_the_handshake() -> None:
    async def talk_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk_plainly, "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    finding = await look(port)
    assert finding is not None
    assert "no TLS connection" in finding.detail
    server.close()
    await server.wait_closed()
    assert await look(port) is None
