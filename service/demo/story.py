"""The six steps of the walkthrough, each done by one person through the Graph API with their own token.

The service is not told of any step: it learns of them through its subscriptions. Must never read Redis.

Source: https://learn.microsoft.com/graph/outlook-create-event-in-shared-delegated-calendar
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from service.errors import CommandError

POLL_S: Final = 0.15
SUBJECT: Final = "Let's go for lunch"
COMMENT: Final = "I will probably be able to make it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Somebody of the walkthrough.

    Attributes:
        token: their own access token.
    """

    name: str
    address: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who watches the story.

    Attributes:
        hear_step: told the number and title of each step before it is played.
        hear_detail: told what came of it.
        pause: awaited after each step that changes something, so that what follows can be seen.
    """

    hear_step: Callable[[int, str], None]
    hear_detail: Callable[[str], None]
    pause: Callable[[int], Awaitable[None]]


class Walkthrough:
    """Plays the steps in order; each returns what the next one needs.

    Args:
        session: trusts the sandbox's CA.
        patience_s: how long mail may take to arrive.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        graph_url: str,
        people: Mapping[str, Persona],
        audience: Audience,
        patience_s: float = 20.0,
    ) -> None:
        self._session = session
        self._graph_url = graph_url
        self._people = people
        self._audience = audience
        self._patience_s = patience_s

    async def play(self) -> str:
        """Play all six steps; gives the meeting's iCalUId.

        Raises:
            CommandError: a step did not come out.
        """
        calendar = await self._find_delegated_calendar()
        made = await self._create_meeting(calendar)
        await self._audience.pause(2)
        request = await self._receive_request(str(made["iCalUId"]))
        await self._answer_tentatively(str(request["event"]["id"]))
        await self._audience.pause(4)
        await self._receive_answer()
        await self._see_status(str(made["iCalUId"]))
        return str(made["iCalUId"])

    async def _find_delegated_calendar(self) -> dict[str, Any]:
        self._audience.hear_step(1, "Adele lists her calendars and finds the one that Alex delegated to her")
        owner = self._people["alex"].address.casefold()
        for calendar in (await self._get("adele", "/me/calendars"))["value"]:
            if (calendar.get("owner") or {}).get("address", "").casefold() == owner:
                self._audience.hear_detail(
                    f"calendar {calendar['name']!r} of {calendar['owner']['name']}, "
                    f"canEdit={calendar['canEdit']}, canShare={calendar['canShare']}"
                )
                return dict(calendar)
        raise CommandError("Adele does not see a calendar of Alex")

    async def _create_meeting(self, calendar: Mapping[str, Any]) -> dict[str, Any]:
        self._audience.hear_step(
            2, "Adele creates a meeting in it on Alex' behalf, and invites Megan and Christie"
        )
        noon = (datetime.now(UTC) + timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
        path = f"/me/calendars/{quote(str(calendar['id']), safe='')}/events"
        made = await self._post("adele", path, self._build_meeting(noon))
        organizer = made["organizer"]["emailAddress"]["name"]
        self._audience.hear_detail(f"{made['subject']!r}, {noon:%d %B %H:%M} UTC; organizer: {organizer}")
        return made

    def _build_meeting(self, start: datetime) -> dict[str, Any]:
        invited = [self._people["megan"], self._people["christie"]]
        return {
            "subject": SUBJECT,
            "body": {"contentType": "HTML", "content": "Does next noon work for you?"},
            "start": {"dateTime": f"{start:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"},
            "end": {"dateTime": f"{start + timedelta(hours=2):%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"},
            "location": {"displayName": "Harry's Bar"},
            "attendees": [
                {"emailAddress": {"address": one.address.lower(), "name": one.name}, "type": "required"}
                for one in invited
            ],
        }

    async def _receive_request(self, ical_uid: str) -> dict[str, Any]:
        self._audience.hear_step(3, "Christie receives the request and reads its event")
        message = await self._find_message("christie", "meetingRequest", sender="adele")
        path = f"/me/messages/{quote(str(message['id']), safe='')}?$expand=microsoft.graph.eventMessage/event"
        request = await self._get("christie", path)
        if (request.get("event") or {}).get("iCalUId") != ical_uid:
            raise CommandError("the request does not lead to the meeting that Adele made")
        sender, for_whom = request["sender"]["emailAddress"], request["from"]["emailAddress"]
        self._audience.hear_detail(
            f"sent by {sender['name']}, from {for_whom['name']}: {request['subject']!r}"
        )
        return request

    async def _answer_tentatively(self, event_id: str) -> None:
        self._audience.hear_step(4, "Christie answers tentatively, with a comment")
        path = f"/me/events/{quote(event_id, safe='')}/tentativelyAccept"
        await self._post("christie", path, {"comment": COMMENT, "sendResponse": True})
        self._audience.hear_detail(f"“{COMMENT}”")

    async def _receive_answer(self) -> None:
        self._audience.hear_step(5, "The answer arrives in Adele's inbox only: Alex gets no mail")
        message = await self._find_message("adele", "meetingTenativelyAccepted", sender="christie")
        self._audience.hear_detail(f"Adele: {message['subject']!r}")
        page = await self._get("alex", "/me/messages")
        if page["value"]:
            raise CommandError("Alex received a message, although his delegate alone should")
        self._audience.hear_detail("Alex: no message")

    async def _see_status(self, ical_uid: str) -> None:
        self._audience.hear_step(6, "Alex' event shows her status")

        async def look() -> dict[str, Any] | None:
            page = await self._get("alex", "/me/calendar/events")
            for event in page["value"]:
                if event["iCalUId"] == ical_uid:
                    return self._find_answered_row(event)
            return None

        row = await self._wait_for(look, "Christie's status on Alex' event")
        self._audience.hear_detail(f"{row['emailAddress']['name']}: {row['status']['response']}")

    def _find_answered_row(self, event: Mapping[str, Any]) -> dict[str, Any] | None:
        christie = self._people["christie"].address.casefold()
        for row in event["attendees"]:
            is_christie = row["emailAddress"]["address"].casefold() == christie
            if is_christie and row["status"]["response"] == "tentativelyAccepted":
                return dict(row)
        return None

    async def _find_message(self, who: str, kind: str, *, sender: str) -> dict[str, Any]:
        """Wait for a message of that kind and sender in somebody's inbox."""
        wanted = self._people[sender].address.casefold()

        async def look() -> dict[str, Any] | None:
            page = await self._get(who, "/me/mailFolders/inbox/messages")
            for message in page["value"]:
                given = ((message.get("sender") or {}).get("emailAddress") or {}).get("address", "")
                if message.get("meetingMessageType") == kind and given.casefold() == wanted:
                    return dict(message)
            return None

        return await self._wait_for(look, f"a {kind} in the inbox of {self._people[who].name}")

    async def _wait_for(
        self, look: Callable[[], Awaitable[dict[str, Any] | None]], what: str
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    if found := await look():
                        return found
                    await asyncio.sleep(POLL_S)
        except TimeoutError as error:
            raise CommandError(f"{what} did not come in {self._patience_s:g} s") from error

    async def _get(self, who: str, path: str) -> dict[str, Any]:
        return await self._send("GET", who, path, None)

    async def _post(self, who: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._send("POST", who, path, body)

    async def _send(self, method: str, who: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._people[who].token}"}
        async with self._session.request(
            method, self._graph_url + path, json=body, headers=headers
        ) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise CommandError(f"{method} {path.partition('?')[0]}: {answer.status} {text[:300]}")
            return dict(await answer.json()) if text else {}
