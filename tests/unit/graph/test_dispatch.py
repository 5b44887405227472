"""Requests in lanes and windows: what travels together, what waits, and who hears of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from service.errors import (
    AccessError,
    GoneError,
    PayloadError,
    RefusedError,
    ThrottledError,
    TokenError,
    UnavailableError,
)
from service.graph.answer import Answer
from service.graph.dispatch import Dispatcher, DispatchLimits
from service.graph.requests import GraphRequest, RequestKind, build_event_request
from service.graph.subscription_requests import build_renewal
from service.reconcile.model import EventId, OwnerKey
from tests.unit.graph.held_clock import HeldClock, settle
from tests.unit.graph.replies import NOW, RecordingObserver, refusal, reply

WINDOW_S = 0.25
Respond = Callable[[GraphRequest], Answer | Exception]


class Wire:
    """Stands in for the HTTP client.

    Attributes:
        sent: every HTTP request, in order.
        gate: closed, it holds every answer back.
        most: most parts of one mailbox that were under way at one time.
    """

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self.sent: list[GraphRequest] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.under_way = 0
        self.most = 0

    async def exchange(self, request: GraphRequest) -> Answer:
        self.sent.append(request)
        weight = len(urls(request)) if request.kind is RequestKind.BATCH else 1
        self.under_way += weight
        self.most = max(self.most, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= weight
        answer = self._respond(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def event(number: int, owner: str = "alex") -> GraphRequest:
    return build_event_request(OwnerKey(owner), EventId(f"e-{number}"))


def urls(request: GraphRequest) -> list[str]:
    """Give the paths of a batch's parts, queries cut off."""
    assert request.body is not None
    return [part["url"].split("?")[0] for part in request.body["requests"]]


def echo(request: GraphRequest) -> Answer:
    """Answer each event with its path, parts of a batch in reverse order."""
    if request.kind is not RequestKind.BATCH:
        return reply({"path": request.path})
    parts = [
        {"id": str(at), "status": 200, "headers": {}, "body": {"path": url}}
        for at, url in enumerate(urls(request), start=1)
    ]
    return reply({"responses": parts[::-1]})


def with_parts(*parts: dict[str, object]) -> Respond:
    """Answer a batch with these parts, and all else with an echo."""
    return lambda one: reply({"responses": list(parts)}) if one.kind is RequestKind.BATCH else echo(one)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
async def build(clock: HeldClock, observer: RecordingObserver) -> AsyncIterator[Callable[..., Dispatcher]]:
    built: list[Dispatcher] = []

    def build_one(
        wire: Wire, *, window_s: float = WINDOW_S, per_mailbox_max: int = 4, **limits: Any
    ) -> Dispatcher:
        built.append(
            Dispatcher(
                wire,
                clock=clock,
                observer=observer,
                limits=DispatchLimits(window_s=window_s, per_mailbox_max=per_mailbox_max, **limits),
            )
        )
        return built[-1]

    yield build_one
    for one in built:
        await one.close()


Build = Callable[..., Dispatcher]


async def ask(dispatcher: Dispatcher, *requests: GraphRequest) -> list[asyncio.Task[Answer]]:
    """Ask at one time."""
    tasks = [asyncio.create_task(dispatcher.send(request)) for request in requests]
    await settle()
    return tasks


async def test_requests_within_a_window_share_one_batch_and_each_gets_its_own_answer(
    build: Build, clock: HeldClock, observer: RecordingObserver
) -> None:
    wire = Wire(echo)
    asked = await ask(build(wire), event(1), event(2, "adele"), event(3))
    assert wire.sent == []
    await clock.advance(WINDOW_S)
    assert [one.result().body for one in asked] == [
        {"path": "/users/alex/events/e-1"},
        {"path": "/users/adele/events/e-2"},
        {"path": "/users/alex/events/e-3"},
    ]
    assert len(wire.sent) == 1
    assert (wire.sent[0].method, wire.sent[0].path) == ("POST", "/$batch")
    assert observer.parts == [("event", 200)] * 3
    assert observer.accesses == [("alex", "event", 200), ("adele", "event", 200), ("alex", "event", 200)]


