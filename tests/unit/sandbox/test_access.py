"""Who sees what: one's own mailbox, calendars that were shared or delegated, private events, ids."""

from __future__ import annotations

import pytest

from service.sandbox.wire import GraphFault
from tests.unit.sandbox.tenant import GLOBAL_ID, Tenant, meeting

ALEX = "/users/alexw@contoso.onmicrosoft.com"


@pytest.mark.parametrize(
    "path", [f"{ALEX}/messages", f"{ALEX}/mailFolders", f"{ALEX}/mailboxSettings", f"{ALEX}/calendars"]
)
async def test_a_delegate_of_the_calendar_sees_nothing_else(tenant: Tenant, path: str) -> None:
    assert (await tenant.ask("adele", "GET", path)).status == 403


@pytest.mark.parametrize(
    "path",
    ["calendar", "calendar/events", "events", "calendarView?startDateTime=2026-12-01&endDateTime=2026-12-09"],
)
async def test_a_delegate_reads_the_owners_calendar_by_path_and_others_do_not(
    tenant: Tenant, path: str
) -> None:
    await tenant.meet("christie")
    assert (await tenant.ask("adele", "GET", f"{ALEX}/{path}")).status == 200
    assert (await tenant.ask("megan", "GET", f"{ALEX}/{path}")).status == 403
    own_scopes_only = ["Calendars.ReadWrite", "Mail.Read"]
    assert (await tenant.ask("adele", "GET", f"{ALEX}/{path}", permissions=own_scopes_only)).status == 403


async def test_a_reader_does_not_write(tenant: Tenant) -> None:
    tenant.world.grant(tenant.people["alex"], tenant.people["megan"], "read")
    made = await tenant.meet("christie")
    assert (await tenant.ask("megan", "GET", f"{ALEX}/events/{made['id']}")).status == 200
    assert (await tenant.ask("megan", "PATCH", f"{ALEX}/events/{made['id']}", {"subject": "x"})).status == 403
    calendar = (await tenant.listed("megan", "/me/calendars"))[1]
    assert (calendar["canEdit"], calendar["owner"]["name"]) == (False, "Alex Wilber")
    assert (
        await tenant.ask("megan", "POST", f"/me/calendars/{calendar['id']}/events", meeting())
    ).status == 403


async def test_only_owner_and_application_see_permissions(tenant: Tenant) -> None:
    rows = await tenant.listed("alex", "/me/calendar/calendarPermissions")
    assert [(row["role"], row["isRemovable"]) for row in rows] == [
        ("delegateWithoutPrivateEventAccess", True),
        ("freeBusyRead", False),
    ]
    assert rows[1]["emailAddress"] == {"name": "My Organization"}
    assert await tenant.listed("app", f"{ALEX}/calendar/calendarPermissions") == rows
    assert await tenant.listed("adele", f"{ALEX}/calendar/calendarPermissions") == []
    delegated = (await tenant.listed("adele", "/me/calendars"))[1]
    assert await tenant.listed("adele", f"/me/calendars/{delegated['id']}/calendarPermissions") == []


async def test_a_calendar_is_delegated_changed_and_taken_back(tenant: Tenant) -> None:
    given = {"role": "read", "emailAddress": {"address": tenant.people["christie"].address}}
    row = await tenant.post("alex", "/me/calendar/calendarPermissions", given)
    path = f"/me/calendar/calendarPermissions/{row['id']}"
    answer = await tenant.ask("alex", "PATCH", path, {"role": "delegateWithPrivateEventAccess"})
    assert answer.body["role"] == "delegateWithPrivateEventAccess"
    assert (await tenant.listed("christie", "/me/calendars"))[1]["canViewPrivateItems"] is True
    assert (await tenant.ask("alex", "DELETE", path)).status == 204
    assert len(await tenant.listed("christie", "/me/calendars")) == 1
    assert (await tenant.ask("alex", "GET", path)).status == 404


async def test_a_private_event_is_only_a_time_to_a_delegate_without_private_access(tenant: Tenant) -> None:
    made = await tenant.meet("christie", sensitivity="private", location={"displayName": "Clinic"})
    expand = f"$expand=singleValueExtendedProperties($filter=id eq '{GLOBAL_ID}')"
    (seen,) = await tenant.listed("adele", f"{ALEX}/events?{expand}")
    assert (seen["subject"], seen["attendees"], seen["bodyPreview"]) == ("Private Appointment", [], "")
    assert seen["location"]["displayName"] == ""
    assert "singleValueExtendedProperties" not in seen
    assert (await tenant.ask("adele", "PATCH", f"{ALEX}/events/{made['id']}", {"subject": "x"})).status == 403
    tenant.world.grant(tenant.people["alex"], tenant.people["adele"], "delegateWithPrivateEventAccess")
    (seen,) = await tenant.listed("adele", f"{ALEX}/events")
    assert seen["subject"] == "Budget"


