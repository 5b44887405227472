"""Delta rounds: what changed in a mailbox since the last one, fed into the intake stream.

A round is written down after each page, so a crash in the middle continues there. Pages are fed before the
link behind them is written: after a crash some entries come twice, none is left out. Must never follow a
link that is not from our own records, and never keep anything of ordinary mail.

Source: https://learn.microsoft.com/graph/delta-query-overview
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.clock import Clock
from service.entries import IntakeEntry, Origin
from service.errors import DeltaExpiredError
from service.intake.client_state import ResourceKind, WatchedResource
from service.ports import DeltaPage, DeltaReader, IntakeStream
from service.reconcile.instant import Instant, instant_of
from service.reconcile.model import OwnerKey
from service.subscriptions.found import build_event_entries, build_message_entries, select_messages
from service.subscriptions.records import MailboxRecord, Round

Save = Callable[[MailboxRecord], Awaitable[None]]
"""Writes a mailbox record down; raises `FencedError` where another keeper leads by now."""
Comparison = Callable[[DeltaPage], Awaitable[list[IntakeEntry]]]
"""Is shown each page of a full round; gives what has to be looked at beside it, after the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which part of a mailbox full rounds see.

    Attributes:
        days_back: for events, and for messages by their arrival.
        days_ahead: for events.
        days_back_max: after a long silence messages are read from further back, but not beyond this.
        overlap_s: a whole mailbox is listed from so long before the last round, for Exchange may show a
            message later than it says that it was received, and clocks differ.
    """

    days_back: int = 7
    days_ahead: int = 180
    days_back_max: int = 30
    overlap_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn of a round came to.

    Attributes:
        record: as it was last written.
        is_complete: the round is over; otherwise it goes on at the next turn.
        was_full: the round began without a delta link.
        found: how many items the round has brought so far, ordinary mail included.
    """

    record: MailboxRecord
    is_complete: bool
    was_full: bool
    found: int