async def test_a_denial_of_access_is_told_whether_it_came_in_a_batch_or_alone(
    clock: HeldClock, observer: RecordingObserver
) -> None:
    parts = with_parts(
        {"id": "1", "status": 200, "headers": {}, "body": {}},
        {"id": "2", "status": 403, "headers": {}, "body": {"error": {"code": "ErrorAccessDenied"}}},
    )

    def answer(request: GraphRequest) -> Answer | Exception:
        return refusal(403, "ErrorAccessDenied") if "adele" in request.path else parts(request)

    denied: list[str] = []
    dispatcher = Dispatcher(
        Wire(answer),
        clock=clock,
        observer=observer,
        limits=DispatchLimits(window_s=WINDOW_S),
        on_denied=lambda request: denied.append(request.mailbox),
    )
    together = await ask(dispatcher, event(1), event(2, "adele"))
    await clock.advance(WINDOW_S)
    alone = asyncio.create_task(dispatcher.alone.send(event(3, "adele")))
    await settle()
    assert denied == ["adele", "adele"]
    assert together[0].exception() is None
    for refused in (together[1], alone):
        assert isinstance(refused.exception(), AccessError)
    await dispatcher.close()


async def test_the_preferences_of_a_part_travel_with_it(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    renewal = build_renewal("s-1", NOW)
    await ask(build(wire), event(1), renewal)
    await clock.advance(WINDOW_S)
    assert wire.sent[0].body == {
        "requests": [
            {
                "id": "1",
                "method": "GET",
                "url": event(1).target,
                "headers": {"Prefer": 'IdType="ImmutableId"'},
            },
            {
                "id": "2",
                "method": "PATCH",
                "url": "/subscriptions/s-1",
                "headers": {"Prefer": 'IdType="ImmutableId"', "Content-Type": "application/json"},
                "body": {"expirationDateTime": "2019-12-21T05:20:00Z"},
            },
        ]
    }


async def test_a_request_that_stays_alone_goes_as_a_plain_one(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    [asked] = await ask(build(wire), event(1))
    await clock.advance(WINDOW_S)
    assert asked.result().body == {"path": "/users/alex/events/e-1"}
    assert wire.sent == [event(1)]


async def test_without_a_window_every_request_goes_at_once(build: Build) -> None:
    wire = Wire(echo)
    await ask(build(wire, window_s=0), event(1), event(2))
    assert wire.sent == [event(1), event(2)]


async def test_the_same_question_is_asked_once(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    asked = await ask(build(wire), event(1), event(1), event(1))
    await clock.advance(WINDOW_S)
    assert wire.sent == [event(1)]
    assert {one.result().status for one in asked} == {200}


async def test_a_question_that_is_on_its_way_is_asked_anew(build: Build, clock: HeldClock) -> None:
    # What is on its way may have been answered before the change that the second one asks about.
    wire = Wire(echo)
    wire.gate.clear()
    dispatcher = build(wire)
    await ask(dispatcher, event(1))
    await clock.advance(WINDOW_S)
    await ask(dispatcher, event(1))
    await clock.advance(WINDOW_S)
    assert wire.sent == [event(1), event(1)]


async def test_two_equal_renewals_are_two(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    renewal = build_renewal("s-1", NOW)
    await ask(build(wire), renewal, renewal)
    await clock.advance(WINDOW_S)
    assert urls(wire.sent[0]) == ["/subscriptions/s-1", "/subscriptions/s-1"]


async def test_a_full_batch_does_not_wait_for_its_window(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    asked = await ask(build(wire), *(event(at, f"owner-{at}") for at in range(23)))
    assert [len(urls(one)) for one in wire.sent] == [20]
    await clock.advance(WINDOW_S)
    assert [len(urls(one)) for one in wire.sent] == [20, 3]
    assert {one.result().status for one in asked} == {200}


async def test_at_most_four_requests_of_one_mailbox_are_under_way(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    asked = await ask(build(wire), *(event(at) for at in range(10)))
    for _ in range(3):
        await clock.advance(WINDOW_S)
    assert wire.most == 4
    assert [one.result().status for one in asked] == [200] * 10
    assert [len(urls(one)) for one in wire.sent] == [4, 4, 2]


async def test_a_mailbox_that_hangs_does_not_hold_up_another(build: Build) -> None:
    wire = Wire(echo)
    wire.gate.clear()
    dispatcher = build(wire, window_s=0)
    await ask(dispatcher, *(event(at) for at in range(6)))
    assert len(wire.sent) == 4
    await ask(dispatcher, event(7, "megan"))
    assert wire.sent[-1] == event(7, "megan")


async def test_each_part_fails_for_itself(
    build: Build, clock: HeldClock, observer: RecordingObserver
) -> None:
    throttled = {
        "id": "2",
        "status": 429,
        "headers": {"Retry-After": "2.5"},
        "body": {"error": {"code": "TooManyRequests", "message": "x"}},
    }
    gone = {"id": "3", "status": 404, "body": {"error": {"code": "ErrorItemNotFound", "message": "x"}}}
    wire = Wire(with_parts(gone, throttled, {"id": "1", "status": 200, "body": {"ok": True}}))
    first, second, third, left_out = await ask(build(wire), *(event(at) for at in range(4)))
    await clock.advance(WINDOW_S)
    assert first.result().body == {"ok": True}
    wait = second.exception()
    assert isinstance(wait, ThrottledError)
    assert wait.retry_after_s == 2.5
    assert isinstance(third.exception(), GoneError)
    assert isinstance(left_out.exception(), UnavailableError)
    assert observer.throttles == [("event", 2.5)]


async def test_a_part_that_lost_its_token_is_sent_alone_where_the_token_is_renewed(
    build: Build, clock: HeldClock
) -> None:
    wire = Wire(with_parts({"id": "1", "status": 401}, {"id": "2", "status": 200, "body": {}}))
    first, second = await ask(build(wire), event(1), event(2))
    await clock.advance(WINDOW_S)
    assert wire.sent[1] == event(1)
    assert (first.result().body, second.result().body) == ({"path": "/users/alex/events/e-1"}, {})


async def test_a_batch_that_one_part_spoils_is_sent_part_by_part(build: Build, clock: HeldClock) -> None:
    def respond(request: GraphRequest) -> Answer:
        if request.kind is RequestKind.BATCH or request.path.endswith("e-2"):
            return refusal(400, "BadRequest")
        return echo(request)

    first, second = await ask(build(Wire(respond)), event(1), event(2))
    await clock.advance(WINDOW_S)
    assert first.result().status == 200
    assert isinstance(second.exception(), RefusedError)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (refusal(429, "TooManyRequests"), ThrottledError),
        (refusal(403, "ErrorAccessDenied"), AccessError),
        (refusal(503, "ServiceUnavailable"), UnavailableError),
        (UnavailableError("no answer", code="timeout"), UnavailableError),
        (TokenError("no token"), TokenError),
        (RuntimeError("a fault of ours"), UnavailableError),
    ],
)
async def test_a_batch_that_fails_as_a_whole_fails_for_all(
    build: Build, clock: HeldClock, failure: Answer | Exception, expected: type[Exception]
) -> None:
    wire = Wire(lambda _: failure)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # the fault of ours is reported there, too
    asked = await ask(build(wire), event(1), event(2))
    await clock.advance(WINDOW_S)
    assert [type(one.exception()) for one in asked] == [expected] * 2
    assert len(wire.sent) == 1


@pytest.mark.parametrize("body", [[], {"responses": None}, "text", None])
async def test_a_batch_answer_that_is_none_is_asked_for_part_by_part(
    build: Build, clock: HeldClock, body: object
) -> None:
    wire = Wire(lambda one: reply(body) if one.kind is RequestKind.BATCH else echo(one))
    asked = await ask(build(wire), event(1), event(2))
    await clock.advance(WINDOW_S)
    assert [one.result().status for one in asked] == [200, 200]


async def test_strange_parts_of_a_batch_answer_do_no_harm(build: Build, clock: HeldClock) -> None:
    strange: list[dict[str, object]] = [
        {"id": "9", "status": 200},
        {"id": 1, "status": "200", "headers": None, "body": {"ok": True}},
        {"status": 200},
        {"id": "0", "status": 200},
        {"id": "2", "status": 200, "headers": {"Retry-After": 7}, "body": "<html>"},
    ]
    first, second = await ask(build(Wire(with_parts(*strange))), event(1), event(2))
    await clock.advance(WINDOW_S)
    assert first.result().body == {"ok": True}
    with pytest.raises(PayloadError):
        second.result().payload()


async def test_a_caller_who_gives_up_does_not_take_the_answer_from_others(
    build: Build, clock: HeldClock
) -> None:
    first, second = await ask(build(Wire(echo)), event(1), event(1))
    first.cancel()
    await settle()
    await clock.advance(WINDOW_S)
    assert first.cancelled()
    assert second.result().status == 200


async def test_who_waits_when_the_service_stops_hears_of_it(build: Build) -> None:
    dispatcher = build(Wire(echo))
    asked = await ask(dispatcher, *(event(at) for at in range(6)))
    await dispatcher.close()
    await settle()
    assert [type(one.exception()) for one in asked] == [UnavailableError] * 6


async def test_a_link_is_followed_alone_in_the_lane_of_its_mailbox(build: Build) -> None:
    wire = Wire(echo)
    wire.gate.clear()
    link = GraphRequest(
        kind=RequestKind.DELTA, link="https://graph.example/x", mailbox="alex", is_joinable=False
    )
    await ask(build(wire, per_mailbox_max=1), link, link)
    assert wire.sent == [link]
    wire.gate.set()
    await settle()
    assert wire.sent == [link, link]


async def test_a_hurried_request_takes_along_what_waits(build: Build) -> None:
    wire = Wire(echo)
    dispatcher = build(wire)
    [waiting] = await ask(dispatcher, event(1))
    assert wire.sent == []
    answer = await dispatcher.hurried.send(event(2, "adele"))
    await settle()
    assert answer.body == {"path": "/users/adele/events/e-2"}
    assert waiting.result().status == 200
    assert [urls(one) for one in wire.sent] == [["/users/alex/events/e-1", "/users/adele/events/e-2"]]


async def test_hurried_requests_of_one_moment_travel_together(build: Build) -> None:
    wire = Wire(echo)
    dispatcher = build(wire)
    await asyncio.gather(*(dispatcher.hurried.send(event(at)) for at in range(6)))
    assert [len(urls(one)) for one in wire.sent] == [4, 2]


async def test_a_hurried_request_for_what_waits_already_does_not_wait_with_it(build: Build) -> None:
    wire = Wire(echo)
    dispatcher = build(wire)
    [waiting] = await ask(dispatcher, event(1))
    await dispatcher.hurried.send(event(1))
    assert waiting.result().status == 200
    assert wire.sent == [event(1)]


async def test_a_request_that_goes_alone_takes_nobody_along(build: Build, clock: HeldClock) -> None:
    wire = Wire(echo)
    dispatcher = build(wire)
    [waiting] = await ask(dispatcher, event(1))
    await dispatcher.alone.send(event(2))
    assert wire.sent == [event(2)]
    await clock.advance(WINDOW_S)
    assert waiting.result().status == 200


async def test_a_place_that_a_lone_request_leaves_is_taken_by_what_waits(
    build: Build, clock: HeldClock
) -> None:
    wire = Wire(echo)
    wire.gate.clear()
    dispatcher = build(wire, per_mailbox_max=1)
    lone = asyncio.create_task(dispatcher.alone.send(event(1)))
    [waiting] = await ask(dispatcher, event(2))
    await clock.advance(WINDOW_S)
    assert wire.sent == [event(1)]
    wire.gate.set()
    await settle()
    assert (lone.result().status, waiting.result().status) == (200, 200)


async def test_who_gives_up_waiting_for_a_place_leaves_it_to_the_next(build: Build) -> None:
    wire = Wire(echo)
    wire.gate.clear()
    dispatcher = build(wire, per_mailbox_max=1)
    first, second, third = [asyncio.create_task(dispatcher.alone.send(event(at))) for at in range(3)]
    await settle()
    second.cancel()
    wire.gate.set()
    await settle()
    assert second.cancelled()
    assert (first.result().status, third.result().status) == (200, 200)


async def test_a_closed_dispatcher_takes_nothing(build: Build) -> None:
    dispatcher = build(Wire(echo))
    await dispatcher.close()
    with pytest.raises(UnavailableError):
        await dispatcher.send(event(1))