async def test_somebody_outside_has_a_mailbox_of_their_own_and_is_not_in_the_directory(
    tenant: Tenant,
) -> None:
    tenant.add("eve", "Eve Out", "eve@fabrikam.com")
    made = await tenant.meet("eve")
    assert (await tenant.copy_of("eve", made))["isOrganizer"] is False
    assert (await tenant.ask("app", "GET", "/users/eve@fabrikam.com")).status == 404
    assert (await tenant.ask("app", "GET", "/users/eve@fabrikam.com/messages")).status == 404
    assert "Eve Out" not in [one["displayName"] for one in await tenant.listed("app", "/users")]


async def test_a_user_without_mailbox_is_in_the_directory_only(tenant: Tenant) -> None:
    tenant.add("sam", "Sam", "sam@contoso.com", has_mailbox=False)
    assert (await tenant.get("app", "/users/sam@contoso.com"))["mail"] == "sam@contoso.com"
    answer = await tenant.ask("app", "GET", "/users/sam@contoso.com/messages")
    assert (answer.status, answer.body["error"]["code"]) == (404, "MailboxNotEnabledForRESTAPI")


async def test_a_user_is_found_by_id_and_every_address_in_any_case(tenant: Tenant) -> None:
    lee = tenant.add("lee", "Lee Gu", "Lee@contoso.com", aliases=["lgu@contoso.com"])
    for named in (lee.id, lee.id.upper(), "LEE@CONTOSO.COM", "LGu@contoso.com"):
        found = await tenant.get("app", f"/users/{named}?$select=id,proxyAddresses")
        assert found["proxyAddresses"] == ["SMTP:Lee@contoso.com", "smtp:lgu@contoso.com"]
    aliased = "/users?$filter=proxyAddresses/any(p:p eq 'smtp:lgu@contoso.com')&$select=displayName"
    assert await tenant.listed("app", aliased) == [{"displayName": "Lee Gu"}]


async def test_ids_are_of_one_mailbox_and_come_in_two_kinds(tenant: Tenant) -> None:
    made = await tenant.meet("megan")
    immutable = (await tenant.listed("alex", "/me/events", prefer='IdType="ImmutableId"'))[0]["id"]
    assert immutable != made["id"]
    for known in (immutable, made["id"]):
        assert (await tenant.get("alex", f"/me/events/{known}"))["id"] == made["id"]
        assert (await tenant.ask("megan", "GET", f"/me/events/{known}")).status == 404
        assert (
            await tenant.ask("alex", "GET", f"/me/events/{known[:20]}{known[20:].swapcase()}")
        ).status == 404
    given = {"inputIds": [made["id"], "x"], "sourceIdType": "restId", "targetIdType": "restImmutableEntryId"}
    answer = await tenant.ask("app", "POST", f"{ALEX}/translateExchangeIds", given)
    good, bad = answer.body["value"]
    assert good == {"sourceId": made["id"], "targetId": immutable}
    assert bad["errorDetails"]["code"] == "ErrorInvalidIdMalformed"


async def test_a_moved_message_has_another_id_unless_immutable(tenant: Tenant) -> None:
    tenant.world.send_mail(tenant.people["alex"].address, "a@b.test", "Hello", "")
    (message,) = await tenant.inbox("alex")
    folder = await tenant.post("alex", "/me/mailFolders", {"displayName": "Answers"})
    moved = await tenant.post("alex", f"/me/messages/{message['id']}/move", {"DestinationId": folder["id"]})
    assert (moved["parentFolderId"], moved["id"] != message["id"]) == (folder["id"], True)
    assert (await tenant.ask("alex", "GET", f"/me/messages/{message['id']}")).status == 404
    assert await tenant.inbox("alex") == []


async def test_settings_are_given_whole_and_one_by_one(tenant: Tenant) -> None:
    whole = await tenant.get("app", f"{ALEX}/mailboxSettings")
    assert whole["delegateMeetingMessageDeliveryOptions"] == "sendToDelegateOnly"
    one = await tenant.get("app", f"{ALEX}/mailboxSettings/delegateMeetingMessageDeliveryOptions")
    assert (set(one), one["value"]) == ({"@odata.context", "value"}, "sendToDelegateOnly")


