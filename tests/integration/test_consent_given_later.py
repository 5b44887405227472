"""Consent that an administrator gives while the service runs: no restart, no waiting for the token's end."""

from __future__ import annotations

from datetime import UTC, datetime

import aiohttp
import pytest

from service.bootstrap.graph_side import Graph, open_graph
from service.errors import AccessError
from service.metrics import Metrics
from service.reconcile.model import MailboxKey
from service.settings import Scope, read_settings
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.surroundings import Surroundings, wait_for

ROLES = ["Calendars.Read", "Mail.Read", "MailboxSettings.Read", "User.Read.All"]
ALWAYS_S, NEVER_S = 0.001, 3600.0


@pytest.mark.parametrize("pause_s", [ALWAYS_S, NEVER_S])
async def test_consent_is_taken_up_unless_the_token_is_a_new_one(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    for name, value in surroundings.settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RESPONSE_SYNC_TOKEN_DENIED_PAUSE_S", str(pause_s))
    settings = read_settings(Scope.SERVICE)
    adele = MailboxKey(surroundings.sandbox.ready.personas["adele"].id)
    async with aiohttp.ClientSession(connector=trust(surroundings.sandbox), trust_env=False) as session:
        asking = await Asking.prepare(surroundings.sandbox, session)
        async with open_graph(settings, Metrics()) as graph:
            await asking.control("/application", {"roles": [one for one in ROLES if one != "Mail.Read"]})
            with pytest.raises(AccessError):
                await read_inbox(graph, adele)
            await asking.control("/application", {"roles": ROLES})
            if pause_s == NEVER_S:
                with pytest.raises(AccessError):
                    await read_inbox(graph, adele)
            else:
                await read_inbox(graph, adele)


async def read_inbox(graph: Graph, mailbox: MailboxKey) -> None:
    await graph.delta.start_inbox(mailbox, received_since=datetime.now(UTC))


async def test_a_running_service_takes_consent_up_as_soon_as_an_operator_asks(
    surroundings: Surroundings,
) -> None:
    async with aiohttp.ClientSession(connector=trust(surroundings.sandbox), trust_env=False) as session:
        asking = await Asking.prepare(surroundings.sandbox, session)
        await asking.control("/application", {"roles": [one for one in ROLES if one != "Mail.Read"]})
        async with surroundings.running("serve", RESPONSE_SYNC_TOKEN_DENIED_PAUSE_S=str(NEVER_S)):
            await wait_for(surroundings.is_ready)  # what is faulty holds nobody up
            await asking.control("/application", {"roles": ROLES})

            async def is_read() -> bool:  # a token that came just now is not renewed
                return (await surroundings.run("resync"))[0] == 0

            await wait_for(is_read)
