"""How somebody is found under an alias, and what a cloud without single settings is asked."""

from __future__ import annotations

import pytest

from service.errors import AccessError, GoneError
from service.graph.directory import GraphDirectory
from service.ports import DeliveryOption
from service.reconcile.model import MailboxKey
from tests.unit.graph.replies import RecordingObserver, ScriptedSender, in_order, refusal, reply

ALEX = {
    "id": "u-1",
    "displayName": "Alex",
    "mail": "alex@contoso.example",
    "userPrincipalName": "aw@contoso.example",
}
MISSING = refusal(404, "Request_ResourceNotFound")


def directory(sender: ScriptedSender) -> GraphDirectory:
    return GraphDirectory(sender, observer=RecordingObserver())


async def test_an_address_that_is_no_principal_name_is_looked_for_among_the_aliases() -> None:
    sender = in_order(MISSING, reply({"value": [ALEX]}))
    person = await directory(sender).find_person("Wilber@contoso.example")
    assert (person.key, person.address) == ("u-1", "alex@contoso.example")
    assert person.aliases == ("alex@contoso.example", "aw@contoso.example")
    assert sender.asked[1].path == "/users"


@pytest.mark.parametrize("found", [[], [ALEX, {**ALEX, "id": "u-2"}]])
async def test_an_address_that_nobody_or_two_people_have_is_nobodys(found: list[object]) -> None:
    with pytest.raises(GoneError):
        await directory(in_order(MISSING, reply({"value": found}))).find_person("x@contoso.example")


async def test_a_directory_that_may_not_be_searched_is_told_as_such() -> None:
    sender = in_order(MISSING, refusal(403, "Authorization_RequestDenied"))
    with pytest.raises(AccessError):
        await directory(sender).find_person("x@contoso.example")


async def test_delegates_are_gathered_over_all_pages_once_each() -> None:
    def permission(address: str) -> dict[str, object]:
        return {"role": "delegateWithPrivateEventAccess", "emailAddress": {"address": address}}

    link = "https://graph.example/v1.0/more"
    sender = in_order(
        reply({"value": [permission("Megan@contoso.example")], "@odata.nextLink": link}),
        reply({"value": [permission("adele@contoso.example"), permission("megan@contoso.example")]}),
    )
    delegates = await directory(sender).fetch_delegates(MailboxKey("u-1"))
    assert delegates == ("adele@contoso.example", "megan@contoso.example")


async def test_a_cloud_without_single_settings_is_asked_for_all_of_them() -> None:
    whole = reply({"delegateMeetingMessageDeliveryOptions": "sendToDelegateAndPrincipal"})
    sender = in_order(refusal(400, "BadRequest"), whole)
    option = await directory(sender).fetch_delivery_option(MailboxKey("u-1"))
    assert option is DeliveryOption.DELEGATE_AND_PRINCIPAL
    assert [one.path for one in sender.asked] == [
        "/users/u-1/mailboxSettings/delegateMeetingMessageDeliveryOptions",
        "/users/u-1/mailboxSettings",
    ]
