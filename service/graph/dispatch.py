"""How requests travel: in the lane of their mailbox, alone or together with others in one `$batch`.

Requests that come within a short window travel together, the same question is asked once, and what arrived in
an inbox together is read as one list. Never tries anything again that Graph refused, except one by one what
was asked for together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from service.clock import Clock
from service.errors import (
    HeldBackError,
    PayloadError,
    RefusedError,
    ServiceError,
    ThrottledError,
    UnavailableError,
)
from service.graph.answer import Answer, build_refusal
from service.graph.batch import PARTS_MAX, build_batch, split_batch
from service.graph.gathering import Gathering
from service.graph.lanes import Lanes
from service.graph.newest import NewestLimits, NewestLists
from service.graph.observer import GraphObserver
from service.graph.requests import GraphRequest
from service.graph.throttling import Throttling, ThrottlingLimits
from service.graph.trips import (
    Trip,
    answer_all,
    fail_all,
    fail_rest,
    list_questions,
    send_one_by_one,
)

_NO_WAIT: Final = 0.0


class Exchanger(Protocol):
    """Sends one HTTP request; `GraphClient` is one."""

    async def exchange(self, request: GraphRequest) -> Answer:
        """Give the answer, whatever its status."""


class Sender(Protocol):
    """What the readers need: a request goes out, an answer or an error comes back."""

    async def exchange(self, request: GraphRequest) -> Answer:
        """Give the answer, whatever its status."""

    async def send(self, request: GraphRequest) -> Answer:
        """Give the 2xx answer.

        Raises:
            GraphError: Graph refused, or did not answer.
            TokenError: no token.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchLimits:
    """Bounds of how requests travel.

    Attributes:
        per_mailbox_max: requests of one mailbox under way at one time, parts of a `$batch` included.
        window_s: how long a request waits for others to travel with; 0 sends each alone and at once.
        parts_max: requests in one `$batch`, at most 20.
    """

    per_mailbox_max: int = 4
    window_s: float = 0.25
    parts_max: int = PARTS_MAX
    newest: NewestLimits = field(default_factory=NewestLimits)
    throttling: ThrottlingLimits = field(default_factory=ThrottlingLimits)


def ask_as_application(request: GraphRequest) -> str:
    """Let everything be asked with one and the same token."""
    return ""


def bear_denial(_: GraphRequest) -> None:
    """Do nothing about a denial of access."""


