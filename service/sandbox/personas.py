"""The people of the walkthrough: Adele, Alex, Christie and Megan. Holds nothing that happens later.

Source: https://learn.microsoft.com/graph/outlook-create-event-in-shared-delegated-calendar
"""

from __future__ import annotations

from service.sandbox.people import User
from service.sandbox.world import World


def seed_walkthrough(world: World) -> dict[str, User]:
    """Make the four; Alex delegates his calendar to Adele, who gets all his meeting messages.

    Returns:
        The people by first name in lower case.
    """
    people = {
        "adele": world.add_user(
            "Adele Vance", "AdeleV@contoso.OnMicrosoft.com", user_id="d3b9214b-dd8b-441d-b7dc-c446c9fa0e69"
        ),
        "megan": world.add_user(
            "Megan Bowen", "MeganB@contoso.OnMicrosoft.com", user_id="48d31887-5fad-4d73-a9f5-3c356e68a038"
        ),
        "christie": world.add_user(
            "Christie Cline",
            "ChristieC@contoso.OnMicrosoft.com",
            user_id="662b947c-d9a1-4064-926c-eba1316d4462",
        ),
    }
    people["alex"] = world.add_user(
        "Alex Wilber",
        "AlexW@contoso.OnMicrosoft.com",
        delegates=[people["adele"].address],
        delivery="sendToDelegateOnly",
        user_id="64339082-ed84-4b0b-b4ab-004ae54f3747",
    )
    return people
