"""What was asked of the keeper, turned into duties: Graph's lifecycle notifications, an operator's commands.

Must never take a request off the book before what it asks for has been done.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from service.reconcile.instant import instant_of, parse_instant
from service.reconcile.model import OwnerKey
from service.subscriptions.ledger import Ledger
from service.subscriptions.owners import Owners
from service.subscriptions.reading import Reading
from service.subscriptions.records import Request, RequestKind, SubscriptionRecord
from service.subscriptions.requests import OpenRequests
from service.subscriptions.schedule import Duty
from service.subscriptions.subscribing import Subscribing
from service.subscriptions.watch import Watch


class Answering:
    """Takes requests up.

    Args:
        waiting: where requests wait for the duties that fulfil them.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        watch: Watch,
        owners: Owners,
        subscribing: Subscribing,
        reading: Reading,
        waiting: OpenRequests,
    ) -> None:
        self._ledger = ledger
        self._watch = watch
        self._owners = owners
        self._subscribing = subscribing
        self._reading = reading
        self._waiting = waiting

    async def take_up(self) -> None:
        """Turn what was newly asked for into duties; what needs none is done at once.

        Raises:
            StreamError: Redis is away; what was not taken up is read again.
        """
        done = []
        for name, request in (await self._ledger.read_new_requests()).items():
            if name not in self._waiting and not self._waiting.attach(name, await self._answer(request)):
                done.append(name)
        await self._ledger.drop_requests(*done)

    async def _answer(self, request: Request) -> list[Duty]:
        """Give the duties that fulfil a request; none where it has nothing to say any more."""
        if request.kind is RequestKind.BASELINED:
            await self._owners.end_baseline(OwnerKey(request.owner), request.mark)
            return []
        names = self._names_for(request)
        return [self._ask(request, name) for name in names if self._is_open(request, name)]

    def _names_for(self, request: Request) -> tuple[str, ...]:
        """Give the resources that a request means, as far as they are watched."""
        if request.resource:
            return (request.resource,) if request.resource in self._watch.resources else ()
        if request.subscription:
            held = self._ledger.subscriptions.items()
            return tuple(name for name, record in held if record.id == request.subscription)
        return self._watch.names_of(OwnerKey(request.owner)) if request.owner else (*self._watch.resources,)

    def _is_open(self, request: Request, name: str) -> bool:
        """Tell whether a request still has something to say: not of a subscription replaced since."""
        if request.kind not in (RequestKind.REMOVED, RequestKind.REAUTHORIZE):
            return True
        record = self._ledger.subscriptions.get(name, SubscriptionRecord())
        is_answered = request.kind is RequestKind.REAUTHORIZE and _is_after(record.renewed_at, request.at)
        return record.id == request.subscription and not is_answered

    def _ask(self, request: Request, name: str) -> Duty:
        match request.kind:
            case RequestKind.MISSED:
                duty = self._reading.ask_round(name)
            case RequestKind.RESYNC | RequestKind.BASELINED:
                duty = self._reading.ask_full(name)
            case RequestKind.REMOVED | RequestKind.RECREATE:
                duty = self._subscribing.ask_recreate(name)
            case RequestKind.REAUTHORIZE | RequestKind.RENEW:
                is_graphs = request.kind is RequestKind.REAUTHORIZE
                duty = self._subscribing.ask_renew(name, is_quiet_kept=is_graphs)
            case _:
                assert_never(request.kind)
        return duty


def _is_after(moment: datetime | None, text: str) -> bool:
    """Tell whether something happened after an instant that is written out; an unreadable one is old."""
    try:
        return moment is not None and instant_of(moment) > parse_instant(text)
    except ValueError:
        return True
