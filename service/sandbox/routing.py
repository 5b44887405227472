"""Finds the handler of a request and turns refusals into Graph's error bodies. Knows no resource itself.

HTTP and `$batch` come in by the same `dispatch`, so that a part of a batch is treated as any request is.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import Final
from uuid import uuid4

from service.sandbox.wire import Caller, GraphFault, GraphRequest, GraphResponse, Handler, SandboxClock

Before = Callable[[GraphRequest], Awaitable[GraphResponse | None]]
_KEYED: Final = re.compile(r"^([A-Za-z.$]+)\((?:'((?:[^']|'')*)')?\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A handler and who may call it: one of the permissions suffices; none at all means any token."""

    handler: Handler
    application: frozenset[str]
    delegated: frozenset[str]

    def admit(self, caller: Caller) -> None:
        """Refuse a caller whose token lacks the permission.

        Raises:
            GraphFault: 403.
        """
        wanted = self.application if caller.user_id is None else self.delegated
        if (self.application or self.delegated) and not wanted & caller.permissions:
            raise GraphFault(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    key: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Router:
    """Patterns such as `users/{user}/messages/{message}`; fixed segments match in any case, keys exactly.

    A handler gets the request with its path in one form: `me` has become `users/{id}`,
    `mailFolders('inbox')` two segments and `delta()` plain `delta`, so a key stands where the pattern has it.

    Attributes:
        before: is asked first for every request, each part of a batch too; its answer, if any, is final.
    """

    def __init__(self, clock: SandboxClock) -> None:
        self._root = _Node()
        self._clock = clock
        self.before: Before | None = None

    def add(
        self,
        method: str,
        pattern: str,
        handler: Handler,
        *,
        application: Iterable[str] = (),
        delegated: Iterable[str] = (),
    ) -> None:
        """Serve a method on a pattern.

        Args:
            application: roles of which an application's token needs one.
            delegated: scopes of which a person's token needs one.
        """
        node = self._root
        for segment in pattern.strip("/").split("/"):
            if segment.startswith("{"):
                node.key = node.key or _Node()
                node = node.key
            else:
                node = node.fixed.setdefault(segment.lower(), _Node())
        node.routes[method] = Route(
            handler=handler, application=frozenset(application), delegated=frozenset(delegated)
        )

    async def dispatch(self, request: GraphRequest) -> GraphResponse:
        """Answer a request; a refusal becomes an error in Graph's shape, never an exception."""
        request_id = str(uuid4())
        client_id = request.headers.get("client-request-id", request_id)
        headers = {
            "Date": format_datetime(self._clock.shown_now().replace(microsecond=0), usegmt=True),
            "request-id": request_id,
            "client-request-id": client_id,
        }
        try:
            response = await self._answer(request)
        except GraphFault as fault:
            response = self._refuse(fault, request_id=request_id, client_id=client_id)
        return replace(response, headers={**headers, **response.headers})

    async def _answer(self, request: GraphRequest) -> GraphResponse:
        request = replace(request, segments=_canonical(request))
        if self.before is not None and (early := await self.before(request)) is not None:
            return early
        route = self._find(request)
        route.admit(request.caller)
        return await route.handler(request)

    def _find(self, request: GraphRequest) -> Route:
        nodes = [self._root]
        for segment in request.segments:
            nodes = [
                child
                for node in nodes
                for child in (node.fixed.get(segment.lower()), node.key)
                if child is not None
            ]
            if not nodes:
                raise GraphFault(400, "BadRequest", f"Resource not found for the segment '{segment}'.")
        served = [node.routes for node in nodes if node.routes]
        if not served:
            raise GraphFault(
                400, "BadRequest", f"Resource not found for the segment '{request.segments[-1]}'."
            )
        for routes in served:
            if request.method in routes:
                return routes[request.method]
        raise GraphFault(
            405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target."
        )

    def _refuse(self, fault: GraphFault, *, request_id: str, client_id: str) -> GraphResponse:
        inner = {
            "date": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": request_id,
            "client-request-id": client_id,
        }
        body = {"error": {"code": fault.code, "message": fault.message, "innerError": inner}}
        return GraphResponse(status=fault.status, body=body, headers=fault.headers)


def _canonical(request: GraphRequest) -> tuple[str, ...]:
    """Bring a path into the one form that patterns are written in.

    Raises:
        GraphFault: 400 for `/me` without a signed-in person, and for an empty path.
    """
    segments: list[str] = []
    for segment in request.segments:
        keyed = _KEYED.match(segment)
        if keyed is None:
            segments.append(segment)
        elif keyed[2] is None:
            segments.append(keyed[1])
        else:
            segments += [keyed[1], keyed[2].replace("''", "'")]
    if not segments or not all(segments):
        raise GraphFault(
            400,
            "BadRequest",
            "Empty segment encountered in request URL. Please make sure that a valid request URL is "
            "specified.",
        )
    if segments[0].lower() == "me":
        if request.caller.user_id is None:
            raise GraphFault(
                400, "BadRequest", "/me request is only valid with delegated authentication flow."
            )
        segments[:1] = ["users", request.caller.user_id]
    return tuple(segments)
