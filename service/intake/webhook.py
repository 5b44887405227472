"""The two routes that Graph calls: handshake and notifications. Moves bytes; `notification.py` judges them.

Works on aiohttp's low-level server: two fixed routes need no router. Must never call Graph, look anything up,
or say more than a status: whoever forges a notification learns nothing from the answer.

| status | when |
| --- | --- |
| 200 | handshake: the token, decoded, as text/plain |
| 202 | every item that passed the checks is stored; the others are counted and dropped |
| 400 | the body is no collection of notifications, or the token of a handshake is unusable |
| 404, 405 | any other path; any method but POST |
| 408 | the body did not arrive in time |
| 413, 415 | too large; not JSON by its type, or compressed |
| 503 | could not store, or too much is arriving; with Retry-After: Graph tries again for hours |

Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import parse_qsl

import structlog
from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11
from multidict import istr

from service.clock import Clock
from service.errors import NotificationError, StreamError
from service.intake.arriving import Arriving, ArrivingBodies, Turns
from service.intake.client_state import LIFECYCLE_PATH, NOTIFICATIONS_PATH
from service.intake.json_outline import MeasuredText
from service.intake.notification import (
    Accepted,
    BodyFault,
    NotificationRules,
    Refused,
    judge_in_slices,
)
from service.intake.reply import NO_HEADERS, Reply, StoredReply
from service.metrics import Count, Metrics
from service.tracing.spans import UNTRACED, SpanName, Tracing, Value

_LOG: Final = structlog.get_logger(__name__)
_ROUTES: Final = {NOTIFICATIONS_PATH: "notifications", LIFECYCLE_PATH: "lifecycle"}
_QUERY_FIELDS_MAX: Final = 20
_STORED_REPLY_BYTES: Final = 16_384
"""The answer to a body beyond this may be the last of its connection, and has to say so."""
_SEALED_BYTES: Final = 800_000
"""What a large body that arrives over TLS holds besides: what is not decrypted yet, in several buffers."""
_JSON: Final = "application/json"
_TRACEPARENT: Final = istr("traceparent")
_TOO_LARGE: Final = frozenset({BodyFault.TOO_MANY})


_NO_TOKENS: Final[Mapping[str, str]] = {}


class Append(Protocol):
    """Stores what a POST brought; `Appender.append` does."""

    def __call__(self, entries: Sequence[Mapping[str, str]], tokens: Mapping[str, str], /) -> Awaitable[None]:
        """Store all or none, to be awaited until it is done.

        Args:
            entries: flat fields of each.
            tokens: validation tokens by their digests.

        Raises:
            StreamError: it is not stored.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookLimits:
    """What one request, and all of them together, may cost.

    Attributes:
        body_bytes_max: of one body.
        bodies_bytes_max: of all bodies that are still arriving, together; beyond, the one that takes longest
            is given up.
        body_timeout_s: from the head of a request to the end of its body.
        large_body_bytes: a body beyond this waits for its turn to be read; one of many small parts counts for
            more than it has, by what it costs.
        large_bodies_bytes_per_s: such bodies are read no faster, all together.
        token_chars_max: of a validation token, decoded; Graph's have about 120.
        retry_after_s: what a 503 asks Graph to wait.
    """

    body_bytes_max: int = 4_000_000
    bodies_bytes_max: int = 16_000_000
    body_timeout_s: float = 10.0
    large_body_bytes: int = 65_536
    large_bodies_bytes_per_s: int = 4_000_000
    token_chars_max: int = 2048
    retry_after_s: int = 10


class Refusal(Exception):  # noqa: N818 - it is an answer, not an error
    """Ends the handling of a request with a status."""

    def __init__(self, status: int, *, headers: Mapping[str, str] = NO_HEADERS, closes: bool = False) -> None:
        self.status = status
        self.headers = headers
        self.closes = closes
        super().__init__(status)


class _Second:
    """What is the same for all requests of one second, made once.

    Attributes:
        begin, end: instants; the second lasts from the one until just before the other.
    """

    __slots__ = ("_prefix", "begin", "end", "reply")

    def __init__(self, now: datetime) -> None:
        self.begin = now.replace(microsecond=0)
        self.end = self.begin + timedelta(seconds=1)
        self.reply = StoredReply(now)
        self._prefix = now.strftime("%Y-%m-%dT%H:%M:%S")

    def tell(self, now: datetime) -> str:
        """Give the instant as RFC 3339 UTC, to the millisecond."""
        return f"{self._prefix}.{now.microsecond // 1000:03d}Z"


