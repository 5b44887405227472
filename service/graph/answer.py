"""An answer of Graph, and which error of ours a refusal is. No I/O. Must never put content into an error.

Source: https://learn.microsoft.com/graph/errors and https://learn.microsoft.com/graph/throttling
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from service.errors import (
    AccessError,
    ConflictError,
    DeltaExpiredError,
    GoneError,
    GraphError,
    PayloadError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from service.graph.requests import RequestKind
from service.reconcile.instant import Instant, instant_of

UNREADABLE: Final = "unreadable"
"""Our word for the code of a refusal whose body was not Graph's."""

_MESSAGE_MAX: Final = 300
_RETRY_AFTER_MAX_S: Final = 86_400.0
_THROTTLE_CODES: Final = frozenset({"toomanyrequests", "applicationthrottled", "activitylimitreached"})
# An open list: Graph's services name the same thing in several ways.
_DELTA_CODES: Final = frozenset(
    {
        "syncstatenotfound",
        "syncstateinvalid",
        "errorinvalidsyncstatedata",
        "resyncrequired",
        "resyncchangesapplydifferences",
        "resyncchangesuploaddifferences",
        "fullsyncrequired",
    }
)
_NO_ID_CODES: Final = frozenset({"errorinvalididmalformed", "errorinvalidid"})
"""What was asked for by its id cannot be there, whatever it was: a forger made the id up."""
_ONE_ITEM: Final = frozenset({RequestKind.MESSAGE, RequestKind.EVENT})
_ITEM_CODES: Final = frozenset({"erroritemnotfound", "itemnotfound"})
_ADDRESS: Final = re.compile(r"[^\s'\"<>,;:()]+@[^\s'\"<>,;:()]+")
_CONTROL: Final = re.compile(r"[^\x20-\x7e\xa0-\u2027\u2030-\ud7ff]+")
# Outlook's refusal within a refusal, such as "Operation: Create; Exception: [Status Code: Forbidden; ...".
_WRAPPED: Final = re.compile(r"Status Code:\s*(\w+)", re.IGNORECASE)
_WRAPPED_STATUS: Final = {
    "badrequest": 400,
    "unauthorized": 403,
    "forbidden": 403,
    "notfound": 404,
    "conflict": 409,
    "toomanyrequests": 429,
    "internalservererror": 500,
    "badgateway": 502,
    "serviceunavailable": 503,
    "gatewaytimeout": 504,
}
_BY_STATUS: Final[Mapping[int, type[GraphError]]] = {
    401: AccessError,
    403: AccessError,
    404: GoneError,
    408: UnavailableError,
    409: ConflictError,
    410: GoneError,
    424: UnavailableError,  # another part of the batch failed
    501: RefusedError,
}
_CLAIMS: Final = re.compile(r'\bclaims="([^"]*)"', re.IGNORECASE)
_INSUFFICIENT: Final = re.compile(r'\berror="?insufficient_claims"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever the status.

    Attributes:
        headers: names in lower case.
        body: decoded JSON; None where there was no body; the text itself where it was not JSON.
        is_json: False where there was a body and it was not JSON.
        at: the `Date` of the answer, or when it came where it has none.
    """

    status: int
    headers: Mapping[str, str]
    body: object
    at: Instant
    is_json: bool = True

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def request_id(self) -> str:
        """Graph's request id, from the headers or from the error body."""
        return self.headers.get("request-id") or _text(_inner(self.body).get("request-id"))

    @property
    def code(self) -> str:
        """Graph's `error.code`; a word of ours where there is none."""
        return _text(_error(self.body).get("code")) or UNREADABLE

    @property
    def names_missing_item(self) -> bool:
        """Tell whether this is the 404 of an item, and not that of a mailbox or a path."""
        return self.status == 404 and self.code.lower() in _ITEM_CODES

    def payload(self) -> object:
        """Give the decoded body.

        Raises:
            PayloadError: there is none, or it was not JSON.
        """
        if self.body is None or not self.is_json:
            raise PayloadError("$", "a JSON body", request_id=self.request_id)
        return self.body


def build_answer(status: int, given: Iterable[tuple[str, str]], raw: bytes, *, now: datetime) -> Answer:
    """Put an answer together from what came over the wire.

    Args:
        given: headers; one that came twice is joined with a comma.
        now: stands in where there is no `Date`.
    """
    headers: dict[str, str] = {}
    for name, value in given:
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    body, is_json = _decode_body(raw)
    at = instant_of(parse_http_date(headers.get("date")) or now)
    return Answer(status=status, headers=headers, body=body, at=at, is_json=is_json)


def build_refusal(answer: Answer, kind: RequestKind) -> GraphError:
    """Give the error that an answer outside 2xx is."""
    code = answer.code
    status = _effective_status(answer)
    message = f"{answer.status} {code}: {_message(answer.body)}"
    if answer.status >= 400 and code.lower() in _DELTA_CODES:
        return _build(DeltaExpiredError, message, answer)
    if status in {429, 509} or code.lower() in _THROTTLE_CODES:
        return _build_throttled(message, answer)
    if status == 503 and "retry-after" in answer.headers:
        return _build_throttled(message, answer)
    if status == 400 and kind in _ONE_ITEM and code.lower() in _NO_ID_CODES:
        return _build(GoneError, message, answer)
    return _build(_error_class(status, kind), message, answer)


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Read `Retry-After`: seconds, also with a fraction, or an HTTP date.

    Returns:
        Seconds from 0 to one day; None where there is no such header or it makes no sense.

    Source: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*\d{1,9}(\.\d{1,9})?\s*", value, re.ASCII):
        return min(float(value), _RETRY_AFTER_MAX_S)
    moment = parse_http_date(value)
    return None if moment is None else min(max((moment - now).total_seconds(), 0.0), _RETRY_AFTER_MAX_S)


def parse_http_date(value: str | None) -> datetime | None:
    """Read an HTTP date; None where it is none.

    Source: https://www.rfc-editor.org/rfc/rfc9110#http.date
    """
    try:
        moment = parsedate_to_datetime(value or "")
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_claims_challenge(headers: Mapping[str, str]) -> str:
    """Read the claims that a 401 asks for: their JSON text; empty where it asks for none.

    Source: https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    challenge = headers.get("www-authenticate", "")
    match = _CLAIMS.search(challenge)
    if match is None or _INSUFFICIENT.search(challenge) is None:
        return ""
    encoded = match[1].strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        claims = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
        return claims if isinstance(json.loads(claims), dict) else ""
    except (binascii.Error, ValueError, RecursionError):
        return ""


def _decode_body(raw: bytes) -> tuple[object, bool]:
    """Decode a body: None for an empty one, the text and False for one that is not JSON."""
    if not raw.strip():
        return None, True
    try:
        return json.loads(raw), True
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace"), False


def _effective_status(answer: Answer) -> int:
    """Give the status that counts: Outlook's refusal of a subscription is wrapped in a text."""
    if answer.code.lower() != "extensionerror":
        return answer.status
    match = _WRAPPED.search(_text(_error(answer.body).get("message")))
    return answer.status if match is None else _WRAPPED_STATUS.get(match[1].lower(), answer.status)


def _error_class(status: int, kind: RequestKind) -> type[GraphError]:
    if status == 410 and kind is RequestKind.DELTA:
        return DeltaExpiredError
    return _BY_STATUS.get(status, UnavailableError if status >= 500 else RefusedError)


def _build(error: type[GraphError], message: str, answer: Answer) -> GraphError:
    return error(message, status=answer.status, code=answer.code, request_id=answer.request_id)


def _build_throttled(message: str, answer: Answer) -> ThrottledError:
    return ThrottledError(
        message,
        retry_after_s=parse_retry_after(answer.headers.get("retry-after"), answer.at.to_datetime()),
        status=answer.status,
        code=answer.code,
        request_id=answer.request_id,
    )


def _message(body: object) -> str:
    """Give Graph's message, fit for a log: one line, no address, bounded."""
    text = _text(_error(body).get("message")) or "no message"
    return _ADDRESS.sub("<address>", _CONTROL.sub(" ", text))[:_MESSAGE_MAX]


def _error(body: object) -> Mapping[str, object]:
    return _object(body.get("error")) if isinstance(body, dict) else {}


def _inner(body: object) -> Mapping[str, object]:
    error = _error(body)
    return _object(error.get("innerError") or error.get("innererror"))


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
