"""How requests travel: in the lane of their mailbox, alone or together with others in one `$batch`.

Requests that come within a short window travel together, and the same question is asked once. Never tries
anything again that Graph refused, except a part whose batch as a whole was refused: it then goes alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from service.clock import Clock
from service.errors import PayloadError, RefusedError, ServiceError, ThrottledError, UnavailableError
from service.graph.answer import Answer, build_refusal
from service.graph.batch import PARTS_MAX, build_batch, split_batch
from service.graph.lanes import Lanes
from service.graph.observer import GraphObserver
from service.graph.requests import GraphRequest


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


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    request: GraphRequest
    answer: asyncio.Future[Answer]


class Dispatcher:
    """Sends requests over one client. Must be closed, which fails what is still waiting.

    Args:
        per_mailbox_max: requests of one mailbox under way at one time, parts of a `$batch` included.
        window_s: how long a request waits for others to travel with; 0 sends each alone and at once.
        parts_max: requests in one `$batch`, at most 20.
    """

    def __init__(
        self,
        client: Exchanger,
        *,
        clock: Clock,
        observer: GraphObserver,
        per_mailbox_max: int = 4,
        window_s: float = 0,
        parts_max: int = PARTS_MAX,
    ) -> None:
        self._client = client
        self._clock = clock
        self._observer = observer
        self._lanes = Lanes(per_mailbox_max=per_mailbox_max)
        self._window_s = window_s
        self._parts_max = min(parts_max, PARTS_MAX)
        self._asked: dict[str, _Part] = {}
        self._gathered: list[_Part] = []
        self._closing_window: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def exchange(self, request: GraphRequest) -> Answer:
        """Give the answer to a request, whatever its status.

        Raises:
            GraphError: no answer, or none that can be read.
            TokenError: no token.
        """
        if not request.is_joinable or self._window_s <= 0:
            async with self._lanes.hold(request.mailbox):
                return self._observe(request, await self._client.exchange(request))
        part = self._find_asked(request)
        if part is None:
            part = self._ask(request)
        # Others may wait for the same answer, so that a caller who gives up must not end it.
        return await asyncio.shield(part.answer)

    async def send(self, request: GraphRequest) -> Answer:
        """Give the 2xx answer to a request.

        Raises:
            GraphError: Graph refused, or did not answer; see `answer.build_refusal`.
            TokenError: no token.
        """
        answer = await self.exchange(request)
        if not answer.is_ok:
            raise build_refusal(answer, request.kind)
        return answer

    async def close(self) -> None:
        """Stop: what has no answer yet fails as unavailable."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _find_asked(self, request: GraphRequest) -> _Part | None:
        """Give the same question, if it was put and is not sent yet: a later answer serves both."""
        return self._asked.get(request.target) if request.method == "GET" else None

    def _ask(self, request: GraphRequest) -> _Part:
        part = _Part(request, asyncio.get_running_loop().create_future())
        part.answer.add_done_callback(_mark_seen)
        if request.method == "GET":
            self._asked[request.target] = part
        self._start(self._carry(part))
        return part

    async def _carry(self, part: _Part) -> None:
        """Take a part from its lane into a window; the lane is held until there is an answer."""
        try:
            async with self._lanes.hold(part.request.mailbox):
                self._gather(part)
                await asyncio.wait([part.answer])
        finally:
            if not part.answer.done():
                part.answer.set_exception(UnavailableError("the service is stopping", code="stopping"))

    def _gather(self, part: _Part) -> None:
        self._gathered.append(part)
        if len(self._gathered) >= self._parts_max:
            if self._closing_window is not None:
                self._closing_window.cancel()
                self._closing_window = None
            self._start(self._send_gathered(self._take_gathered()))
        elif self._closing_window is None:
            self._closing_window = self._start(self._close_window())

    async def _close_window(self) -> None:
        await self._clock.sleep(self._window_s)
        self._closing_window = None
        if parts := self._take_gathered():
            await self._send_gathered(parts)

    def _take_gathered(self) -> list[_Part]:
        parts, self._gathered = self._gathered, []
        for part in parts:
            if self._asked.get(part.request.target) is part:
                del self._asked[part.request.target]
        return parts

    async def _send_gathered(self, parts: Sequence[_Part]) -> None:
        try:
            if len(parts) == 1:
                await self._send_alone(parts[0])
            else:
                await self._send_together(parts)
        finally:
            # Nobody may wait for ever, whatever broke.
            _fail(parts, UnavailableError("the request broke off", code="brokeOff"))

    async def _send_together(self, parts: Sequence[_Part]) -> None:
        try:
            answers = await self._exchange_batch(parts)
        except (RefusedError, PayloadError):
            # One bad part can spoil the whole, or the whole be too large: each must stand for itself.
            await asyncio.gather(*(self._send_alone(part) for part in parts))
        except ServiceError as error:
            _fail(parts, error)
        else:
            pairs = zip(parts, answers, strict=True)
            await asyncio.gather(*(self._settle(part, answer) for part, answer in pairs))

    async def _exchange_batch(self, parts: Sequence[_Part]) -> list[Answer | None]:
        batch = build_batch([part.request for part in parts])
        whole = self._observe(batch, await self._client.exchange(batch))
        if not whole.is_ok:
            raise build_refusal(whole, batch.kind)
        return split_batch(whole, len(parts))

    async def _settle(self, part: _Part, answer: Answer | None) -> None:
        if answer is None:
            _fail([part], UnavailableError("the batch left this part out", code="partMissing"))
        elif answer.status == 401:
            await self._send_alone(part)  # there the token is renewed, or the challenge honoured
        else:
            self._observer.part_answered(kind=part.request.kind, status=answer.status)
            _answer(part, self._observe(part.request, answer))

    async def _send_alone(self, part: _Part) -> None:
        try:
            answer = await self._client.exchange(part.request)
        except ServiceError as error:
            _fail([part], error)
        else:
            _answer(part, self._observe(part.request, answer))

    def _observe(self, request: GraphRequest, answer: Answer) -> Answer:
        if not answer.is_ok:
            refusal = build_refusal(answer, request.kind)
            if isinstance(refusal, ThrottledError):
                self._observer.request_throttled(kind=request.kind, retry_after_s=refusal.retry_after_s)
        return answer

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _answer(part: _Part, answer: Answer) -> None:
    if not part.answer.done():
        part.answer.set_result(answer)


def _fail(parts: Sequence[_Part], error: ServiceError) -> None:
    for part in parts:
        if not part.answer.done():
            part.answer.set_exception(error)


def _mark_seen(answer: asyncio.Future[Answer]) -> None:
    """Take note of an error nobody waits for any more, so that asyncio does not complain."""
    if not answer.cancelled():
        answer.exception()
