"""What was asked of the keeper, turned into duties: Graph's lifecycle notifications, an operator's commands.

Must never take a request off the book before what it asks for has been done. An operator's request is ended
on the book instead, with what failed for good, and stays there until its outcome was read or is old.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from service.clock import Clock
from service.errors import ServiceError
from service.reconcile.instant import instant_of, parse_instant
from service.reconcile.model import OwnerKey
from service.subscriptions.comparing import Comparing
from service.subscriptions.faults import classify_fault, describe_fault
from service.subscriptions.ledger import Ledger
from service.subscriptions.owners import Owners
from service.subscriptions.reading import Reading
from service.subscriptions.records import (
    FaultKind,
    MailboxRecord,
    Request,
    RequestKind,
    SubscriptionRecord,
)
from service.subscriptions.requests import OpenRequests
from service.subscriptions.schedule import Duty
from service.subscriptions.subscribing import Subscribing
from service.subscriptions.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweringLimits:
    """Bounds of what is kept of operators' requests.

    Attributes:
        outcome_kept_s: how long an outcome that nobody read stays on the book.
        failures_max: so many failures are kept in words; the rest is counted.
    """

    outcome_kept_s: float = 3600.0
    failures_max: int = 50


class Answering:
    """Takes requests up, and ends them.

    Args:
        waiting: where requests wait for the duties that fulfil them.
        on_operator: called before what an operator asks for is begun: something may have been repaired.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        owners: Owners,
        subscribing: Subscribing,
        comparing: Comparing,
        reading: Reading,
        waiting: OpenRequests,
        clock: Clock,
        limits: AnsweringLimits,
        on_operator: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._owners = owners
        self._subscribing = subscribing
        self._comparing = comparing
        self._reading = reading
        self._waiting = waiting
        self._clock = clock
        self._limits = limits
        self._on_operator = on_operator
        self._taken: dict[str, Request] = {}

    def begin_term(self) -> None:
        """Forget what was under way; what is still on the book is taken up again."""
        self._waiting.clear()
        self._taken.clear()

    async def take_up(self) -> None:
        """Turn what was newly asked for into duties; what needs none is done at once.

        Raises:
            StreamError: Redis is away; what was not taken up is read again.
        """
        over: list[str] = []
        for name, request in (await self._ledger.read_new_requests()).items():
            if name in self._waiting:
                continue
            if request.kind.is_operators:
                over += await self._take_operators(name, request)
            elif not self._waiting.attach(name, await self._answer(request)):
                over.append(name)
        await self._ledger.drop_requests(*over)

    async def _take_operators(self, name: str, request: Request) -> list[str]:
        """Take an operator's request up, or one that another keeper left; gives its name once it is old."""
        now = self._clock.now()
        if request.ended_at is not None:
            is_old = now - request.ended_at >= timedelta(seconds=self._limits.outcome_kept_s)
            return [name] if is_old else []
        if request.taken_at is None:
            count = max(len(self._names_for(request)), int(bool(request.subscription)))
            request = replace(request, taken_at=now, count=count)
            await self._ledger.write_request(name, request)
        self._on_operator()
        self._taken[name] = request
        if not self._waiting.attach(name, await self._answer(request)):
            await self._end(name)
        return []

    async def conclude(self, duty: Duty, names: Iterable[str]) -> None:
        """Take a duty that was done off these requests, and end those for which nothing is left to do."""
        finished = self._waiting.finish(duty, names)
        await self._ledger.drop_requests(*(name for name in finished if name not in self._taken))
        for name in finished:
            if name in self._taken:
                await self._end(name)

    async def note_failure(self, duty: Duty, names: set[str], error: ServiceError) -> set[str]:
        """Let operators know of what does not go away by itself; gives the requests that wait on."""
        kind = classify_fault(error)
        if not kind.is_of_mailbox and kind is not FaultKind.CREDENTIAL:
            return names
        told = {name for name in names if name in self._taken}
        for name in told:
            self._taken[name] = self._add_failure(self._taken[name], duty, describe_fault(error, kind))
        await self.conclude(duty, told)
        return names - told

    def _add_failure(self, request: Request, duty: Duty, words: str) -> Request:
        failed = dict(request.failed)
        if len(failed) < self._limits.failures_max:
            failed[duty.name or str(duty.kind)] = words
        return replace(request, failed=failed, failed_count=request.failed_count + 1)

    async def _end(self, name: str) -> None:
        request = self._taken.pop(name)
        await self._ledger.write_request(name, replace(request, ended_at=self._clock.now()))

    # --- from a request to duties ---

    async def _answer(self, request: Request) -> list[Duty]:
        """Give the duties that fulfil a request; none where it has nothing to say any more."""
        if request.kind is RequestKind.BASELINED:
            await self._owners.end_baseline(OwnerKey(request.owner), request.mark)
            return []
        if request.kind is RequestKind.DELETE:
            return self._delete(request)
        names = self._names_for(request)
        return [self._ask(request, name) for name in names if self._is_open(request, name)]

    def _delete(self, request: Request) -> list[Duty]:
        """Give the duties that end subscriptions; one that no record names has to prove to be ours."""
        names = self._names_for(request)
        duties = [self._subscribing.ask_delete(name) for name in names if self._is_open(request, name)]
        if request.subscription and not names:
            duties.append(self._comparing.ask_delete(request.subscription))
        if not (request.subscription or request.resource or request.owner):
            duties.append(self._comparing.ask_leftovers_ended())
        return duties

    def _names_for(self, request: Request) -> tuple[str, ...]:
        """Give the resources that a request means, as far as they are watched."""
        if request.resource:
            return (request.resource,) if request.resource in self._watch.resources else ()
        if request.subscription:
            held = self._ledger.subscriptions.items()
            return tuple(name for name, record in held if record.id == request.subscription)
        return self._watch.names_of(OwnerKey(request.owner)) if request.owner else (*self._watch.resources,)

    def _is_open(self, request: Request, name: str) -> bool:
        """Tell whether a request still has something to say about a resource.

        It has not of a subscription replaced since, nor of what was done before this keeper took it over.
        """
        record = self._ledger.subscriptions.get(name, SubscriptionRecord())
        mailbox = self._ledger.mailboxes.get(name, MailboxRecord())
        match request.kind:
            case RequestKind.REMOVED:
                is_open = record.id == request.subscription
            case RequestKind.REAUTHORIZE:
                is_open = record.id == request.subscription and not _is_after(record.renewed_at, request.at)
            case RequestKind.RESYNC:
                is_open = not _is_since(mailbox.full_at, request)
            case RequestKind.RENEW:
                is_done = _is_since(record.renewed_at, request) or _is_since(record.created_at, request)
                is_open = not is_done and record.deleted_at is None
            case RequestKind.RECREATE:
                is_open = record.fault is not None or not _is_since(record.created_at, request)
            case RequestKind.DELETE:
                is_open = record.deleted_at is None
            case RequestKind.WEB_RETURNED:
                is_open = not _is_after(mailbox.complete_at, request.at)
            case RequestKind.MISSED | RequestKind.BASELINED:
                is_open = True
            case _:
                assert_never(request.kind)
        return is_open

    def _ask(self, request: Request, name: str) -> Duty:
        match request.kind:
            case RequestKind.MISSED:
                return self._reading.ask_round(name)
            case RequestKind.WEB_RETURNED:
                return self._reading.ask_round(name, is_after_outage=True)
            case RequestKind.RESYNC:
                return self._ask_full(request, name)
            case RequestKind.REMOVED | RequestKind.RECREATE:
                return self._subscribing.ask_recreate(name)
            case RequestKind.REAUTHORIZE:
                return self._subscribing.ask_renew(name, is_quiet_kept=True)
            case RequestKind.RENEW:
                return self._subscribing.ask_renew(name, is_quiet_kept=False)
            case RequestKind.BASELINED | RequestKind.DELETE:
                raise AssertionError(f"{request.kind} is answered elsewhere")
            case _:
                assert_never(request.kind)

    def _ask_full(self, request: Request, name: str) -> Duty:
        """Begin a full round, or go on with the one that a keeper before us began for this request."""
        under_way = self._ledger.mailboxes.get(name, MailboxRecord()).round
        if under_way is not None and under_way.is_full and _is_since(under_way.started_at, request):
            return self._reading.ask_round(name)
        return self._reading.ask_full(name)


def _is_after(moment: datetime | None, text: str) -> bool:
    """Tell whether something happened after an instant that is written out; an unreadable one is old."""
    try:
        return moment is not None and instant_of(moment) > parse_instant(text)
    except ValueError:
        return True


def _is_since(moment: datetime | None, request: Request) -> bool:
    """Tell whether something happened after a request was taken up: both by the keepers' clock."""
    return moment is not None and request.taken_at is not None and moment >= request.taken_at
