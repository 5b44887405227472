"""What Graph was asked, for `GET /requests`. Must never hold a token or a body."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from service.sandbox.notifications import spell_instant
from service.sandbox.wire import GraphResponse

ENTRIES_MAX: Final = 100_000


class RequestLog:
    """The latest requests, oldest first; the oldest are forgotten."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=entries_max)

    def add(
        self,
        *,
        at: datetime,
        caller: str,
        method: str,
        path: str,
        query: str,
        body: Any,
        response: GraphResponse,
    ) -> None:
        """Take note of a request that was answered.

        Args:
            caller: `app`, the address of a person, or empty where the token was not taken.
            path, query: as they were sent, still percent-encoded.
            body: of a `$batch`: its parts are noted with it.
        """
        self._entries.append({
            "at": spell_instant(at),
            "caller": caller,
            "method": method,
            "path": path,
            "query": query,
            "status": response.status,
            "batch": _list_parts(path, body, response),
        })  # fmt: skip

    def list_entries(self) -> list[dict[str, Any]]:
        """Give every entry, oldest first."""
        return list(self._entries)


def _list_parts(path: str, body: Any, response: GraphResponse) -> list[dict[str, Any]]:
    """Give the parts of a batch with their statuses, in the order in which they were asked."""
    if not unquote(path).lower().rstrip("/").endswith("$batch") or not isinstance(response.body, Mapping):
        return []
    asked = body.get("requests") if isinstance(body, Mapping) else None
    answers = response.body.get("responses")
    if not isinstance(asked, list) or not isinstance(answers, list):
        return []
    statuses = {str(answer["id"]): answer["status"] for answer in answers}
    return [_describe_part(part, statuses) for part in asked]


def _describe_part(part: Mapping[str, Any], statuses: Mapping[str, int]) -> dict[str, Any]:
    url = urlsplit(str(part.get("url", "")))
    return {
        "id": str(part.get("id")),
        "method": str(part.get("method", "")).upper(),
        "path": url.path,
        "query": url.query,
        "status": statuses.get(str(part.get("id"))),
    }
