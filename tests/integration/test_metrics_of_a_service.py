"""Every documented metric, scraped from a running service: real traffic has moved it, or could not."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from service.metrics import Metrics
from service.streams.keys import KeyNames
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.surroundings import DEADLINE_S, Surroundings, wait_for

GAUGES = {family.name for family in Metrics().registry.collect() if family.type == "gauge"}
UNMOVED = {
    "response_sync_answers_skipped_total",  # each answer is told
    "response_sync_commit_conflicts_total",  # two workers at one meeting in the same millisecond
    "response_sync_graph_held_back_total",  # whether a read meets a closed mailbox is chance
    "response_sync_intake_append_failures_total",  # Redis stays
    "response_sync_notifications_forged_total",  # the notifications are not rich
    "response_sync_redis_memory_limit_bytes",  # Redis has no limit
    "response_sync_resource_data_total",  # the notifications are not rich
    "response_sync_sign_in_next_expiry_timestamp_seconds",  # nobody has signed in
}
"""Counters that this traffic does not touch; they are there, at zero or without a label yet."""

Scrape = dict[str, dict[tuple[str, ...], float]]
"""The samples of each metric by their label values; of a histogram its counts."""


async def scrape(surroundings: Surroundings) -> Scrape:
    """Ask the admin listener."""
    url = f"http://127.0.0.1:{surroundings.ports['admin']}/metrics"
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(url) as answer:
        text = await answer.text()
    found: Scrape = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        counted = f"{name}_count" if family.type == "histogram" else name
        found[name] = {
            tuple(sample.labels.values()): sample.value for sample in family.samples if sample.name == counted
        }
    return found


def list_moved(scraped: Scrape) -> set[str]:
    """Give the counters and histograms that counted something, and the gauges that show a number, maybe 0."""
    return {
        name for name, samples in scraped.items() if any(samples.values()) or (samples and name in GAUGES)
    }


async def ask_as(asking: Asking, persona: str, method: str, path: str, body: Any = None) -> Any:
    answer = await asking.graph(method, path, body, token=asking.token_of(persona))
    assert answer.status < 300, answer.body
    return answer.body


async def invite(asking: Asking) -> None:
    """Let Alex invite Christie."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    times = [
        {"dateTime": at.isoformat()[:19], "timeZone": "UTC"} for at in (start, start + timedelta(hours=1))
    ]
    address = asking.sandbox.ready.personas["christie"].address
    attendees = [{"emailAddress": {"address": address}, "type": "required"}]
    event = {"subject": "Plan", "start": times[0], "end": times[1], "attendees": attendees}
    await ask_as(asking, "alex", "POST", "/me/events", event)


async def answer_first(asking: Asking, how: str) -> None:
    """Let Christie answer the one meeting in her calendar."""
    (event,) = (await ask_as(asking, "christie", "GET", "/me/events"))["value"]
    await ask_as(asking, "christie", "POST", f"/me/events/{event['id']}/{how}", {"sendResponse": True})


async def test_every_documented_metric_moves_with_real_traffic(
    surroundings: Surroundings, redis_url: str, prefix: str
) -> None:
    changes = {"RESPONSE_SYNC_SWEEP_INTERVAL_S": "2", "RESPONSE_SYNC_HEARD_INTERVAL_S": "0.5"}
    async with (
        surroundings.running("serve", **changes),
        aiohttp.ClientSession(connector=trust(surroundings.sandbox), trust_env=False) as session,
    ):
        asking = await Asking.prepare(surroundings.sandbox, session)

        async def wait_for_metric(name: str, *labels: str) -> None:
            """Wait until a number under these labels, or under any, is not 0."""

            async def has_moved() -> bool:
                samples = (await scrape(surroundings)).get(f"response_sync_{name}", {})
                return any(value for key, value in samples.items() if not labels or key == labels)

            await wait_for(has_moved)

        await wait_for(surroundings.is_ready)
        await invite(asking)
        await answer_first(asking, "tentativelyAccept")
        await wait_for_metric("update_delay_seconds")
        await wait_for_metric("updates_published_total", "response.changed")

        await asking.control("/faults", {"drop": 1})
        await answer_first(asking, "decline")
        await wait_for_metric("missed_notifications_total")
        await wait_for_metric("delta_rounds_total", "inbox", "changes")
        await asking.control("/faults", {"missed": 1})
        await wait_for_metric("lifecycle_events_total", "missed")
        await asking.control("/faults", {"delay_s": 60})
        await answer_first(asking, "accept")
        await asking.control("/faults", {"throttle": 1})
        await asking.control("/clock", {"advance_s": 60})  # only now the notification is on its way
        await wait_for_metric("graph_throttled_total")
        await wait_for_metric("entry_retries_total")
        await asking.control("/faults", {})

        public = f"http://127.0.0.1:{surroundings.ports['public']}/graph/notifications"
        async with session.post(public, json={"value": [{"subscriptionId": "strange"}]}) as answer:
            assert answer.status == 202
        async with Redis.from_url(redis_url) as redis:
            keys = KeyNames(stream=prefix, partitions=1)
            await redis.xadd(keys.intake, {"kind": "nonsense"})
            await redis.xgroup_create(keys.updates(0), "crm", id="0-0")
        await wait_for_metric("dead_letters")
        scraped = await scrape(surroundings)

    documented = {one.name for one in Metrics().descriptions}
    assert documented <= scraped.keys()
    assert documented - list_moved(scraped) <= UNMOVED
    items = scraped["response_sync_notification_items_total"]
    assert sum(count for (outcome, _), count in items.items() if outcome == "refused") == 1
    assert scraped["response_sync_entries_dead_lettered_total"]["malformed",] == 1
    assert scraped["response_sync_subscriptions"] == {
        (kind, state): float(state == "alive")
        for kind in ("calendar", "inbox")
        for state in ("alive", "missing", "faulty")
    }
    assert sum(scraped["response_sync_mailboxes"].values()) == 2  # throttled ones may be faulty for a moment
    assert scraped["response_sync_consumer_lag_entries"].keys() == {("crm", prefix)}
    assert scraped["response_sync_consumer_trimmed_entries"] == {("crm", prefix): 0}
    assert scraped["response_sync_generations_total"] == {(): 1}
    assert scraped["response_sync_keeper_is_leader"] == {(): 1}


async def test_figures_of_redis_vanish_while_it_is_away_and_the_rest_stays(
    surroundings: Surroundings,
) -> None:
    async def is_listening() -> bool:
        return (await surroundings.fetch_ready())[0] == 503

    async with surroundings.running(
        "worker", REDIS_URL="redis://127.0.0.1:1", RESPONSE_SYNC_REDIS_RETRIES_MAX="0"
    ):
        await wait_for(is_listening)
        async with asyncio.timeout(DEADLINE_S):
            scraped = await scrape(surroundings)

    assert scraped["response_sync_intake_entries"] == {}
    assert scraped["response_sync_due_overdue_seconds"] == {}
    assert scraped["response_sync_entries_in_flight"] == {(): 0}
