"""Delta queries over messages and calendar views: rounds, pages, partial and removed items, lost tokens."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.tenant import WINDOW, Tenant, below_version, weekly

IMMUTABLE = 'IdType="ImmutableId"'
INBOX = "/users/AdeleV@contoso.OnMicrosoft.com/mailFolders('inbox')/messages/delta"
VIEW = f"/users/AlexW@contoso.OnMicrosoft.com/calendarView/delta?{WINDOW}"


async def _round(tenant: Tenant, path: str, **headers: str) -> tuple[list[Any], str]:
    """Play a round to its end; gives the items and the delta link."""
    found: list[Any] = []
    while True:
        body = await tenant.get("app", path, **headers)
        found += body["value"]
        if "@odata.deltaLink" in body:
            assert "@odata.nextLink" not in body
            return found, below_version(body["@odata.deltaLink"])
        path = below_version(body["@odata.nextLink"])


def _mail(tenant: Tenant, count: int) -> None:
    for number in range(count):
        tenant.world.send_mail(tenant.people["adele"].address, "shop@fabrikam.com", f"Offer {number}", "Buy")
        tenant.pass_time(1)


async def test_a_round_gives_the_folder_page_by_page_and_then_what_is_new(tenant: Tenant) -> None:
    _mail(tenant, 5)
    items, link = await _round(tenant, f"{INBOX}?$select=subject", prefer="odata.maxpagesize=2")
    assert [one["subject"] for one in items] == [f"Offer {number}" for number in (4, 3, 2, 1, 0)]
    assert set(items[0]) == {"@odata.type", "@odata.etag", "id", "subject"}
    assert (await _round(tenant, link))[0] == []
    _mail(tenant, 1)
    items, _ = await _round(tenant, link)
    assert [one["subject"] for one in items] == ["Offer 0"]
    again, _ = await _round(tenant, link)
    assert again == items  # a link may be followed twice


async def test_event_messages_keep_their_type_and_bring_extended_properties(tenant: Tenant) -> None:
    await tenant.answer("megan", await tenant.meet("megan"))
    expand = "$expand=singleValueExtendedProperties($filter=id eq 'String 0x001A')"
    items, _ = await _round(tenant, f"{INBOX}?$select=subject&{expand}")
    assert items[0]["@odata.type"] == "#microsoft.graph.eventMessage"
    assert items[0]["singleValueExtendedProperties"] == [
        {"id": "String 0x1a", "value": "IPM.Schedule.Meeting.Resp.Pos"}
    ]


async def test_a_message_that_was_only_read_shows_only_that(tenant: Tenant) -> None:
    _mail(tenant, 2)
    items, link = await _round(tenant, INBOX)
    await tenant.ask("adele", "PATCH", f"/me/messages/{items[0]['id']}", {"isRead": True})
    (read,), link = await _round(tenant, link)
    assert set(read) == {"@odata.type", "@odata.etag", "id", "isRead"}
    await tenant.ask("adele", "PATCH", f"/me/messages/{items[0]['id']}", {"categories": ["Red"]})
    (changed,), _ = await _round(tenant, link)
    assert changed["subject"] == "Offer 1"


async def test_a_moved_message_is_removed_here_and_new_there(tenant: Tenant) -> None:
    _mail(tenant, 1)
    archive = INBOX.replace("'inbox'", "'archive'")
    (item,), link = await _round(tenant, INBOX)
    _, there = await _round(tenant, archive)
    await tenant.post("adele", f"/me/messages/{item['id']}/move", {"destinationId": "archive"})
    (gone,), _ = await _round(tenant, link)
    assert gone == {
        "@odata.type": "#microsoft.graph.message",
        "id": item["id"],
        "@removed": {"reason": "deleted"},
    }
    (came,), _ = await _round(tenant, there)
    assert came["id"] != item["id"]


async def test_an_immutable_id_outlives_the_move(tenant: Tenant) -> None:
    _mail(tenant, 1)
    (item,), link = await _round(tenant, INBOX, prefer=IMMUTABLE)
    await tenant.ask("adele", "DELETE", f"/me/messages/{item['id']}")
    (gone,), _ = await _round(tenant, link, prefer=IMMUTABLE)
    assert gone["id"] == item["id"]
    (held,) = await tenant.listed("adele", "/me/mailFolders/deleteditems/messages", prefer=IMMUTABLE)
    assert held["id"] == item["id"]


async def test_what_came_and_went_between_rounds_is_not_told(tenant: Tenant) -> None:
    _, link = await _round(tenant, INBOX)
    _mail(tenant, 1)
    (message,) = await tenant.inbox("adele")
    await tenant.ask("adele", "DELETE", f"/me/messages/{message['id']}")
    assert (await _round(tenant, link))[0] == []


async def test_the_first_round_may_be_bounded_and_later_ones_too(tenant: Tenant) -> None:
    _mail(tenant, 3)
    items, link = await _round(tenant, f"{INBOX}?$filter=receivedDateTime ge 2026-11-24T09:30:17Z")
    assert [one["subject"] for one in items] == ["Offer 2"]
    _mail(tenant, 1)
    assert len((await _round(tenant, link))[0]) == 1


@pytest.mark.parametrize(("kind", "count"), [("created", 1), ("updated", 1), ("deleted", 1)])
async def test_a_change_type_may_be_chosen(tenant: Tenant, kind: str, count: int) -> None:
    _mail(tenant, 2)
    first, second = await tenant.inbox("adele")
    _, link = await _round(tenant, f"{INBOX}?changeType={kind}")
    _mail(tenant, 1)
    await tenant.ask("adele", "PATCH", f"/me/messages/{first['id']}", {"isRead": True})
    await tenant.ask("adele", "DELETE", f"/me/messages/{second['id']}")
    assert len((await _round(tenant, link))[0]) == count


async def test_a_view_gives_series_with_sparse_occurrences_and_whole_exceptions(tenant: Tenant) -> None:
    series = await tenant.meet("megan", recurrence=weekly(3))
    second = (await tenant.instances("megan", await tenant.copy_of("megan", series)))[1]
    await tenant.answer("megan", second, "decline")
    items, _ = await _round(tenant, VIEW, prefer="odata.maxpagesize=2")
    assert [one["type"] for one in items] == ["seriesMaster", "occurrence", "exception", "occurrence"]
    sparse = {"@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"}
    assert set(items[1]) == sparse
    assert items[2]["attendees"][0]["status"]["response"] == "declined"


async def test_a_view_tells_changes_ends_and_what_left_the_window(tenant: Tenant) -> None:
    first, second, third = [await tenant.meet("megan", subject=name) for name in ("a", "b", "c")]
    items, link = await _round(tenant, VIEW)
    assert len(items) == 3
    tenant.pass_time()
    await tenant.answer("megan", first)
    await tenant.ask("alex", "DELETE", f"/me/events/{second['id']}")
    far = {"dateTime": "2027-12-01T10:00:00", "timeZone": "UTC"}
    await tenant.ask("alex", "PATCH", f"/me/events/{third['id']}", {"start": far, "end": far})
    outside = await tenant.meet("megan", subject="d", start=far, end=far)
    items, link = await _round(tenant, link)
    by_id = {one["id"]: one for one in items}
    assert by_id[first["id"]]["attendees"][0]["status"]["response"] == "accepted"
    assert by_id[second["id"]]["@removed"] == {"reason": "deleted"}
    assert by_id[third["id"]]["@removed"] == {"reason": "changed"}
    assert by_id[outside["id"]]["@removed"] == {"reason": "changed"}
    assert (await _round(tenant, link))[0] == []


async def test_a_cancelled_meeting_is_removed_under_the_id_that_it_was_given_under(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    _, link = await _round(tenant, VIEW)
    (known,), lasting = await _round(tenant, VIEW, prefer=IMMUTABLE)
    await tenant.post("alex", f"/me/events/{made['id']}/cancel", {}, status=202)
    assert [one["id"] for one in (await _round(tenant, link))[0]] == [made["id"]]
    assert [one["id"] for one in (await _round(tenant, lasting, prefer=IMMUTABLE))[0]] == [known["id"]]


async def test_a_cancelled_occurrence_is_removed_from_the_view(tenant: Tenant) -> None:
    series = await tenant.meet("megan", recurrence=weekly(2))
    _, link = await _round(tenant, VIEW, prefer=IMMUTABLE)
    tenant.pass_time()
    (_, second) = await tenant.listed(
        "alex", f"/me/events/{series['id']}/instances?{WINDOW}", prefer=IMMUTABLE
    )
    await tenant.post("alex", f"/me/events/{second['id']}/cancel", {}, status=202)
    items, _ = await _round(tenant, link, prefer=IMMUTABLE)
    assert [one["@removed"] for one in items if one["id"] == second["id"]] == [{"reason": "deleted"}]


async def test_lost_tokens_are_refused_in_both_ways_and_a_fresh_round_is_shown(tenant: Tenant) -> None:
    _mail(tenant, 1)
    seen = set()
    for _ in range(12):
        _, link = await _round(tenant, INBOX)
        assert tenant.world.expire_delta_tokens(1) == 1
        answer = await tenant.ask("app", "GET", link)
        seen.add((answer.status, answer.body["error"]["code"]))
        if answer.status == 410:
            items, _ = await _round(tenant, below_version(answer.headers["Location"]))
            assert len(items) == 1
    assert seen == {(410, "syncStateNotFound"), (400, "SyncStateInvalid")}


@pytest.mark.parametrize(
    "path",
    [
        f"{INBOX}?$filter=isRead eq false",
        f"{INBOX}?$orderby=subject",
        f"{INBOX}?$search=x",
        f"{INBOX}?$skip=1",
        f"{INBOX}?$deltatoken=latest",
        f"{INBOX}?$deltatoken=abc&$select=id",
        f"{INBOX}?changeType=moved",
        f"{VIEW}&$select=id",
        f"{VIEW}&$expand=singleValueExtendedProperties($filter=id eq 'String 0x1A')",
        f"{VIEW}&$filter=isAllDay eq true",
        f"{VIEW}&$top=5",
        VIEW.partition("?")[0],
    ],
)
async def test_what_a_delta_query_does_not_take_is_refused(tenant: Tenant, path: str) -> None:
    assert (await tenant.ask("app", "GET", path)).status == 400


async def test_a_token_of_one_folder_is_of_no_use_in_another(tenant: Tenant) -> None:
    _, link = await _round(tenant, INBOX)
    other = link.replace("inbox", "archive")
    assert (await tenant.ask("app", "GET", other)).status == 400