class Webhook:
    """Handles the requests of the public listener, whatever they are."""

    def __init__(
        self,
        append: Append,
        rules: NotificationRules,
        *,
        clock: Clock,
        metrics: Metrics,
        limits: WebhookLimits,
        tracing: Tracing = UNTRACED,
    ) -> None:
        """Take what is needed.

        Args:
            append: stores all entries and tokens, or none; returns once they are stored.
        """
        self._append = append
        self._rules = rules
        self._clock = clock
        self._metrics = metrics
        self._limits = limits
        self._tracing = tracing
        self._arriving = ArrivingBodies(limits.bodies_bytes_max)
        self._turns = Turns(clock, bytes_per_s=limits.large_bodies_bytes_per_s)
        self._stored = metrics.notification_items.labels("stored", "")
        self._counts: dict[tuple[str, int], Count] = {}
        self._this_second = _Second(clock.now())

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _, query = request.raw_path.partition("?")
        route = _ROUTES.get(path, "other")
        try:
            reply = await self._answer(request, route, query)
        except Refusal as refusal:
            reply = Reply(refusal.status, headers=refusal.headers)
            if refusal.closes:
                reply.force_close()
        self._count(route, reply.status)
        return reply

    async def _answer(self, request: web.BaseRequest, route: str, query: str) -> web.StreamResponse:
        if route == "other":
            raise Refusal(404)
        if request.method != "POST":
            raise Refusal(405, headers={"Allow": "POST"})
        if (token := self._find_token(query)) is not None:
            return self._shake_hands(token)
        _refuse_unreadable(request)
        body = self._take_body(request)
        if body is None or body.weight > self._limits.large_body_bytes:
            body = await self._read_body(request, body or MeasuredText(self._rules.marks_max))
        now = self._clock.now()
        second = self._this_second
        if not second.begin <= now < second.end:
            second = self._this_second = _Second(now)
        entries, tokens = await self._judge(body, second.tell(now), request.headers.get(_TRACEPARENT, ""))
        if self._tracing.is_on and entries:
            await self._store_traced(request, entries, tokens, now)
        else:
            await self._store(entries, tokens)
        if request.version == HttpVersion11 and request.keep_alive and len(body.text) <= _STORED_REPLY_BYTES:
            return second.reply
        return Reply(202)

    def _count(self, route: str, status: int) -> None:
        count = self._counts.get((route, status))
        if count is None:
            count = self._counts[route, status] = self._metrics.web_requests.labels(route, str(status))
        count.number += 1

    # --- Handshake ---

    def _find_token(self, query: str) -> str | None:
        """Give the validation token, decoded; None where the request is no handshake."""
        if "validation" not in query and "validation" not in query.lower():
            return None
        try:
            fields = parse_qsl(
                query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS_MAX
            )
        except ValueError as error:
            raise Refusal(400) from error
        tokens = [value for name, value in fields if name.lower() == "validationtoken"]
        return "\n".join(tokens) if tokens else None

    def _shake_hands(self, token: str) -> Reply:
        """Give the token back, as Graph demands within 10 s.

        Source: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation
        """
        if not 0 < len(token) <= self._limits.token_chars_max or not token.isprintable():
            self._metrics.handshakes.labels("refused").inc()
            raise Refusal(400)
        self._metrics.handshakes.labels("answered").inc()
        return Reply(200, text=token)

    # --- Body ---

    def _take_body(self, request: web.BaseRequest) -> MeasuredText | None:
        """Give the body where it has come already and is small, as nearly every one is."""
        content = request.content
        if not content.is_eof() or content.total_bytes > self._limits.large_body_bytes:
            return None
        body = MeasuredText(self._rules.marks_max)
        self._add(body, content.read_nowait())
        return body

    async def _read_body(self, request: web.BaseRequest, body: MeasuredText) -> MeasuredText:
        """Wait for the body, or the rest of it, within its limits, and for its turn.

        Raises:
            Refusal: too large, too slow, or broken; or there is too much of all bodies together.
        """
        if (request.content_length or 0) > self._limits.body_bytes_max:
            raise Refusal(413, closes=True)
        await _continue(request)
        arriving = None
        try:
            async with asyncio.timeout(self._limits.body_timeout_s) as deadline:
                with self._arriving.hold(deadline) as arriving:
                    await self._gather_body(request, arriving, body)
                    return body
        except TimeoutError as error:
            if arriving is not None and (arriving.was_given_up or arriving.is_complete):
                raise self._try_later(closes=True) from error
            raise Refusal(408, closes=True) from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise Refusal(400, closes=True) from error

    async def _gather_body(self, request: web.BaseRequest, arriving: Arriving, body: MeasuredText) -> None:
        sealed_bytes = _SEALED_BYTES if request.secure else 0
        arriving.grow(len(body.text))
        while chunk := await request.content.readany():
            self._add(body, chunk)
            arriving.grow(len(chunk))
            if sealed_bytes and len(body.text) > self._limits.large_body_bytes:
                arriving.grow(sealed_bytes)
                sealed_bytes = 0
        arriving.is_complete = True
        if body.weight > self._limits.large_body_bytes:
            await self._turns.take(body.weight)

    def _add(self, body: MeasuredText, chunk: bytes) -> None:
        """Add what has come.

        Raises:
            Refusal: it is too much, whatever the rest is.
        """
        body.add(chunk)
        if len(body.text) > self._limits.body_bytes_max or body.has_too_many_marks:
            raise Refusal(413, closes=True)

    # --- Items ---

    async def _judge(
        self, body: MeasuredText, arrived_at: str, traceparent: str
    ) -> tuple[list[Mapping[str, str]], Mapping[str, str]]:
        """Judge the items of a body and count the bad ones; gives the good ones' fields, and their tokens.

        Raises:
            Refusal: the body as a whole is refused.
        """
        entries: list[Mapping[str, str]] = []
        tokens = _NO_TOKENS
        slices = judge_in_slices(body, self._rules, arrived_at=arrived_at, traceparent=traceparent)
        try:
            for at, verdicts in enumerate(slices):
                if at:
                    await asyncio.sleep(0)  # so that nobody waits until all of a large body is judged
                accepted = [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
                if len(accepted) < len(verdicts):
                    self._count_refused(verdicts)
                entries += [verdict.fields for verdict in accepted]
                tokens = tokens or next(
                    (verdict.tokens for verdict in accepted if verdict.tokens), _NO_TOKENS
                )
        except NotificationError as error:
            _LOG.debug("notification.refused", reason=error.reason)
            raise Refusal(413 if error.reason in _TOO_LARGE else 400) from error
        return entries, tokens

    async def _store(self, entries: Sequence[Mapping[str, str]], tokens: Mapping[str, str]) -> None:
        """Store all or none.

        Raises:
            Refusal: nothing could be stored.
        """
        try:
            await self._append(entries, tokens)
        except StreamError as error:
            self._metrics.notification_items.labels("not_stored", "").number += len(entries)
            raise self._try_later() from error
        self._stored.number += len(entries)

    async def _store_traced(
        self,
        request: web.BaseRequest,
        entries: Sequence[Mapping[str, str]],
        tokens: Mapping[str, str],
        now: datetime,
    ) -> None:
        """Store all or none, and hand the trace on with each.

        Begun only here, so that nobody who is not believed can make us record and send anything.

        Raises:
            Refusal: nothing could be stored.
        """
        sent_by, route = entries[0].get("traceparent", ""), request.raw_path.partition("?")[0]
        asked: dict[str, Value] = {"http.request.method": "POST", "http.route": route}
        count: dict[str, Value] = {"messaging.system": "redis", "messaging.batch.message_count": len(entries)}
        with self._tracing.span(SpanName.WEBHOOK, parent=sent_by, attributes=asked, began_at=now) as webhook:
            try:
                with self._tracing.span(
                    SpanName.INTAKE, parent=webhook.traceparent, attributes=count
                ) as intake:
                    traced = [{**entry, "traceparent": intake.traceparent} for entry in entries]
                    await self._store(traced, tokens)
            except Refusal as refusal:
                webhook.tell({"http.response.status_code": refusal.status})
                raise
            webhook.tell({"http.response.status_code": 202})

    def _count_refused(self, verdicts: Sequence[Accepted | Refused]) -> None:
        for verdict in verdicts:
            if isinstance(verdict, Refused):
                self._metrics.notification_items.labels("refused", verdict.fault.value).number += 1
                _LOG.debug("notification.refused", reason=verdict.fault.value)

    def _try_later(self, *, closes: bool = False) -> Refusal:
        return Refusal(503, headers={"Retry-After": str(self._limits.retry_after_s)}, closes=closes)


def _refuse_unreadable(request: web.BaseRequest) -> None:
    """Refuse what is not plain JSON by its head. Compressed bodies are never inflated.

    Raises:
        Refusal: 415.
    """
    media_type = request.headers.get(hdrs.CONTENT_TYPE, "")
    if media_type != _JSON and media_type.partition(";")[0].strip().lower() != _JSON:
        raise Refusal(415)
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
        raise Refusal(415)


async def _continue(request: web.BaseRequest) -> None:
    """Tell a client that waits for it to send the body; the low-level server does not.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
    """
    if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