class Dispatcher:
    """Sends requests over one client. Must be closed, which fails what is still waiting.

    It is a sender itself, of requests that may wait for a window. `hurried` and `alone` are senders over the
    same lanes and budgets.

    Args:
        holder_of: says whose token a request goes with; what goes with different ones shares no `$batch`.
        on_denied: told of each request to which Graph denied access, 403.
    """

    def __init__(
        self,
        client: Exchanger,
        *,
        clock: Clock,
        observer: GraphObserver,
        limits: DispatchLimits | None = None,
        holder_of: Callable[[GraphRequest], str] = ask_as_application,
        on_denied: Callable[[GraphRequest], None] = bear_denial,
    ) -> None:
        self._client = client
        self._holder_of = holder_of
        self._on_denied = on_denied
        self._clock = clock
        self._observer = observer
        self._limits = limits or DispatchLimits()
        self._parts_max = min(self._limits.parts_max, PARTS_MAX)
        self._lanes = Lanes(per_mailbox_max=self._limits.per_mailbox_max)
        self._newest = NewestLists(clock, self._limits.newest)
        self._throttling = Throttling(clock, self._limits.throttling)
        self._gathering = Gathering(
            clock=clock, newest=self._newest, full_at=self._parts_max, leave=self._take_trips
        )
        self._waiting: list[Trip] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    @property
    def hurried(self) -> Sender:
        """A sender for what others wait for: it ends an open window and takes along what is in it."""
        return _Way(self, _NO_WAIT)

    @property
    def alone(self) -> Sender:
        """A sender whose requests share no `$batch`."""
        return _Way(self, None)

    async def exchange(self, request: GraphRequest) -> Answer:
        """Give the answer to a request, whatever its status.

        Raises:
            GraphError: no answer, or none that can be read.
            HeldBackError: it was not sent: the mailbox has to wait, or its budget is spent.
            TokenError: no token.
        """
        return await self.exchange_within(request, self._limits.window_s)

    async def send(self, request: GraphRequest) -> Answer:
        """Give the 2xx answer to a request.

        Raises:
            GraphError: Graph refused, or did not answer; see `answer.build_refusal`.
            TokenError: no token.
        """
        return _require_ok(request, await self.exchange(request))

    async def exchange_within(self, request: GraphRequest, wait_s: float | None) -> Answer:
        """Give the answer to a request that waits at most so long for company; None sends it alone.

        Raises:
            GraphError, TokenError: as `exchange` has them.
        """
        if self._is_closed:
            raise _stopping()
        if wait_s is None or not request.is_joinable or self._limits.window_s <= 0:
            return await self._exchange_alone(request)
        question = self._gathering.ask(request, wait_s=wait_s)
        # Others may wait for the same answer, so that a caller who gives up must not end it.
        return await asyncio.shield(question.answer)

    async def close(self) -> None:
        """Stop: what has no answer yet fails as unavailable."""
        self._is_closed = True
        fail_all(await self._gathering.close(), _stopping())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        fail_all(list_questions(self._waiting), _stopping())

    async def _exchange_alone(self, request: GraphRequest) -> Answer:
        try:
            async with self._lanes.hold(request.mailbox):
                self._admit(request)
                began = self._clock.monotonic()
                try:
                    answer = await self._client.exchange(request)
                except ServiceError as error:
                    self._throttling.note(request.mailbox, error, duration_s=self._clock.monotonic() - began)
                    raise
                self._learn(request, answer, began)
                return answer
        finally:
            self._pump()  # the place may be what a trip waits for

    # --- setting out ---

    def _take_trips(self, trips: list[Trip]) -> None:
        self._waiting += trips
        self._pump()

    def _pump(self) -> None:
        """Send what may go: whose mailbox has a free place, and nothing to wait for."""
        while not self._is_closed and (company := self._choose()):
            task = asyncio.get_running_loop().create_task(self._travel(company))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _choose(self) -> list[Trip]:
        """Take the trips of the next batch, each with its place in the lane of its mailbox."""
        company: list[Trip] = []
        left: list[Trip] = []
        for trip in self._waiting:
            has_room = len(company) < self._parts_max and self._fits(company, trip)
            if not has_room or not self._lanes.take(trip.mailbox):
                left.append(trip)
            elif self._sets_out(trip):
                company.append(trip)
            else:
                self._lanes.give_back(trip.mailbox)
        self._waiting = left
        return company

    def _fits(self, company: Sequence[Trip], trip: Trip) -> bool:
        """Tell whether a trip may join: with the same token; a throttled or slow mailbox keeps to itself."""
        if not company:
            return True
        first = company[0]
        if self._holder_of(first.request) != self._holder_of(trip.request):
            return False
        if first.mailbox == trip.mailbox:
            return True
        return not (self._throttling.is_apart(trip.mailbox) or self._throttling.is_apart(first.mailbox))

    def _sets_out(self, trip: Trip) -> bool:
        for question in trip.questions:
            self._gathering.forget(question)
        try:
            self._admit(trip.request)
        except HeldBackError as error:
            fail_all(trip.questions, error)
            return False
        return True

    def _admit(self, request: GraphRequest) -> None:
        try:
            self._throttling.admit(request.mailbox)
        except HeldBackError as error:
            self._observer.request_held_back(kind=request.kind, reason=error.code)
            raise

    # --- travelling ---

    async def _travel(self, company: Sequence[Trip]) -> None:
        again: list[Trip] = []
        try:
            again = await (self._go(company[0]) if len(company) == 1 else self._go_together(company))
        finally:
            fail_rest(company, again)
            for trip in company:
                self._lanes.give_back(trip.mailbox)
            self._waiting = [*again, *self._waiting]
            self._pump()

    async def _go(self, trip: Trip) -> list[Trip]:
        """Go alone; gives what has to go again."""
        began = self._clock.monotonic()
        try:
            answer = await self._client.exchange(trip.request)
        except ServiceError as error:
            self._throttling.note(trip.mailbox, error, duration_s=self._clock.monotonic() - began)
            fail_all(trip.questions, error)
            return []
        return self._settle(trip, answer, began)

    async def _go_together(self, company: Sequence[Trip]) -> list[Trip]:
        began = self._clock.monotonic()
        try:
            answers = await self._exchange_batch(company)
        except (RefusedError, PayloadError):
            # One bad part can spoil the whole, or the whole be too large: each must stand for itself.
            gone = await asyncio.gather(*(self._go(trip) for trip in company))
        except ServiceError as error:
            self._fail_together(company, error, began)
            return []
        else:
            pairs = zip(company, answers, strict=True)
            gone = await asyncio.gather(*(self._settle_part(trip, answer, began) for trip, answer in pairs))
        return [trip for trips in gone for trip in trips]

    async def _exchange_batch(self, company: Sequence[Trip]) -> list[Answer | None]:
        batch = build_batch([trip.request for trip in company])
        whole = await self._client.exchange(batch)
        if not whole.is_ok:
            refusal = build_refusal(whole, batch.kind)
            self._tell_throttled(batch, refusal)
            raise refusal
        return split_batch(whole, len(company))

    def _fail_together(self, company: Sequence[Trip], error: ServiceError, began: float) -> None:
        mailboxes = {trip.mailbox for trip in company}
        duration_s = self._clock.monotonic() - began
        for mailbox in mailboxes:
            self._throttling.note(mailbox, error, duration_s=duration_s, is_shared=len(mailboxes) > 1)
        fail_all(list_questions(company), error)

    async def _settle_part(self, trip: Trip, answer: Answer | None, began: float) -> list[Trip]:
        if answer is None:
            fail_all(trip.questions, UnavailableError("the batch left this part out", code="partMissing"))
            return []
        if answer.status == 401:
            return await self._go(trip)  # there the token is renewed, or the challenge honoured
        self._observer.part_answered(kind=trip.request.kind, status=answer.status)
        return self._settle(trip, answer, began)

    def _settle(self, trip: Trip, answer: Answer, began: float) -> list[Trip]:
        """Give each question its answer; gives those that a list left open, which then go one by one."""
        refusal = self._learn(trip.request, answer, began)
        if len(trip.questions) == 1 or isinstance(refusal, ThrottledError | UnavailableError):
            answer_all(trip.questions, answer)
            return []
        collection = trip.questions[0].request.collection
        if refusal is not None:
            self._newest.pause(collection)
            return send_one_by_one(trip.questions)
        found = self._newest.pick(collection, answer, [one.request.item for one in trip.questions])
        for question in trip.questions:
            if question.request.item in found:
                answer_all([question], found[question.request.item])
        return send_one_by_one(one for one in trip.questions if one.request.item not in found)

    def _learn(self, request: GraphRequest, answer: Answer, began: float) -> ServiceError | None:
        """Give what an answer refuses, once the limits have taken note of it."""
        refusal = None if answer.is_ok else build_refusal(answer, request.kind)
        self._throttling.note(request.mailbox, refusal, duration_s=self._clock.monotonic() - began)
        self._tell_throttled(request, refusal)
        if answer.status == 403:
            self._on_denied(request)
        if request.mailbox:
            self._observer.mailbox_accessed(mailbox=request.mailbox, kind=request.kind, status=answer.status)
        return refusal

    def _tell_throttled(self, request: GraphRequest, refusal: ServiceError | None) -> None:
        if isinstance(refusal, ThrottledError):
            self._observer.request_throttled(kind=request.kind, retry_after_s=refusal.retry_after_s)


class _Way:
    """A sender over a dispatcher, with a patience of its own."""

    def __init__(self, dispatcher: Dispatcher, wait_s: float | None) -> None:
        self._dispatcher = dispatcher
        self._wait_s = wait_s

    async def exchange(self, request: GraphRequest) -> Answer:
        return await self._dispatcher.exchange_within(request, self._wait_s)

    async def send(self, request: GraphRequest) -> Answer:
        return _require_ok(request, await self.exchange(request))


def _require_ok(request: GraphRequest, answer: Answer) -> Answer:
    if not answer.is_ok:
        raise build_refusal(answer, request.kind)
    return answer


def _stopping() -> UnavailableError:
    return UnavailableError("the service is stopping", code="stopping")
