"""Whether the version that a notification names is known, so that it need not be read. Commits nothing.

An item's etag changes with every write. Of an event the state tells which version is held; a message that
was sent says the same for ever, so a worker remembers those it has read. Both matter where one change is
announced twice: by a repetition, or late, when it was read because of something else.

Source: https://learn.microsoft.com/graph/api/resources/event (changeKey)
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from service.entries import IntakeEntry, Kind, Origin
from service.pipeline.committer import read_state
from service.ports import StateStore
from service.reconcile.model import WHOLE, EventId, OwnerKey


class _Known(Enum):
    KNOWN = "known"


KNOWN: Final = _Known.KNOWN
"""Stands for an item that was not read, because it is known."""
Known = Literal[_Known.KNOWN]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLimits:
    """Bounds.

    Attributes:
        messages_max: messages that a worker remembers to have read.
    """

    messages_max: int = 10_000


class KnownVersions:
    """Tells which announced versions need not be read."""

    def __init__(self, states: StateStore, limits: KnownLimits | None = None) -> None:
        self._states = states
        self._limits = limits or KnownLimits()
        self._messages: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    async def has(self, entry: IntakeEntry) -> bool:
        """Tell whether the version that an entry names is known.

        Only notifications are believed: whatever else brings an entry wants the item to be looked at.

        Raises:
            StreamError: the state cannot be read.
        """
        if not entry.etag or entry.origin is not Origin.NOTIFICATION or entry.change == "deleted":
            return False
        if entry.kind is Kind.MESSAGE:
            return _name(entry) in self._messages
        return await self._holds_event(entry)

    def note_message(self, entry: IntakeEntry) -> None:
        """Note that an entry's message was read, and all is done that follows from it."""
        if not entry.etag:
            return
        self._messages[_name(entry)] = None
        self._messages.move_to_end(_name(entry))
        if len(self._messages) > self._limits.messages_max:
            self._messages.popitem(last=False)

    async def _holds_event(self, entry: IntakeEntry) -> bool:
        """Tell whether this version of a single meeting or a series is held.

        An occurrence is read again: whether it counts depends on when it was seen (`reconcile/notified.py`).
        """
        owner, event = OwnerKey(entry.mailbox), EventId(entry.item)
        meeting, instance = await self._states.find_event(owner, event) or (None, WHOLE)
        if meeting is None or instance != WHOLE:
            return False
        held = (await read_state(self._states, owner, meeting)).facts.instance(WHOLE)
        if held.head is None or held.gone_at is not None or held.head.details.id != event:
            return False
        return bool(held.head.change_key) and entry.etag == f'W/"{held.head.change_key}"'


def _name(entry: IntakeEntry) -> tuple[str, str, str]:
    return (entry.mailbox, entry.item, entry.etag)
