"""Reads messages and events: the `MailboxReader` of the pipeline. Must never take a 404 for proof.

Reads that are under way at one time travel together, see `dispatch.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from service.errors import AccessError, GoneError, RefusedError
from service.graph.answer import Answer, build_refusal
from service.graph.dispatch import Sender
from service.graph.ical_uid import list_ical_uids
from service.graph.node import Node, page_items, require_object
from service.graph.observer import GraphObserver
from service.graph.pages import read_pages
from service.graph.parse_event import parse_event, parse_instance_key
from service.graph.parse_message import parse_message
from service.graph.requests import (
    GraphRequest,
    RequestKind,
    build_calendar_request,
    build_event_request,
    build_instances_request,
    build_meeting_search,
    build_message_request,
    build_view_request,
)
from service.ports import Look
from service.reconcile.instant import Instant
from service.reconcile.model import (
    BY_ID,
    WHOLE,
    CalendarEvent,
    EventId,
    EventType,
    InstanceKey,
    MailboxKey,
    MeetingKey,
    MeetingResponse,
    MessageId,
    OwnerKey,
)
from service.reconcile.zones import find_zone

_MARGIN: Final = timedelta(days=1)
_MOMENT: Final = timedelta(minutes=1)
_SELECT_REFUSED: Final = re.compile(r"parseuri|select and expand|property named", re.IGNORECASE)


class GraphMailboxes:
    """Messages of inboxes and events of owners, read from Graph.

    Args:
        search_days: how far before and after its original date a moved occurrence is looked for.
        is_inbox: messages are announced of inboxes; else of whole mailboxes.
    """

    def __init__(
        self, sender: Sender, *, observer: GraphObserver, search_days: int = 400, is_inbox: bool = True
    ) -> None:
        self._sender = sender
        self._is_inbox = is_inbox
        self._observer = observer
        self._search = timedelta(days=search_days)
        self._without_subtype: set[MailboxKey] = set()
        self._without_cancelled: set[OwnerKey] = set()

    async def fetch_message(self, mailbox: MailboxKey, message: MessageId) -> MeetingResponse | None:
        """Give the response; None where the message is no response to a meeting.

        Raises:
            GoneError: the message is not in the mailbox any more.
            PayloadError: it is a response that cannot be read.
            GraphError, TokenError: see `errors.py`.
        """
        answer = await self._ask_for_message(mailbox, message)
        return self._parse_message(answer.payload(), mailbox)

    async def fetch_rest(
        self, mailbox: MailboxKey, message: MessageId, data: Mapping[str, Any]
    ) -> MeetingResponse | None:
        """Give the response of which a part came with its notification; only what is missing is asked for.

        Args:
            data: what came; a message that was sent does not change.

        Raises: as `fetch_message` does.
        """
        answer = await self._ask_for_message(mailbox, message, is_rest=True)
        rest = require_object(answer.payload()).value
        assert isinstance(rest, dict)
        return self._parse_message({**data, **rest}, mailbox)

    async def fetch_event(self, owner: OwnerKey, event: EventId) -> CalendarEvent:
        """Give the event.

        Raises:
            GoneError: Graph does not find it; that alone proves nothing.
            PayloadError: it cannot be read.
            GraphError, TokenError: see `errors.py`.
        """
        return self._parse(await self._ask_for_event(owner, event))

    async def is_tallied(self, owner: OwnerKey, event: EventId) -> bool:
        """Tell whether Exchange writes answers onto an event, as it does in primary calendars alone.

        A notification does not say in which calendar its event lies, nor does the event. Only a plain no is
        one: where Graph gives no calendar, the event is as good as any.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/resources/calendar
        """
        try:
            answer = await self._sender.send(build_calendar_request(owner, event))
        except (GoneError, AccessError, RefusedError):
            return True
        return require_object(answer.payload())["isTallyingResponses"].flag() is not False

    async def find_meeting(self, owner: OwnerKey, meeting: MeetingKey) -> Look:
        """Look for a single meeting or series master by its iCalUId, over all calendars of the owner.

        Raises:
            GraphError, TokenError: see `errors.py`; `GoneError` means that there is no such mailbox.
        """
        if meeting.startswith(BY_ID):
            return await self._look_by_id(owner, EventId(meeting.removeprefix(BY_ID)))
        first, *others = list_ical_uids(meeting)
        look = await self._look_by_ical_uid(owner, meeting, first)
        for ical_uid in others:
            if not look.events:
                look = await self._look_by_ical_uid(owner, meeting, ical_uid)
        return look

    async def find_unnamed(self, owner: OwnerKey, meeting: MeetingKey, at: Instant) -> Look:
        """Look for events of that global object id which show no iCalUId, among what takes place at a moment.

        Exchange compares extended properties as text, and whether it does so with bytes is not known: what
        lies there is listed and compared here.

        Raises:
            GraphError, TokenError: see `errors.py`.

        Source: https://learn.microsoft.com/graph/api/resources/extended-properties-overview
        """
        moment = at.to_datetime()
        request = build_view_request(owner, start=moment, end=_shift(moment, _MOMENT))
        pages = await read_pages(self._sender, request)
        events = [self._parse(answer, node.value) for answer, node in _list_items(pages)]
        found = tuple(one for one in events if one.is_unnamed and one.global_id == meeting)
        return Look(events=found, at=pages[-1].at)

    async def find_instance(self, owner: OwnerKey, series: EventId, instance: InstanceKey, zone: str) -> Look:
        """Look for the occurrence or exception of that original date.

        First on that day, where nearly all are; then far around it, for it may have been moved.

        Args:
            zone: IANA zone of the series, in which `instance` is a date.

        Raises:
            GoneError: the series is not there, or is no series any more.
            GraphError, TokenError: see `errors.py`.
        """
        try:
            return await self._look_for_instance(owner, series, instance, zone)
        except RefusedError as error:  # a single meeting has no instances; in which words is not documented
            if (await self.fetch_event(owner, series)).details.type is EventType.SERIES:
                raise
            raise GoneError("the series has become a single meeting") from error

    async def _look_for_instance(
        self, owner: OwnerKey, series: EventId, instance: InstanceKey, zone: str
    ) -> Look:
        day = _find_day(instance, zone)
        request = build_instances_request(
            owner, series, start=_shift(day, -_MARGIN), end=_shift(day, 2 * _MARGIN)
        )
        pages = await read_pages(self._sender, request)
        found = [
            self._parse(answer, node.value, zone=zone)
            for answer, node in _list_items(pages)
            if parse_instance_key(node, zone=zone) == instance
        ]
        if found:
            return Look(events=(found[-1],), at=found[-1].seen)
        return await self._search_instance(owner, series, instance, zone)

    async def _search_instance(
        self, owner: OwnerKey, series: EventId, instance: InstanceKey, zone: str
    ) -> Look:
        day = _find_day(instance, zone)
        start, end = _shift(day, -self._search), _shift(day, self._search)
        request = build_instances_request(owner, series, start=start, end=end, is_brief=True)
        pages = await read_pages(self._sender, request)
        for _, node in _list_items(pages):
            if parse_instance_key(node, zone=zone) == instance:
                return await self._look_by_id(owner, EventId(node["id"].text() or ""), zone=zone)
        return Look(events=(), at=pages[-1].at)

    async def _ask_for_message(
        self, mailbox: MailboxKey, message: MessageId, *, is_rest: bool = False
    ) -> Answer:
        """Ask with the members of the subtype, and without where this mailbox refuses them.

        The extended properties then tell what was answered.
        """
        has_subtype = mailbox not in self._without_subtype
        try:
            return await self._sender.send(
                self._build(mailbox, message, has_subtype=has_subtype, is_rest=is_rest)
            )
        except RefusedError as error:
            if not has_subtype or _SELECT_REFUSED.search(f"{error.code} {error}") is None:
                raise
        answer = await self._sender.send(self._build(mailbox, message, has_subtype=False, is_rest=is_rest))
        self._without_subtype.add(mailbox)
        return answer

    def _build(
        self, mailbox: MailboxKey, message: MessageId, *, has_subtype: bool, is_rest: bool
    ) -> GraphRequest:
        return build_message_request(
            mailbox, message, has_subtype=has_subtype, is_rest=is_rest, is_in_inbox=self._is_inbox
        )

    async def _ask_for_event(self, owner: OwnerKey, event: EventId) -> Answer:
        """Ask with the cancelled occurrences of a series, and without where this mailbox refuses them."""
        has_cancelled = owner not in self._without_cancelled
        try:
            return await self._sender.send(build_event_request(owner, event, has_cancelled=has_cancelled))
        except RefusedError as error:
            if not has_cancelled or _SELECT_REFUSED.search(f"{error.code} {error}") is None:
                raise
        answer = await self._sender.send(build_event_request(owner, event, has_cancelled=False))
        self._without_cancelled.add(owner)
        return answer

    async def _look_by_id(self, owner: OwnerKey, event: EventId, *, zone: str | None = None) -> Look:
        request = build_event_request(owner, event, has_cancelled=False)
        answer = await self._sender.exchange(request)
        if answer.names_missing_item:
            return Look(events=(), at=answer.at)
        if not answer.is_ok:
            raise build_refusal(answer, request.kind)
        return Look(events=(self._parse(answer, zone=zone),), at=answer.at)

    async def _look_by_ical_uid(self, owner: OwnerKey, meeting: MeetingKey, ical_uid: str) -> Look:
        pages = await read_pages(self._sender, build_meeting_search(owner, ical_uid))
        events = [self._parse(answer, node.value) for answer, node in _list_items(pages)]
        wanted = tuple(one for one in events if one.meeting == meeting and one.instance == WHOLE)
        return Look(events=wanted, at=pages[-1].at)

    def _parse_message(self, payload: object, mailbox: MailboxKey) -> MeetingResponse | None:
        notes: list[str] = []
        response = parse_message(payload, mailbox=mailbox, notes=notes)
        if response is not None:
            self._tell(RequestKind.MESSAGE, notes)
        return response

    def _parse(self, answer: Answer, payload: object = None, *, zone: str | None = None) -> CalendarEvent:
        notes: list[str] = []
        given = answer.payload() if payload is None else payload
        event = parse_event(given, seen=answer.at, zone=zone, notes=notes)
        self._tell(RequestKind.EVENT, notes)
        return event

    def _tell(self, kind: RequestKind, notes: list[str]) -> None:
        if notes:
            self._observer.payload_noted(kind=kind, notes=notes)


def _list_items(pages: Iterable[Answer]) -> Iterator[tuple[Answer, Node]]:
    return ((answer, node) for answer in pages for node in page_items(answer.payload()))


def _find_day(instance: InstanceKey, zone: str) -> datetime:
    """Give the first instant of an occurrence's original date, UTC.

    Raises:
        GoneError: it is no date, so that there can be no such occurrence.
    """
    try:
        day = datetime.combine(date.fromisoformat(instance), time(), find_zone(zone) or UTC)
        return day.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GoneError("no occurrence has that date", code="badDate") from error


def _shift(moment: datetime, by: timedelta) -> datetime:
    """Move an instant, at most to the end of the calendar."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if by > timedelta(0) else datetime.min.replace(tzinfo=UTC)
