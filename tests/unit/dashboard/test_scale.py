"""Thousands of mailboxes: what a look at all of them costs, and that nobody else waits for it."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from time import thread_time
from typing import Any

from service.cloud_events import Redacted, Redactor, build_redactor
from service.dashboard.observing import Observer, Sources
from service.dashboard.picture import build_picture
from service.dashboard.troubles import Observed
from service.ports import Book
from service.reconcile.model import Address, MailboxKey, OwnerKey
from service.roster import RosterEntry, WatchedOwner, encode_record
from service.streams.intake_stream import IntakeDepth
from service.subscriptions.records import (
    MailboxRecord,
    OwnerProgress,
    SubscriptionRecord,
    encode,
    name_owner_progress,
)
from service.subscriptions.status import KeeperStatus, build_status, decode_books
from service.subscriptions.status_reader import StatusReader
from tests.unit.dashboard.test_troubles import WELL, redis
from tests.unit.subscriptions.fakes import START, MemoryGeneration, VirtualClock

REDACTOR = build_redactor(frozenset({Redacted.ADDRESSES}), b"k" * 32)


def build_texts(owners: int) -> Mapping[Book, Mapping[str, str]]:
    """Give the books of so many owners, each with a delegate of their own: twice as many mailboxes."""
    people = [
        WatchedOwner(
            key=OwnerKey(f"o{at}"),
            roster_address=Address(f"o{at}@contoso.com"),
            address=f"o{at}@contoso.com",
            name=f"Owner {at}",
            inboxes=(MailboxKey(f"d{at}"),),
            inbox_addresses=(f"d{at}@contoso.com",),
            is_baselined=True,
        )
        for at in range(owners)
    ]
    alive = SubscriptionRecord(
        id="s", expires_at=START + timedelta(days=3), lifetime_s=600_000, created_at=START
    )
    names = [name for one in people for name in (f"calendar/{one.key}", f"inbox/{one.inboxes[0]}")]
    read = MailboxRecord(delta_link="d", complete_at=START, full_at=START)
    progress = {
        name_owner_progress(one.roster_address): encode(
            OwnerProgress(added_at=START, key=one.key, looked_up_at=START)
        )
        for one in people
    }
    return {
        Book.ROSTER: {
            one.roster_address: encode_record(RosterEntry(address=one.roster_address)) for one in people
        },
        Book.OWNERS: {one.key: encode_record(one) for one in people},
        Book.SUBSCRIPTIONS: dict.fromkeys(names, encode(alive)),
        Book.MAILBOXES: {**dict.fromkeys(names, encode(read)), **progress},
        Book.NOTIFIED: {},
        Book.SIGN_INS: {},
    }


def measure_s(texts: Mapping[Book, Mapping[str, str]]) -> float:
    """Give what a look costs, the least of three."""
    spent = []
    for _ in range(3):
        began = thread_time()
        seen = build_status(decode_books(texts), now=START)
        build_picture(observed(seen), redactor=REDACTOR, rows_max=500, positions={})
        spent.append(thread_time() - began)
    return min(spent)


def observed(status: KeeperStatus) -> Observed:
    return Observed(
        vitals=WELL.vitals,
        depth=WELL.depth,
        status=status,
        has_generation=True,
        redis=redis(),
        refusal="",
        sweep_interval_s=900,
    )


def test_a_look_costs_in_proportion_to_the_roster() -> None:
    few, many = measure_s(build_texts(100)), measure_s(build_texts(1_000))
    assert many < 40 * few  # what compares all with all costs a hundred times as much


def test_the_page_lists_the_worst_and_counts_the_rest() -> None:
    status = build_status(decode_books(build_texts(300)), now=START)
    shown = build_picture(observed(status), redactor=REDACTOR, rows_max=500, positions={})
    assert (len(shown["mailboxes"]), shown["mailboxesTotal"], shown["ownersReady"]) == (500, 600, 300)


@dataclass
class Threads:
    """Notes in which thread something is done."""

    read: set[int] = field(default_factory=set)
    drawn: set[int] = field(default_factory=set)

    def open_book(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Give records that note who reads them."""

        class Noting(dict[str, str]):
            def items(book):  # type: ignore[no-untyped-def] # noqa: N805
                self.read.add(threading.get_ident())
                return super().items()

        return Noting(texts)

    def build_redactor(self) -> Redactor:
        """Give a redactor that notes who draws."""

        class Noting(Redactor):
            def apply(redactor, what, text):  # type: ignore[no-untyped-def] # noqa: N805
                self.drawn.add(threading.get_ident())
                return super().apply(what, text)

        return Noting(what=REDACTOR.what, key=REDACTOR.key)


class OpenBooks:
    """Records that are read whole."""

    def __init__(self, texts: Mapping[Book, Mapping[str, str]], threads: Threads) -> None:
        self._texts = texts
        self._threads = threads

    async def read_all(self, book: Book) -> dict[str, str]:
        return self._threads.open_book(self._texts[book])


async def test_nothing_else_waits_while_the_books_are_read_and_the_page_is_drawn() -> None:
    threads = Threads()
    records: Any = OpenBooks(build_texts(20), threads)
    sources = Sources(
        vitals=give(WELL.vitals),
        facts=give(redis()),
        probe_writes=give(""),
        intake=Measured(),
        status=StatusReader(records=records, clock=VirtualClock()),
        generation=MemoryGeneration(),
        updates=Ends(),
    )
    observer = Observer(sources, redactor=threads.build_redactor(), sweep_interval_s=900, rows_max=500)
    picture = await observer.look()
    assert b'"mailboxesTotal":40' in picture
    assert threads.read
    assert threads.drawn
    assert threading.get_ident() not in threads.read | threads.drawn


def give(value: Any) -> Callable[[], Awaitable[Any]]:
    async def gives() -> Any:
        return value

    return gives


class Measured:
    async def measure(self) -> IntakeDepth:
        return WELL.depth


class Ends:
    async def find_ends(self) -> dict[str, str]:
        return {}
