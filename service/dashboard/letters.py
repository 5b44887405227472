"""Dead letters as the page shows them, and what it may do with them: another try, or drop. Nothing else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from service.cloud_events import Redacted, Redactor
from service.dashboard.hiding import hide_addresses
from service.pipeline.retry import Reason
from service.ports import Book, Records
from service.reconcile.model import MailboxKey
from service.replay.desk import DeadLetterDesk
from service.replay.letter import describe_letter
from service.replay.reasons import MEANINGS
from service.replay.selection import Selection
from service.roster import decode_watched_owner, name_mailboxes
from service.streams.dead_letters import DeadLetter
from service.subscriptions.ledger import decode_book

_PAGE: Final = 100
_BODY_BYTES_MAX: Final = 65_536
_ID: Final = re.compile(r"\d{1,20}-\d{1,20}")
_NAMES_PEOPLE: Final = ("mailbox", "owner", "attendee")


class Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the page asks for: these dead letters, by id."""

    ids: list[str]


_ASKED: Final = msgspec.json.Decoder(Asked)


class Letters:
    """Answers what the page asks of dead letters."""

    def __init__(
        self, desk: DeadLetterDesk, records: Records, *, redactor: Redactor, entries_max: int
    ) -> None:
        """Take what is needed.

        Args:
            entries_max: dead letters in one request.
        """
        self._desk = desk
        self._records = records
        self._redactor = redactor
        self._entries_max = entries_max

    async def list_page(self, request: web.Request) -> web.Response:
        """Give a page of dead letters, the newest first, of one reason where one is named."""
        before = request.query.get("before", "")
        if before and not _ID.fullmatch(before):
            return answer({"error": "before: not an id"}, status=400)
        reason = request.query.get("reason", "")
        if reason and reason not in MEANINGS:
            return answer({"error": "reason: not one of the list"}, status=400)
        selection = Selection(reasons=frozenset({Reason(reason)}) if reason else frozenset())
        found = await self._desk.list_newest(selection, limit=_PAGE, before=before)
        addresses = await self._name_mailboxes() if found else {}
        return answer(
            {
                "letters": [self._describe(one, addresses) for one in found],
                "total": await self._desk.count(),
                "next": found[-1].id if len(found) == _PAGE else None,
                "reasons": {str(each): meaning.words for each, meaning in MEANINGS.items()},
            }
        )

    async def requeue(self, request: web.Request) -> web.Response:
        """Give dead letters another try."""
        ids = await self._read_ids(request)
        if isinstance(ids, web.Response):
            return ids
        requeued = await self._desk.requeue(await self._desk.find(ids))
        return answer({"requeued": requeued.done, "unfit": requeued.unfit, "left": await self._desk.count()})

    async def drop(self, request: web.Request) -> web.Response:
        """Delete dead letters for good."""
        ids = await self._read_ids(request)
        if isinstance(ids, web.Response):
            return ids
        dropped = await self._desk.drop(ids)
        return answer({"dropped": dropped, "left": await self._desk.count()})

    async def _read_ids(self, request: web.Request) -> list[str] | web.Response:
        """Give the ids that were asked for, each once; or the refusal."""
        if request.content_type != "application/json":
            return answer({"error": "JSON is wanted"}, status=415)
        body = await request.content.read(_BODY_BYTES_MAX + 1)
        while 0 < len(body) <= _BODY_BYTES_MAX and (more := await request.content.read(_BODY_BYTES_MAX)):
            body += more
        if len(body) > _BODY_BYTES_MAX:
            return answer({"error": "too much at once"}, status=413)
        try:
            ids = _ASKED.decode(body).ids
        except msgspec.DecodeError:
            return answer({"error": 'wanted is {"ids": [..]}'}, status=400)
        if not 0 < len(ids) <= self._entries_max or not all(_ID.fullmatch(one) for one in ids):
            return answer({"error": f"wanted are 1 to {self._entries_max} ids"}, status=400)
        return list(dict.fromkeys(ids))

    async def _name_mailboxes(self) -> Mapping[MailboxKey, str]:
        texts = await self._records.read_all(Book.OWNERS)
        return await asyncio.to_thread(
            lambda: name_mailboxes(decode_book(texts, decode_watched_owner).values())
        )

    def _describe(self, letter: DeadLetter, addresses: Mapping[MailboxKey, str]) -> dict[str, Any]:
        shown = describe_letter(letter, addresses)
        if "@" in shown["about"]:
            shown["about"] = self._redactor.apply(Redacted.ADDRESSES, shown["about"])
        shown["entry"] = {
            name: self._redactor.apply(Redacted.ADDRESSES, text)
            if name == "attendee" or (name in _NAMES_PEOPLE and "@" in text)
            else text
            for name, text in shown["entry"].items()
        }
        shown["detail"] = hide_addresses(shown["detail"], self._redactor)
        return shown


def answer(body: Any, *, status: int = 200) -> web.Response:
    """Give a JSON answer."""
    return web.Response(body=msgspec.json.encode(body), content_type="application/json", status=status)
