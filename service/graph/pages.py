"""All pages of a collection. Must never follow a link to another host, nor without end."""

from __future__ import annotations

from typing import Final

from service.errors import PayloadError
from service.graph.answer import Answer
from service.graph.dispatch import Sender
from service.graph.node import require_object
from service.graph.requests import GraphRequest, build_link_request

PAGES_MAX: Final = 1_000


async def read_pages(
    sender: Sender, request: GraphRequest, *, pages_max: int = PAGES_MAX
) -> tuple[Answer, ...]:
    """Ask, and follow each nextLink; gives one answer or more.

    Raises:
        PayloadError: the collection does not end.
        GraphError, TokenError: as the sender raises them.

    Source: https://learn.microsoft.com/graph/paging
    """
    answers: list[Answer] = []
    for _ in range(pages_max):
        answers.append(await sender.send(request))
        link = require_object(answers[-1].payload())["@odata.nextLink"].text()
        if link is None:
            return tuple(answers)
        request = build_link_request(request.kind, link, mailbox=request.mailbox)
    raise PayloadError("@odata.nextLink", f"an end after {pages_max} pages")