class DeltaRounds:
    """Carries delta rounds on, one turn at a time.

    Args:
        pages_per_turn: after so many pages the turn ends, so that a huge mailbox does not hold a place.
        entries_per_append: at most so many entries go to Redis in one call.
        on_date: told the `Date` of each page.
    """

    def __init__(
        self,
        *,
        reader: DeltaReader,
        intake: IntakeStream,
        clock: Clock,
        window: Window,
        pages_per_turn: int = 50,
        entries_per_append: int = 200,
        on_date: Callable[[Instant], None] | None = None,
    ) -> None:
        self._reader = reader
        self._intake = intake
        self._clock = clock
        self._window = window
        self._pages_per_turn = pages_per_turn
        self._entries_per_append = entries_per_append
        self._on_date = on_date or (lambda _: None)

    async def take_turn(
        self,
        resource: WatchedResource,
        record: MailboxRecord,
        *,
        full_origin: Origin,
        sweep_origin: Origin = Origin.SWEEP,
        save: Save,
        compare: Comparison | None = None,
    ) -> Turn:
        """Begin a round, or go on with the one that the record holds, for one turn.

        A delta token that is no longer known makes the round start again as a full one, once.

        Args:
            full_origin: what the entries of a full round say.
            sweep_origin: what those of others say.

        Raises:
            GraphError, TokenError: Graph did not answer; the record holds how far it came.
            StreamError: Redis did not take entries or the record.
        """
        origins = (full_origin, sweep_origin)
        try:
            return await self._take_pages(resource, record, origins, save, compare)
        except DeltaExpiredError:
            fresh = replace(record, delta_link="", round=None)
            return await self._take_pages(resource, fresh, origins, save, compare)

    async def _take_pages(
        self,
        resource: WatchedResource,
        record: MailboxRecord,
        origins: tuple[Origin, Origin],
        save: Save,
        compare: Comparison | None,
    ) -> Turn:
        current = record.round or self._begin(resource, record, origins)
        fed: set[str] = set()
        for _ in range(self._pages_per_turn):
            page = await self._fetch_page(resource, current, record)
            self._on_date(page.at)
            current = await self._feed(resource, current, page, fed)
            if compare is not None and current.is_full:
                await self._append(await compare(page))
            record = _write_down(record, current, page)
            await save(record)
            if record.round is None:
                return _end_turn(record, current, is_complete=True)
            current = record.round
        return _end_turn(record, current, is_complete=False)

    def _begin(
        self, resource: WatchedResource, record: MailboxRecord, origins: tuple[Origin, Origin]
    ) -> Round:
        has_begun = record.full_at is not None if is_listed(resource) else bool(record.delta_link)
        is_full = record.is_full_wanted or not has_begun
        return Round(
            is_full=is_full,
            origin=origins[0] if is_full else origins[1],
            started_at=self._clock.now(),
            link="" if is_full else record.delta_link,
        )

    async def _fetch_page(
        self, resource: WatchedResource, current: Round, record: MailboxRecord
    ) -> DeltaPage:
        if current.link:
            return await self._reader.follow(resource.mailbox, current.link, is_list=is_listed(resource))
        if resource.kind is ResourceKind.CALENDAR:
            start = current.started_at - timedelta(days=self._window.days_back)
            end = current.started_at + timedelta(days=self._window.days_ahead)
            return await self._reader.start_calendar(OwnerKey(resource.mailbox), start=start, end=end)
        if is_listed(resource) and not current.is_full and record.complete_at is not None:
            since = record.complete_at - timedelta(seconds=self._window.overlap_s)
            return await self._reader.list_messages(resource.mailbox, received_since=since)
        since = reckon_received_since(current.started_at, record.complete_at, self._window)
        if is_listed(resource):
            return await self._reader.list_messages(resource.mailbox, received_since=since)
        return await self._reader.start_inbox(resource.mailbox, received_since=since)

    async def _feed(self, resource: WatchedResource, current: Round, page: DeltaPage, fed: set[str]) -> Round:
        """Feed a calendar page at once; keep event messages until the round is over."""
        counted = replace(current, pages=current.pages + 1, items=current.items + len(page.items))
        arrived_at = instant_of(self._clock.now()).text
        if resource.kind is ResourceKind.CALENDAR:
            await self._append(
                build_event_entries(
                    page.items,
                    mailbox=resource.mailbox,
                    origin=current.origin,
                    arrived_at=arrived_at,
                    fed=fed,
                )
            )
            return counted
        collected = (*current.messages, *select_messages(page.items))
        if page.next_link is not None:
            return replace(counted, messages=collected)
        await self._append(
            build_message_entries(
                collected, mailbox=resource.mailbox, origin=current.origin, arrived_at=arrived_at
            )
        )
        return replace(counted, messages=())

    async def _append(self, entries: list[IntakeEntry]) -> None:
        for at in range(0, len(entries), self._entries_per_append):
            await self._intake.append(entries[at : at + self._entries_per_append])


def is_listed(resource: WatchedResource) -> bool:
    """Tell a resource of which all folders are listed, for no delta query sees more than one."""
    return resource.kind is ResourceKind.MAILBOX_MESSAGES


def reckon_received_since(now: datetime, complete_at: datetime | None, window: Window) -> datetime:
    """Give from when on messages are read in a full round: further back after a long silence."""
    usual = now - timedelta(days=window.days_back)
    if complete_at is None or complete_at >= usual:
        return usual
    return max(complete_at, now - timedelta(days=max(window.days_back_max, window.days_back)))


def _write_down(record: MailboxRecord, current: Round, page: DeltaPage) -> MailboxRecord:
    if page.next_link is not None:
        return replace(record, round=replace(current, link=page.next_link))
    return replace(
        record,
        delta_link=page.delta_link or "",
        complete_at=current.started_at,
        full_at=current.started_at if current.is_full else record.full_at,
        is_full_wanted=record.is_full_wanted and not current.is_full,
        round=None,
    )


def _end_turn(record: MailboxRecord, current: Round, *, is_complete: bool) -> Turn:
    return Turn(record=record, is_complete=is_complete, was_full=current.is_full, found=current.items)