async def test_pages_are_followed_on_the_callers_own_origin(tenant: Tenant) -> None:
    for number in range(23):
        tenant.world.send_mail(tenant.people["alex"].address, "a@b.test", f"Mail {number}", "")
    first = await tenant.get("alex", "/me/messages?$count=true&$select=subject")
    assert (len(first["value"]), first["@odata.count"]) == (10, 23)
    assert first["@odata.nextLink"].startswith("https://sandbox.test:8443/v1.0/users/")
    assert len(await tenant.listed("alex", "/me/messages?$top=7")) == 23
    assert len(await tenant.listed("alex", "/me/messages", prefer="odata.maxpagesize=4")) == 23


async def test_answers_are_found_by_their_message_class(tenant: Tenant) -> None:
    tenant.world.send_mail(tenant.people["adele"].address, "a@b.test", "Hello", "")
    await tenant.answer("megan", await tenant.meet("megan"))
    test = "ep/id eq 'String 0x001A' and ep/value eq 'IPM.Schedule.Meeting.Resp.Pos'"
    path = f"/me/messages?$filter=singleValueExtendedProperties/any(ep: {test})"
    assert [one["subject"] for one in await tenant.listed("adele", path)] == ["Accepted: Budget"]


async def test_people_are_made_with_options_that_there_are(tenant: Tenant) -> None:
    for options in (
        {"delivery": "sendToAll"},
        {"purpose": "robot"},
        {"auto_answer": "perhaps"},
        {"delegate_role": "king"},
        {"time_zone": "Mars"},
        {"delegates": ["nobody@contoso.com"]},
        {"aliases": ["AlexW@contoso.onmicrosoft.com"]},
    ):
        with pytest.raises(GraphFault):
            tenant.world.add_user("Sam", "sam@contoso.com", **options)
    assert tenant.world.directory.look_up("sam@contoso.com") is None


async def test_the_domain_of_an_owner_and_a_delegate_belongs_to_the_tenant(tenant: Tenant) -> None:
    aide = tenant.add("aide", "Aide", "aide@tailspin.test")
    assert (await tenant.ask("app", "GET", f"/users/{aide.id}")).status == 404
    tenant.add("boss", "Boss", "boss@tailspin.test", delegates=[aide.address])
    assert (await tenant.ask("app", "GET", f"/users/{aide.id}")).status == 200
    made = await tenant.meet("megan", by="boss")
    await tenant.answer("megan", made)
    assert len(await tenant.inbox("aide")) == 1


async def test_somebody_renamed_is_found_by_both_addresses_and_somebody_gone_by_none(tenant: Tenant) -> None:
    megan = tenant.people["megan"]
    old = megan.address
    tenant.world.directory.rename(megan, "megan.bowen@contoso.com")
    for named in (old, "Megan.Bowen@contoso.com"):
        assert (await tenant.get("app", f"/users/{named}"))["mail"] == "megan.bowen@contoso.com"
    tenant.world.remove_user(tenant.people["adele"])
    assert (await tenant.ask("app", "GET", "/users/adelev@contoso.onmicrosoft.com")).status == 404
    assert (await tenant.ask("adele", "GET", "/me/messages")).status == 401
    rows = await tenant.listed("alex", "/me/calendar/calendarPermissions")
    assert [row["role"] for row in rows] == ["freeBusyRead"]


async def test_an_event_is_found_in_the_calendar_where_it_lies_and_in_no_other(tenant: Tenant) -> None:
    await tenant.meet("christie")
    own, delegated = await tenant.listed("adele", "/me/calendars")
    (event,) = await tenant.listed("adele", f"/me/calendars/{delegated['id']}/events")
    for path, status in (
        ("/me/events", 200),
        (f"/me/calendars/{delegated['id']}/events", 200),
        (f"/me/calendars/{own['id']}/events", 404),
        ("/me/calendar/events", 404),
    ):
        assert (await tenant.ask("adele", "GET", f"{path}/{event['id']}")).status == status, path


async def test_what_a_new_calendar_or_folder_is_given_is_kept_or_refused(tenant: Tenant) -> None:
    red = await tenant.post("alex", "/me/calendars", {"name": "Trips", "color": "lightRed"})
    assert (await tenant.get("alex", f"/me/calendars/{red['id']}"))["color"] == "lightRed"
    hidden = {"displayName": "Away", "isHidden": True}
    assert (await tenant.ask("alex", "POST", "/me/mailFolders", hidden)).status == 400
    await tenant.post("alex", "/me/mailFolders", hidden | {"isHidden": False})


async def test_folders_and_calendars_are_found_by_name(tenant: Tenant) -> None:
    (inbox,) = await tenant.listed("alex", "/me/mailFolders?$filter=displayName eq 'inbox'")
    assert inbox["displayName"] == "Inbox"
    await tenant.post("alex", "/me/calendars", {"name": "Trips"})
    (trips,) = await tenant.listed("alex", "/me/calendars?$filter=startswith(name,'Tri')")
    assert trips["name"] == "Trips"
