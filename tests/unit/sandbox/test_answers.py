"""Who gets an answer, what it carries, what the organizer's event shows; each belief in both positions."""

from __future__ import annotations

from base64 import b64decode

import pytest

from tests.unit.sandbox.tenant import CRITICAL, GLOBAL_ID, SEQUENCE, START_WHOLE, Tenant, properties

MEGAN = "meganb@contoso.onmicrosoft.com"
REPRESENTED = "String 0x5D08"
NEVER = "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("action", "value", "expected"),
    [
        ("accept", "accepted", ("meetingAccepted", "Resp.Pos", "Accepted")),
        (
            "tentativelyAccept",
            "tentativelyAccepted",
            ("meetingTenativelyAccepted", "Resp.Tent", "Tentative"),
        ),
        ("decline", "declined", ("meetingDeclined", "Resp.Neg", "Declined")),
    ],
)
async def test_each_answer_has_its_message_and_its_status(
    tenant: Tenant, action: str, value: str, expected: tuple[str, str, str]
) -> None:
    kind, class_, prefix = expected
    made = await tenant.meet("megan")
    await tenant.answer("megan", made, action, comment="See you")
    (response,) = await tenant.inbox("adele", "String 0x001A")
    assert (response["meetingMessageType"], response["subject"]) == (kind, f"{prefix}: Budget")
    assert properties(response) == {"0x1a": f"IPM.Schedule.Meeting.{class_}"}
    assert (await tenant.rows(made))[MEGAN][0] == value


