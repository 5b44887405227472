"""What people do with meetings, through the sandbox's own Graph API, and an account of it. Asks no service.

A deed may be refused, as Graph refuses; then nothing is written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from service.intake.client_state import ResourceKind
from service.reconcile.model import MeetingKey
from service.sandbox.items import Event
from service.sandbox.mailbox import Mailbox
from service.sandbox.occurrences import occurrence_of
from service.sandbox.people import User
from tests.simulation.chance import Chance
from tests.simulation.people import DELIVERIES, People
from tests.simulation.processes import Surroundings
from tests.simulation.story import Story
from tests.simulation.tenant import Tenant

VALUES: Final = {"accept": "accepted", "tentativelyAccept": "tentativelyAccepted", "decline": "declined"}
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
READ_BACK: Final = timedelta(days=7)
"""How old messages and meetings may be that a full round reads: the default window."""
PRIVACY: Final = ("normal", "normal", "normal", "private", "confidential")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer that was sent.

    Attributes:
        day: of the occurrence; None for the whole meeting.
        slot: start and end of what was answered, as the attendee saw it.
    """

    who: User
    day: date | None
    value: str
    at: datetime
    slot: tuple[datetime, datetime]


@dataclass(slots=True, kw_only=True)
class Meeting:
    """A meeting that was made.

    Attributes:
        id: of the owner's event.
        ical_uid: of the whole, as attendees see it.
        key: as the stream has it.
        ends_at: of its last occurrence; never too early.
        moved_at: when its time was last changed, of any part.
        unlisted: who was taken off, or forwarded to, at any time.
    """

    name: str
    owner: User
    id: str
    ical_uid: str
    key: MeetingKey
    is_series: bool
    ends_at: datetime
    given: list[Given] = field(default_factory=list)
    moved_at: datetime | None = None
    unlisted: set[str] = field(default_factory=set)


