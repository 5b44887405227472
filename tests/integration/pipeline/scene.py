"""A running service before a real sandbox and a real Redis, and what its people do there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from tests.integration.subscriptions.stage import Stage
from tests.integration.waiting import wait_until

ALEX = "alexw@contoso.onmicrosoft.com"
TOMORROW: Final = (datetime.now(UTC) + timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)
"""When meetings begin: no meeting reaches into the next day, and no test into another tomorrow."""
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One update as a consumer reads it; `value` is empty for meeting-level updates."""

    type: str
    subject: str
    value: str
    instance: str
    data: dict[str, Any]

    @property
    def line(self) -> str:
        return " ".join(part for part in (self.type, self.subject, self.value, self.instance) if part)


@dataclass(slots=True, kw_only=True)
class Scene:
    """The stage with Alex as the owner whom the keeper watches."""

    stage: Stage
    _settled: int = 0

    # --- the service ---

    async def watch(self, *owners: str, **changes: Any) -> None:
        """Have owners watched; returns once their baselines are complete.

        Args:
            changes: options of the keeper.
        """
        self.stage.options = replace(self.stage.options, **changes)
        await self.stage.add_owner(*(owners or (ALEX,)))
        self.stage.start_keeper()
        await self.stage.wait_until_ready()

    async def told(self) -> list[Told]:
        """Give every update, in order."""
        updates = self.stage.streams.updates
        return [
            read_update(one.fields)
            for one in await updates.read(dict.fromkeys(updates.streams, "0-0"), block_s=0)
        ]

    async def lines(self) -> list[str]:
        return [one.line for one in await self.told()]

    async def wait_for(self, line: str) -> None:
        """Wait until an update has been told that reads so."""
        await self.wait_for_one_of(line)

    async def wait_for_one_of(self, *lines: str) -> None:
        """Wait until an update has been told that reads like one of these."""

        async def is_told() -> bool:
            return not set(lines).isdisjoint(await self.lines())

        try:
            await wait_until(is_told)
        except TimeoutError:
            raise AssertionError(f"not told: {lines}; but {await self.lines()}") from None

    async def settle(self) -> None:
        """Wait until all that happened so far has been worked off: something later has been told in full."""
        self._settled += 1
        name = f"settled{self._settled}"
        someone = await self.stage.add_user(f"{name}@contoso.com")
        await self.invite(f"{name}@contoso.com", subject=name)
        await self.answer(someone["token"], subject=name)
        await self.wait_for(f"response.confirmed {name}@contoso.com accepted")

    async def lines_of(self, *subjects: str) -> list[str]:
        """Give what was told of these people, in order."""
        return [one.line for one in await self.told() if one.subject in subjects]

    # --- people ---

    def token(self, persona: str) -> str:
        return self.stage.asking.token_of(persona)

    async def graph(self, method: str, path: str, body: Any = None, *, token: str) -> Any:
        answer = await self.stage.asking.graph(method, path, body, token=token, headers=IMMUTABLE)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        return answer.body

    async def list_mail(self, token: str, folder: str = "inbox") -> list[dict[str, Any]]:
        """Give what lies in a folder, the latest first."""
        listed = await self.graph("GET", f"/me/mailFolders/{folder}/messages", token=token)
        found: list[dict[str, Any]] = listed["value"]
        return found

    async def disturb(self, **faults: Any) -> None:
        await self.stage.asking.control("/faults", faults)

    async def advance_clock(self, seconds: float) -> None:
        """Let Graph's time go on; what was held back until then is sent."""
        await self.stage.asking.control("/clock", {"advance_s": seconds})

    async def believe(self, **positions: Any) -> None:
        await self.stage.asking.control("/beliefs", positions)

    async def invite(self, *attendees: str, token: str = "", path: str = "/me/events", **more: Any) -> str:
        """Let Alex invite to a meeting tomorrow at ten; gives the event's id in his calendar.

        Args:
            attendees: addresses, each may be followed by `|` and a display name.
            path: of the calendar's events.
            more: further members of the event.
        """
        body = {
            "subject": "Plan",
            "start": spell(TOMORROW),
            "end": spell(TOMORROW + timedelta(hours=1)),
            "attendees": [spell_attendee(one) for one in attendees],
            **more,
        }
        made = await self.graph("POST", path, body, token=token or self.token("alex"))
        return str(made["id"])

    async def change(self, event: str, **members: Any) -> None:
        await self.graph("PATCH", f"/me/events/{quote(event, safe='')}", members, token=self.token("alex"))

    async def cancel(self, event: str) -> None:
        await self.graph("POST", f"/me/events/{quote(event, safe='')}/cancel", {}, token=self.token("alex"))

    async def delete(self, event: str) -> None:
        await self.graph("DELETE", f"/me/events/{quote(event, safe='')}", token=self.token("alex"))

    async def list_instances(self, series: str) -> list[dict[str, Any]]:
        first, last = (f"{TOMORROW + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-2, 28))
        path = f"/me/events/{quote(series, safe='')}/instances?startDateTime={first}&endDateTime={last}"
        listed: list[dict[str, Any]] = (await self.graph("GET", path, token=self.token("alex")))["value"]
        return listed

    async def find_event_on(self, token: str, day: str) -> str:
        """Give the id of what somebody has in the own calendar on a day, which is one event."""
        path = f"/me/calendarView?startDateTime={day}T00:00:00Z&endDateTime={day}T23:59:59Z"
        (found,) = (await self.graph("GET", path, token=token))["value"]
        return str(found["id"])

    async def answer(
        self, token: str, how: str = "accept", *, subject: str = "Plan", event: str = "", **more: Any
    ) -> None:
        """Let somebody answer the meeting of that subject, or the event of that id, in their own calendar."""
        if not event:
            listed = await self.graph("GET", "/me/events?$top=100", token=token)
            (found,) = [one for one in listed["value"] if one["subject"] == subject]
            event = found["id"]
        body = {"sendResponse": True, **more}
        await self.graph("POST", f"/me/events/{quote(event, safe='')}/{how}", body, token=token)


def read_update(fields: Mapping[str, str]) -> Told:
    data = json.loads(fields["data"])
    return Told(
        type=fields["type"].removeprefix("responsesync."),
        subject=fields.get("subject", ""),
        value=(data["response"] or {}).get("value", ""),
        instance=fields["source"].partition("/instances/")[2],
        data=data,
    )


def spell(at: datetime) -> dict[str, str]:
    return {"dateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}


def spell_attendee(given: str) -> dict[str, Any]:
    address, _, name = given.partition("|")
    return {"emailAddress": {"address": address, "name": name or address}, "type": "required"}
