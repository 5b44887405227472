"""The ports against the sandbox's Graph: a delegated calendar, read as the service reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from service.clock import SystemClock
from service.errors import (
    AccessError,
    ConflictError,
    DeltaExpiredError,
    GoneError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from service.graph.client import GraphClient
from service.graph.credentials import ClientSecret, Registration
from service.graph.delta import GraphDelta
from service.graph.directory import GraphDirectory
from service.graph.dispatch import Dispatcher, DispatchLimits
from service.graph.mailboxes import GraphMailboxes
from service.graph.subscriptions import GraphSubscriptions
from service.graph.tokens import MsalTokens
from service.graph.trust import build_trust
from service.ports import DeliveryOption, DeltaPage, SubscriptionSpec
from service.reconcile.model import (
    WHOLE,
    EventId,
    EventType,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MessageId,
    OwnerKey,
    ResponseValue,
)
from service.sandbox.command import Sandbox
from tests.integration.sandbox.asking import Asking, trust
from tests.integration.sandbox.hook import serve_hook
from tests.integration.waiting import wait_until
from tests.unit.graph.replies import RecordingObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the loops see of Graph, over one client."""

    mailboxes: GraphMailboxes
    delta: GraphDelta
    directory: GraphDirectory
    subscriptions: GraphSubscriptions
    observer: RecordingObserver


@asynccontextmanager
async def open_ports(sandbox: Sandbox, *, window_s: float = 0) -> AsyncIterator[Ports]:
    observer, clock, believed = RecordingObserver(), SystemClock(), build_trust(sandbox.ca_file)
    ready = sandbox.ready
    registration = Registration(
        authority=ready.authority_url,
        client_id=ready.client_id,
        resource="https://graph.microsoft.com",
        credential=ClientSecret(ready.client_secret),
    )
    tokens = MsalTokens(registration, trust=believed, clock=clock, observer=observer)
    async with GraphClient(
        base_url=ready.graph_url, tokens=tokens, trust=believed, clock=clock, observer=observer
    ) as client:
        sender = Dispatcher(client, clock=clock, observer=observer, limits=DispatchLimits(window_s=window_s))
        yield Ports(
            mailboxes=GraphMailboxes(sender, observer=observer),
            delta=GraphDelta(sender, observer=observer, page_size=5),
            directory=GraphDirectory(sender, observer=observer),
            subscriptions=GraphSubscriptions(sender),
            observer=observer,
        )
        await sender.close()
    tokens.close()


@pytest_asyncio.fixture
async def ports(sandbox: Sandbox) -> AsyncIterator[Ports]:
    async with open_ports(sandbox) as opened:
        yield opened


@pytest_asyncio.fixture
async def asking(sandbox: Sandbox) -> AsyncIterator[Asking]:
    async with aiohttp.ClientSession(connector=trust(sandbox)) as session:
        yield await Asking.prepare(sandbox, session)


def wall(day: int, hour: int, zone: str = "UTC") -> dict[str, str]:
    return {"dateTime": f"2027-03-{day:02}T{hour:02}:00:00", "timeZone": zone}


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2027, 3, day, hour, tzinfo=UTC)


async def invite(asking: Asking, *invited: str, **members: Any) -> EventId:
    """Let Alex invite people; gives the id of the event in his calendar."""
    attendees = [
        {"type": "required", "emailAddress": {"address": asking.sandbox.ready.personas[name].address}}
        for name in invited
    ]
    body = {"subject": "Dinner", "start": wall(9, 10), "end": wall(9, 11), "attendees": attendees, **members}
    answer = await asking.graph(
        "POST",
        "/me/events",
        body,
        token=asking.token_of("alex"),
        headers={"Prefer": 'IdType="ImmutableId"'},
    )
    assert answer.status == 201, answer.body
    return EventId(answer.body["id"])


async def respond(asking: Asking, name: str, action: str, *, event: str = "", **body: Any) -> None:
    """Let somebody answer the first event of their calendar, or the one named."""
    token = asking.token_of(name)
    if not event:
        listed = await asking.graph("GET", "/me/events?$select=id", token=token)
        event = listed.body["value"][0]["id"]
    answer = await asking.graph("POST", f"/me/events/{event}/{action}", body, token=token)
    assert answer.status == 202, answer.body


