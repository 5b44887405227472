"""Series as people hold them: answers to one occurrence, moved and cancelled ones, inheritance of rows."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from tests.unit.sandbox.tenant import GLOBAL_ID, WINDOW, Tenant, properties, weekly

MEGAN = "meganb@contoso.onmicrosoft.com"


def _row(event: Any) -> str:
    return str(
        next(
            row["status"]["response"]
            for row in event["attendees"]
            if row["emailAddress"]["address"].lower() == MEGAN
        )
    )


async def _series(tenant: Tenant, count: int = 4) -> Any:
    return await tenant.meet("megan", recurrence=weekly(count))


async def test_instances_bear_the_original_date_in_the_organizers_zone(tenant: Tenant) -> None:
    late: dict[str, Any] = {
        "start": {"dateTime": "2026-12-01T20:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2026-12-01T21:00:00", "timeZone": "Pacific Standard Time"},
    }
    series = await tenant.meet("megan", recurrence=weekly(2), **late)
    first, second = await tenant.instances("alex", series)
    assert (first["type"], first["seriesMasterId"]) == ("occurrence", series["id"])
    assert first["start"]["dateTime"] == "2026-12-02T04:00:00.0000000"  # a day later in UTC
    assert first["originalStart"] == "2026-12-02T04:00:00Z"
    assert first["iCalUId"][32:40] == "07EA0C01"
    assert second["iCalUId"][32:40] == "07EA0C08"
    assert series["iCalUId"][32:40] == "00000000"
    assert first["iCalUId"].replace("07EA0C01", "00000000") == series["iCalUId"]


async def test_an_answer_to_one_occurrence_makes_an_exception_and_leaves_the_series(tenant: Tenant) -> None:
    series = await _series(tenant)
    mine = await tenant.copy_of("megan", series)
    second = (await tenant.instances("megan", mine))[1]
    await tenant.answer("megan", second, "decline")
    held = await tenant.instances("alex", series)
    assert [(one["type"], _row(one)) for one in held] == [
        ("occurrence", "none"),
        ("exception", "declined"),
        ("occurrence", "none"),
        ("occurrence", "none"),
    ]
    assert (await tenant.rows(series))[MEGAN][0] == "none"
    (response,) = await tenant.inbox("adele", GLOBAL_ID)
    assert b64decode(properties(response)["0x3"])[16:20] == bytes((0x07, 0xEA, 12, 8))
    assert (await tenant.get("megan", f"/me/events/{second['id']}"))["type"] == "exception"


async def test_an_answer_to_the_series_reaches_instances_that_were_not_answered_alone(tenant: Tenant) -> None:
    series = await _series(tenant)
    first, second, *_ = await tenant.instances("megan", await tenant.copy_of("megan", series))
    await tenant.answer("megan", second, "decline")
    moved = await tenant.instances("alex", series)
    await tenant.ask("alex", "PATCH", f"/me/events/{moved[2]['id']}", {"location": {"displayName": "Attic"}})
    tenant.pass_time()
    await tenant.answer("megan", await tenant.copy_of("megan", series))
    held = await tenant.instances("alex", series)
    assert [(one["type"], _row(one)) for one in held] == [
        ("occurrence", "accepted"),
        ("exception", "declined"),
        ("exception", "accepted"),
        ("occurrence", "accepted"),
    ]
    mine = await tenant.instances("megan", await tenant.copy_of("megan", series))
    assert [one["responseStatus"]["response"] for one in mine] == [
        "accepted",
        "declined",
        "accepted",
        "accepted",
    ]
    assert first["seriesMasterId"] == (await tenant.copy_of("megan", series))["id"]


async def test_a_moved_occurrence_keeps_its_id_and_original_start(tenant: Tenant) -> None:
    series = await _series(tenant)
    third = (await tenant.instances("alex", series))[2]
    later = {
        "start": {"dateTime": "2026-12-16T10:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2026-12-16T11:00:00", "timeZone": "Pacific Standard Time"},
    }
    answer = await tenant.ask("alex", "PATCH", f"/me/events/{third['id']}", later)
    assert answer.body["id"] == third["id"]
    assert (answer.body["type"], answer.body["originalStart"]) == ("exception", third["originalStart"])
    assert answer.body["start"]["dateTime"] == "2026-12-16T18:00:00.0000000"
    theirs = (await tenant.instances("megan", await tenant.copy_of("megan", series)))[2]
    assert (theirs["type"], theirs["start"]) == ("exception", answer.body["start"])
    expanded = await tenant.get("alex", f"/me/events/{series['id']}?$expand=exceptionOccurrences($select=id)")
    assert [one["id"] for one in expanded["exceptionOccurrences"]] == [third["id"]]


async def test_a_cancelled_occurrence_is_in_no_list(tenant: Tenant) -> None:
    series = await _series(tenant)
    second = (await tenant.instances("alex", series))[1]
    await tenant.post("alex", f"/me/events/{second['id']}/cancel", {}, status=202)
    assert len(await tenant.instances("alex", series)) == 3
    held = await tenant.get("alex", f"/me/events/{series['id']}?$select=cancelledOccurrences")
    (mark,) = held["cancelledOccurrences"]
    assert mark.endswith("2026-12-08")
    theirs = await tenant.instances("megan", await tenant.copy_of("megan", series))
    assert [one["isCancelled"] for one in theirs] == [False, True, False, False]


async def test_a_deleted_occurrence_is_not_found_by_its_id(tenant: Tenant) -> None:
    series = await _series(tenant)
    second = (await tenant.instances("alex", series))[1]
    assert (await tenant.ask("alex", "DELETE", f"/me/events/{second['id']}")).status == 204
    assert (await tenant.ask("alex", "GET", f"/me/events/{second['id']}")).status == 404
    assert len(await tenant.instances("alex", series)) == 3


async def test_moving_the_series_drops_its_exceptions_and_resets_answers(tenant: Tenant) -> None:
    series = await _series(tenant)
    mine = await tenant.instances("megan", await tenant.copy_of("megan", series))
    await tenant.answer("megan", mine[1], "decline")
    await tenant.answer("megan", await tenant.copy_of("megan", series))
    later = {
        "start": {"dateTime": "2026-12-01T12:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2026-12-01T13:00:00", "timeZone": "Pacific Standard Time"},
    }
    assert (await tenant.ask("alex", "PATCH", f"/me/events/{series['id']}", later)).status == 200
    held = await tenant.instances("alex", series)
    assert {(one["type"], _row(one)) for one in held} == {("occurrence", "none")}
    assert held[1]["start"]["dateTime"] == "2026-12-08T20:00:00.0000000"


async def test_somebody_invited_to_one_occurrence_has_it_alone(tenant: Tenant) -> None:
    series = await _series(tenant)
    second = (await tenant.instances("alex", series))[1]
    both = [{"emailAddress": {"address": one}} for one in tenant.addresses("megan", "christie")]
    assert (
        await tenant.ask("alex", "PATCH", f"/me/events/{second['id']}", {"attendees": both})
    ).status == 200
    (mine,) = await tenant.listed("christie", "/me/events")
    assert (mine["type"], mine["seriesMasterId"]) == ("singleInstance", None)
    await tenant.answer("christie", mine)
    held = (await tenant.instances("alex", series))[1]
    assert {row["emailAddress"]["name"]: row["status"]["response"] for row in held["attendees"]} == {
        "Megan Bowen": "none",
        "Christie Cline": "accepted",
    }


async def test_lists_show_masters_and_views_show_instances(tenant: Tenant) -> None:
    await _series(tenant, 3)
    assert [one["type"] for one in await tenant.listed("alex", "/me/events")] == ["seriesMaster"]
    view = await tenant.listed("alex", f"/me/calendarView?{WINDOW}")
    assert [one["type"] for one in view] == ["occurrence"] * 3


async def test_a_series_whose_start_fits_no_date_begins_on_the_first_that_does(tenant: Tenant) -> None:
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["friday"]}
    series = await tenant.meet("megan", recurrence={**weekly(2), "pattern": pattern})
    assert series["start"]["dateTime"] == "2026-12-04T18:00:00.0000000"
    assert series["recurrence"]["range"]["startDate"] == "2026-12-04"


async def test_an_endless_series_fills_any_window(tenant: Tenant) -> None:
    series = await tenant.meet(
        "megan", recurrence={**weekly(), "range": {"type": "noEnd", "startDate": "2026-12-01"}}
    )
    window = "startDateTime=2030-01-01T00:00:00Z&endDateTime=2030-01-31T00:00:00Z"
    path = f"/me/events/{series['id']}/instances?{window}"
    assert len(await tenant.listed("alex", path)) == 5


def _times(events: list[Any]) -> list[tuple[str, str]]:
    return [(one["type"], one["start"]["dateTime"][5:16]) for one in events]


async def _told_series(tenant: Tenant) -> Any:
    """Make a series of four of which the third takes place a day later and the fourth is cancelled."""
    series = await _series(tenant)
    _, _, third, fourth = await tenant.instances("alex", series)
    moved = {
        "start": {"dateTime": "2026-12-16T10:00:00", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-16T11:00:00", "timeZone": "UTC"},
    }
    assert (await tenant.ask("alex", "PATCH", f"/me/events/{third['id']}", moved)).status == 200
    await tenant.post("alex", f"/me/events/{fourth['id']}/cancel", {}, status=202)
    return series


async def test_who_joins_a_series_learns_what_became_of_its_occurrences(tenant: Tenant) -> None:
    series = await _told_series(tenant)
    both = [{"emailAddress": {"address": one}} for one in tenant.addresses("megan", "christie")]
    changed = await tenant.ask("alex", "PATCH", f"/me/events/{series['id']}", {"attendees": both})
    assert changed.status == 200
    seen = _times(await tenant.instances("christie", await tenant.copy_of("christie", series)))
    assert seen == _times(await tenant.instances("alex", series))
    assert seen[2:] == [("exception", "12-16T10:00")]


async def test_one_occurrence_is_forwarded_alone(tenant: Tenant) -> None:
    series = await _series(tenant)
    second = (await tenant.instances("megan", await tenant.copy_of("megan", series)))[1]
    to = [{"emailAddress": {"address": tenant.people["christie"].address}}]
    await tenant.post("megan", f"/me/events/{second['id']}/forward", {"ToRecipients": to}, status=202)
    (got,) = await tenant.listed("christie", "/me/events")
    assert _times([got]) == [("singleInstance", "12-08T18:00")]
    await tenant.answer("christie", got)
    held = await tenant.instances("alex", series)
    assert [len(one["attendees"]) for one in held] == [1, 2, 1, 1]
    assert [row["status"]["response"] for row in held[1]["attendees"]] == ["none", "accepted"]


async def test_an_occurrence_cancelled_before_its_series_is_not_cancelled_twice(tenant: Tenant) -> None:
    series = await _told_series(tenant)
    await tenant.post("alex", f"/me/events/{series['id']}/cancel", {}, status=202)
    seen = await tenant.instances("megan", await tenant.copy_of("megan", series))
    assert {one["subject"] for one in seen} == {"Canceled: Budget"}


async def test_a_cancelled_date_that_takes_place_again_is_another_item(tenant: Tenant) -> None:
    series = await _told_series(tenant)
    for hour in (12, 10):
        slot = {
            name: {"dateTime": f"2026-12-01T{hour + number}:00:00", "timeZone": "Pacific Standard Time"}
            for number, name in enumerate(("start", "end"))
        }
        assert (await tenant.ask("alex", "PATCH", f"/me/events/{series['id']}", slot)).status == 200
    again = await tenant.instances("alex", series)
    assert len(again) == 4
    for one in again:
        assert (await tenant.get("alex", f"/me/events/{one['id']}"))["isCancelled"] is False


async def test_ids_of_occurrences_are_translated_as_any(tenant: Tenant) -> None:
    series = await _series(tenant)
    first = (await tenant.instances("alex", series))[0]["id"]
    given = {"inputIds": [first], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}
    (told,) = (await tenant.post("alex", "/me/translateExchangeIds", given, status=200))["value"]
    held = await tenant.get("alex", f"/me/events/{first}", prefer='IdType="ImmutableId"')
    assert told == {"sourceId": first, "targetId": held["id"]}


async def test_a_daily_series_of_long_ago_still_takes_place(tenant: Tenant) -> None:
    forever = {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "noEnd", "startDate": "2010-01-01"},
    }
    slot: dict[str, Any] = {
        name: {"dateTime": f"2010-01-01T{hour}:00:00", "timeZone": "UTC"}
        for name, hour in (("start", 10), ("end", 11))
    }
    await tenant.meet("megan", recurrence=forever, **slot)
    assert len(await tenant.listed("megan", f"/me/calendarView?{WINDOW}&$top=1000")) == 120


async def test_an_agenda_changes_the_version_of_every_exception_too(tenant: Tenant) -> None:
    series = await _series(tenant)
    mine = await tenant.copy_of("megan", series)
    await tenant.answer("megan", (await tenant.instances("megan", mine))[1], "decline")
    before = (await tenant.instances("megan", mine))[1]
    tenant.changes.clear()
    assert (
        await tenant.ask("alex", "PATCH", f"/me/events/{series['id']}", {"subject": "2027"})
    ).status == 200
    after = (await tenant.instances("megan", mine))[1]
    assert (after["type"], after["subject"]) == ("exception", "2027")
    assert after["changeKey"] != before["changeKey"]
    assert (
        sum(one.user_id == tenant.people["megan"].id and one.kind == "event" for one in tenant.changes) == 2
    )


async def test_an_answer_that_comes_too_late_for_an_occurrence_makes_no_exception(tenant: Tenant) -> None:
    tenant.add("pat", "Pat", "pat@contoso.com", processes_updates=False)
    series = await tenant.meet("pat", recurrence=weekly(2))
    second = (await tenant.instances("pat", await tenant.copy_of("pat", series)))[1]
    later = {
        name: {"dateTime": f"2026-12-01T{hour}:00:00", "timeZone": "UTC"}
        for name, hour in (("start", 12), ("end", 13))
    }
    assert (await tenant.ask("alex", "PATCH", f"/me/events/{series['id']}", later)).status == 200
    await tenant.answer("pat", second)
    assert [one["type"] for one in await tenant.instances("alex", series)] == ["occurrence", "occurrence"]
