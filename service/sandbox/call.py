"""One request seen from its resource: whose mailbox, who asks, with which options and preferences.

Access is decided here and nowhere else. Knows nothing of single resources.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from service.sandbox.ids import check_id
from service.sandbox.items import READER_ROLES, WRITER_ROLES
from service.sandbox.mailbox import Mailbox
from service.sandbox.odata import Options, parse_preferences
from service.sandbox.people import User
from service.sandbox.permissions import Need
from service.sandbox.rendering import View
from service.sandbox.wire import GraphFault, GraphRequest, GraphResponse
from service.sandbox.world import World

if TYPE_CHECKING:
    from service.sandbox.routing import Router

_ITEM_KEYS = frozenset({"calendar", "event", "message"})
Access = Literal["own", "read", "write"]
CallHandler = Callable[["Call"], GraphResponse]


def denied() -> GraphFault:
    """Say that the token does not reach so far, as Exchange does."""
    return GraphFault(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


class Call:
    """A request for something in a mailbox.

    Attributes:
        keys: the path's keys by their names in the pattern.
    """

    def __init__(self, world: World, request: GraphRequest, keys: Mapping[str, str]) -> None:
        self.world = world
        self.request = request
        self.keys = keys
        self.preferences = parse_preferences(request.headers.get("prefer", ""))

    @cached_property
    def caller(self) -> User | None:
        """The signed-in person; None for the application.

        Raises:
            GraphFault: 401 for somebody who has left since.
        """
        user_id = self.request.caller.user_id
        if user_id is None:
            return None
        user = self.world.directory.look_up(user_id)
        if user is None:
            raise GraphFault(401, "InvalidAuthenticationToken", "The user account does not exist any more.")
        return user

    @cached_property
    def box(self) -> Mailbox:
        """The mailbox that the path names."""
        named = self.keys["user"]
        user = self.world.directory.look_up(named)
        if user is not None and self.caller is user:
            return self.world.mailbox(user.id)
        if user is None or user.purpose == "list" or self.world.directory.is_external(user.address):
            raise GraphFault(404, "ErrorInvalidUser", f"The requested user '{named}' is invalid.")
        return self.world.mailbox(user.id)

    @property
    def acting(self) -> User:
        """Who acts: the person, or the mailbox's owner where the application asks."""
        return self.caller or self.box.user

    @property
    def is_foreign(self) -> bool:
        """Whether a person reaches into another's mailbox."""
        return self.caller is not None and self.caller is not self.box.user

    @cached_property
    def view(self) -> View:
        return View(
            world=self.world,
            box=self.box,
            zone=self.preferences.zone or "UTC",
            is_immutable=self.preferences.is_immutable,
            is_text=self.preferences.is_text,
            context=self.context(""),
        )

    def admit(self, need: Need, access: Access) -> None:
        """Let the owner and the application in, others as far as calendars are shared with them.

        Raises:
            GraphFault: 403; 404 for a mailbox that is not there.
        """
        if not self.is_foreign:
            return
        role = self.world.role_on(self.box.user.id, self.acting.id)
        roles = {"own": (), "read": READER_ROLES, "write": WRITER_ROLES}[access]
        if role not in roles or not need.shared & self.request.caller.permissions:
            raise denied()

    def options(self, *allowed: str) -> Options:
        """Read the query options; those not named here are refused."""
        return Options(self.request, allowed)

    def context(self, path: str, select: Sequence[str] | None = None) -> str:
        """Give the context URL of something in this mailbox."""
        chosen = f"({','.join(select)})" if select else ""
        return f"{self.request.base_url}/$metadata#users('{self.box.user.id}')/{path}{chosen}"

    def answer(
        self, body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> GraphResponse:
        """Answer, and say which preferences were applied."""
        applied = ", ".join(self.preferences.applied)
        told = {"Preference-Applied": applied} if applied else {}
        return GraphResponse(status=status, body=body, headers={**told, **(headers or {})})

    def collection(
        self, context: str, value: Sequence[Any], *, next_link: str | None = None, count: int | None = None
    ) -> GraphResponse:
        """Answer with a collection."""
        body: dict[str, Any] = {"@odata.context": context}
        if count is not None:
            body["@odata.count"] = count
        if next_link is not None:
            body["@odata.nextLink"] = next_link
        return self.answer({**body, "value": list(value)})

    def check_match(self, etag: str) -> None:
        """Hold `If-Match` against the present version.

        Raises:
            GraphFault: 412.
        """
        wanted = self.request.headers.get("if-match", "*")
        if wanted not in ("*", etag):
            raise GraphFault(
                412,
                "ErrorIrresolvableConflict",
                "The send or update operation could not be performed because the "
                "change key passed in the request does not match the current change key for the item.",
            )


@dataclass(frozen=True, slots=True)
class Routes:
    """Registers handlers of things in a mailbox."""

    router: Router
    world: World

    def add(
        self,
        methods: str | Collection[str],
        patterns: str | Sequence[str],
        handler: CallHandler,
        need: Need,
        access: Access,
    ) -> None:
        """Serve `users/{user}/...` patterns.

        Args:
            access: how far a person must be let into another's calendar; `own`: never.
        """
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            full = f"users/{{user}}/{pattern}".rstrip("/")
            for method in [methods] if isinstance(methods, str) else methods:
                self.router.add(
                    method,
                    full,
                    _bind(self.world, full, handler, need, access),
                    application=need.application,
                    delegated=need.own | need.shared,
                )


def _bind(world: World, pattern: str, handler: CallHandler, need: Need, access: Access) -> Any:
    parts = pattern.split("/")

    async def run(request: GraphRequest) -> GraphResponse:
        keys = {
            part[1:-1]: segment
            for part, segment in zip(parts, request.segments, strict=True)
            if part.startswith("{")
        }
        call = Call(world, request, keys)
        call.admit(need, access)
        for name in _ITEM_KEYS & keys.keys():
            check_id(keys[name])
        return handler(call)

    return run
