"""Who somebody is, where the directory is closed: only those are known who signed in."""

from __future__ import annotations

import pytest

from service.errors import AccessError, GoneError
from service.ports import DeliveryOption, DirectoryPerson
from service.reconcile.model import Address, MailboxKey
from service.sign_ins.directory import SignedInDirectory
from tests.unit.sign_ins.fakes import build_sign_in

MEGAN = DirectoryPerson(
    key=MailboxKey("id-megan"), address="MeganB@contoso.com", name="Megan Bowen", aliases=()
)


class HalfClosedDirectory:
    """Shows Megan, has never heard of Nobody, and shows nobody else."""

    async def find_person(self, address: str) -> DirectoryPerson:
        if address == "megan@contoso.com":
            return MEGAN
        if address == "nobody@contoso.com":
            raise GoneError("nobody has it", status=404, code="Request_ResourceNotFound")
        raise AccessError("closed", status=403, code="Authorization_RequestDenied")

    async def fetch_delegates(self, owner: MailboxKey) -> tuple[Address, ...]:
        return (Address(f"delegate of {owner}"),)

    async def fetch_delivery_option(self, owner: MailboxKey) -> DeliveryOption:
        raise AccessError(f"settings of {owner} are closed", status=403, code="ErrorAccessDenied")


DIRECTORY = SignedInDirectory(HalfClosedDirectory(), lambda: (build_sign_in("adele"), build_sign_in("megan")))


@pytest.mark.parametrize("given", ["adele@contoso.com", "Adele.Alias@contoso.com", "id-adele"])
async def test_who_has_signed_in_is_known_by_each_of_their_names(given: str) -> None:
    person = await DIRECTORY.find_person(given)
    assert (person.key, person.address, person.name) == ("id-adele", "adele@contoso.com", "adele")
    assert person.aliases == ("adele.alias@contoso.com",)


async def test_what_the_directory_says_goes_before_what_was_told_at_a_sign_in() -> None:
    assert await DIRECTORY.find_person("megan@contoso.com") == MEGAN


async def test_of_anybody_else_the_refusal_stands() -> None:
    with pytest.raises(AccessError, match="closed"):
        await DIRECTORY.find_person("christie@contoso.com")
    with pytest.raises(GoneError):
        await DIRECTORY.find_person("nobody@contoso.com")


async def test_delegates_and_settings_are_the_directorys_to_tell() -> None:
    assert await DIRECTORY.fetch_delegates(MailboxKey("id-alex")) == ("delegate of id-alex",)
    with pytest.raises(AccessError, match="settings of id-adele are closed"):
        await DIRECTORY.fetch_delivery_option(MailboxKey("id-adele"))
