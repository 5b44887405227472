"""Senders that stand in for Graph: they answer from a script and remember what they were asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from service.errors import GraphError
from service.graph.answer import Answer, build_answer, build_refusal
from service.graph.requests import GraphRequest

NOW = datetime(2019, 12, 21, 5, 20, tzinfo=UTC)
DATE = "Sat, 21 Dec 2019 05:20:00 GMT"


def reply(
    body: object = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    raw: bytes | None = None,
) -> Answer:
    """Give an answer as it comes over the wire, at DATE unless the headers say otherwise."""
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    return build_answer(status, {"Date": DATE, **(headers or {})}.items(), content, now=NOW)


def refusal(
    status: int, code: str, message: str = "no", *, headers: Mapping[str, str] | None = None
) -> Answer:
    """Give a refusal in Graph's shape."""
    body = {"error": {"code": code, "message": message, "innerError": {"request-id": "r-1"}}}
    return reply(body, status=status, headers=headers)


Script = Callable[[GraphRequest], Answer | GraphError]


class ScriptedSender:
    """Answers each request as its script says.

    Attributes:
        asked: every request, in order.
    """

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[GraphRequest] = []

    async def exchange(self, request: GraphRequest) -> Answer:
        """Give the answer, whatever its status."""
        self.asked.append(request)
        answer = self._script(request)
        if isinstance(answer, GraphError):
            raise answer
        return answer

    async def send(self, request: GraphRequest) -> Answer:
        """Give the answer, or raise the error that it is."""
        answer = await self.exchange(request)
        if not answer.is_ok:
            raise build_refusal(answer, request.kind)
        return answer


def in_order(*answers: Answer | GraphError) -> ScriptedSender:
    """Give a sender that answers one after another."""
    left = list(answers)
    return ScriptedSender(lambda request: left.pop(0))


class RecordingObserver:
    """Remembers what the Graph side told about itself."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []
        self.parts: list[tuple[str, int]] = []
        self.accesses: list[tuple[str, str, int]] = []
        self.throttles: list[tuple[str, float | None]] = []
        self.held_back: list[tuple[str, str]] = []
        self.tokens: list[str] = []
        self.notes: list[str] = []
        self.clocks: list[float] = []

    def request_sent(self) -> None: ...

    def request_answered(self, *, kind: str, status: int, duration_s: float) -> None:
        assert duration_s >= 0
        self.requests.append((kind, status))

    def part_answered(self, *, kind: str, status: int) -> None:
        self.parts.append((kind, status))

    def mailbox_accessed(self, *, mailbox: str, kind: str, status: int) -> None:
        self.accesses.append((mailbox, kind, status))

    def request_throttled(self, *, kind: str, retry_after_s: float | None) -> None:
        self.throttles.append((kind, retry_after_s))

    def clock_read(self, *, ahead_s: float) -> None:
        self.clocks.append(ahead_s)

    def request_held_back(self, *, kind: str, reason: str) -> None:
        self.held_back.append((kind, reason))

    def token_acquired(self, *, duration_s: float, expires_at_s: float) -> None:
        assert duration_s >= 0
        assert expires_at_s > 0
        self.tokens.append("ok")

    def token_refused(self, *, outcome: str, duration_s: float) -> None:
        assert duration_s >= 0
        self.tokens.append(outcome)

    def payload_noted(self, *, kind: str, notes: object) -> None:
        assert isinstance(notes, list)
        self.notes += notes
