"""Many requests as one `$batch`, and its answer taken apart. No I/O.

Graph answers 200 although single parts fail, and in any order.

Source: https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from service.graph.answer import Answer
from service.graph.node import Node, require_object
from service.graph.requests import GraphRequest, RequestKind

PARTS_MAX: Final = 20
"""Graph takes no more in one `$batch`."""


def build_batch(parts: Sequence[GraphRequest]) -> GraphRequest:
    """Put requests together; preferences must be repeated in each part.

    Args:
        parts: 1 to 20, all asked with the token of one and the same.
    """
    assert 1 <= len(parts) <= PARTS_MAX, "Graph takes 1 to 20 parts"
    requests = [_build_part(str(at), part) for at, part in enumerate(parts, start=1)]
    return GraphRequest(
        kind=RequestKind.BATCH,
        method="POST",
        path="/$batch",
        body={"requests": requests},
        is_joinable=False,
        person=parts[0].asker,
    )


def split_batch(answer: Answer, count: int) -> list[Answer | None]:
    """Take the answer of a `$batch` apart.

    Args:
        answer: a 2xx answer.
        count: how many parts were sent.

    Returns:
        One for each part, in the order sent; None where Graph left a part out.

    Raises:
        PayloadError: this is no answer to a batch.
    """
    value = require_object(answer.payload())["responses"]
    if value.is_absent:
        raise value.fail("a list")
    answers: list[Answer | None] = [None] * count
    for part in value.items():
        number, status = part["id"].number(), part["status"].number()
        if number is not None and status is not None and 1 <= number <= count:
            answers[number - 1] = _build_answer(part, status, answer)
    return answers


def _build_part(number: str, part: GraphRequest) -> dict[str, Any]:
    headers = dict(part.headers)
    built: dict[str, Any] = {"id": number, "method": part.method, "url": part.target}
    if part.body is not None:
        headers["Content-Type"] = "application/json"
        built["body"] = part.body
    if headers:
        built["headers"] = headers
    return built


def _build_answer(part: Node, status: int, whole: Answer) -> Answer:
    body = part["body"].value
    return Answer(
        status=status,
        headers=_read_headers(part["headers"].value, whole.headers),
        body=body,
        at=whole.at,
        is_json=not isinstance(body, str),
    )


def _read_headers(given: object, whole: Mapping[str, str]) -> dict[str, str]:
    own = given.items() if isinstance(given, dict) else ()
    headers = {str(name).lower(): value for name, value in own if isinstance(value, str)}
    if "request-id" not in headers and "request-id" in whole:
        headers["request-id"] = whole["request-id"]
    return headers