def alex(asking: Asking) -> OwnerKey:
    return OwnerKey(asking.id_of("alex"))


def adele(asking: Asking) -> MailboxKey:
    return MailboxKey(asking.id_of("adele"))


async def read_round(ports: Ports, mailbox: MailboxKey, page: DeltaPage) -> list[DeltaPage]:
    pages = [page]
    while (link := pages[-1].next_link) is not None:
        pages.append(await ports.delta.follow(mailbox, link))
    return pages


async def event_messages(ports: Ports, asking: Asking) -> list[MessageId]:
    """Give what a round over Adele's inbox finds."""
    first = await ports.delta.start_inbox(adele(asking), received_since=datetime(2020, 1, 1, tzinfo=UTC))
    pages = await read_round(ports, adele(asking), first)
    return [MessageId(item.id) for page in pages for item in page.items if item.is_event_message]


async def test_an_answer_is_read_from_the_delegates_inbox_and_matches_the_owners_event(
    ports: Ports, asking: Asking
) -> None:
    event_id = await invite(asking, "christie", "megan")
    await respond(asking, "christie", "tentativelyAccept", comment="Probably", sendResponse=True)
    [message] = await event_messages(ports, asking)
    response = await ports.mailboxes.fetch_message(adele(asking), message)
    event = await ports.mailboxes.fetch_event(alex(asking), event_id)
    assert response is not None
    assert response.value is ResponseValue.TENTATIVE
    assert (response.meeting, response.instance) == (event.meeting, WHOLE)
    assert response.slot == event.slot
    assert response.sequence == event.sequence
    assert response.comment == "Probably"
    assert response.witness.mailbox == adele(asking)
    assert event.is_organizer
    answered = {str(row.address): row.value for row in event.rows}
    assert answered[str(response.attendee)] is ResponseValue.TENTATIVE
    assert sorted(answered.values()) == [ResponseValue.NONE, ResponseValue.TENTATIVE]
    [row] = [row for row in event.rows if row.address == response.attendee]
    assert row.at is not None
    assert abs(row.at.ns - response.at.ns) < 2_000_000_000
    assert ports.observer.notes == []


async def test_a_proposal_reaches_message_and_event_alike(ports: Ports, asking: Asking) -> None:
    event_id = await invite(asking, "christie")
    proposed = {"start": wall(10, 10), "end": wall(10, 11)}
    await respond(asking, "christie", "tentativelyAccept", proposedNewTime=proposed, sendResponse=True)
    [message] = await event_messages(ports, asking)
    response = await ports.mailboxes.fetch_message(adele(asking), message)
    event = await ports.mailboxes.fetch_event(alex(asking), event_id)
    assert response is not None
    assert response.proposal is not None
    assert event.rows[0].proposal is not None
    assert response.proposal.span == event.rows[0].proposal.span


async def test_ordinary_mail_is_no_response_and_no_event_message(ports: Ports, asking: Asking) -> None:
    await asking.control(
        "/mail",
        {
            "to": asking.sandbox.ready.personas["adele"].address,
            "from": asking.sandbox.ready.personas["megan"].address,
            "subject": "Accepted: nothing",
            "body": "Hello",
        },
    )
    first = await ports.delta.start_inbox(adele(asking), received_since=datetime(2020, 1, 1, tzinfo=UTC))
    [item] = [item for page in await read_round(ports, adele(asking), first) for item in page.items]
    assert not item.is_event_message
    assert await ports.mailboxes.fetch_message(adele(asking), MessageId(item.id)) is None


async def test_a_message_that_is_deleted_is_gone(ports: Ports, asking: Asking) -> None:
    with pytest.raises(GoneError):
        await ports.mailboxes.fetch_message(adele(asking), MessageId("AAMkAD-nothing-of-this-name-AAA="))


