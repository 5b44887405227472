"""How items are written: spellings, annotations, the request log, the limits at the gate."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from service.sandbox.faults import FaultBoard
from service.sandbox.gate import Gate
from service.sandbox.notifications import NotificationWriter, spell_instant
from service.sandbox.people import Directory, User
from service.sandbox.registration import Application
from service.sandbox.request_log import RequestLog
from service.sandbox.rich import annotate
from service.sandbox.wire import Caller, Change, GraphFault, GraphRequest, GraphResponse, SandboxClock
from tests.unit.sandbox.turning import ADELE, NOON, build_subscription, standing_clock

CHANGE = Change(user_id=ADELE, kind="event", change="updated", item_id="E1", folder_id="", etag='W/"k"')


def write_many(count: int, **members: Any) -> list[dict[str, Any]]:
    writer = NotificationWriter(tenant_id="T", random=Random(1))
    subscription = build_subscription(**members)
    return [writer.write_change(subscription, CHANGE, "E1") for _ in range(count)]


def test_every_spelling_of_graphs_own_samples_turns_up() -> None:
    items = write_many(100)
    assert {item["resource"] for item in items} == {
        f"Users/{ADELE}/Events/E1",
        f"users/{ADELE}@T/events/E1",
        f"Users('{ADELE}')/events('E1')",
    }
    ends = {item["subscriptionExpirationDateTime"] for item in items}
    assert {end[27:] for end in ends} == {"Z", "+00:00", "+05:30"}
    assert {datetime.fromisoformat(end) for end in ends} == {NOON + timedelta(hours=1)}
    assert {"id" in item for item in items} == {True, False}


def test_without_a_client_state_there_is_null_or_nothing() -> None:
    items = write_many(50, client_state=None)
    assert {item.get("clientState", "absent") for item in items} == {None, "absent"}


def test_a_deletion_has_no_etag() -> None:
    writer = NotificationWriter(tenant_id="T", random=Random(1))
    gone = Change(user_id=ADELE, kind="event", change="deleted", item_id="E1", folder_id="", etag="")
    item = writer.write_change(build_subscription(), gone, "E1")
    assert set(item["resourceData"]) == {"@odata.type", "@odata.id", "id"}


def test_instants_have_seven_digits_also_on_the_second() -> None:
    assert spell_instant(NOON) == "2026-03-02T12:00:00.1234560Z"
    assert spell_instant(NOON.replace(microsecond=0)) == "2026-03-02T12:00:00.0000000Z"


def test_annotations_name_every_type_that_json_does_not_show() -> None:
    event = {
        "subject": "s",
        "isAllDay": False,
        "type": "singleInstance",
        "originalStart": None,
        "start": {"dateTime": "2026-03-02T12:00:00.0000000", "timeZone": "UTC"},
        "attendees": [{"type": "required", "emailAddress": {"name": "n", "address": "a"}}],
        "categories": ["c"],
        "singleValueExtendedProperties": [{"id": "x", "value": "y"}],
    }
    assert annotate(event, "event") == {
        "subject": "s",
        "isAllDay": False,
        "type@odata.type": "#microsoft.graph.eventType",
        "type": "singleInstance",
        "originalStart@odata.type": "#DateTimeOffset",
        "originalStart": None,
        "start": {
            "@odata.type": "#microsoft.graph.dateTimeTimeZone",
            "dateTime": "2026-03-02T12:00:00.0000000",
            "timeZone": "UTC",
        },
        "attendees@odata.type": "#Collection(microsoft.graph.attendee)",
        "attendees": [
            {
                "@odata.type": "#microsoft.graph.attendee",
                "type@odata.type": "#microsoft.graph.attendeeType",
                "type": "required",
                "emailAddress": {
                    "@odata.type": "#microsoft.graph.emailAddress",
                    "name": "n",
                    "address": "a",
                },
            }
        ],
        "categories@odata.type": "#Collection(String)",
        "categories": ["c"],
        "singleValueExtendedProperties": [{"id": "x", "value": "y"}],
    }


# --- the request log ---


def test_the_log_forgets_the_oldest_and_survives_any_batch() -> None:
    log = RequestLog(entries_max=2)
    bodies: list[Any] = [None, [], {"requests": "x"}, {"requests": [{"id": "1", "url": "/me?x=1"}]}]
    for body in bodies:
        log.add(
            at=NOON,
            caller="app",
            method="POST",
            path="/v1.0/$batch",
            query="",
            body=body,
            response=GraphResponse(body={"responses": [{"id": "1", "status": 404}]}),
        )
    first, second = log.list_entries()
    assert first["batch"] == []
    assert second["batch"] == [{"id": "1", "method": "", "path": "/me", "query": "x=1", "status": 404}]


# --- the gate ---


def build_gate(clock: SandboxClock, application: Application) -> Gate:
    directory = Directory()
    directory.add(User(id=ADELE, name="Adele", address="adele@contoso.com"))
    return Gate(
        clock=clock,
        directory=directory,
        application=application,
        faults=FaultBoard(Random(1)),
        requests_max=3,
        in_flight_max=2,
    )


def ask(*segments: str, user_id: str | None = None, app_id: str = "app") -> GraphRequest:
    return GraphRequest(
        method="GET",
        segments=segments,
        query=(),
        headers={},
        body=None,
        caller=Caller(user_id=user_id, app_id=app_id, permissions=frozenset()),
        base_url="https://localhost:1/v1.0",
        url="https://localhost:1/v1.0/x",
    )


def pass_through(gate: Gate, request: GraphRequest) -> GraphFault | None:
    try:
        asyncio.run(gate.check(request))
    except GraphFault as fault:
        return fault
    return None


def test_requests_are_counted_per_application_and_mailbox_for_ten_minutes() -> None:
    clock = standing_clock()
    gate = build_gate(clock, Application(app_id="app", object_id="p", secret="s"))
    mine = ask("users", "ADELE@contoso.com", "messages")
    assert [pass_through(gate, mine) for _ in range(3)] == [None] * 3
    clock.advance(60)
    refused = pass_through(gate, ask("users", ADELE, "events"))
    assert refused is not None
    assert (refused.status, refused.code, refused.headers) == (
        429,
        "ApplicationThrottled",
        {"Retry-After": "540"},
    )
    assert pass_through(gate, ask("users", ADELE, "events", app_id="other")) is None
    assert pass_through(gate, ask("subscriptions")) is None
    clock.advance(540)
    assert pass_through(gate, mine) is None


def test_a_policy_keeps_the_application_out_and_lets_the_person_in() -> None:
    application = Application(app_id="app", object_id="p", secret="s", denied_mailboxes=frozenset({ADELE}))
    gate = build_gate(standing_clock(), application)
    refused = pass_through(gate, ask("users", "adele@contoso.com", "messages"))
    assert refused is not None
    assert (refused.status, refused.message) == (403, "Access to OData is disabled.")
    assert pass_through(gate, ask("users", "adele@contoso.com", "messages", user_id=ADELE)) is None


def test_no_more_than_the_limit_are_in_flight_for_one_mailbox() -> None:
    gate = build_gate(standing_clock(), Application(app_id="app", object_id="p", secret="s"))
    path = ("users", ADELE, "messages")
    with (
        gate.occupy(ask(*path)) as first,
        gate.occupy(ask("me", "x", user_id=ADELE)) as second,
        gate.occupy(ask(*path)) as third,
        gate.occupy(ask("subscriptions")) as elsewhere,
    ):
        assert (first, second, third, elsewhere) == (True, True, False, True)
    with gate.occupy(ask(*path)) as again:
        assert again


@pytest.mark.parametrize("segments", [(), ("users",), ("users", "nobody", "messages"), ("$batch",)])
def test_what_names_no_mailbox_is_not_counted(segments: tuple[str, ...]) -> None:
    gate = build_gate(standing_clock(), Application(app_id="app", object_id="p", secret="s"))
    assert [pass_through(gate, ask(*segments)) for _ in range(5)] == [None] * 5
