"""What people did, round by round, from a seed: meetings with odd names, answers, minds that change.

A round is one answer of each attendee who still has one to give. The tenant's clock goes ahead between
rounds, so that the answers of one attendee lie further apart than the tolerance.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from tests.endtoend.people import Person, Tenant

APART_S = 5.0
VALUES = {"accept": "accepted", "tentativelyAccept": "tentativelyAccepted", "decline": "declined"}
SUBJECTS = (
    "Let's go for lunch",
    '"Quoted" & <b>bold</b> 100 %',
    "50%25 off, 100%zz {braces} [brackets]",
    "Besprechung: Übergrößenträger — 日本語 🎉",
    "\u202eright to left\u202c and tab\there",
    "'; DROP TABLE meetings; --",
    "x" * 240,
    "",
)
NAMES = (
    "Zoë O'Brien",
    'Robert "Bobby" Tables',
    "李小龍",
    "Ñandú 100%",
    "{Curly} <angle>",
    "Ivan Petrović 🦊",
    "a, b; c",
    "Mrs. Back\\slash",
)
COMMENTS = ("", "I'll be there.", "Vielleicht, 50 % — 見てみます", '{"json": true}\n%00 <script>', "y" * 400)


class Kind(StrEnum):
    """How somebody is invited, in Graph's words."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One answer as it was given.

    Attributes:
        how: the action of Graph.
        sends: false keeps it in the attendee's own calendar.
        proposal: hours after the meeting's start; None: no other time is proposed.
        by: the delegate who gives it; None: the attendee.
    """

    how: str
    comment: str = ""
    sends: bool = True
    proposal: int | None = None
    by: Person | None = None

    @property
    def value(self) -> str:
        return VALUES[self.how]


@dataclass(slots=True, kw_only=True)
class Invited:
    """An attendee of a meeting, and what they answered so far.

    Attributes:
        plan: what they will answer, in this order.
    """

    person: Person
    kind: Kind
    plan: list[Given]
    given: list[Given] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.person.address.casefold()

    @property
    def told(self) -> list[Given]:
        """The answers that the organizer's side was told."""
        return [one for one in self.given if one.sends]


@dataclass(slots=True, kw_only=True)
class Meeting:
    """A meeting as it was made.

    Attributes:
        by: who made it: the owner, or a delegate.
        event: as Graph gave it when it was made.
    """

    owner: Person
    by: Person
    event: dict[str, Any]
    start: datetime
    invited: list[Invited]

    @property
    def uid(self) -> str:
        return str(self.event["iCalUId"])

    @property
    def key(self) -> str:
        """The cleaned global object id in hex; a foreign UID as it is."""
        try:
            raw = bytearray(bytes.fromhex(self.uid))
        except ValueError:
            return self.uid
        raw[16:20] = bytes(4)
        return raw.hex().upper()


class Play:
    """Lets people meet and answer, all chosen by one seed."""

    def __init__(self, tenant: Tenant, seed: int) -> None:
        self._tenant = tenant
        self._random = random.Random(seed)
        self._names = 0
        self.meetings: list[Meeting] = []
        self.guests: list[Person] = []
        self.delegate_of: dict[str, Person] = {}

    # --- people ---

    async def add_guests(self, count: int) -> None:
        """Add people with odd names; the first has a delegate who may answer for them."""
        for at in range(count):
            name = NAMES[at % len(NAMES)]
            local = ("zoe.o'brien", "bobby+tables", "xiao_long", "100%sure", "c{u}rly")[at % 5]
            person = await self._tenant.add_user(f"{name} {at}", f"{local}{at}@{self._choose_domain(at)}")
            self.guests.append(person)
        helper = await self._tenant.add_user("Help'er", "helper@contoso.com")
        served = await self._tenant.add_user(
            "Served", "Served.One@Contoso.com", delegates=[helper.address], delivery="sendToDelegateOnly"
        )
        self.guests.append(served)
        self.delegate_of[served.id] = helper

    @staticmethod
    def _choose_domain(at: int) -> str:
        return "Contoso.OnMicrosoft.com" if at % 3 else "contoso.com"

    # --- meetings ---

    async def make_meeting(
        self,
        owner: Person,
        by: Person,
        *,
        size: int,
        rooms: Sequence[tuple[Person, str]] = (),
        answers: int = 3,
    ) -> Meeting:
        """Let somebody make a meeting.

        Args:
            rooms: with the answer that each gives by itself.
            answers: at most so many of each attendee.
        """
        chosen = [one for one in self.guests if one.id not in (owner.id, by.id)]
        people = self._random.sample(chosen, min(size, len(chosen)))
        invited = [self._invite(person, answers) for person in people]
        invited += [
            Invited(person=room, kind=Kind.RESOURCE, plan=[], given=[Given(how=how)]) for room, how in rooms
        ]
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=self._random.randint(24, 600))
        body = {
            "subject": self._random.choice(SUBJECTS),
            "start": spell(start),
            "end": spell(start + timedelta(minutes=45)),
            "attendees": [self._spell_attendee(one) for one in invited],
        }
        event = await self._tenant.create_meeting(by, owner, body)
        meeting = Meeting(owner=owner, by=by, event=event, start=start, invited=invited)
        self.meetings.append(meeting)
        return meeting

    def _invite(self, person: Person, answers: int) -> Invited:
        kind = self._random.choice((Kind.REQUIRED, Kind.REQUIRED, Kind.OPTIONAL))
        plan = [self._choose_answer(person) for _ in range(self._random.randint(0, answers))]
        return Invited(person=person, kind=kind, plan=plan)

    def _choose_answer(self, person: Person) -> Given:
        how = self._random.choice(tuple(VALUES))
        sends = self._random.random() > 0.1
        proposes = how != "accept" and sends and self._random.random() < 0.25
        return Given(
            how=how,
            comment=self._random.choice(COMMENTS),
            sends=sends,
            proposal=self._random.randint(1, 3) if proposes else None,
            by=self.delegate_of.get(person.id),
        )

    def _spell_attendee(self, one: Invited) -> dict[str, Any]:
        address = one.person.address
        spelled = self._random.choice((address, address.lower(), address.upper()))
        return {"emailAddress": {"address": spelled, "name": one.person.name}, "type": str(one.kind)}

    # --- answers ---

    def list_due(self) -> list[tuple[Meeting, Invited]]:
        """List who still has an answer to give, in random order."""
        due = [(meeting, one) for meeting in self.meetings for one in meeting.invited if one.plan]
        self._random.shuffle(due)
        return due

    async def play_round(self) -> None:
        """Let everybody who has one give the next answer."""
        await self._tenant.advance(APART_S)
        for meeting, one in self.list_due():
            await self.give_next(meeting, one)

    async def give_next(self, meeting: Meeting, one: Invited) -> None:
        """Let one attendee give the next answer, or the delegate for them."""
        given = one.plan.pop(0)
        more = {} if given.proposal is None else {"proposedNewTime": propose(meeting, given.proposal)}
        who, for_whom = (given.by, one.person) if given.by else (one.person, None)
        await self._tenant.answer(
            who,
            meeting.uid,
            given.how,
            comment=given.comment,
            on_behalf_of=for_whom,
            sendResponse=given.sends,
            **more,
        )
        one.given.append(given)


def spell(at: datetime) -> dict[str, str]:
    """Give Graph's dateTimeTimeZone."""
    return {"dateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}


def propose(meeting: Meeting, hours: int) -> dict[str, Any]:
    start = meeting.start + timedelta(hours=hours)
    return {"start": spell(start), "end": spell(start + timedelta(minutes=45))}
