"""Recurring meetings of a trial: answers to the series and to single occurrences, occurrences that move.

What must be told of them is what stands in the owner's calendar, date by date, or what a guest last said to
that very date: the calendar may have forgotten it when the occurrence moved.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from service.reconcile.model import WHOLE, InstanceKey
from tests.endtoend.deeds import VALUES, spell
from tests.endtoend.people import Person, Tenant
from tests.reference.consumer import Entry, Fold, fold_stream

OCCURRENCES: Final = 4
DAYS_APART: Final = 2
APART_S: Final = 5.0
"""Between two answers of one guest to one series."""
SHIFT_SHARE: Final = 0.15
NO_ANSWER: Final = frozenset({"none", "notResponded", "organizer"})
Days = Mapping[str, Mapping[str, Any]]
"""The owner's occurrences as Graph gives them, by their original date."""


@dataclass(slots=True, kw_only=True)
class Series:
    """A recurring meeting as people remember it.

    Attributes:
        said: what was last said to one occurrence, by its original date and the guest's address.
        shifted: how often an occurrence was moved, by its original date.
        is_busy: somebody is at it.
    """

    owner: Person
    uid: str
    event_id: str
    first: datetime
    guests: list[Person]
    said: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    shifted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    answered_at: dict[str, float] = field(default_factory=dict)
    is_busy: bool = False

    @property
    def key(self) -> str:
        """The cleaned global object id in upper-case hex."""
        raw = bytearray(bytes.fromhex(self.uid))
        raw[16:20] = bytes(4)
        return raw.hex().upper()


async def make_series(
    tenant: Tenant, chance: random.Random, *, by: Person, owner: Person, guests: Sequence[Person]
) -> Series:
    """Let somebody make a series in an owner's calendar."""
    first = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=chance.randint(48, 800))
    body = {
        "subject": f"Series of {owner.name}",
        "start": spell(first),
        "end": spell(first + timedelta(minutes=45)),
        "recurrence": {
            "pattern": {"type": "daily", "interval": DAYS_APART},
            "range": {
                "type": "numbered",
                "numberOfOccurrences": OCCURRENCES,
                "startDate": f"{first:%Y-%m-%d}",
                "recurrenceTimeZone": "UTC",
            },
        },
        "attendees": [
            {"emailAddress": {"address": one.address, "name": one.name}, "type": "required"} for one in guests
        ],
    }
    made = await tenant.create_meeting(by, owner, body)
    event_id = made["id"]
    if by is not owner:
        event_id = (await tenant.find_event(owner, "/me/calendar", made["iCalUId"]))["id"]
    return Series(owner=owner, uid=made["iCalUId"], event_id=event_id, first=first, guests=list(guests))


async def act(tenant: Tenant, chance: random.Random, series: Series) -> str:
    """Let a guest answer, or the owner move an occurrence; gives what was done, empty where nothing was."""
    if series.is_busy:
        return ""
    series.is_busy = True
    try:
        if chance.random() < SHIFT_SHARE:
            return await _shift(tenant, chance, series)
        return await _answer(tenant, chance, series)
    finally:
        series.is_busy = False


async def _answer(tenant: Tenant, chance: random.Random, series: Series) -> str:
    guest, how = chance.choice(series.guests), chance.choice(tuple(VALUES))
    address = guest.address.casefold()
    if time.monotonic() - series.answered_at.get(address, 0.0) < APART_S:
        return ""
    copy = await tenant.find_event(guest, "/me/calendar", series.uid)
    event_id, day = copy["id"], ""
    if chance.random() < 0.5:
        day, event = chance.choice(sorted((await read_days(tenant, guest, copy["id"], series)).items()))
        event_id = event["id"]
    await tenant.graph(
        "POST", f"/me/events/{quote(event_id, safe='')}/{how}", guest, {"sendResponse": True, "comment": ""}
    )
    series.answered_at[address] = time.monotonic()
    if day:
        series.said[day][address] = VALUES[how]
    return f"{how} {'one date' if day else 'a series'}"


async def _shift(tenant: Tenant, chance: random.Random, series: Series) -> str:
    """Move an occurrence to where it never was."""
    days = await read_days(tenant, series.owner, series.event_id, series)
    day = chance.choice(sorted(days))
    series.shifted[day] += 1
    start = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(
        hours=series.first.hour, minutes=series.first.minute + 7 * series.shifted[day]
    )
    changes = {"start": spell(start), "end": spell(start + timedelta(minutes=45))}
    event_id = quote(days[day]["id"], safe="")
    await tenant.graph("PATCH", f"/me/events/{event_id}", series.owner, changes)
    series.said.pop(day, None)
    return "move one date"


async def read_days(tenant: Tenant, who: Person, event_id: str, series: Series) -> Days:
    """Read the occurrences of a series in somebody's calendar."""
    first, last = (
        series.first - timedelta(days=3),
        series.first + timedelta(days=3 + OCCURRENCES * DAYS_APART),
    )
    query = f"startDateTime={first:%Y-%m-%dT%H:%M:%SZ}&endDateTime={last:%Y-%m-%dT%H:%M:%SZ}&$top=50"
    page = await tenant.graph("GET", f"/me/events/{quote(event_id, safe='')}/instances?{query}", who)
    return {one["originalStart"][:10]: one for one in page["value"]}


def find_series_faults(
    told: Sequence[Entry], series: Series, master: Mapping[str, Any], days: Days
) -> list[str]:
    """Compare what is told of a series and of each of its dates with the owner's calendar."""
    fold = fold_stream(told).get((series.owner.id, series.key), Fold())
    faults = _compare(fold, series, WHOLE, master, {})
    for day, event in sorted(days.items()):
        faults += _compare(fold, series, InstanceKey(day), event, series.said.get(day, {}))
    return faults


def _compare(
    fold: Fold, series: Series, instance: InstanceKey, event: Mapping[str, Any], said: Mapping[str, str]
) -> list[str]:
    where = f"owner {series.owner.id[:8]}, series ..{series.key[-12:]} {instance}".rstrip()
    held = {str(address): str(one.value) for address, one in fold.people(instance).items()}
    rows = {row["emailAddress"]["address"].casefold(): _plain(row) for row in event["attendees"]}
    if set(held) != set(rows):
        return [f"{where}: told of {sorted(held)}, in the calendar are {sorted(rows)}"]
    return [
        f"{where}, {address}: told {held[address]}, calendar {value}, said {said.get(address)}"
        for address, value in rows.items()
        if held[address] not in (value, said.get(address))
    ]


def _plain(row: Mapping[str, Any]) -> str:
    value: str = row["status"]["response"]
    return "none" if value in NO_ANSWER else value
