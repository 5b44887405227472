"""Who takes part: owners with delegates of every kind, attendees inside and outside the tenant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from service.reconcile.model import Address
from service.roster import RosterEntry
from service.sandbox.people import Delivery, User
from service.sandbox.world import World
from tests.simulation.chance import Chance

DELIVERIES: Final[tuple[Delivery, ...]] = ("sendToDelegateOnly", "sendToDelegateAndPrincipal")


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The people of one history.

    Attributes:
        owners: whose calendars may be watched.
        helpers: whoever is a delegate of somebody at some time.
        guests: whoever is invited; the last comes from outside.
    """

    owners: tuple[User, ...]
    helpers: tuple[User, ...]
    guests: tuple[User, ...]

    @property
    def roster(self) -> tuple[RosterEntry, ...]:
        return tuple(map(entry_of, self.owners))

    @property
    def readers(self) -> tuple[User, ...]:
        """Whoever may find answers to owners' meetings in the mailbox."""
        return (*self.helpers, *self.owners)


def entry_of(owner: User) -> RosterEntry:
    """Give an owner as the operator names them; delegates are to be discovered."""
    return RosterEntry(address=Address(owner.address.casefold()))


def gather(world: World, chance: Chance) -> People:
    """Let people into the tenant.

    One to three of them are owners: Alex with one delegate, Lee with two and a delivery option of choice, and
    Joni, who only shares the calendar and reads the answers herself. Grady may have a rule that files answers
    in a folder.
    """
    folder = chance.pick(("", "", "Answers"))
    adele = world.add_user("Adele Vance", "AdeleV@contoso.com")
    grady = world.add_user("Grady Archie", "GradyA@contoso.com", answers_folder=folder)
    alex = world.add_user(
        "Alex Wilber",
        "AlexW@contoso.com",
        delegates=[adele.id],
        keeps_deleted_copy=chance.happens(0.3),
    )
    lee = world.add_user(
        "Lee Gu", "LeeG@contoso.com", delegates=[adele.id, grady.id], delivery=chance.pick(DELIVERIES)
    )
    joni = world.add_user("Joni Sherman", "JoniS@contoso.com")
    return People(
        owners=(alex, lee, joni)[: chance.pick((1, 1, 2, 3))],
        helpers=(adele, grady),
        guests=(
            world.add_user("Megan Bowen", "MeganB@contoso.com"),
            world.add_user("Christie Cline", "ChristieC@contoso.com", aliases=["christie@contoso.com"]),
            world.add_user("Pradeep Gupta", "PradeepG@contoso.com"),
            world.add_user("Room One", "RoomOne@contoso.com", purpose="room"),
            world.add_user("Guest", "Guest@fabrikam.example"),
        ),
    )
