"""A page of a delta query as a value. No I/O.

Source: https://learn.microsoft.com/graph/delta-query-overview
"""

from __future__ import annotations

from typing import Final

from service.graph.node import Node, page_items, require_object
from service.graph.parse_message import is_event_message
from service.ports import DeltaItem, DeltaPage
from service.reconcile.instant import Instant

_EVENT: Final = "#microsoft.graph.event"
_EVENTS: Final = "#collection(event)"


def parse_delta_page(
    payload: object, *, at: Instant, is_list: bool = False, notes: list[str] | None = None
) -> DeltaPage:
    """Read a page; items without id are left out, for nothing could be done with them.

    Args:
        at: the `Date` of the answer.
        is_list: a page of a plain list, the last of which has no link.

    Raises:
        PayloadError: there is no list of items, or neither link.
    """
    root = require_object(payload, notes)
    nodes = page_items(payload, notes)
    is_calendar = root["@odata.context"].word().endswith(_EVENTS) or any(_is_event(node) for node in nodes)
    items = tuple(item for node in nodes if (item := _parse_item(node, is_event=is_calendar)) is not None)
    next_link, delta_link = root["@odata.nextLink"].text(), root["@odata.deltaLink"].text()
    if next_link is None and delta_link is None and not is_list:
        raise root["@odata.deltaLink"].fail("a link")
    return DeltaPage(
        items=items, next_link=next_link, delta_link=None if next_link is not None else delta_link, at=at
    )


def _is_event(node: Node) -> bool:
    return node["@odata.type"].word() == _EVENT or node.has("start") or node.has("seriesMasterId")


def _parse_item(node: Node, *, is_event: bool) -> DeltaItem | None:
    item_id = node["id"].text()
    if item_id is None:
        node["id"].note("expected text")
        return None
    return DeltaItem(
        id=item_id,
        is_removed=not node["@removed"].is_absent,
        is_event_message=is_event or is_event_message(node["@odata.type"].text()),
        sent_at=None if is_event else node["sentDateTime"].instant(),
        etag=node["@odata.etag"].text() or "",
        event_type=(node["type"].text() or "") if is_event else "",
        series_master_id=(node["seriesMasterId"].text() or "") if is_event else "",
    )
