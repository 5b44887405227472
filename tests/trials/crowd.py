"""Owners, delegates, guests and their meetings: what they do through Graph, and what they remember of it.

Nobody looks at the service. Each guest answers a meeting again only when the tolerance has long passed.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from tests.endtoend.deeds import VALUES, spell
from tests.endtoend.people import Person, Tenant
from tests.trials import series
from tests.trials.series import Series

APART_S: Final = 5.0
"""Between two answers of one guest to one meeting: more than the tolerance, and than its rounding."""
GIVERS: Final = 4
DELIVERIES: Final = ("sendToDelegateOnly", "sendToDelegateOnly", "sendToDelegateAndPrincipal")
SHARED_PER_OWNERS: Final = 4
MEETINGS_PER_SERIES: Final = 10
SERIES_SHARE: Final = 0.15
"""Of all deeds."""


@dataclass(slots=True, kw_only=True)
class Owner:
    """Somebody whose calendar is watched, and their delegates; some delegates serve several owners."""

    person: Person
    delegates: tuple[Person, ...]
    delivery: str

    @property
    def readers(self) -> tuple[Person, ...]:
        """Whose inboxes hold the answers."""
        return self.delegates if self.delivery == "sendToDelegateOnly" else (*self.delegates, self.person)


@dataclass(slots=True, kw_only=True)
class Meeting:
    """A meeting as people remember it.

    Attributes:
        event_id: in the owner's calendar.
        answers: values given to the present slot by guest's address, in order; told to the organizer.
        is_plain: nothing happened to it but answers.
    """

    owner: Owner
    uid: str
    event_id: str
    start: datetime
    guests: list[Person]
    answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    answered_at: dict[str, float] = field(default_factory=dict)
    is_plain: bool = True
    is_over: bool = False

    @property
    def key(self) -> str:
        """The cleaned global object id in upper-case hex."""
        raw = bytearray(bytes.fromhex(self.uid))
        raw[16:20] = bytes(4)
        return raw.hex().upper()


class Crowd:
    """Lets people meet, answer and change their minds, all chosen by one seed.

    Attributes:
        deeds: how many of each kind were done.
    """

    def __init__(self, tenant: Tenant, seed: int, *, may_end: bool = True) -> None:
        """Take a tenant.

        Args:
            may_end: whether meetings may be cancelled and deleted.
        """
        self._tenant = tenant
        self._changes = [self._move, self._reword, self._uninvite, *([self._end] if may_end else [])]
        self._chance = random.Random(seed)
        self._event_ids: dict[tuple[str, str], str] = {}
        self._busy: set[tuple[str, str]] = set()
        self.owners: list[Owner] = []
        self.guests: list[Person] = []
        self.meetings: list[Meeting] = []
        self.series: list[Series] = []
        self.deeds: dict[str, int] = defaultdict(int)

    @property
    def given(self) -> int:
        """How many answers were given."""
        return sum(count for kind, count in self.deeds.items() if kind in VALUES)

    # --- people and meetings ---

    async def gather(self, *, owners: int, delegates: int, guests: int) -> None:
        """Let everybody join the tenant; every owner's last delegate serves three others too."""
        shared = [await self._join("shared", at) for at in range(-(-owners // SHARED_PER_OWNERS))]
        for at in range(owners):
            own = [await self._join("delegate", at * delegates + number) for number in range(delegates - 1)]
            helpers = (*own, shared[at % len(shared)])[:delegates]
            delivery = DELIVERIES[at % len(DELIVERIES)]
            person = await self._join(
                "owner", at, delegates=[one.address for one in helpers], delivery=delivery
            )
            self.owners.append(Owner(person=person, delegates=helpers, delivery=delivery))
        self.guests = [await self._join("guest", at) for at in range(guests)]

    async def _join(self, kind: str, at: int, **more: Any) -> Person:
        return await self._tenant.add_user(f"{kind.title()} {at}", f"{kind}.{at}@contoso.com", **more)

    async def meet(self, count: int, *, size: int) -> None:
        """Make so many meetings, spread over the owners, some series beside; a delegate makes each third."""
        turns = [self.owners[at % len(self.owners)] for at in range(count)]
        for part in range(0, count, GIVERS):
            made = [self._make_meeting(owner, size) for owner in turns[part : part + GIVERS]]
            self.meetings += await asyncio.gather(*made)
        for owner in turns[::MEETINGS_PER_SERIES]:
            self.series.append(await self._make_series(owner, size))

    async def _make_series(self, owner: Owner, size: int) -> Series:
        by = self._chance.choice((owner.person, owner.delegates[0]))
        guests = self._chance.sample(self.guests, size)
        return await series.make_series(self._tenant, self._chance, by=by, owner=owner.person, guests=guests)

    async def _make_meeting(self, owner: Owner, size: int) -> Meeting:
        by = self._chance.choice((owner.person, owner.person, owner.delegates[0]))
        guests = self._chance.sample(self.guests, size)
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=self._chance.randint(48, 1200))
        body = {
            "subject": f"Meeting of {owner.person.name}",
            "start": spell(start),
            "end": spell(start + timedelta(minutes=45)),
            "attendees": spell_attendees(guests),
        }
        made = await self._tenant.create_meeting(by, owner.person, body)
        event_id = made["id"]
        if by is not owner.person:
            event_id = (await self._tenant.find_event(owner.person, "/me/calendar", made["iCalUId"]))["id"]
        return Meeting(owner=owner, uid=made["iCalUId"], event_id=event_id, start=start, guests=guests)

    # --- answers ---

    async def answer(self, meeting: Meeting, guest: Person, how: str | None = None) -> None:
        """Let a guest answer; at once if APART_S has passed since their last answer, else when it has."""
        how = how or self._chance.choice(tuple(VALUES))
        body: dict[str, Any] = {"sendResponse": True, "comment": self._chance.choice(("", "See you", "Hm."))}
        if how != "accept" and self._chance.random() < 0.15:
            body["proposedNewTime"] = propose_new_time(meeting, self._chance.randint(1, 3))
        address = guest.address.casefold()
        left_s = meeting.answered_at.get(address, 0.0) + APART_S - time.monotonic()
        if left_s > 0:
            await asyncio.sleep(left_s)
        event_id = await self._find_copy(guest, meeting)
        await self._tenant.graph("POST", f"/me/events/{quote(event_id, safe='')}/{how}", guest, body)
        meeting.answered_at[address] = time.monotonic()
        meeting.answers[address].append(VALUES[how])
        self.deeds[how] += 1

    async def _find_copy(self, guest: Person, meeting: Meeting) -> str:
        """Give the id of a guest's own event; a calendar is listed once for many meetings."""
        if (guest.id, meeting.uid) not in self._event_ids:
            page = await self._tenant.graph("GET", "/me/calendar/events?$top=500&$select=id,iCalUId", guest)
            self._event_ids |= {(guest.id, one["iCalUId"]): one["id"] for one in page["value"]}
        return self._event_ids[guest.id, meeting.uid]

    # --- life goes on ---

    async def live(
        self, stop: asyncio.Event, *, pause_s: float, may_act: Callable[[], Awaitable[bool]]
    ) -> None:
        """Let people act, several at a time, until told to stop.

        Args:
            pause_s: between two deeds of each.
            may_act: asked before each deed; they wait while the answer is no.
        """
        await asyncio.gather(*(self._act_until(stop, pause_s, may_act) for _ in range(GIVERS)))

    async def _act_until(
        self, stop: asyncio.Event, pause_s: float, may_act: Callable[[], Awaitable[bool]]
    ) -> None:
        while not stop.is_set():
            if await may_act():
                await self.act()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)

    async def act(self) -> None:
        """Let one person do something at random, if that person can."""
        if self.series and self._chance.random() < SERIES_SHARE:
            done = await series.act(self._tenant, self._chance, self._chance.choice(self.series))
            self.deeds[done or "nothing"] += 1
            return
        meeting = self._chance.choice(self.meetings)
        guest = self._chance.choice(meeting.guests)
        last_at = meeting.answered_at.get(guest.address.casefold(), 0.0)
        is_alone = (meeting.uid, "") not in self._busy
        if meeting.is_over or not is_alone or time.monotonic() - last_at < APART_S:
            return
        if self._chance.random() < 0.04:
            await self._change_alone(meeting)
            return
        place = (meeting.uid, guest.id)
        if place in self._busy:
            return
        self._busy.add(place)
        try:
            await self.answer(meeting, guest)
        finally:
            self._busy.discard(place)

    async def _change_alone(self, meeting: Meeting) -> None:
        """Let the owner change a meeting while nobody is answering it."""
        if any(uid == meeting.uid for uid, _ in self._busy):
            return
        self._busy.add((meeting.uid, ""))
        try:
            await self._chance.choice(self._changes)(meeting)
            meeting.is_plain = False
        finally:
            self._busy.discard((meeting.uid, ""))

    async def _move(self, meeting: Meeting) -> None:
        """Move it to where it never was: each move goes to an hour and a minute of its own."""
        self.deeds["move"] += 1
        meeting.start += timedelta(hours=30, minutes=self.deeds["move"] % 60)
        await self._patch(
            meeting, start=spell(meeting.start), end=spell(meeting.start + timedelta(minutes=45))
        )
        meeting.answers.clear()

    async def _reword(self, meeting: Meeting) -> None:
        self.deeds["reword"] += 1
        await self._patch(meeting, subject=f"Reworded {self.deeds['reword']}")

    async def _uninvite(self, meeting: Meeting) -> None:
        if len(meeting.guests) < 3:
            return
        self.deeds["uninvite"] += 1
        gone = meeting.guests.pop()
        meeting.answers.pop(gone.address.casefold(), None)
        await self._patch(meeting, attendees=spell_attendees(meeting.guests))

    async def _end(self, meeting: Meeting) -> None:
        how = self._chance.choice(("cancel", "delete"))
        self.deeds[how] += 1
        meeting.is_over = True
        path = f"/me/events/{quote(meeting.event_id, safe='')}"
        if how == "cancel":
            await self._tenant.graph("POST", f"{path}/cancel", meeting.owner.person, {"comment": "Sorry"})
        else:
            await self._tenant.graph("DELETE", path, meeting.owner.person)

    async def _patch(self, meeting: Meeting, **changes: Any) -> None:
        path = f"/me/events/{quote(meeting.event_id, safe='')}"
        await self._tenant.graph("PATCH", path, meeting.owner.person, changes)


def spell_attendees(people: Sequence[Person]) -> list[dict[str, Any]]:
    return [
        {"emailAddress": {"address": one.address, "name": one.name}, "type": "required"} for one in people
    ]


def propose_new_time(meeting: Meeting, hours: int) -> dict[str, Any]:
    start = meeting.start + timedelta(hours=hours)
    return {"start": spell(start), "end": spell(start + timedelta(minutes=45))}
