"""Questions that wait a short while for others, and leave together. Must never hold one for longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from service.clock import Clock
from service.graph.newest import NewestLists
from service.graph.requests import GraphRequest
from service.graph.trips import Question, Trip, put_question


class Gathering:
    """Gathers questions until a window ends, or they fill a batch.

    Args:
        full_at: so many requests leave without waiting any longer.
        leave: takes the trips that begin.
    """

    def __init__(
        self, *, clock: Clock, newest: NewestLists, full_at: int, leave: Callable[[list[Trip]], None]
    ) -> None:
        self._clock = clock
        self._newest = newest
        self._full_at = full_at
        self._leave = leave
        self._asked: dict[str, Question] = {}
        self._gathered: list[Question] = []
        self._kinds: set[Hashable] = set()
        self._window: tuple[float, asyncio.Task[None]] | None = None

    def ask(self, request: GraphRequest, *, wait_s: float) -> Question:
        """Put a question that leaves within `wait_s`; the same one, not sent yet, is put once."""
        question = self._asked.get(request.target) if request.method == "GET" else None
        if question is None:
            question = self._take(request)
        if len(self._kinds) >= self._full_at:
            self._end_window()
        elif self._gathered:
            self._open_window(wait_s)
        return question

    def forget(self, question: Question) -> None:
        """Take note that a question is sent: who asks the same from now on wants a later answer."""
        if self._asked.get(question.request.target) is question:
            del self._asked[question.request.target]

    async def close(self) -> list[Question]:
        """Stop; gives what has not left."""
        if self._window is not None:
            self._window[1].cancel()
            await asyncio.wait([self._window[1]])
        return self._gathered

    def _take(self, request: GraphRequest) -> Question:
        question = put_question(request)
        if request.method == "GET":
            self._asked[request.target] = question
        self._gathered.append(question)
        self._kinds.add(self._newest.key_of(request) if request.collection else id(question))
        return question

    def _open_window(self, wait_s: float) -> None:
        ends_at = self._clock.monotonic() + wait_s
        if self._window is not None:
            if self._window[0] <= ends_at:
                return
            self._window[1].cancel()
        self._window = (ends_at, asyncio.get_running_loop().create_task(self._wait(wait_s)))

    async def _wait(self, wait_s: float) -> None:
        # Without a wait, what is asked in the same turn of the loop still travels together.
        await (self._clock.sleep(wait_s) if wait_s > 0 else asyncio.sleep(0))
        self._window = None
        self._end_window()

    def _end_window(self) -> None:
        if self._window is not None:
            self._window[1].cancel()
            self._window = None
        gathered, self._gathered = self._gathered, []
        self._kinds.clear()
        groups = self._newest.group([question.request for question in gathered])
        self._leave([Trip(request, tuple(gathered[at] for at in places)) for request, places in groups])
