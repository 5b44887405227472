"""In which order an owner's resources are read: the inboxes first, the calendar behind them. No I/O.

A calendar shows the last answers only. Fed before the messages of earlier ones, it would pass over those. So
a calendar that is due has its owner's inboxes read before it. Must never wait for one that cannot be read.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from service.reconcile.model import OwnerKey
from service.subscriptions.crew import Crew
from service.subscriptions.ledger import Ledger
from service.subscriptions.records import MailboxRecord
from service.subscriptions.schedule import Duty, DutyKind, Schedule
from service.subscriptions.subscribing import reading_of
from service.subscriptions.watch import Watch


class InboxesFirst:
    """Says whether a calendar has to wait, and brings the reading of its owner's inboxes forward.

    Args:
        fresh_s: a round of an inbox that began so long ago, or later, is good enough. It bounds how often the
            inbox of a delegate is read who serves many owners.
    """

    def __init__(
        self, ledger: Ledger, watch: Watch, schedule: Schedule, crew: Crew, *, fresh_s: float
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._schedule = schedule
        self._crew = crew
        self._fresh = timedelta(seconds=fresh_s)
        self._waiting_since: dict[str, datetime] = {}

    def begin_term(self) -> None:
        """Forget who waits."""
        self._waiting_since.clear()

    def has_to_wait(self, duty: Duty, now: datetime) -> bool:
        """Tell whether a duty that is due must not begin yet; only calendars ever must not.

        A first reading waits for inboxes that are due by themselves: what it finds is a snapshot.
        """
        if duty.kind is not DutyKind.READ_EVENTS or duty.name not in self._watch.resources:
            return False
        owner = OwnerKey(self._watch.resources[duty.name].mailbox)
        inboxes = [name for name in self._watch.names_of(owner) if name != duty.name]
        is_waiting = any(self._is_about_to_be_read(name, now) for name in inboxes)
        record = self._ledger.mailboxes.get(duty.name, MailboxRecord())
        if record.complete_at is None:
            return is_waiting
        since = self._waiting_since.setdefault(duty.name, now)
        unread = [name for name in inboxes if self._is_unread(name, since - self._fresh)]
        for reading in (reading_of(self._watch.resources[name], name) for name in unread):
            if not self._crew.is_busy(reading):  # its round may be one that began since then
                self._schedule.bring_forward(reading, now)
        is_waiting = is_waiting or bool(unread)
        if not is_waiting:
            del self._waiting_since[duty.name]
        return is_waiting

    def _is_unread(self, name: str, since: datetime) -> bool:
        """Tell whether no round of an inbox is complete that began since then, though one may be."""
        record = self._ledger.mailboxes.get(name)
        if record is None or record.fault is not None or record.complete_at is None:
            return False  # its first round comes by itself
        return record.complete_at < since

    def _is_about_to_be_read(self, name: str, now: datetime) -> bool:
        record = self._ledger.mailboxes.get(name)
        if record is None or record.fault is not None:
            return record is None
        reading = reading_of(self._watch.resources[name], name)
        due_at = self._schedule.due_at(reading)
        return self._crew.is_busy(reading) or (due_at is not None and due_at <= now)
