"""The people of the sandbox's tenant: what each does over HTTPS, with their own token. Never asks Redis."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import aiohttp

PASSING = frozenset({401, 429, 503})
PATIENCE = 30
PATIENCE_WAIT_S = 0.05
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a mailbox and a token."""

    id: str
    name: str
    address: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The sandbox's ready line, read as any program would."""

    graph_url: str
    control_url: str
    ca_bundle: str
    people: Mapping[str, Person]

    @classmethod
    def parse(cls, line: Mapping[str, Any]) -> Self:
        return cls(
            graph_url=line["graph_url"],
            control_url=line["control_url"],
            ca_bundle=line["ca_bundle"],
            people={key: Person(**who) for key, who in line["personas"].items()},
        )


class Tenant:
    """Asks Graph as its people, and the sandbox's control API as the one who runs the show."""

    def __init__(self, ready: Ready, session: aiohttp.ClientSession) -> None:
        self.ready = ready
        self.people = dict(ready.people)
        self._session = session
        self._trust = ssl.create_default_context(cafile=ready.ca_bundle)

    # --- plain requests ---

    async def graph(self, method: str, path: str, who: Person, body: Any = None) -> Any:
        """Ask Graph as a person; the answer must be a success, after some patience with faults of the day."""
        for _ in range(PATIENCE):
            status, answered = await self._ask_once(method, path, who, body)
            if status not in PASSING:
                break
            await asyncio.sleep(PATIENCE_WAIT_S)
        assert status < 300, (method, path, status, answered)
        return answered

    async def _ask_once(self, method: str, path: str, who: Person, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {who.token}", **IMMUTABLE}
        url = self.ready.graph_url + path
        async with self._session.request(method, url, json=body, headers=headers, ssl=self._trust) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def control(self, path: str, body: Any = None) -> Any:
        """Ask the control API: GET without a body, POST with one."""
        method = "GET" if body is None else "POST"
        url = f"{self.ready.control_url}/{path}"
        async with self._session.request(method, url, json=body, ssl=self._trust) as answer:
            assert answer.status == 200, (path, answer.status, await answer.text())
            return await answer.json()

    # --- the one who runs the show ---

    async def add_user(self, name: str, address: str, **more: Any) -> Person:
        made = await self.control("users", {"name": name, "address": address, **more})
        person = Person(**made)
        self.people[address.casefold()] = person
        return person

    async def advance(self, seconds: float) -> None:
        """Let the tenant's clock go ahead, so that two answers lie apart."""
        await self.control("clock", {"advance_s": seconds})

    async def send_mail(self, to: Person, sender: str, subject: str, body: str) -> str:
        sent = await self.control(
            "mail", {"to": to.address, "from": sender, "subject": subject, "body": body}
        )
        return str(sent["ids"][0])

    # --- what people do ---

    async def find_calendar(self, who: Person, owner: Person) -> str:
        """Give the path of an owner's calendar as somebody sees it: the own, or a delegated one."""
        if who.id == owner.id:
            return "/me/calendar"
        page = await self.graph("GET", "/me/calendars", who)
        (found,) = [
            one
            for one in page["value"]
            if (one.get("owner") or {}).get("address", "").casefold() == owner.address.casefold()
        ]
        return f"/me/calendars/{quote(found['id'], safe='')}"

    async def create_meeting(self, who: Person, owner: Person, event: Mapping[str, Any]) -> dict[str, Any]:
        """Create a meeting in an owner's calendar; gives the event."""
        calendar = await self.find_calendar(who, owner)
        made: dict[str, Any] = await self.graph("POST", f"{calendar}/events", who, dict(event))
        return made

    async def answer(
        self,
        who: Person,
        uid: str,
        how: str,
        *,
        comment: str = "",
        on_behalf_of: Person | None = None,
        **more: Any,
    ) -> None:
        """Answer a meeting in the own calendar, or for somebody whose delegate one is.

        Args:
            how: `accept`, `tentativelyAccept` or `decline`.
        """
        calendar = await self.find_calendar(who, on_behalf_of or who)
        event = await self.find_event(who, calendar, uid)
        body = {"sendResponse": True, "comment": comment, **more}
        path = f"{calendar}/events/{quote(event['id'], safe='')}/{how}"
        await self.graph("POST", path, who, body)

    async def find_event(self, who: Person, calendar: str, uid: str) -> dict[str, Any]:
        """Give the event of a meeting in a calendar."""
        page = await self.graph("GET", f"{calendar}/events?$top=200", who)
        (found,) = [one for one in page["value"] if one["iCalUId"] == uid]
        return dict(found)

    async def list_inbox(self, who: Person) -> Sequence[dict[str, Any]]:
        page = await self.graph("GET", "/me/mailFolders/inbox/messages?$top=500", who)
        listed: list[dict[str, Any]] = page["value"]
        return listed
