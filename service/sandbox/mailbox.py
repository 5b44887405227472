"""One mailbox: folders with messages, calendars with events, and the account of what changed.

Keeps what it is given and tells of every change; must never decide what a meeting message does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

from service.sandbox.ids import Ids, check_id, quote_etag
from service.sandbox.items import Calendar, Event, Folder, FolderEntry, Message, Permission
from service.sandbox.people import User
from service.sandbox.wire import Change, GraphFault

WELL_KNOWN: Final = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "archive": "Archive",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
}
ROOT: Final = "msgfolderroot"
_MOMENT: Final = timedelta(microseconds=1)


def not_found() -> GraphFault:
    """Say that there is no such item, as Exchange does."""
    return GraphFault(404, "ErrorItemNotFound", "The specified object was not found in the store.")


class Mailbox:
    """The store of one user.

    Attributes:
        settings: mailboxSettings but for the delivery option, which lies with the user.
        events: singles, series masters and exceptions by immutable id, in order of making.
        discarded: events in Deleted Items.
        linked: calendars of others in this mailbox's list, by the owner's object id.
    """

    def __init__(
        self, user: User, *, ids: Ids, now: Callable[[], datetime], tell: Callable[[Change], None]
    ) -> None:
        self.user = user
        self._ids = ids
        self._now = now
        self._tell = tell
        self.changes = 0
        self.settings: dict[str, Any] = _default_settings()
        self.folders: dict[str, Folder] = {}
        self.messages: dict[str, Message] = {}
        self.calendars: dict[str, Calendar] = {}
        self.events: dict[str, Event] = {}
        self.discarded: dict[str, Event] = {}
        self.linked: dict[str, Calendar] = {}
        self.permissions: list[Permission] = [
            Permission(id="RGVmYXVsdA==", grantee=None, role="freeBusyRead")
        ]
        self._by_uid: dict[str, Event] = {}
        self._regular: dict[str, str] = {}
        self._from_regular: dict[str, str] = {}
        self._shared_ids: dict[str, tuple[str, str]] = {}
        self._left_as: dict[str, str] = {}
        self._shown_as: dict[tuple[str, str], str] = {}
        self._occurrences: dict[str, tuple[str, date]] = {}
        self._occurrence_ids: dict[tuple[str, date], str] = {}
        self.root = self.add_folder("Top of Information Store", well_known=ROOT)
        for known, name in WELL_KNOWN.items():
            self.add_folder(name, well_known=known)
        self.primary = self.add_calendar("Calendar", is_primary=True)

    # --- ids ---

    def regular_id(self, item_id: str) -> str:
        """Give the default id of an item; it lives until the item moves."""
        if item_id not in self._regular:
            self._assign_regular(item_id)
        return self._regular[item_id]

    def item_id(self, given: str) -> str:
        """Give the immutable form of an id of either kind; an id that means nothing comes back as it is."""
        return self._from_regular.get(given, given)

    def shared_id(self, owner_id: str, item_id: str) -> str:
        """Give the id that an event of another's calendar has in this mailbox, immutable form."""
        key = (owner_id, item_id)
        if key not in self._shown_as:
            shown = self._ids.immutable(self.user.id)
            self._shown_as[key] = shown
            self._shared_ids[shown] = key
        return self._shown_as[key]

    def resolve_shared(self, item_id: str) -> tuple[str, str] | None:
        """Give owner and event id behind an id made by `shared_id`."""
        return self._shared_ids.get(item_id)

    def occurrence_id(self, master_id: str, day: date) -> str:
        """Give the id of an occurrence; an exception made of it later keeps it."""
        key = (master_id, day)
        if key not in self._occurrence_ids:
            made = self._ids.immutable(self.user.id)
            self._occurrence_ids[key] = made
            self._occurrences[made] = key
        return self._occurrence_ids[key]

    def resolve_occurrence(self, item_id: str) -> tuple[str, date] | None:
        """Give series and date behind an id made by `occurrence_id`."""
        return self._occurrences.get(item_id)

    def new_item_id(self) -> str:
        return self._ids.immutable(self.user.id)

    def _assign_regular(self, item_id: str) -> None:
        old = self._regular.get(item_id)
        if old is not None:
            del self._from_regular[old]
        fresh = self._ids.regular(self.user.id)
        self._regular[item_id] = fresh
        self._from_regular[fresh] = item_id

    # --- folders and messages ---

    def add_folder(self, name: str, *, parent_id: str = "", well_known: str = "") -> Folder:
        """Make a folder; below the root unless a parent is named."""
        parent = parent_id or (self.root.id if well_known != ROOT else "")
        folder = Folder(
            id=self._ids.container(self.user.id), name=name, parent_id=parent, well_known=well_known
        )
        self.folders[folder.id] = folder
        return folder

    def find_folder(self, id_or_name: str) -> Folder:
        """Find a folder by id, or by well-known name in any case.

        Raises:
            GraphFault: 404; 400 for what is neither a name nor an id.
        """
        known = id_or_name.lower()
        for folder in self.folders.values():
            if folder.id == id_or_name or (folder.well_known and folder.well_known == known):
                return folder
        check_id(id_or_name)
        raise GraphFault(404, "ErrorItemNotFound", "The specified folder could not be found in the store.")

    def folder_messages(self, folder: Folder) -> list[Message]:
        """Give a folder's messages, the latest received first."""
        held = [m for m in self.messages.values() if m.folder_id == folder.id]
        return sorted(held, key=lambda m: m.received_at)[::-1]

    def all_messages(self) -> list[Message]:
        """Give every message of the mailbox, the latest received first."""
        return sorted(self.messages.values(), key=lambda m: m.received_at)[::-1]

    def find_message(self, given_id: str) -> Message:
        """Find a message by id of either kind.

        Raises:
            GraphFault: 404.
        """
        message = self.messages.get(self.item_id(given_id))
        if message is None:
            raise not_found()
        return message

    def add_message(self, message: Message) -> None:
        """Put a message into its folder."""
        self.messages[message.id] = message
        self._enter(message)
        self._report_message("created", message)

    def touch_message(self, message: Message, *, only_read: bool) -> None:
        """Record that a message was changed."""
        message.modified_at = self._now()
        message.change_key = self.message_key(message)
        entry = self.folders[message.folder_id].entries[message.id]
        entry.changed = self._count()
        if not only_read:
            entry.changed_more = entry.changed
        self._report_message("updated", message)

    def move_message(self, message: Message, folder: Folder) -> None:
        """Move a message: gone from one folder, new in the other, under a new regular id."""
        self._leave(message)
        self._report_message("deleted", message)
        message.folder_id = folder.id
        message.modified_at = self._now()
        message.change_key = self.message_key(message)
        self._assign_regular(message.id)
        self._enter(message)
        self._report_message("created", message)

    def delete_message(self, message: Message) -> None:
        """Take a message out of the mailbox for good."""
        self._leave(message)
        del self.messages[message.id]
        self._report_message("deleted", message)

    def message_key(self, message: Message) -> str:
        """Give a fresh change key; its first byte tells the kind, as Exchange's does."""
        meeting = message.meeting
        kind = 0x09 if meeting is None else 0x0C if meeting.response else 0x0B
        return self._ids.change_key(self.user.id, bytes((kind, 0, 0, 0, 0x16, 0, 0, 0)))

    def _enter(self, message: Message) -> None:
        number = self._count()
        self.folders[message.folder_id].entries[message.id] = FolderEntry(
            entered=number, changed=number, changed_more=number
        )

    def _leave(self, message: Message) -> None:
        entry = self.folders[message.folder_id].entries[message.id]
        entry.left, entry.regular_id = self._count(), self.regular_id(message.id)

    def _count(self) -> int:
        self.changes += 1
        return self.changes

    def _report_message(self, change: Any, message: Message) -> None:
        etag = "" if change == "deleted" else quote_etag(message.change_key)
        self._tell(
            Change(
                user_id=self.user.id,
                kind="message",
                change=change,
                item_id=message.id,
                folder_id=message.folder_id,
                etag=etag,
            )
        )

    # --- calendars and events ---

    def add_calendar(self, name: str, *, is_primary: bool = False, color: str = "auto") -> Calendar:
        """Make a calendar of this user's own."""
        calendar = Calendar(
            id=self._ids.container(self.user.id),
            name=name,
            owner_id=self.user.id,
            is_primary=is_primary,
            change_key=self._ids.change_key(self.user.id),
            color=color,
        )
        self.calendars[calendar.id] = calendar
        return calendar

    def link_calendar(self, owner: User) -> Calendar:
        """Show another's primary calendar in this mailbox's list, under an id of this mailbox."""
        if owner.id not in self.linked:
            self.linked[owner.id] = Calendar(
                id=self._ids.container(self.user.id),
                name=owner.name,
                owner_id=owner.id,
                is_primary=True,
                change_key=self._ids.change_key(self.user.id),
            )
        return self.linked[owner.id]

    def unlink_calendar(self, owner_id: str) -> None:
        self.linked.pop(owner_id, None)

    def list_calendars(self) -> Iterator[Calendar]:
        """Give the own calendars, then those of others."""
        yield from self.calendars.values()
        yield from self.linked.values()

    def add_event(self, event: Event) -> None:
        """Put a single event or a series into its calendar."""
        event.version = self._count()
        self.events[event.id] = event
        self._by_uid[self._uid_key(event)] = event
        self._report_event("created", event)

    def add_exception(self, exception: Event) -> None:
        """Put an exception into its series; `touch_event` tells of it once it differs."""
        assert exception.master is not None
        assert exception.day is not None
        self.events[exception.id] = exception
        exception.master.exceptions[exception.day] = exception

    def touch_event(self, event: Event) -> None:
        """Record that an event was changed; an exception lives in its series, which changes too."""
        self._stamp(event)
        self._report_event("updated", event)
        if event.master is not None:
            self.touch_event(event.master)

    def touch_instances(self, series: Event) -> None:
        """Record that the exceptions of a series were changed along with it."""
        for exception in series.exceptions.values():
            self._stamp(exception)
            self._report_event("updated", exception)

    def discard_event(self, event: Event) -> None:
        """Move an event to Deleted Items: out of every list, under a new regular id, still read by id."""
        self.remove_event(event)
        self._left_as[event.id] = self.regular_id(event.id)
        self._assign_regular(event.id)
        self.discarded[event.id] = event

    def left_as(self, item_id: str) -> str:
        """Give the regular id under which an event was last seen in a calendar."""
        return self._left_as.get(item_id) or self.regular_id(item_id)

    def forget_discarded(self, event: Event) -> bool:
        """Delete for good what lies in Deleted Items; False for an event that does not."""
        return self.discarded.pop(event.id, None) is not None

    def need_kept(self, event: Event) -> None:
        """Refuse to change, cancel or forward what lies in Deleted Items.

        Raises:
            GraphFault: 400.

        Source: https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
        """
        if event.id in self.discarded:
            raise GraphFault(
                400,
                "ErrorCalendarCannotUpdateDeletedItem",
                "A calendar item in the Deleted Items folder can't be updated.",
            )

    def remove_event(self, event: Event) -> None:
        """Take an event, and with a series its exceptions, out of the mailbox."""
        for exception in list(event.exceptions.values()):
            self.remove_event(exception)
        self.events.pop(event.id, None)
        if event.master is not None and event.day is not None:
            event.master.exceptions.pop(event.day, None)
        elif self._by_uid.get(self._uid_key(event)) is event:
            del self._by_uid[self._uid_key(event)]
        self._report_event("deleted", event)

    def find_by_uid(self, ical_uid: str) -> Event | None:
        """Find a single event or a series by iCalUId."""
        return self._by_uid.get(ical_uid)

    def event_key(self) -> str:
        return self._ids.change_key(self.user.id)

    def _stamp(self, event: Event) -> None:
        """Mark a change: no two of an event are of the same moment, also where the clock stands still."""
        event.modified_at = max(self._now(), event.modified_at + _MOMENT)
        event.change_key = self.event_key()
        event.version = self._count()

    def _report_event(self, change: Any, event: Event) -> None:
        etag = "" if change == "deleted" else quote_etag(event.change_key)
        self._tell(
            Change(
                user_id=self.user.id, kind="event", change=change, item_id=event.id, folder_id="", etag=etag
            )
        )

    @staticmethod
    def _uid_key(event: Event) -> str:
        return event.uid.ical_uid(event.day)


def _default_settings() -> dict[str, Any]:
    return {
        "archiveFolder": "",
        "timeZone": "Pacific Standard Time",
        "dateFormat": "M/d/yyyy",
        "timeFormat": "h:mm tt",
        "userPurpose": "user",
        "automaticRepliesSetting": {
            "status": "disabled",
            "externalAudience": "all",
            "internalReplyMessage": "",
            "externalReplyMessage": "",
            "scheduledStartDateTime": {"dateTime": "2026-01-01T00:00:00.0000000", "timeZone": "UTC"},
            "scheduledEndDateTime": {"dateTime": "2026-01-02T00:00:00.0000000", "timeZone": "UTC"},
        },
        "language": {"locale": "en-US", "displayName": "English (United States)"},
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": "Pacific Standard Time"},
        },
    }
