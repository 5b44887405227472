"""Messages that arrived together are read as one list, and never missed because of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from service.errors import GoneError, ThrottledError
from service.graph.answer import Answer
from service.graph.dispatch import Dispatcher, DispatchLimits
from service.graph.newest import NewestLimits
from service.graph.requests import GraphRequest, RequestKind, build_message_request
from service.reconcile.model import MailboxKey, MessageId
from tests.unit.graph.held_clock import HeldClock, settle
from tests.unit.graph.replies import RecordingObserver, refusal, reply

WINDOW_S = 0.25
INBOX = "/users/adele/mailFolders/inbox/messages"


class Inbox:
    """Adele's inbox as Graph shows it.

    Attributes:
        held: ids of its messages, the newest first.
        listed: how the list shows each; as it is by itself unless told otherwise.
        lists, singles: what was asked for.
    """

    def __init__(self, *held: str) -> None:
        self.held = list(held)
        self.listed: dict[str, dict[str, Any]] = {}
        self.refused: Answer | None = None
        self.lists: list[GraphRequest] = []
        self.singles: list[str] = []

    async def exchange(self, request: GraphRequest) -> Answer:
        if request.kind is not RequestKind.BATCH:
            return self._answer(request.path, request)
        assert request.body is not None
        parts = []
        for part in request.body["requests"]:
            answer = self._answer(part["url"].split("?")[0], request)
            parts.append({"id": part["id"], "status": answer.status, "body": answer.body})
        return reply({"responses": parts})

    def _answer(self, path: str, request: GraphRequest) -> Answer:
        if path == INBOX:
            self.lists.append(request)
            top = int(dict(request.query).get("$top", "50"))
            shown = [self.listed.get(id_, message(id_)) for id_ in self.held[:top]]
            return self.refused or reply({"value": shown})
        id_ = path.rsplit("/", 1)[1]
        self.singles.append(id_)
        return reply(message(id_)) if id_ in self.held else refusal(404, "ErrorItemNotFound")


def list_lengths(inbox: Inbox) -> list[int]:
    """Give how many messages each list was asked for."""
    return [int(dict(one.query)["$top"]) for one in inbox.lists]


def message(id_: str, **members: object) -> dict[str, object]:
    """Give an ordinary message, as it is drawn with its class."""
    told = [{"id": "String 0x1a", "value": "IPM.Note"}]
    return {"id": id_, "singleValueExtendedProperties": told, **members}


def read(id_: str, *, has_subtype: bool = True) -> GraphRequest:
    return build_message_request(MailboxKey("adele"), MessageId(id_), has_subtype=has_subtype)


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


Build = Callable[..., Dispatcher]


@pytest.fixture
async def build(clock: HeldClock) -> AsyncIterator[Build]:
    built: list[Dispatcher] = []

    def build_one(inbox: Inbox, **newest: Any) -> Dispatcher:
        limits = DispatchLimits(window_s=WINDOW_S, newest=NewestLimits(**newest))
        built.append(Dispatcher(inbox, clock=clock, observer=RecordingObserver(), limits=limits))
        return built[-1]

    yield build_one
    for one in built:
        await one.close()


async def ask(
    dispatcher: Dispatcher, clock: HeldClock, *requests: GraphRequest
) -> list[asyncio.Task[Answer]]:
    """Ask at one time, and let the window pass."""
    tasks = [asyncio.create_task(dispatcher.send(request)) for request in requests]
    await settle()
    await clock.advance(WINDOW_S)
    return tasks


async def test_ten_messages_of_an_inbox_are_one_request(build: Build, clock: HeldClock) -> None:
    ids = [f"m-{at}" for at in range(10)]
    inbox = Inbox(*ids)
    asked = await ask(build(inbox), clock, *(read(id_) for id_ in ids))
    assert [one.result().body for one in asked] == [message(id_) for id_ in ids]
    assert inbox.singles == []
    [listed] = inbox.lists
    assert listed.query == (
        *read("m-0").query,
        ("$orderby", "receivedDateTime desc"),
        ("$top", "15"),
    )
    assert (listed.mailbox, listed.headers) == ("adele", read("m-0").headers)


async def test_a_single_message_is_asked_for_by_its_id(build: Build, clock: HeldClock) -> None:
    inbox = Inbox("m-1")
    await ask(build(inbox), clock, read("m-1"))
    assert (inbox.lists, inbox.singles) == ([], ["m-1"])


async def test_what_the_list_does_not_hold_is_asked_for_by_its_id(build: Build, clock: HeldClock) -> None:
    # Moved by a rule, deleted, or older than the newest: the list alone would lose it.
    inbox = Inbox("m-1", "m-2", *(f"newer-{at}" for at in range(9)), "old")
    first, old, gone = await ask(build(inbox), clock, read("m-1"), read("old"), read("gone"))
    assert first.result().body == message("m-1")
    assert old.result().body == message("old")
    assert isinstance(gone.exception(), GoneError)
    assert inbox.singles == ["old", "gone"]


async def test_a_message_whose_class_the_list_does_not_tell_is_asked_for_by_its_id(
    build: Build, clock: HeldClock
) -> None:
    # Taken as it is shown, an answer would pass for an ordinary mail.
    inbox = Inbox("m-1", "m-2")
    inbox.listed["m-2"] = {"id": "m-2"}
    _, second = await ask(build(inbox), clock, read("m-1"), read("m-2"))
    assert second.result().body == message("m-2")
    assert inbox.singles == ["m-2"]


@pytest.mark.parametrize("status", [400, 403, 404, 501])
async def test_a_mailbox_that_refuses_the_list_is_asked_message_by_message_for_a_while(
    build: Build, clock: HeldClock, status: int
) -> None:
    inbox = Inbox("m-1", "m-2")
    inbox.refused = refusal(status, "ErrorInvalidUrlQuery")
    dispatcher = build(inbox, pause_s=60)
    for _ in range(2):
        asked = await ask(dispatcher, clock, read("m-1"), read("m-2"))
        assert [one.result().status for one in asked] == [200, 200]
    assert len(inbox.lists) == 1
    await clock.advance(60)
    await ask(dispatcher, clock, read("m-1"), read("m-2"))
    assert len(inbox.lists) == 2


async def test_an_inbox_whose_newest_are_not_those_announced_is_not_listed_for_a_while(
    build: Build, clock: HeldClock
) -> None:
    # As after an outage, when the notifications of hours come in the order of the mail.
    inbox = Inbox(*(f"newer-{at}" for at in range(60)), "m-1", "m-2", "m-3")
    dispatcher = build(inbox, pause_s=60)
    for _ in range(9):
        asked = await ask(dispatcher, clock, read("m-1"), read("m-2"), read("m-3"))
        assert [one.result().status for one in asked] == [200] * 3
    assert list_lengths(inbox) == [8, 13, 23, 43, 50]
    await clock.advance(60)
    await ask(dispatcher, clock, read("m-1"), read("m-2"))
    assert len(inbox.lists) == 6


async def test_lists_are_as_long_as_notifications_lag_behind(build: Build, clock: HeldClock) -> None:
    inbox = Inbox(*(f"newer-{at}" for at in range(10)), "m-1", "m-2")
    dispatcher = build(inbox)
    for _ in range(3):
        await ask(dispatcher, clock, read("m-1"), read("m-2"))
    assert list_lengths(inbox) == [7, 12, 22]  # the second was long enough, the third has some in hand
    inbox.held = inbox.held[10:]
    for _ in range(3):
        await ask(dispatcher, clock, read("m-1"), read("m-2"))
    assert list_lengths(inbox)[3:] == [22, 7, 7]


async def test_a_list_that_is_none_loses_nothing(build: Build, clock: HeldClock) -> None:
    inbox = Inbox("m-1", "m-2")
    inbox.refused = reply({"unexpected": True})
    asked = await ask(build(inbox), clock, read("m-1"), read("m-2"))
    assert [one.result().status for one in asked] == [200, 200]


async def test_a_throttled_list_throttles_each_message_and_is_not_tried_one_by_one(
    build: Build, clock: HeldClock
) -> None:
    inbox = Inbox("m-1", "m-2")
    inbox.refused = refusal(429, "TooManyRequests", headers={"Retry-After": "7"})
    asked = await ask(build(inbox), clock, read("m-1"), read("m-2"))
    for one in asked:
        error = one.exception()
        assert isinstance(error, ThrottledError)
        assert error.retry_after_s == 7
    assert inbox.singles == []


async def test_messages_asked_for_in_different_words_share_no_list(build: Build, clock: HeldClock) -> None:
    inbox = Inbox("m-1", "m-2")
    await ask(build(inbox), clock, read("m-1"), read("m-2", has_subtype=False))
    assert (inbox.lists, inbox.singles) == ([], ["m-1", "m-2"])


async def test_a_list_is_no_longer_than_allowed(build: Build, clock: HeldClock) -> None:
    ids = [f"m-{at}" for at in range(12)]
    inbox = Inbox(*ids)
    asked = await ask(build(inbox, messages_max=10), clock, *(read(id_) for id_ in ids))
    assert [one.result().body for one in asked] == [message(id_) for id_ in ids]
    assert inbox.singles == ids[10:]


async def test_a_whole_mailbox_is_listed_beyond_its_inbox() -> None:
    request = build_message_request(MailboxKey("adele"), MessageId("m-1"), is_in_inbox=False)
    assert request.collection == "/users/adele/messages"
