"""Leaves an operator's request for the leading keeper, and waits for what becomes of it.

Must never do the keeper's work itself: only one process at a time changes subscriptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from service.bootstrap.redis_side import Streams
from service.clock import SystemClock
from service.commands.finding import find_owner
from service.commands.screen import open_screen, print_json, show_text
from service.errors import CommandError
from service.ports import Book
from service.subscriptions.desk import build_operator_request, file_request
from service.subscriptions.ledger import decode_book
from service.subscriptions.records import Request, RequestKind, decode_request
from service.subscriptions.status import KeeperStatus

POLL_S: Final = 0.3
KEEPER_PATIENCE_S: Final = 10.0
"""A keeper that died is succeeded sooner, if another runs."""

OnProgress = Callable[[Request], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request is about; everything that is watched where all are empty.

    Attributes:
        resource: name of one resource.
        owner, address: key and address of an owner.
        subscription: id of a subscription in Graph that no record names.
    """

    resource: str = ""
    owner: str = ""
    address: str = ""
    subscription: str = ""

    @property
    def words(self) -> str:
        """Give what it is called to a person."""
        return self.address or self.resource or self.subscription or "everything that is watched"


async def find_target(
    streams: Streams, status: KeeperStatus, given: str | None, *, takes_any_id: bool = False
) -> Target:
    """Give what an operator named: a resource, the id of its subscription, or an owner.

    Args:
        takes_any_id: what is none of these is an id of which only Graph knows.

    Raises:
        CommandError: there is nothing of that name.
    """
    if given is None:
        return Target()
    for one in status.resources:
        if given in (one.name, one.subscription_id):
            return Target(resource=one.name)
    if takes_any_id and "@" not in given:
        return Target(subscription=given)
    for entry in status.owners:
        if given == entry.roster_address and entry.key is None:
            raise CommandError(f"{given} is not watched: {entry.fault or 'it was not looked up yet'}")
    owner = await find_owner(streams.records, given)
    if owner.fault:
        raise CommandError(f"{owner.address} is not watched: {owner.fault}")
    return Target(owner=owner.key, address=owner.address)


async def ask_keeper(
    streams: Streams,
    kind: RequestKind,
    target: Target,
    *,
    wait_s: float,
    on_progress: OnProgress | None = None,
) -> Request:
    """File a request and wait for its end, at most `wait_s`; gives it as it stands then.

    Raises:
        CommandError: no keeper took it up, and none is running: it was withdrawn. Or it was lost.
        StreamError: Redis is away.
    """
    now = SystemClock().now()
    request = build_operator_request(
        kind, now=now, resource=target.resource, owner=target.owner, subscription=target.subscription
    )
    await file_request(streams.records, request)
    loop = asyncio.get_running_loop()
    filed_at = alone_since = loop.time()
    while request.ended_at is None and loop.time() - filed_at < wait_s:
        await asyncio.sleep(POLL_S)
        request = await _read(streams, request)
        if request.taken_at is None and not await streams.lease.find_holder():
            await _check_patience(streams, request, loop.time() - alone_since)
        else:
            alone_since = loop.time()
        if on_progress is not None:
            await on_progress(request)
    if request.ended_at is not None:
        await streams.records.drop(Book.REQUESTS, [request.name])
    return request


async def _read(streams: Streams, request: Request) -> Request:
    held = decode_book(await streams.records.read_all(Book.REQUESTS), decode_request)
    if request.name not in held:
        raise CommandError("The request is gone, as after a loss of Redis: ask again.")
    return held[request.name]


async def _check_patience(streams: Streams, request: Request, alone_s: float) -> None:
    if alone_s >= KEEPER_PATIENCE_S:
        await streams.records.drop(Book.REQUESTS, [request.name])
        raise CommandError(
            "No keeper is running, so nothing was done. `response-sync serve` and `response-sync keeper` "
            "start one."
        )


# --- what became of it ---


def describe_outcome(request: Request, target: Target) -> dict[str, Any]:
    """Give the outcome as JSON; `done` is what did not fail, once all has ended."""
    is_over = request.ended_at is not None
    return {
        "request": str(request.kind),
        "of": target.words,
        "resources": request.count,
        "done": request.count - request.failed_count if is_over else None,
        "failed": dict(request.failed),
        "failedCount": request.failed_count,
        "ended": is_over,
        "takenUp": request.taken_at is not None,
    }


def report(request: Request, target: Target, *, did: str, wait_s: float, as_json: bool) -> bool:
    """Say what became of a request; tells whether it succeeded, or was only to be filed.

    Args:
        did: what was done to a resource, such as `renewed`.
    """
    is_over = request.ended_at is not None
    if as_json:
        print_json(describe_outcome(request, target))
    else:
        for line in _list_lines(request, target, did):
            open_screen().print(show_text(line, length_max=1000))
    return not request.failed_count if is_over else wait_s == 0


def _list_lines(request: Request, target: Target, did: str) -> list[str]:
    failures = [f"{name}: {words}" for name, words in sorted(request.failed.items())]
    if request.failed_count > len(failures):
        failures.append(f"and {request.failed_count - len(failures)} more failed")
    if request.taken_at is None:
        return [f"{target.words}: asked for; no keeper has taken it up yet."]
    if request.ended_at is None:
        return [f"{target.words}: the keeper is still at it, and goes on.", *failures]
    if not request.count:
        return [f"{target.words}: there is nothing."]
    return [f"{request.count - request.failed_count} of {request.count} {did}.", *failures]
