"""The sandbox's own small picture of a Graph request, so that `$batch` and HTTP share one way in. No I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol


class SandboxClock:
    """What the sandbox takes for now: the real clock, moved ahead by `POST /clock`.

    Attributes:
        date_ahead_s: how far the `Date` of answers is ahead of that (behind where negative), as it seems to
            somebody whose own clock is slow.
    """

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now or (lambda: datetime.now(UTC))
        self._ahead = timedelta(0)
        self.date_ahead_s = 0.0

    def now(self) -> datetime:
        """Give the present instant, UTC, aware, with microseconds."""
        return self._now() + self._ahead

    def shown_now(self) -> datetime:
        """Give the instant that answers show."""
        return self.now() + timedelta(seconds=self.date_ahead_s)

    def machine_now(self) -> datetime:
        """Give the instant without what `advance` added: what a program outside takes for now."""
        return self._now()

    def advance(self, seconds: float) -> None:
        """Move ahead; never back."""
        self._ahead += timedelta(seconds=max(seconds, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who holds the bearer token.

    Attributes:
        user_id: object id of the signed-in person; None for the application.
        app_id: the client that asked for the token.
        permissions: the token's `roles` (application) or `scp` (person).
        authority: issuer of the token, as the caller reached it.
    """

    user_id: str | None
    app_id: str
    permissions: frozenset[str]
    authority: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphRequest:
    """One request below `/v1.0`, whether it came by HTTP or as part of a `$batch`.

    Attributes:
        segments: path below the version, percent-decoded, such as `("users", "a@b", "messages")`.
        query: decoded; names keep their `$` (`%24` is decoded too); in order, may repeat.
        headers: names in lower case.
        body: decoded JSON; None where there was no body.
        base_url: origin and version as the caller sees them, for links, such as `https://localhost:1/v1.0`.
        url: the absolute URL as the caller sees it.
        is_part: it came as a part of a `$batch`.
    """

    method: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: Any
    caller: Caller
    base_url: str
    url: str
    is_part: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphResponse:
    """The answer; `body` None means an empty body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class GraphFault(Exception):  # noqa: N818 - it is Graph's answer, not an error of the sandbox
    """Graph refuses: becomes an error body in Graph's shape.

    Source: https://learn.microsoft.com/graph/errors
    """

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        super().__init__(f"{status} {code}: {message}")


Handler = Callable[[GraphRequest], Awaitable[GraphResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something in a mailbox changed; what subscriptions and delta queries are told.

    Attributes:
        user_id: whose mailbox.
        kind: what changed.
        change: how.
        item_id: id of the message or event in that mailbox (immutable form).
        folder_id: parent folder of a message; empty for events.
        etag: after the change; empty for deletions.
    """

    user_id: str
    kind: Literal["message", "event"]
    change: Literal["created", "updated", "deleted"]
    item_id: str
    folder_id: str
    etag: str


class Observer(Protocol):
    """Is told of every change, in order, at the moment it happens."""

    def __call__(self, change: Change, /) -> None: ...


Observers = Sequence[Observer]
