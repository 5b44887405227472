"""`$batch`: up to twenty requests in one. Every part goes through the router as any request does.

Source: https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from service.sandbox.routing import Router
from service.sandbox.wire import GraphFault, GraphRequest, GraphResponse

PARTS_MAX: Final = 20
_METHODS: Final = frozenset({"GET", "POST", "PATCH", "PUT", "DELETE"})
_MISSPELT: Final = "depends_on"  # Microsoft's Python SDK sends it with every part, empty
_MEMBERS: Final = frozenset({"id", "method", "url", "headers", "body", "dependsOn", _MISSPELT})
_OF_THE_WHOLE: Final = frozenset({"Date", "request-id", "client-request-id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One request of a batch.

    Attributes:
        after: ids of the parts that must have succeeded before.
    """

    id: str
    request: GraphRequest
    after: tuple[str, ...]


class Batch:
    """Serves `POST /$batch`."""

    def __init__(self, router: Router, random: Random) -> None:
        self._router = router
        self._random = random

    async def answer(self, request: GraphRequest) -> GraphResponse:
        """Do all parts; the answers come in no order that a client may rely on.

        Raises:
            GraphFault: 400 for a batch that cannot be read; nothing of it is done then.
        """
        answers: dict[str, GraphResponse] = {}
        for part in read_parts(request):
            if any(answers[id_].status >= 400 for id_ in part.after):
                answers[part.id] = _failed_dependency()
            else:
                answers[part.id] = await self._router.dispatch(part.request)
        drawn = [_draw(id_, answer) for id_, answer in answers.items()]
        self._random.shuffle(drawn)
        return GraphResponse(body={"responses": drawn})


def read_parts(request: GraphRequest) -> tuple[Part, ...]:
    """Read a batch.

    Raises:
        GraphFault: 400 for too many parts or none, a doubled id, a foreign URL, a nested batch, or
            dependencies that are neither serial nor all on the same part.
    """
    if request.query:
        raise _malformed(f"The query parameter '{request.query[0][0]}' is not supported on this resource.")
    body = request.body
    given = body.get("requests") if isinstance(body, Mapping) else None
    if not isinstance(given, list) or not given or set(body) != {"requests"}:
        raise _malformed("Invalid batch payload format.")
    if len(given) > PARTS_MAX:
        raise _malformed(f"Number of batch request steps exceeds the maximum value of {PARTS_MAX}.")
    parts: list[Part] = []
    for one in given:
        parts.append(_read_part(one, request, {part.id for part in parts}))
    _check_order(parts)
    return tuple(parts)


def _malformed(why: str) -> GraphFault:
    return GraphFault(400, "BadRequest", why)


def _read_part(given: Any, request: GraphRequest, before: set[str]) -> Part:
    if not isinstance(given, Mapping) or set(given) - _MEMBERS or given.get(_MISSPELT):
        raise _malformed("Invalid batch payload format.")
    id_, method, url = given.get("id"), given.get("method"), given.get("url")
    if not isinstance(id_, str) or not id_:
        raise _malformed("Request Id cannot be null or empty.")
    if id_ in before:
        raise _malformed("Request Id has to be unique in a batch.")
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise _malformed(f"Invalid batch method for request id : {id_}")
    headers = _read_headers(given.get("headers"), id_)
    body = given.get("body")
    if body is not None and "content-type" not in headers:
        raise _malformed(f"Write request id : {id_} does not contain Content-Type header or body.")
    after = given.get("dependsOn") or []
    if not isinstance(after, list) or not all(isinstance(one, str) and one in before for one in after):
        raise _malformed(f"Invalid dependsOn for request id : {id_}. It must name requests before it.")
    inner = _address(request, url, id_)
    inner = replace(inner, method=method.upper(), headers=headers, body=body, is_part=True)
    return Part(id=id_, request=inner, after=tuple(after))


def _read_headers(given: Any, id_: str) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise _malformed(f"Invalid headers for request id : {id_}")
    return {str(name).lower(): value for name, value in given.items()}


def _address(request: GraphRequest, url: Any, id_: str) -> GraphRequest:
    """Resolve a relative URL, or one on the caller's own origin; Microsoft's SDKs leave the version in."""
    origin = request.base_url.removesuffix("/v1.0")
    if not isinstance(url, str) or not url:
        raise _malformed(f"Invalid url for request id : {id_}")
    url = url.removeprefix(origin).removeprefix("/v1.0")
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise _malformed(f"Invalid url for request id : {id_}") from error
    if split.scheme or split.netloc or split.fragment:
        raise _malformed(f"Request id : {id_} must have a relative url.")
    segments = tuple(unquote(segment) for segment in split.path.strip("/").split("/"))
    if segments[0].lower() == "$batch":
        raise _malformed("A batch cannot hold another batch.")
    query = tuple(parse_qsl(split.query, keep_blank_values=True))
    absolute = f"{request.base_url}/{url.lstrip('/')}"
    return replace(request, segments=segments, query=query, url=absolute)


def _check_order(parts: Sequence[Part]) -> None:
    """Take only what Graph takes: no dependencies, a chain, or all on one and the same part."""
    dependent = [part for part in parts if part.after]
    if not dependent:
        return
    same = {part.after for part in dependent}
    on_one = len(same) == 1 and len(next(iter(same))) == 1
    chain = all(part.after == (before.id,) for before, part in pairwise(parts))
    if not on_one and not chain:
        raise _malformed("dependsOn must make a series, or name the same request everywhere.")


def _failed_dependency() -> GraphResponse:
    body = {"error": {"code": "FailedDependency", "message": "A request that this one depends on failed."}}
    return GraphResponse(status=424, body=body)


def _draw(id_: str, answer: GraphResponse) -> dict[str, Any]:
    headers = {name: value for name, value in answer.headers.items() if name not in _OF_THE_WHOLE}
    if answer.body is not None:
        headers["Content-Type"] = "application/json"
    return {"id": id_, "status": answer.status, "headers": headers, "body": answer.body}