class Deeds:
    """Lets people do things at random.

    Attributes:
        meetings: all that were made, the ended ones among them.
        has_lost_messages: a response may have come where nobody reads, or have gone from where somebody does.
        was_away: the service was away for so long that meetings passed meanwhile.
    """

    def __init__(self, around: Surroundings, people: People, story: Story) -> None:
        self.meetings: list[Meeting] = []
        reads_all = around.messages is ResourceKind.MAILBOX_MESSAGES
        self.has_lost_messages = not reads_all and any(one.answers_folder for one in people.helpers)
        self.was_away = False
        self._tenant: Tenant = around.tenant
        self._people = people
        self._chance: Chance = around.chance
        self._story = story
        self._kinds = {
            self.invite: 2,
            self.answer: 16,
            self.move: 3,
            self.change_agenda: 2,
            self.change_guests: 2,
            self.cancel: 1,
            self.delete: 1,
            self.forward: 1,
            self.tidy_inbox: 1,
            self.change_delegates: 0.5,
            self.send_mail: 1,
        }

    async def do_something(self) -> None:
        """Let somebody do one thing."""
        if not self.meetings:
            await self.invite()
            return
        kinds, weights = zip(*self._kinds.items(), strict=True)
        await self._chance.random.choices(kinds, weights)[0]()

    # --- the owners' side ---

    async def invite(self) -> None:
        """Let an owner, or a delegate for the owner, make a meeting."""
        owner = self._chance.pick(self._people.owners)
        by = self._chance.pick((owner, *self._tenant.world.delegates_of(owner)))
        start = self._tenant.clock.now().replace(minute=0, second=0, microsecond=0) + timedelta(
            hours=self._chance.count(24, 24 * 20)
        )
        times = self._chance.count(2, 4) if self._chance.happens(0.4) else 1
        guests = self._chance.random.sample(self._people.guests, self._chance.count(1, 3))
        body = {
            "subject": f"Meeting {len(self.meetings)}",
            "start": spell(start),
            "end": spell(start + timedelta(minutes=30)),
            "attendees": [spell_attendee(guest) for guest in guests],
            "sensitivity": self._chance.pick(PRIVACY),
            **({"recurrence": weekly(start, times)} if times > 1 else {}),
        }
        calendar = await self._tenant.find_calendar(by, owner)
        before = set(self._box(owner).events)
        if await self._ask(by, "POST", f"{calendar}/events", body) is None:
            return
        [made] = set(self._box(owner).events) - before
        ical_uid = self._box(owner).events[made].uid.ical_uid(None)
        has_none = self._tenant.world.beliefs.null_ical_uid
        meeting = Meeting(
            name=f"M{len(self.meetings)}",
            owner=owner,
            id=made,
            ical_uid=ical_uid,
            key=MeetingKey(f"id:{made}" if has_none else clean(ical_uid)),
            is_series=times > 1,
            ends_at=start + timedelta(hours=1, weeks=times - 1),
        )
        self.meetings.append(meeting)
        kind = "a series" if times > 1 else "a meeting"
        names = ", ".join(guest.name for guest in guests)
        self._story.tell(f"{by.name} makes {kind} {meeting.name} of {owner.name} with {names}")

    async def move(self) -> None:
        """Give a meeting, or one occurrence, another time; now and then the one it had.

        One that has passed comes back, in the days to come.
        """
        if (chosen := self._choose_owned()) is None:
            return
        meeting, event = chosen
        hours = self._chance.pick((-2, 2, -2, 2, 24))
        if event.slot.end < (now := self._tenant.clock.now()):
            hours = round((now - event.slot.start) / timedelta(hours=1)) + self._chance.count(24, 24 * 5)
        start = event.slot.start + timedelta(hours=hours)
        body = {"start": spell(start), "end": spell(start + (event.slot.end - event.slot.start))}
        if await self._ask(meeting.owner, "PATCH", path_of(event), body) is not None:
            meeting.moved_at = now
            meeting.ends_at = max(meeting.ends_at, meeting.ends_at + timedelta(hours=hours))
            self._story.tell(f"{describe(meeting, event)} moves by {hours} h")

    async def change_agenda(self) -> None:
        if (chosen := self._choose_owned()) is None:
            return
        meeting, event = chosen
        body = {"subject": f"{event.content['subject']}."}
        if await self._ask(meeting.owner, "PATCH", path_of(event), body) is not None:
            self._story.tell(f"{describe(meeting, event)} gets another subject")

    async def change_guests(self) -> None:
        """Take somebody off, or invite somebody (again)."""
        if (chosen := self._choose_owned()) is None:
            return
        meeting, event = chosen
        rows = {row.person.address: row for row in event.attendees}
        guest = self._chance.pick(self._people.guests)
        is_on = guest.address in rows
        kept = [row for address, row in rows.items() if address != guest.address]
        attendees = [
            {"emailAddress": {"name": row.person.name, "address": row.person.address}, "type": row.type}
            for row in kept
        ]
        if not is_on:
            attendees.append(spell_attendee(guest))
        if not attendees:
            return
        if await self._ask(meeting.owner, "PATCH", path_of(event), {"attendees": attendees}) is not None:
            meeting.unlisted.add(guest.id)
            word = "is taken off" if is_on else "is invited to"
            self._story.tell(f"{guest.name} {word} {describe(meeting, event)}")

    async def cancel(self) -> None:
        if (chosen := self._choose_owned()) is None:
            return
        meeting, event = chosen
        if await self._ask(meeting.owner, "POST", f"{path_of(event)}/cancel", {"comment": "No."}) is not None:
            self._story.tell(f"{describe(meeting, event)} is cancelled")

    async def delete(self) -> None:
        if (chosen := self._choose_owned()) is None:
            return
        meeting, event = chosen
        if await self._ask(meeting.owner, "DELETE", path_of(event)) is not None:
            self._story.tell(f"{describe(meeting, event)} is deleted")

    # --- the guests' side ---

    async def answer(self) -> None:
        """Let a guest answer, a meeting or one occurrence."""
        meeting = self._choose_meeting()
        asked = [guest for guest in self._people.guests if self._box(guest).find_by_uid(meeting.ical_uid)]
        if not asked:
            return
        guest = self._chance.pick(asked)
        if (event := self._choose_copy(meeting, guest)) is None:
            return
        how = self._chance.pick(tuple(VALUES))
        body: dict[str, Any] = {"comment": self._chance.pick(("", "I will see")), "sendResponse": True}
        sends = not self._chance.happens(0.05)
        if not sends:
            body["sendResponse"] = False
        elif how != "accept" and self._chance.happens(0.2):
            start = event.slot.start + timedelta(hours=self._chance.count(1, 3))
            body["proposedNewTime"] = {"start": spell(start), "end": spell(start + timedelta(minutes=30))}
        slot = (event.slot.start, event.slot.end)
        at = self._tenant.clock.now()
        if await self._ask(guest, "POST", f"{path_of(event)}/{how}", body) is None:
            return
        if sends:
            meeting.given.append(Given(who=guest, day=event.day, value=VALUES[how], at=at, slot=slot))
        silently = "" if sends else " silently"
        self._story.tell(f"{guest.name}{silently} says {how} to {describe(meeting, event)}")

    async def forward(self) -> None:
        """Let a guest forward the invitation to somebody else."""
        meeting = self._choose_meeting()
        guest, other = self._chance.random.sample(self._people.guests, 2)
        event = self._box(guest).find_by_uid(meeting.ical_uid)
        if event is None:
            return
        body = {"toRecipients": [{"emailAddress": {"name": other.name, "address": other.address}}]}
        if await self._ask(guest, "POST", f"{path_of(event)}/forward", body) is not None:
            meeting.unlisted.add(other.id)
            self._story.tell(f"{guest.name} forwards {meeting.name} to {other.name}")

    async def tidy_inbox(self) -> None:
        """Let somebody who finds answers in the inbox delete one."""
        reader = self._chance.pick(self._people.readers)
        box = self._box(reader)
        inbox = box.find_folder("inbox")
        found = [message for message in box.folder_messages(inbox) if message.meeting is not None]
        if not found:
            return
        path = f"/me/messages/{quote(self._chance.pick(found).id, safe='')}"
        self.has_lost_messages = True
        if self._chance.happens(0.5):
            await self._ask(reader, "POST", f"{path}/move", {"destinationId": "archive"})
            self._story.tell(f"{reader.name} files a meeting message away")
        else:
            await self._ask(reader, "DELETE", path)
            self._story.tell(f"{reader.name} deletes a meeting message from the inbox")

    async def send_mail(self) -> None:
        reader = self._chance.pick(self._people.readers)
        self._tenant.world.send_mail(reader.address, "stranger@fabrikam.example", "Accepted: Lunch?")
        self._story.tell(f"{reader.name} gets ordinary mail")

    # --- who reads for whom ---

    async def change_delegates(self) -> None:
        """Let an owner take a role away, give one, or have meeting messages sent elsewhere."""
        world = self._tenant.world
        owner = self._chance.pick(self._people.owners)
        helper = self._chance.pick(self._people.helpers)
        self.has_lost_messages = True  # what lies in an inbox that is read no more
        rows = [row for row in self._box(owner).permissions if row.grantee == helper.id]
        if self._chance.happens(0.25):
            owner.delivery = self._chance.pick(DELIVERIES)
            self._story.tell(f"{owner.name} chooses {owner.delivery}")
        elif rows:
            world.revoke(owner, rows[0])
            self._story.tell(f"{helper.name} is no delegate of {owner.name} any more")
        else:
            world.grant(owner, helper, "delegateWithoutPrivateEventAccess")
            self._story.tell(f"{helper.name} becomes a delegate of {owner.name}")

    def note_absence(self, time: timedelta) -> None:
        """Note that the service was away for so long."""
        self.was_away = True
        self.has_lost_messages = self.has_lost_messages or time > READ_BACK

    # --- choosing ---

    def _box(self, user: User) -> Mailbox:
        return self._tenant.world.mailbox(user.id)

    def _choose_meeting(self) -> Meeting:
        """Choose one of the last few: things happen to a meeting together."""
        return self._chance.pick(self.meetings[-3:])

    def _choose_owned(self) -> tuple[Meeting, Event] | None:
        """Choose a meeting or an occurrence as the owner has it; None where it is over."""
        meeting = self._choose_meeting()
        event = self._box(meeting.owner).events.get(meeting.id)
        if event is None:
            return None
        chosen = self._choose_part(self._box(meeting.owner), event)
        return None if chosen is None else (meeting, chosen)

    def _choose_copy(self, meeting: Meeting, guest: User) -> Event | None:
        box = self._box(guest)
        event = box.find_by_uid(meeting.ical_uid)
        return None if event is None else self._choose_part(box, event)

    def _choose_part(self, box: Mailbox, event: Event) -> Event | None:
        if event.recurrence is None or self._chance.happens(0.5):
            return event
        days = [*event.recurrence.dates()]
        return occurrence_of(box, event, self._chance.pick(days))

    async def _ask(self, who: User, method: str, path: str, body: Any = None) -> Any:
        """Ask, and give what came back; None where Graph refused."""
        answer = await self._tenant.ask(who, method, path, body)
        if answer.status >= 500:
            raise AssertionError((method, path, answer.status, answer.body))
        return None if answer.status >= 400 else (answer.body or {})


def clean(ical_uid: str) -> str:
    """Give the cleaned global object id in hex."""
    raw = bytearray(bytes.fromhex(ical_uid))
    raw[16:20] = bytes(4)
    return raw.hex().upper()


def path_of(event: Event) -> str:
    return f"/me/events/{quote(event.id, safe='')}"


def describe(meeting: Meeting, event: Event) -> str:
    return meeting.name if event.day is None else f"{meeting.name} of {event.day}"


def spell(at: datetime) -> dict[str, str]:
    """Give Graph's dateTimeTimeZone."""
    return {"dateTime": f"{at:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}


def spell_attendee(user: User) -> dict[str, Any]:
    kind = "resource" if user.purpose == "room" else "required"
    return {"emailAddress": {"name": user.name, "address": user.address}, "type": kind}


def weekly(start: datetime, count: int) -> dict[str, Any]:
    """Give a recurrence on the weekday of the first."""
    return {
        "pattern": {"type": "weekly", "interval": 1, "daysOfWeek": [DAYS[start.weekday()]]},
        "range": {"type": "numbered", "startDate": f"{start:%Y-%m-%d}", "numberOfOccurrences": count},
    }
