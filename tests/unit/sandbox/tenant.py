"""A tenant in memory with the walkthrough's people, asked as a client would ask, without HTTP."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from service.sandbox.beliefs import Beliefs
from service.sandbox.people import User
from service.sandbox.personas import seed_walkthrough
from service.sandbox.registration import APPLICATION_ROLES, DELEGATED_SCOPES
from service.sandbox.router import build_graph_router
from service.sandbox.wire import Caller, Change, GraphRequest, GraphResponse, SandboxClock
from service.sandbox.world import World

ORIGIN = "https://sandbox.test:8443"
START = datetime(2026, 11, 24, 9, 30, 15, 123456, tzinfo=UTC)
GLOBAL_ID = "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x3"
CRITICAL = "SystemTime {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x0001"
SEQUENCE = "Integer {00062002-0000-0000-C000-000000000046} Id 0x8201"
START_WHOLE = "SystemTime {00062002-0000-0000-C000-000000000046} Id 0x820D"
WINDOW = "startDateTime=2026-11-01T00:00:00Z&endDateTime=2027-03-01T00:00:00Z"


class Tenant:
    """World, router and people; time moves only when told to.

    Attributes:
        changes: everything that observers were told, in order.
    """

    def __init__(self, **beliefs: Any) -> None:
        self.clock = SandboxClock(now=lambda: START)
        self.world = World(self.clock, Beliefs(**beliefs), seed=7)
        self.people: dict[str, User] = seed_walkthrough(self.world)
        self.router = build_graph_router(self.world)
        self.changes: list[Change] = []
        self.world.observe(self.changes.append)

    def add(self, key: str, name: str, address: str, **options: Any) -> User:
        """Add somebody, who is then known by this key."""
        self.people[key] = self.world.add_user(name, address, **options)
        return self.people[key]

    def pass_time(self, seconds: float = 60) -> datetime:
        """Let time pass; gives the new now."""
        self.clock.advance(seconds)
        return START + timedelta(seconds=seconds)

    async def ask(
        self,
        who: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        permissions: Collection[str] | None = None,
        query: tuple[tuple[str, str], ...] = (),
        **headers: str,
    ) -> GraphResponse:
        """Send a request as a person, or as the application where `who` is `app`.

        Args:
            query: options that are not to be read from the path.
        """
        held = permissions or (APPLICATION_ROLES if who == "app" else DELEGATED_SCOPES)
        user_id = None if who == "app" else self.people[who].id
        path, _, options = path.partition("?")
        return await self.router.dispatch(
            GraphRequest(
                method=method,
                segments=tuple(unquote(segment) for segment in path.strip("/").split("/")),
                query=(*parse_qsl(options, keep_blank_values=True), *query),
                headers={name.replace("_", "-"): value for name, value in headers.items()},
                body=body,
                caller=Caller(user_id=user_id, app_id="app-1", permissions=frozenset(held)),
                base_url=f"{ORIGIN}/v1.0",
                url=f"{ORIGIN}/v1.0{path}",
            )
        )

    async def get(self, who: str, path: str, **headers: str) -> Any:
        """Get something that must be there."""
        answer = await self.ask(who, "GET", path, query=(), **headers)
        assert answer.status == 200, answer.body
        return answer.body

    async def listed(self, who: str, path: str, **headers: str) -> list[Any]:
        """Get a collection, all pages of it."""
        found: list[Any] = []
        while True:
            body = await self.get(who, path, **headers)
            found += body["value"]
            if "@odata.nextLink" not in body:
                return found
            path = below_version(body["@odata.nextLink"])

    async def post(self, who: str, path: str, body: Any = None, *, status: int = 201) -> Any:
        """Post something that must be taken."""
        answer = await self.ask(who, "POST", path, body)
        assert answer.status == status, answer.body
        return answer.body

    async def meet(self, *attendees: str, by: str = "alex", path: str = "/me/events", **members: Any) -> Any:
        """Make a meeting on 1 December 2026, 10 to 11 o'clock Pacific, unless told otherwise."""
        return await self.post(by, path, meeting(*self.addresses(*attendees), **members))

    def addresses(self, *keys: str) -> list[str]:
        """Give addresses of people by key; what is no key is an address already."""
        return [self.people[key].address if key in self.people else key for key in keys]

    async def copy_of(self, who: str, event: Any) -> Any:
        """Give somebody's own copy of an event."""
        found = await self.listed(who, f"/me/events?$filter=iCalUId eq '{event['iCalUId']}'")
        assert len(found) == 1, found
        return found[0]

    async def answer(self, who: str, event: Any, action: str = "accept", **parameters: Any) -> None:
        """Answer a meeting from one's own calendar."""
        mine = event if event.get("isOrganizer") is False else await self.copy_of(who, event)
        body = {"sendResponse": True, **parameters}
        await self.post(who, f"/me/events/{mine['id']}/{action}", body, status=202)

    async def rows(self, event: Any, *, who: str = "alex") -> dict[str, tuple[str, str]]:
        """Give what the organizer's event shows: address in lower case -> response and time."""
        held = await self.get(who, f"/me/events/{event['id']}?$select=attendees")
        return {
            row["emailAddress"]["address"].lower(): (row["status"]["response"], row["status"]["time"])
            for row in held["attendees"]
        }

    async def inbox(self, who: str, *properties: str) -> list[Any]:
        """Give what lies in an inbox, the latest first, with these extended properties."""
        expand = ""
        if properties:
            ids = " or ".join(f"id eq '{one}'" for one in properties)
            expand = f"?$expand=singleValueExtendedProperties($filter={ids})"
        return await self.listed(who, f"/me/mailFolders/inbox/messages{expand}")

    async def instances(self, who: str, event: Any) -> list[Any]:
        """Give the instances of a series from November 2026 to February 2027."""
        return await self.listed(who, f"/me/events/{event['id']}/instances?{WINDOW}&$top=100")


def meeting(*addresses: str, **members: Any) -> dict[str, Any]:
    """Give the body of a new meeting."""
    return {
        "subject": "Budget",
        "start": {"dateTime": "2026-12-01T10:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2026-12-01T11:00:00", "timeZone": "Pacific Standard Time"},
        "attendees": [
            {"type": "required", "emailAddress": {"address": address, "name": address.split("@")[0]}}
            for address in addresses
        ],
        **members,
    }


def weekly(count: int = 4, **range_: Any) -> dict[str, Any]:
    """Give a recurrence: every Tuesday from 1 December 2026."""
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": ["tuesday"]},
        "range": {"type": "numbered", "numberOfOccurrences": count, "startDate": "2026-12-01", **range_},
    }


def below_version(url: str) -> str:
    """Give a link's path and query below the version."""
    assert url.startswith(f"{ORIGIN}/v1.0/")
    return url.removeprefix(f"{ORIGIN}/v1.0")


def properties(item: Any) -> dict[str, str]:
    """Give the extended properties of an item by the tail of their ids, such as `Id 0x3` or `0x1a`."""
    found = item.get("singleValueExtendedProperties", [])
    return {one["id"].rpartition(" ")[2].lower(): one["value"] for one in found}