async def test_a_meeting_is_found_by_its_key_until_it_is_deleted(ports: Ports, asking: Asking) -> None:
    event_id = await invite(asking, "christie")
    event = await ports.mailboxes.fetch_event(alex(asking), event_id)
    found = await ports.mailboxes.find_meeting(alex(asking), event.meeting)
    assert [one.details.id for one in found.events] == [event_id]
    by_id = await ports.mailboxes.find_meeting(alex(asking), MeetingKey(f"id:{event_id}"))
    assert [one.details.id for one in by_id.events] == [event_id]
    await asking.graph("DELETE", f"/me/events/{event_id}", token=asking.token_of("alex"))
    assert (await ports.mailboxes.find_meeting(alex(asking), event.meeting)).events == ()
    assert (await ports.mailboxes.find_meeting(alex(asking), MeetingKey(f"id:{event_id}"))).events == ()


WEEKLY = {
    "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"], "firstDayOfWeek": "sunday"},
    "range": {"type": "numbered", "startDate": "2027-03-09", "numberOfOccurrences": 4},
}
ZONE = "Pacific Standard Time"


async def invite_weekly(asking: Asking, ports: Ports) -> EventId:
    """Let Alex invite Christie to four Tuesday evenings, which are Wednesdays in UTC."""
    return await invite(asking, "christie", start=wall(9, 18, ZONE), end=wall(9, 19, ZONE), recurrence=WEEKLY)


async def test_an_occurrence_is_found_by_its_date_in_the_zone_of_the_series(
    ports: Ports, asking: Asking
) -> None:
    series_id = await invite_weekly(asking, ports)
    series = await ports.mailboxes.fetch_event(alex(asking), series_id)
    assert (series.details.type, series.details.zone) == (EventType.SERIES, "America/Los_Angeles")
    assert series.details.ends_at is not None
    assert series.details.ends_at.to_datetime() >= datetime(2027, 3, 31, tzinfo=UTC)
    look = await ports.mailboxes.find_instance(
        alex(asking), series_id, InstanceKey("2027-03-16"), series.details.zone
    )
    [occurrence] = look.events
    assert (occurrence.meeting, occurrence.instance) == (series.meeting, "2027-03-16")
    again = await ports.mailboxes.fetch_event(alex(asking), occurrence.details.id)
    assert (again.meeting, again.instance) == (series.meeting, "2027-03-16")
    missing = await ports.mailboxes.find_instance(
        alex(asking), series_id, InstanceKey("2027-03-17"), series.details.zone
    )
    assert missing.events == ()


async def test_an_occurrence_that_was_moved_is_found_under_its_original_date(
    ports: Ports, asking: Asking
) -> None:
    series_id = await invite_weekly(asking, ports)
    series = await ports.mailboxes.fetch_event(alex(asking), series_id)
    look = await ports.mailboxes.find_instance(
        alex(asking), series_id, InstanceKey("2027-03-16"), series.details.zone
    )
    moved = {"start": wall(20, 18, ZONE), "end": wall(20, 19, ZONE)}
    answer = await asking.graph(
        "PATCH",
        f"/me/events/{look.events[0].details.id}",
        moved,
        token=asking.token_of("alex"),
        headers={"Prefer": 'IdType="ImmutableId"'},
    )
    assert answer.status == 200, answer.body
    found = await ports.mailboxes.find_instance(
        alex(asking), series_id, InstanceKey("2027-03-16"), series.details.zone
    )
    [exception] = found.events
    assert (exception.instance, exception.details.type) == ("2027-03-16", EventType.EXCEPTION)
    assert exception.slot != look.events[0].slot


