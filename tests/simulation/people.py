"""Who takes part: owners with delegates of every kind, attendees inside and outside the tenant. No chance."""

from __future__ import annotations

from dataclasses import dataclass

from service.reconcile.model import Address
from service.roster import RosterEntry
from service.sandbox.people import User
from service.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The people of one history.

    Attributes:
        owners: whose calendars are watched.
        helpers: each owner's delegates.
        guests: whoever is invited; the last comes from outside.
    """

    owners: tuple[User, ...]
    helpers: dict[str, tuple[User, ...]]
    guests: tuple[User, ...]
    bystander: User

    @property
    def roster(self) -> tuple[RosterEntry, ...]:
        return tuple(RosterEntry(address=Address(owner.address.casefold())) for owner in self.owners)

    @property
    def readers(self) -> tuple[User, ...]:
        """Whoever finds answers to owners' meetings in the inbox."""
        found = {user.id: user for users in self.helpers.values() for user in users}
        return (*found.values(), *self.owners)


def gather(world: World, *, owners: int, delivery: str) -> People:
    """Let people into the tenant.

    Args:
        owners: one to three: Alex with one delegate, Lee with two and a delivery option of choice, and Joni,
            who only shares the calendar and reads the answers herself.
        delivery: Lee's option.
    """
    adele = world.add_user("Adele Vance", "AdeleV@contoso.com")
    grady = world.add_user("Grady Archie", "GradyA@contoso.com")
    alex = world.add_user("Alex Wilber", "AlexW@contoso.com", delegates=[adele.id])
    lee = world.add_user("Lee Gu", "LeeG@contoso.com", delegates=[adele.id, grady.id], delivery=delivery)
    joni = world.add_user("Joni Sherman", "JoniS@contoso.com")
    chosen = (alex, lee, joni)[:owners]
    return People(
        owners=chosen,
        helpers={alex.id: (adele,), lee.id: (adele, grady), joni.id: ()},
        guests=(
            world.add_user("Megan Bowen", "MeganB@contoso.com"),
            world.add_user("Christie Cline", "ChristieC@contoso.com", aliases=["christie@contoso.com"]),
            world.add_user("Pradeep Gupta", "PradeepG@contoso.com"),
            world.add_user("Room One", "RoomOne@contoso.com", purpose="room"),
            world.add_user("Guest", "Guest@fabrikam.example"),
        ),
        bystander=grady,
    )
