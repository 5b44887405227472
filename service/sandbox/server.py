"""The sandbox's HTTP face: Graph, Entra ID, managed identity and control behind one origin.

Only moves bytes: what a request means is decided elsewhere. Must never answer in anything but JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from aiohttp import web
from aiohttp.log import server_logger

from service.sandbox.assembly import Parts
from service.sandbox.control import Control, ControlRequest
from service.sandbox.entra_wire import EntraRequest
from service.sandbox.gate import build_concurrency_fault
from service.sandbox.json_text import read_json
from service.sandbox.managed_identity import APP_SERVICE_PATH, IMDS_PATH
from service.sandbox.wire import Caller, GraphFault, GraphRequest, GraphResponse

VERSION: Final = "v1.0"
CONTROL: Final = "control"
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
_GRAPH_TYPE: Final = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
)
_JSON_TYPE: Final = "application/json; charset=utf-8"
_SCHEMES: Final = ("http", "https")
_NOBODY: Final = Caller(user_id=None, app_id="", permissions=frozenset())


class Face:
    """Answers every request that comes in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._control = Control(parts)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request; what no part can take is refused in Graph's shape, and so is a bug of ours."""
        try:
            return await self._route(request)
        except GraphFault as fault:
            return self._to_graph_answer(self._refuse(fault, request))
        except (ConnectionError, web.HTTPException):
            raise
        except Exception:
            server_logger.exception("The sandbox could not answer %s", request.method)
            bug = GraphFault(500, "InternalServerError", "The sandbox failed; its log says why.")
            return self._to_graph_answer(self._refuse(bug, request))

    async def _route(self, request: web.BaseRequest) -> web.Response:
        """Find out for whom a request is, and let that part answer."""
        path = _read_path(request)
        segments = tuple(unquote(segment) for segment in path.strip("/").split("/"))
        if segments[0] == VERSION:
            return await self._serve_graph(request, segments[1:])
        if segments[0] == CONTROL:
            return await self._serve_control(request, segments[1:])
        if segments in (APP_SERVICE_PATH, IMDS_PATH) or len(segments) > 2:
            return await self._serve_entra(request, segments)
        raise GraphFault(400, "BadRequest", f"Invalid version: {segments[0][:64]}.")

    # --- Graph ---

    async def _serve_graph(self, request: web.BaseRequest, segments: tuple[str, ...]) -> web.Response:
        at = self._parts.tenant.clock.now()
        caller, body = _NOBODY, None
        try:
            caller = self._parts.tenant.mint.read_bearer(
                _read_header(request, "Authorization"), find_origin(request)
            )
            body = await _read_graph_body(request)
            response = await self._dispatch(_to_graph_request(request, segments, caller, body))
        except GraphFault as fault:
            response = self._refuse(fault, request)
        target = urlsplit(request.raw_path)
        self._parts.requests.add(
            at=at,
            caller=self._name(caller),
            method=request.method,
            path=target.path,
            query=target.query,
            body=body,
            response=response,
        )
        return self._to_graph_answer(response)

    async def _dispatch(self, request: GraphRequest) -> GraphResponse:
        latency_s = self._parts.tenant.options.latency_s
        if not latency_s:
            return await self._parts.router.dispatch(request)
        with self._parts.gate.occupy(request) as is_free:
            await asyncio.sleep(latency_s)
            if not is_free:
                raise build_concurrency_fault()
            return await self._parts.router.dispatch(request)

    def _name(self, caller: Caller) -> str:
        """Give `app`, the address of a person, or nothing for a caller without a good token."""
        if caller is _NOBODY:
            return ""
        if caller.user_id is None:
            return "app"
        user = self._parts.tenant.world.directory.look_up(caller.user_id)
        return caller.user_id if user is None else user.address

    def _refuse(self, fault: GraphFault, request: web.BaseRequest) -> GraphResponse:
        """Give the error body for a request that did not come as far as the router."""
        request_id = str(uuid4())
        client_id = _read_header(request, "client-request-id") or request_id
        inner = {
            "date": f"{self._parts.tenant.clock.now():%Y-%m-%dT%H:%M:%S}",
            "request-id": request_id,
            "client-request-id": client_id,
        }
        body = {"error": {"code": fault.code, "message": fault.message, "innerError": inner}}
        headers = {"request-id": request_id, "client-request-id": client_id, **fault.headers}
        return GraphResponse(status=fault.status, body=body, headers=headers)

    def _to_graph_answer(self, response: GraphResponse) -> web.Response:
        kind = _GRAPH_TYPE if response.status < 400 else "application/json"
        fixed = {"Cache-Control": "no-store, no-cache", "Strict-Transport-Security": "max-age=31536000"}
        return self._to_answer(response.status, response.body, {**fixed, **response.headers}, kind)

    # --- the others ---

    async def _serve_entra(self, request: web.BaseRequest, segments: tuple[str, ...]) -> web.Response:
        target = urlsplit(request.raw_path)
        raw = target.query
        if request.method == "POST":
            raw = (await _read_bounded(request)).decode("utf-8", "replace")
        asked = EntraRequest(
            method=request.method,
            segments=segments,
            form=dict(parse_qsl(raw, keep_blank_values=True)),
            headers=_lower(request.headers),
            origin=find_origin(request),
        )
        is_identity = segments in (APP_SERVICE_PATH, IMDS_PATH)
        part = self._parts.tenant.managed_identity if is_identity else self._parts.tenant.entra
        response = part.answer(asked)
        headers = {"Cache-Control": "no-store, no-cache", "x-ms-request-id": str(uuid4()), **response.headers}
        return self._to_answer(response.status, response.body, headers, _JSON_TYPE)

    async def _serve_control(self, request: web.BaseRequest, segments: tuple[str, ...]) -> web.Response:
        raw = await _read_bounded(request)
        asked = ControlRequest(
            method=request.method, path="/".join(segments), raw=raw, origin=find_origin(request)
        )
        status, body = self._control.answer(asked)
        return self._to_answer(status, body, {}, _JSON_TYPE)

    def _to_answer(self, status: int, body: Any, headers: Mapping[str, str], kind: str) -> web.Response:
        date = format_datetime(self._parts.tenant.clock.shown_now().replace(microsecond=0), usegmt=True)
        told = {"Date": date, **headers}
        if body is None:
            return web.Response(status=status, headers=told)
        payload = json.dumps(body, ensure_ascii=False).encode()
        return web.Response(status=status, body=payload, headers=told | {"Content-Type": kind})