async def test_an_answer_to_the_series_and_one_to_an_occurrence_name_what_they_answer(
    ports: Ports, asking: Asking
) -> None:
    series_id = await invite_weekly(asking, ports)
    series = await ports.mailboxes.fetch_event(alex(asking), series_id)
    await respond(asking, "christie", "accept", sendResponse=True)
    token = asking.token_of("christie")
    listed = await asking.graph("GET", "/me/events?$select=id", token=token)
    master = listed.body["value"][0]["id"]
    window = "startDateTime=2027-03-16T00:00:00Z&endDateTime=2027-03-18T00:00:00Z"
    instances = await asking.graph("GET", f"/me/events/{master}/instances?{window}", token=token)
    await respond(asking, "christie", "decline", event=instances.body["value"][0]["id"], sendResponse=True)
    messages = await event_messages(ports, asking)
    read = [await ports.mailboxes.fetch_message(adele(asking), one) for one in messages]
    told = {(one.meeting, one.instance): one.value for one in read if one is not None}
    assert told == {
        (series.meeting, WHOLE): ResponseValue.ACCEPTED,
        (series.meeting, "2027-03-16"): ResponseValue.DECLINED,
    }
    whole = next(one for one in read if one is not None and one.instance == WHOLE)
    assert whole.slot.recurrence in (None, series.slot.recurrence)
    assert (whole.slot.start, whole.slot.end) == (series.slot.start, series.slot.end)


async def test_a_calendar_round_names_events_series_and_removals(ports: Ports, asking: Asking) -> None:
    single = await invite(asking, "christie")
    series = await invite_weekly(asking, ports)
    first = await ports.delta.start_calendar(alex(asking), start=at(1), end=at(28))
    pages = await read_round(ports, MailboxKey(alex(asking)), first)
    items = [item for page in pages for item in page.items]
    assert single in {item.id for item in items}
    assert {item.series_master_id for item in items if item.event_type == "occurrence"} == {series}
    assert all(item.is_event_message for item in items)
    assert pages[-1].delta_link is not None
    await asking.graph("DELETE", f"/me/events/{single}", token=asking.token_of("alex"))
    later = await ports.delta.follow(MailboxKey(alex(asking)), pages[-1].delta_link)
    assert [(item.id, item.is_removed) for item in later.items] == [(single, True)]


async def test_a_delta_token_that_expired_starts_the_round_again(ports: Ports, asking: Asking) -> None:
    first = await ports.delta.start_calendar(alex(asking), start=at(1), end=at(28))
    [page] = await read_round(ports, MailboxKey(alex(asking)), first)
    assert page.delta_link is not None
    await asking.control("/faults", {"expire_delta": 100})
    with pytest.raises(DeltaExpiredError):
        await ports.delta.follow(MailboxKey(alex(asking)), page.delta_link)


async def test_people_delegates_and_the_delivery_option_are_found(ports: Ports, asking: Asking) -> None:
    persona = asking.sandbox.ready.personas["alex"]
    person = await ports.directory.find_person(persona.address.upper())
    assert (person.key, person.name) == (persona.id, persona.name)
    assert persona.address.casefold() in person.aliases
    assert await ports.directory.find_person(persona.id) == person
    with pytest.raises(GoneError):
        await ports.directory.find_person("nobody@contoso.example")
    delegates = await ports.directory.fetch_delegates(person.key)
    assert list(delegates) == [asking.sandbox.ready.personas["adele"].address.casefold()]
    assert await ports.directory.fetch_delivery_option(person.key) is DeliveryOption.DELEGATE_ONLY


async def test_a_subscription_is_made_listed_renewed_and_ended(
    ports: Ports, asking: Asking, tmp_path: Path
) -> None:
    leaf = asking.sandbox.authority.issue_leaf(tmp_path / "hook")
    async with serve_hook(leaf) as hook:
        spec = SubscriptionSpec(
            resource=f"users/{alex(asking)}/events",
            change_type="created,updated,deleted",
            notification_url=f"{hook.url}/graph/notifications",
            lifecycle_url=f"{hook.url}/graph/lifecycle",
            client_state="a state of ours",
            expires_at=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2),
        )
        made = await ports.subscriptions.create_subscription(spec)
        assert (made.resource, made.expires_at) == (spec.resource, spec.expires_at)
        with pytest.raises(ConflictError):
            await ports.subscriptions.create_subscription(spec)
        later = spec.expires_at + timedelta(hours=1)
        renewed = await ports.subscriptions.renew_subscription(made.id, later)
        assert await ports.subscriptions.list_subscriptions() == (renewed,)
        event_id = await invite(asking, "christie")
        await wait_until(lambda: bool(hook.items))
        # Immutable ids were asked for, so that what is announced is what is read.
        assert hook.items[0]["resourceData"]["id"] == event_id
        await ports.subscriptions.delete_subscription(made.id)
        await ports.subscriptions.delete_subscription(made.id)
        with pytest.raises(GoneError):
            await ports.subscriptions.renew_subscription(made.id, later)
        too_long = SubscriptionSpec(
            **{name: getattr(spec, name) for name in spec.__slots__ if name != "expires_at"},
            expires_at=datetime.now(UTC) + timedelta(days=30),
        )
        with pytest.raises(RefusedError):
            await ports.subscriptions.create_subscription(too_long)


