"""The intake stream: the one way in, read by all workers as one consumer group.

An entry leaves the stream only when it is done: acknowledged, put off into the due list, or given up.
Each of the last two writes the other place first, so a crash between repeats an entry and never loses one.
Must never trim the stream by length.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from service.entries import IntakeEntry
from service.errors import StreamError
from service.ports import Delivered
from service.stream_ids import ms_of
from service.streams.dead_letters import DeadLetters
from service.streams.due_list import DueList
from service.streams.keys import GROUP, KeyNames
from service.streams.link import (
    Argument,
    GroupMissingError,
    RedisLink,
    Script,
    load_script,
    pair_up,
    to_duration_ms,
)

_APPEND: Final = load_script("append")
_GIVE_BACK: Final = load_script("give_back")
_ACKNOWLEDGE: Final = load_script("acknowledge")
_CLAIM: Final = load_script("claim")
_DROP_CONSUMERS: Final = load_script("drop_consumers")
_START: Final = "0-0"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDepth:
    """How much work waits.

    Attributes:
        entries: on the stream: waiting and pending.
        pending: handed out and not done.
        oldest_ms: Redis time in ms at which the oldest entry was appended; None where there is none.
        due: retries and timers in the due lists.
        first_due_ms: when the first of them comes due, Unix time in ms; None where there is none.
        dead: dead letters.
    """

    entries: int
    pending: int
    oldest_ms: int | None
    due: int
    first_due_ms: int | None
    dead: int


class RedisIntakeStream:
    """The Redis side of `IntakeStream`. Every method raises `StreamError`."""

    def __init__(
        self, link: RedisLink, keys: KeyNames, *, due_list: DueList, dead_letters: DeadLetters
    ) -> None:
        self._link = link
        self._key = keys.intake
        self._due_list = due_list
        self._dead_letters = dead_letters
        self._claim_from = _START

    async def append(self, entries: Sequence[IntakeEntry]) -> None:
        """Append all, in order, atomically. Sent again after a lost reply, they are there twice; harmless."""
        await self._append_flat([entry.to_fields() for entry in entries])

    async def read(self, consumer: str, *, count: int, block_s: float) -> tuple[Delivered, ...]:
        """Give entries that nobody had yet, oldest first; may be none.

        Args:
            block_s: waits at most so long for the first one, and never longer than the link allows;
                0 does not wait.
        """
        block_ms = to_duration_ms(min(block_s, self._link.block_max_s))
        block = ("BLOCK", block_ms) if block_s > 0 else ()
        command = ("XREADGROUP", "GROUP", GROUP, consumer, "COUNT", count, *block, "STREAMS", self._key, ">")
        reply = await self._with_group(command)
        return tuple(
            Delivered(id=entry_id, fields=fields) for _, page in reply or () for entry_id, fields in page
        )

    async def claim(self, consumer: str, *, idle_s: float, count: int) -> tuple[Delivered, ...]:
        """Take over entries that another consumer left pending for so long, a part of them each time.

        Walks the pending list from call to call; entries that were deleted meanwhile are passed over.
        """
        idle_ms = round(idle_s * 1000)
        reply = await self._run_with_group(_CLAIM, [GROUP, consumer, idle_ms, self._claim_from, count])
        self._claim_from, *claimed = reply
        return tuple(
            Delivered(id=entry_id, fields=pair_up(flat), deliveries=int(deliveries))
            for entry_id, deliveries, flat in claimed
        )

    async def give_back(self, consumer: str, entries: Sequence[Delivered]) -> None:
        """Let a handing out not count that an outage brought to nothing; they are taken over again later.

        Args:
            consumer: whom they were handed out to; what was taken over from it meanwhile is left alone.
        """
        counts = [text for entry in entries for text in (entry.id, entry.deliveries)]
        if counts:
            await self._link.run(_GIVE_BACK, [self._key], [GROUP, consumer, *counts])

    async def acknowledge(self, ids: Sequence[str]) -> None:
        """Take entries off the stream: they are done."""
        if ids:
            await self._link.run(_ACKNOWLEDGE, [self._key], [GROUP, *ids])

    async def dead_letter(self, entry: Delivered, *, reason: str, detail: str, at: datetime) -> None:
        """Move an entry to the dead letters, then acknowledge it.

        A crash between the two leaves it in both; the dead letter names the entry's id.
        """
        await self._dead_letters.add(entry, reason=reason, detail=detail, at=at)
        await self.acknowledge([entry.id])

    async def defer(self, entry: Delivered, retry: IntakeEntry, *, due_at: datetime) -> None:
        """Put the retry into the durable due list, then acknowledge the entry.

        Raises:
            GenerationMissingError: the state was lost; the entry stays pending.
        """
        await self._due_list.put_off(entry.id, retry, due_at)
        await self.acknowledge([entry.id])

    async def release_due(self, now: datetime, *, count: int) -> int:
        """Append what has come due (retries and timers) to the intake stream; gives how many.

        Raises:
            GenerationMissingError: the state was lost.
        """
        return await self._due_list.release(now, count=count, append=self._append_flat)

    async def find_last_id(self) -> str:
        """Give the id of the last entry on the stream; `0-0` where there is none."""
        last = await self._link.call("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        return str(last[0][0]) if last else _START

    # --- Keeping house ---

    async def ensure_group(self) -> None:
        """Make the consumer group where it is missing; it reads from the oldest entry on."""
        try:
            await self._link.call("XGROUP CREATE", self._key, GROUP, _START, "MKSTREAM")
        except StreamError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def drop_silent_consumers(self, *, silent_s: float) -> int:
        """Forget consumers that have nothing pending and were not heard of for so long; gives how many."""
        dropped: int = await self._run_with_group(_DROP_CONSUMERS, [GROUP, to_duration_ms(silent_s)])
        return dropped

    async def measure(self) -> IntakeDepth:
        """Tell how much work waits."""
        entries = await self._link.call("XLEN", self._key)
        pending = await self._with_group(("XPENDING", self._key, GROUP))
        oldest = await self._link.call("XRANGE", self._key, "-", "+", "COUNT", 1)
        return IntakeDepth(
            entries=entries,
            pending=pending["pending"],
            oldest_ms=ms_of(oldest[0][0]) if oldest else None,
            due=await self._due_list.count(),
            first_due_ms=await self._due_list.find_first_ms(),
            dead=await self._dead_letters.count(),
        )

    async def forget_dead_letters(self, names: Collection[str]) -> int:
        """Delete the dead letters about any of these owners or mailboxes; gives how many."""
        return await self._dead_letters.forget(names)

    # --- Redis ---

    async def _append_flat(self, entries: Sequence[Mapping[str, str]]) -> None:
        arguments: list[Argument] = []
        for fields in entries:
            arguments += [2 * len(fields), *(text for item in fields.items() for text in item)]
        if arguments:
            await self._link.run(_APPEND, [self._key], arguments)

    async def _with_group(self, command: Sequence[Argument]) -> Any:
        """Send a command that needs the group; makes the group first where it was lost."""
        try:
            return await self._link.call(*command)
        except GroupMissingError:
            await self.ensure_group()
            return await self._link.call(*command)

    async def _run_with_group(self, script: Script, arguments: Sequence[Argument]) -> Any:
        try:
            return await self._link.run(script, [self._key], arguments)
        except GroupMissingError:
            await self.ensure_group()
            return await self._link.run(script, [self._key], arguments)