def find_origin(request: web.BaseRequest) -> str:
    """Give scheme, host and port as the caller sees them, also through a proxy."""
    host = _read_header(request, "X-Forwarded-Host") or _read_header(request, "Host") or ""
    scheme = (_read_header(request, "X-Forwarded-Proto") or "https").lower()
    return f"{scheme if scheme in _SCHEMES else 'https'}://{host.split(',')[0].strip()}"


def _to_graph_request(
    request: web.BaseRequest, segments: tuple[str, ...], caller: Caller, body: Any
) -> GraphRequest:
    origin = find_origin(request)
    target = urlsplit(request.raw_path)
    return GraphRequest(
        method=request.method,
        segments=segments,
        query=tuple(parse_qsl(target.query, keep_blank_values=True)),
        headers=_lower(request.headers),
        body=body,
        caller=caller,
        base_url=f"{origin}/{VERSION}",
        url=f"{origin}{request.raw_path}",
    )


async def _read_graph_body(request: web.BaseRequest) -> Any:
    """Read a JSON body; None where there is none.

    Raises:
        GraphFault: 400, 413 or 415.
    """
    raw = await _read_bounded(request)
    if not raw:
        return None
    if not request.headers.get("Content-Type"):
        raise GraphFault(
            400,
            "BadRequest",
            "Write requests (excluding DELETE) must contain the Content-Type header declaration.",
        )
    if request.content_type != "application/json":
        raise GraphFault(415, "UnsupportedMediaType", "A media type of application/json is needed.")
    try:
        return read_json(raw)
    except (ValueError, RecursionError) as error:
        raise GraphFault(
            400,
            "BadRequest",
            "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of "
            "valid JSON format.",
        ) from error


async def _read_bounded(request: web.BaseRequest) -> bytes:
    """Read a body as it came.

    Raises:
        GraphFault: 400 for one that breaks off or is framed wrongly, 413.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.content.iter_any():
            size += len(chunk)
            if size > BODY_BYTES_MAX:
                raise GraphFault(413, "RequestEntityTooLarge", "The request body is larger than 4 MB.")
            chunks.append(chunk)
    except web.RequestPayloadError as error:
        raise GraphFault(400, "BadRequest", "The request body could not be read.") from error
    return b"".join(chunks)


def _read_path(request: web.BaseRequest) -> str:
    """Give the path as it was sent.

    Raises:
        GraphFault: 400 for a target that is no URL.
    """
    try:
        return urlsplit(request.raw_path).path
    except ValueError as error:
        raise GraphFault(400, "BadRequest", "The request URI is not valid.") from error


def _read_header(request: web.BaseRequest, name: str) -> str | None:
    value = request.headers.get(name)
    return None if value is None else _to_text(value)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): _to_text(value) for name, value in headers.items()}


def _to_text(value: str) -> str:
    """Give a header with a mark for each byte that was no UTF-8: it may be told again in JSON."""
    return value.encode("utf-8", "replace").decode()
