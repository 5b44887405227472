"""Every answer is held against Graph's own types: no member that the type lacks, none of another type.

`tests/fixtures/graph-types.json` is cut from the schema of v1.0, `graph-shapes.json` names the members that
the public samples show for each kind of answer.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from service.sandbox.wire import GraphFault
from tests.unit.sandbox.tenant import GLOBAL_ID, WINDOW, Tenant, below_version, weekly

FIXTURES = Path(__file__).parents[2] / "fixtures"
TYPES: dict[str, Any] = json.loads((FIXTURES / "graph-types.json").read_text())["types"]
SHAPES: dict[str, list[str]] = json.loads((FIXTURES / "graph-shapes.json").read_text())
PROPERTIES = f"singleValueExtendedProperties($filter=id eq '{GLOBAL_ID}')"
PRIMITIVES: dict[str, tuple[type[object], str]] = {
    "Edm.String": (str, ""),
    "Edm.Binary": (str, r"[A-Za-z0-9+/]*={0,2}"),
    "Edm.Boolean": (bool, ""),
    "Edm.Int32": (int, ""),
    "Edm.Date": (str, r"\d{4}-\d\d-\d\d"),
    "Edm.TimeOfDay": (str, r"\d\d:\d\d:\d\d\.\d{7}"),
    "Edm.DateTimeOffset": (str, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z"),
}


@cache
def members_of(name: str) -> dict[str, str]:
    """Give the properties and navigation properties of a type with their types."""
    shape = TYPES[name]
    found = members_of(shape["baseType"].removeprefix("microsoft.graph.")) if "baseType" in shape else {}
    found = found | {member: one["type"] for member, one in shape.get("properties", {}).items()}
    return found | dict(shape.get("navigation", {}))


def check(value: Any, type_name: str, path: str) -> None:
    """Hold a value against a type."""
    if value is None:
        return
    if type_name.startswith("Collection("):
        assert isinstance(value, list), path
        for index, one in enumerate(value):
            check(one, type_name[11:-1], f"{path}[{index}]")
    elif type_name in PRIMITIVES:
        kind, pattern = PRIMITIVES[type_name]
        assert type(value) is kind, f"{path}: {value!r}"
        assert not pattern or re.fullmatch(pattern, str(value)), f"{path}: {value!r}"
    else:
        _check_named(value, type_name.removeprefix("microsoft.graph."), path)


def _check_named(value: Any, name: str, path: str) -> None:
    if TYPES[name]["kind"] == "EnumType":
        assert value in TYPES[name]["members"], f"{path}: {value!r}"
        return
    assert isinstance(value, dict), path
    name = value.get("@odata.type", f"#microsoft.graph.{name}").removeprefix("#microsoft.graph.")
    known = members_of(name)
    for member, one in value.items():
        if "@" not in member:
            assert member in known, f"{path}/{member}: not in {name}"
            check(one, known[member], f"{path}/{member}")
    if "dateTime" in value:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}", value["dateTime"]), path


async def _live(tenant: Tenant) -> dict[str, str]:
    """Let something of every kind happen; gives ids by name."""
    proposal = {
        "start": {"dateTime": "2026-12-02T09:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-02T10:00:00", "timeZone": "UTC"},
    }
    tenant.world.send_mail(tenant.people["adele"].address, "a@b.test", "Hello", "Text")
    single = await tenant.meet("megan", "christie", location={"displayName": "Attic"})
    await tenant.answer("megan", single, "tentativelyAccept", proposedNewTime=proposal, comment="Later?")
    series = await tenant.meet("megan", recurrence=weekly(3), subject="Weekly")
    second = (await tenant.instances("megan", await tenant.copy_of("megan", series)))[1]
    await tenant.answer("megan", second, "decline")
    ended = await tenant.meet("christie", subject="Off")
    await tenant.post("alex", f"/me/events/{ended['id']}/cancel", {"comment": "No"}, status=202)
    response = (await tenant.inbox("adele"))[-2]
    request = (await tenant.inbox("megan"))[-1]
    return {
        "single": single["id"],
        "series": series["id"],
        "response": response["id"],
        "request": request["id"],
    }


GETS = [
    ("alex", "event", "/me/events?$top=50"),
    ("alex", "event", f"/me/events/{{single}}?$expand={PROPERTIES}"),
    ("alex", "event", "/me/events/{series}?$expand=exceptionOccurrences"),
    ("alex", "event", f"/me/events/{{series}}/instances?{WINDOW}"),
    ("alex", "event", f"/me/calendarView?{WINDOW}"),
    ("alex", "event", f"/me/calendarView/delta?{WINDOW}"),
    ("alex", "calendar", "/me/calendars"),
    ("adele", "calendar", "/me/calendars"),
    ("alex", "calendarPermission", "/me/calendar/calendarPermissions"),
    ("alex", "mailFolder", "/me/mailFolders"),
    ("alex", "mailboxSettings", "/me/mailboxSettings"),
    ("adele", "message", f"/me/messages?$top=50&$expand={PROPERTIES},microsoft.graph.eventMessage/event"),
    ("adele", "message", "/me/mailFolders/inbox/messages/delta"),
    ("adele", "eventMessageResponse", "/me/messages/{response}/microsoft.graph.eventMessageResponse"),
    ("megan", "eventMessageRequest", "/me/messages/{request}/microsoft.graph.eventMessageRequest"),
    ("megan", "event", "/me/messages/{request}/microsoft.graph.eventMessage/event"),
    ("christie", "message", "/me/messages?$top=50"),
]


@pytest.mark.parametrize(("who", "type_name", "path"), GETS)
async def test_an_answer_has_only_members_of_its_type(
    tenant: Tenant, who: str, type_name: str, path: str
) -> None:
    for name, item_id in (await _live(tenant)).items():
        path = path.replace(f"{{{name}}}", item_id)
    for headers in ({}, {"prefer": 'outlook.timezone="Tokyo Standard Time", IdType="ImmutableId"'}):
        body = await tenant.get(who, path, **headers)
        assert body["@odata.context"].startswith("https://sandbox.test:8443/v1.0/$metadata#")
        found = body.get("value", [body])
        assert found
        for index, one in enumerate(found):
            check(one, f"microsoft.graph.{type_name}", f"[{index}]")


@pytest.mark.parametrize("name", sorted(SHAPES))
async def test_an_answer_has_every_member_that_the_samples_show(tenant: Tenant, name: str) -> None:
    ids = await _live(tenant)
    asked = {
        "event of its organizer": ("alex", f"/me/calendar/events/{ids['single']}"),
        "meeting request with its event": (
            "megan",
            f"/me/messages/{ids['request']}?$expand=microsoft.graph.eventMessage/event",
        ),
        "response in a delegate's inbox": ("adele", f"/me/messages/{ids['response']}"),
        "calendar": ("adele", "/me/calendars?$top=1"),
        "permission": ("alex", "/me/calendar/calendarPermissions"),
        "mailbox settings": ("alex", "/me/mailboxSettings"),
        "message with an extended property": (
            "adele",
            f"/me/messages/{ids['response']}?$expand={PROPERTIES}",
        ),
    }
    who, path = asked[name]
    body = await tenant.get(who, path)
    found = body["value"][0] if "value" in body else body
    assert sorted(set(SHAPES[name]) - set(_paths(found))) == []


def _paths(value: Any, before: str = "") -> list[str]:
    if isinstance(value, list):
        return [path for one in value for path in _paths(one, before)]
    if not isinstance(value, dict):
        return []
    found = []
    for member, one in value.items():
        found += [f"{before}{member}", *_paths(one, f"{before}{member}/")]
    return found


async def test_event_messages_bear_their_type_in_lists_and_under_select(tenant: Tenant) -> None:
    await _live(tenant)
    for path in ("/me/messages?$top=50", "/me/messages?$top=50&$select=subject"):
        found = {one["subject"]: one.get("@odata.type") for one in await tenant.listed("adele", path)}
        assert found["Hello"] is None
        assert found["New Time Proposed: Budget"] == "#microsoft.graph.eventMessage"
    found = {one["subject"]: one["@odata.type"] for one in await tenant.listed("christie", "/me/messages")}
    assert found["Budget"] == "#microsoft.graph.eventMessageRequest"
    assert found["Canceled: Off"] == "#microsoft.graph.eventMessage"


async def test_a_cast_in_select_brings_members_of_the_derived_type(tenant: Tenant) -> None:
    await _live(tenant)
    cast = "microsoft.graph.eventMessage"
    path = f"/me/messages?$select=subject,{cast}/meetingMessageType,{cast}/startDateTime"
    found = {one["subject"]: one for one in await tenant.listed("adele", path)}
    response = found["New Time Proposed: Budget"]
    assert response["meetingMessageType"] == "meetingTenativelyAccepted"
    assert response["startDateTime"] == {"dateTime": "2026-12-01T18:00:00.0000000", "timeZone": "UTC"}
    assert "meetingMessageType" not in found["Hello"]


async def test_rich_notifications_show_what_was_selected(tenant: Tenant) -> None:
    await tenant.answer("megan", await tenant.meet("megan"))
    (response,) = await tenant.inbox("adele")
    adele = tenant.people["adele"].id
    box = tenant.world.mailbox(adele)
    item_id = box.item_id(response["id"])
    drawn = tenant.world.render_item(adele, "message", item_id, select="subject,from", expand=PROPERTIES)
    assert set(drawn) == {
        "@odata.type",
        "@odata.etag",
        "id",
        "subject",
        "from",
        "singleValueExtendedProperties",
    }
    assert drawn["id"] == item_id
    for item in ("AAkA", tenant.world.mailbox(adele).find_folder("inbox").id):
        with pytest.raises(GraphFault):
            tenant.world.render_item(adele, "event", item, select=None, expand=None)


async def test_links_of_pages_lead_back(tenant: Tenant) -> None:
    await _live(tenant)
    first = await tenant.get("alex", "/me/events?$top=1&$select=subject&$orderby=start/dateTime")
    second = await tenant.get("alex", below_version(first["@odata.nextLink"]))
    assert first["value"][0]["subject"] != second["value"][0]["subject"]


async def test_headers_and_the_unique_body_come_when_they_are_selected(tenant: Tenant) -> None:
    await tenant.meet("megan")
    (plain,) = await tenant.inbox("megan")
    path = "/me/messages?$select=internetMessageHeaders,uniqueBody"
    (full,) = await tenant.listed("megan", path)
    assert {"internetMessageHeaders", "uniqueBody"}.isdisjoint(plain)
    assert full["uniqueBody"] == plain["body"]
    assert {"name": "Message-ID", "value": plain["internetMessageId"]} in full["internetMessageHeaders"]