async def test_reads_under_way_at_one_time_share_a_batch(sandbox: Sandbox, asking: Asking) -> None:
    ids = [await invite(asking, "christie", "megan") for _ in range(3)]
    async with open_ports(sandbox, window_s=0.1) as ports:
        reads = asyncio.gather(*(ports.mailboxes.fetch_event(alex(asking), one) for one in ids))
        events, megan = await asyncio.gather(reads, ports.directory.find_person(asking.id_of("megan")))
    assert [event.details.id for event in events] == ids
    assert megan.key == asking.id_of("megan")
    assert ports.observer.requests == [("batch", 200)]
    assert ports.observer.parts == [("event", 200)] * 3 + [("person", 200)]


async def test_messages_that_arrive_together_are_one_list_and_read_as_by_themselves(
    sandbox: Sandbox, asking: Asking
) -> None:
    personas = sandbox.ready.personas
    await invite(asking, "christie")
    mail = {"to": personas["adele"].address, "from": personas["megan"].address, "body": "Hello"}
    for at_ in range(5):
        await asking.control("/mail", {**mail, "subject": f"Accepted: {at_}"})
    await respond(asking, "christie", "tentativelyAccept", sendResponse=True, comment="Perhaps")
    async with open_ports(sandbox, window_s=0.1) as ports:
        first = await ports.delta.start_inbox(adele(asking), received_since=datetime(2020, 1, 1, tzinfo=UTC))
        ids = [
            MessageId(item.id)
            for page in await read_round(ports, adele(asking), first)
            for item in page.items
        ]
        before = len(ports.observer.requests)
        together = await asyncio.gather(*(ports.mailboxes.fetch_message(adele(asking), one) for one in ids))
        assert ports.observer.requests[before:] == [("messages", 200)]
        alone = [await ports.mailboxes.fetch_message(adele(asking), one) for one in ids]
    assert len(ids) == 6
    assert together == alone
    assert [one.comment for one in together if one is not None] == ["Perhaps"]


@pytest.mark.parametrize(("fault", "error"), [("throttle", ThrottledError), ("unauthorized", AccessError)])
@pytest.mark.parametrize("window_s", [0, 0.05])
async def test_a_fault_of_graph_is_told_as_what_it_is(
    sandbox: Sandbox, asking: Asking, fault: str, error: type[Exception], window_s: float
) -> None:
    event_id = await invite(asking, "christie")
    async with open_ports(sandbox, window_s=window_s) as ports:
        await ports.mailboxes.fetch_event(alex(asking), event_id)
        await asking.control("/faults", {fault: 1.0})
        with pytest.raises(error):
            await ports.mailboxes.fetch_event(alex(asking), event_id)
    await asking.control("/faults", {})
    async with open_ports(sandbox, window_s=window_s) as ports:  # the first would wait as it was told to
        await ports.mailboxes.fetch_event(alex(asking), event_id)


async def test_a_fault_of_the_server_is_temporary(sandbox: Sandbox, asking: Asking) -> None:
    event_id = await invite(asking, "christie")
    async with open_ports(sandbox) as ports:
        await asking.control("/faults", {"unavailable": 1.0})
        with pytest.raises((UnavailableError, ThrottledError)):
            await ports.mailboxes.fetch_event(alex(asking), event_id)