async def test_the_message_carries_what_matching_needs(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    tenant.pass_time(5.6)
    await tenant.answer("megan", made)
    (response,) = await tenant.inbox("adele", GLOBAL_ID, CRITICAL, SEQUENCE, START_WHOLE, REPRESENTED)
    held = properties(response)
    assert b64decode(held["0x3"]).hex().upper() == made["iCalUId"]
    assert held["0x1"] == (await tenant.rows(made))[MEGAN][1]
    assert (held["0x8201"], held["0x820d"]) == ("0", "2026-12-01T18:00:00Z")
    assert held["0x5d08"] == "AlexW@contoso.OnMicrosoft.com"
    assert response["sentDateTime"] == "2026-11-24T09:30:21Z"  # .7 s after: rounded, not cut


@pytest.mark.parametrize(
    ("delivery", "adele", "alex"),
    [
        ("sendToDelegateOnly", 1, 0),
        ("sendToDelegateAndPrincipal", 1, 1),
        ("sendToDelegateAndInformationToPrincipal", 1, 1),
    ],
)
async def test_the_delivery_option_decides_whose_inbox(
    tenant: Tenant, delivery: str, adele: int, alex: int
) -> None:
    changed = {"delegateMeetingMessageDeliveryOptions": delivery}
    assert (await tenant.ask("alex", "PATCH", "/me/mailboxSettings", changed)).status == 200
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    assert len(await tenant.inbox("adele")) == adele
    assert len(await tenant.inbox("alex")) == alex


async def test_without_a_delegate_the_answer_comes_to_the_owner(tenant: Tenant) -> None:
    rows = await tenant.listed("alex", "/me/calendar/calendarPermissions")
    answer = await tenant.ask(
        "alex", "PATCH", f"/me/calendar/calendarPermissions/{rows[0]['id']}", {"role": "write"}
    )
    assert answer.status == 200
    await tenant.answer("megan", await tenant.meet("megan"))
    assert (len(await tenant.inbox("alex")), len(await tenant.inbox("adele"))) == (1, 0)


async def test_two_delegates_get_a_copy_each_of_one_and_the_same_mail(tenant: Tenant) -> None:
    tenant.world.grant(tenant.people["alex"], tenant.people["christie"], "delegateWithPrivateEventAccess")
    await tenant.answer("megan", await tenant.meet("megan"))
    (first,), (second,) = await tenant.inbox("adele"), await tenant.inbox("christie")
    assert first["internetMessageId"] == second["internetMessageId"]
    assert first["id"] != second["id"]
    assert [one["emailAddress"]["name"] for one in second["toRecipients"]] == ["Christie Cline"]


async def test_the_server_may_file_the_owners_copy_in_deleted_items(tenant: Tenant) -> None:
    tenant.people["alex"].keeps_deleted_copy = True
    await tenant.answer("megan", await tenant.meet("megan"))
    assert await tenant.inbox("alex") == []
    assert len(await tenant.listed("alex", "/me/mailFolders/deleteditems/messages")) == 1


async def test_a_rule_may_file_answers_elsewhere(tenant: Tenant) -> None:
    tenant.people["adele"].answers_folder = "Answers"
    await tenant.answer("megan", await tenant.meet("megan"))
    assert await tenant.inbox("adele") == []
    folder = next(
        one for one in await tenant.listed("adele", "/me/mailFolders") if one["displayName"] == "Answers"
    )
    (response,) = await tenant.listed("adele", f"/me/mailFolders/{folder['id']}/messages")
    assert response["parentFolderId"] == folder["id"]


async def test_an_answer_that_is_not_sent_stays_with_the_attendee(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await tenant.answer("megan", made, sendResponse=False)
    assert (await tenant.copy_of("megan", made))["responseStatus"]["response"] == "accepted"
    assert await tenant.inbox("adele") == []
    assert (await tenant.rows(made))[MEGAN] == ("none", NEVER)


async def test_where_no_response_was_requested_none_is_sent(tenant: Tenant) -> None:
    made = await tenant.meet("megan", responseRequested=False)
    await tenant.answer("megan", made)
    assert await tenant.inbox("adele") == []
    assert (await tenant.rows(made))[MEGAN] == ("none", NEVER)


async def test_an_attendees_delegate_answers_in_her_name(tenant: Tenant) -> None:
    tenant.add("pat", "Pat Park", "pat@contoso.com")
    tenant.world.grant(tenant.people["megan"], tenant.people["pat"], "delegateWithoutPrivateEventAccess")
    made = await tenant.meet("megan")
    (request,) = await tenant.inbox("pat")
    assert request["isDelegated"] is True
    assert await tenant.inbox("megan") == []
    mine = await tenant.copy_of("megan", made)
    await tenant.post("pat", f"/users/{MEGAN}/events/{mine['id']}/accept", {}, status=202)
    (response,) = await tenant.inbox("adele")
    assert response["from"]["emailAddress"]["name"] == "Megan Bowen"
    assert response["sender"]["emailAddress"]["name"] == "Pat Park"
    assert (await tenant.rows(made))[MEGAN][0] == "accepted"


async def test_a_proposed_time_stands_on_the_row_and_in_the_message(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    proposal = {
        "Start": {"DateTime": "2026-12-02T09:00:00", "TimeZone": "UTC"},
        "end": {"dateTime": "2026-12-02T10:00:00", "timeZone": "UTC"},
    }
    await tenant.answer("megan", made, "tentativelyAccept", ProposedNewTime=proposal, SendResponse="true")
    ids = [f"SystemTime {{00062002-0000-0000-C000-000000000046}} Id 0x{n}" for n in ("8250", "8251")]
    (response,) = await tenant.inbox("adele", *ids)
    assert properties(response) == {"0x8250": "2026-12-02T09:00:00Z", "0x8251": "2026-12-02T10:00:00Z"}
    held = await tenant.get("alex", f"/me/events/{made['id']}")
    assert held["attendees"][0]["proposedNewTime"]["start"]["dateTime"] == "2026-12-02T09:00:00.0000000"
    cast = "microsoft.graph.eventMessageResponse"
    typed = await tenant.get(
        "adele", f"/me/messages/{response['id']}/{cast}?$select=proposedNewTime,responseType"
    )
    assert typed["responseType"] == "tentativelyAccepted"
    assert typed["proposedNewTime"]["end"]["dateTime"] == "2026-12-02T10:00:00.0000000"


@pytest.mark.parametrize(
    ("action", "parameters", "code"),
    [
        ("accept", {"proposedNewTime": {"start": {}, "end": {}}}, "RequestBodyRead"),
        ("decline", {"remark": "no"}, "RequestBodyRead"),
        ("decline", {"comment": 5}, "RequestBodyRead"),
    ],
)
async def test_parameters_that_the_action_does_not_have_are_refused(
    tenant: Tenant, action: str, parameters: dict[str, object], code: str
) -> None:
    mine = await tenant.copy_of("megan", await tenant.meet("megan"))
    answer = await tenant.ask("megan", "POST", f"/me/events/{mine['id']}/{action}", parameters)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)


async def test_the_organizer_cannot_answer(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    answer = await tenant.ask("alex", "POST", f"/me/events/{made['id']}/accept", {})
    assert (answer.status, answer.body["error"]["code"]) == (400, "ErrorInvalidRequest")


async def test_everybody_behind_a_list_is_invited_and_shows_once_they_answered(tenant: Tenant) -> None:
    members = tenant.addresses("megan", "christie")
    tenant.add("team", "Team", "team@contoso.com", purpose="list", members=members)
    made = await tenant.meet("team@contoso.com")
    assert set(await tenant.rows(made)) == {"team@contoso.com"}
    await tenant.answer("megan", made)
    rows = await tenant.rows(made)
    assert (rows["team@contoso.com"][0], rows[MEGAN][0]) == ("none", "accepted")
    assert (await tenant.copy_of("christie", made))["responseStatus"]["response"] == "notResponded"


async def test_each_change_of_an_event_is_later_than_the_one_before_though_the_clock_stands(
    tenant: Tenant,
) -> None:
    made = await tenant.meet("megan")
    moments = [made["lastModifiedDateTime"]]
    for action in ("accept", "decline", "accept"):
        await tenant.answer("megan", made, action)
        event = await tenant.get("alex", f"/me/events/{made['id']}")
        moments.append(event["lastModifiedDateTime"])
    assert moments == sorted(set(moments))


async def test_a_room_answers_by_itself(tenant: Tenant) -> None:
    tenant.add("room", "Room 1", "room1@contoso.com", purpose="room")
    made = await tenant.meet("room@contoso.com", "room")
    assert (await tenant.rows(made))["room1@contoso.com"][0] == "accepted"
    (response,) = await tenant.inbox("adele")
    assert response["from"]["emailAddress"]["address"] == "room1@contoso.com"


async def test_an_alias_stays_on_the_row_and_the_answer_comes_from_the_primary_address(
    tenant: Tenant,
) -> None:
    tenant.add("lee", "Lee Gu", "lee@contoso.com", aliases=["lgu@contoso.com"])
    made = await tenant.meet("LGu@contoso.com")
    await tenant.answer("lee", made)
    assert (await tenant.rows(made))["lgu@contoso.com"][0] == "accepted"
    (response,) = await tenant.inbox("adele")
    assert response["from"]["emailAddress"]["address"] == "lee@contoso.com"


async def test_whoever_gets_it_forwarded_is_on_the_list_and_may_answer(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    mine = await tenant.copy_of("megan", made)
    to = [{"emailAddress": {"address": tenant.people["christie"].address}}]
    await tenant.post("megan", f"/me/events/{mine['id']}/forward", {"ToRecipients": to}, status=202)
    assert (await tenant.rows(made))["christiec@contoso.onmicrosoft.com"] == ("none", NEVER)
    await tenant.answer("christie", made, "decline")
    assert (await tenant.rows(made))["christiec@contoso.onmicrosoft.com"][0] == "declined"


async def test_answers_to_a_secondary_calendars_meeting_are_mail_only(tenant: Tenant) -> None:
    calendar = await tenant.post("alex", "/me/calendars", {"name": "Club"})
    assert calendar["isTallyingResponses"] is False
    made = await tenant.meet("megan", path=f"/me/calendars/{calendar['id']}/events")
    await tenant.answer("megan", made)
    assert len(await tenant.inbox("adele")) == 1
    assert (await tenant.rows(made))[MEGAN] == ("none", NEVER)


@pytest.mark.parametrize("who", ["alex", "adele", "app"])
async def test_an_event_tells_in_which_calendar_it_lies(tenant: Tenant, who: str) -> None:
    club = await tenant.post("alex", "/me/calendars", {"name": "Club"})
    made = await tenant.meet("megan", path=f"/me/calendars/{club['id']}/events")
    usual = await tenant.meet("megan")
    alex = f"/users/{tenant.people['alex'].id}"
    found = await tenant.get(who, f"{alex}/events/{made['id']}/calendar?$select=name,isTallyingResponses")
    assert {name: found[name] for name in ("name", "isTallyingResponses")} == {
        "name": "Club",
        "isTallyingResponses": False,
    }
    assert (await tenant.get(who, f"{alex}/events/{usual['id']}/calendar"))["isTallyingResponses"] is True


async def test_a_delegates_list_shows_the_calendar_of_an_event_under_its_own_id(tenant: Tenant) -> None:
    await tenant.meet("megan")
    shared = (await tenant.listed("adele", "/me/calendars"))[1]
    (event,) = await tenant.listed("adele", f"/me/calendars/{shared['id']}/events")
    assert (await tenant.get("adele", f"/me/events/{event['id']}/calendar"))["id"] == shared["id"]


async def test_the_calendar_of_no_event_is_not_found(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    await tenant.ask("alex", "DELETE", f"/me/events/{made['id']}")
    assert (await tenant.ask("alex", "GET", f"/me/events/{made['id']}/calendar")).status == 404


@pytest.mark.parametrize(("believed", "shown"), [(True, "none"), (False, "accepted")])
async def test_an_outside_answer_is_tallied_only_if_not_believed_otherwise(
    believed: bool, shown: str
) -> None:
    tenant = Tenant(external_not_tallied=believed)
    tenant.add("eve", "Eve Out", "eve@fabrikam.com")
    made = await tenant.meet("eve")
    await tenant.answer("eve", made)
    assert len(await tenant.inbox("adele")) == 1
    assert (await tenant.rows(made))["eve@fabrikam.com"][0] == shown


@pytest.mark.parametrize(
    ("believed", "order"),
    [(True, ["event", "message"]), (False, ["message", "event"])],
)
async def test_event_and_message_come_in_the_order_believed(believed: bool, order: list[str]) -> None:
    tenant = Tenant(event_before_message=believed)
    made = await tenant.meet("megan")
    watched = {tenant.people["alex"].id, tenant.people["adele"].id}
    tenant.changes.clear()
    await tenant.answer("megan", made)
    assert [one.kind for one in tenant.changes if one.user_id in watched] == order


@pytest.mark.parametrize("believed", [True, False])
async def test_copies_say_for_whom_only_if_believed(believed: bool) -> None:
    tenant = Tenant(received_representing=believed)
    await tenant.answer("megan", await tenant.meet("megan"))
    (response,) = await tenant.inbox("adele", REPRESENTED)
    assert ("0x5d08" in properties(response)) is believed


async def test_an_exchange_address_grows_a_second_row() -> None:
    tenant = Tenant(legacy_dn=True)
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    rows = await tenant.rows(made)
    (legacy,) = [address for address in rows if address.startswith("/o=exchangelabs/")]
    assert (rows[MEGAN][0], rows[legacy][0]) == ("none", "accepted")
    (response,) = await tenant.inbox("adele", "String 0x5D02")
    assert response["from"]["emailAddress"]["address"].lower() == legacy
    assert properties(response)["0x5d02"].lower() == MEGAN
    await tenant.answer("megan", made, "decline")
    assert len(await tenant.rows(made)) == 2


async def test_an_answer_stamped_before_the_recorded_one_does_not_replace_it(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    tenant.world.replace_beliefs(clock_skew_s=60)
    await tenant.answer("megan", made)
    tenant.world.replace_beliefs(clock_skew_s=0)
    tenant.pass_time(30)
    await tenant.answer("megan", made, "decline")
    assert (await tenant.rows(made))[MEGAN][0] == "accepted"
    assert len(await tenant.inbox("adele")) == 2


async def test_an_answer_is_as_private_as_its_meeting(tenant: Tenant) -> None:
    for sensitivity, number in (("normal", "0"), ("private", "2")):
        await tenant.answer("megan", await tenant.meet("megan", sensitivity=sensitivity))
        assert properties((await tenant.inbox("adele", "Integer 0x36"))[0]) == {"0x36": number}


@pytest.mark.parametrize("skew", [90.0, -90.0])
async def test_a_wrong_clock_stamps_message_and_status_alike(skew: float) -> None:
    tenant = Tenant(clock_skew_s=skew)
    made = await tenant.meet("megan")
    await tenant.answer("megan", made)
    (response,) = await tenant.inbox("adele", CRITICAL)
    stamp = properties(response)["0x1"]
    assert stamp == (await tenant.rows(made))[MEGAN][1]
    assert stamp[:19] == ("2026-11-24T09:31:45" if skew > 0 else "2026-11-24T09:28:45")
    assert response["sentDateTime"][:19] == stamp[:19]
    assert response["receivedDateTime"] == "2026-11-24T09:30:15Z"


async def test_a_room_answers_what_is_forwarded_to_it(tenant: Tenant) -> None:
    tenant.add("room", "Attic", "attic@contoso.com", purpose="room")
    made = await tenant.meet("megan")
    to = [{"emailAddress": {"address": "attic@contoso.com"}}]
    await tenant.post("alex", f"/me/events/{made['id']}/forward", {"ToRecipients": to}, status=202)
    assert (await tenant.rows(made))["attic@contoso.com"][0] == "accepted"
