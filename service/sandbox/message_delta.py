"""Delta query over the messages of one folder.

Source: https://learn.microsoft.com/graph/api/message-delta
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from service.sandbox.call import Call, Routes
from service.sandbox.delta_round import answer_round, begin_or_resume
from service.sandbox.items import FolderEntry, Json
from service.sandbox.message_reader import MessageReader
from service.sandbox.moments import parse_instant
from service.sandbox.odata import PAGE
from service.sandbox.permissions import READ_MAIL
from service.sandbox.wire import GraphFault, GraphResponse

_OPTIONS: Final = ("$select", "$expand", "$filter", "$orderby", "$top", "changeType")
_FILTER: Final = re.compile(r"^\s*receivedDateTime\s+(ge|gt)\s+(\S+)\s*$", re.IGNORECASE)
_FILTERED_MAX: Final = 5000
_PARTIAL: Final = ("isRead",)
News = Literal["created", "updated", "read", "deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery:
    """What a round was asked for.

    Attributes:
        since: earliest moment of receipt; None for all.
        is_after: whether that moment itself is left out.
        change_type: `created`, `updated` or `deleted`; empty for all.
    """

    folder_id: str
    select: str | None
    expand: str | None
    since: datetime | None
    is_after: bool
    change_type: str
    page: int

    def takes(self, news: News) -> bool:
        """Tell whether this kind of change was asked for."""
        kind = "updated" if news == "read" else news
        return self.change_type in ("", kind)


def add_message_delta(routes: Routes) -> None:
    """Serve the delta query of messages."""
    for spelled in ("delta", "microsoft.graph.delta"):
        routes.add("GET", f"mailFolders/{{folder}}/messages/{spelled}", delta_messages, READ_MAIL, "own")


def delta_messages(call: Call) -> GraphResponse:
    """Give what is new in a folder since the token, or all of it."""
    folder = call.box.find_folder(call.keys["folder"])
    round_ = begin_or_resume(call, _OPTIONS, lambda: _begin(call, folder.id))
    query = round_.state.query
    if not isinstance(query, MessageQuery) or query.folder_id != folder.id:
        raise GraphFault(400, "SyncStateInvalid", "The sync state belongs to another resource.")
    if round_.is_new:
        round_ = round_.filled(_collect(call, query, round_.state.position), call.box.changes)
    reader = MessageReader(call.view, select=query.select, expand=query.expand)

    def draw(waiting: object) -> Json:
        assert isinstance(waiting, tuple)
        return _draw(call, reader, query, *waiting)

    return answer_round(call, round_, draw, size=call.preferences.page or query.page, name="message")


def _begin(call: Call, folder_id: str) -> MessageQuery:
    options = call.options(*_OPTIONS)
    select, expand = options.text("$select"), options.text("$expand")
    MessageReader(call.view, select=select, expand=expand)
    since, is_after = _read_filter(options.text("$filter"))
    order = (options.text("$orderby") or "receivedDateTime desc").lower().split()
    if order != ["receiveddatetime", "desc"]:
        raise GraphFault(
            400, "ErrorInvalidUrlQuery", "Change tracking sorts by 'receivedDateTime desc' only."
        )
    change_type = options.text("changeType") or ""
    if change_type not in ("", "created", "updated", "deleted"):
        raise GraphFault(400, "ErrorInvalidUrlQuery", f"'{change_type}' is no value of 'changeType'.")
    return MessageQuery(
        folder_id=folder_id,
        select=select,
        expand=expand,
        since=since,
        is_after=is_after,
        change_type=change_type,
        page=options.top or PAGE,
    )


def _read_filter(text: str | None) -> tuple[datetime | None, bool]:
    if text is None:
        return None, False
    found = _FILTER.match(text)
    if found is None:
        raise GraphFault(
            400,
            "ErrorInvalidUrlQueryFilter",
            "Change tracking over messages filters by 'receivedDateTime ge' or 'receivedDateTime gt' only.",
        )
    return parse_instant(found[2], path="$filter"), found[1].lower() == "gt"


def _collect(call: Call, query: MessageQuery, position: object) -> list[object]:
    """List what the round has to give: all messages, or what happened since a count of changes."""
    folder = call.box.folders[query.folder_id]
    if position is None:
        held = [message.id for message in call.box.folder_messages(folder) if _fits(call, query, message.id)]
        held = held[:_FILTERED_MAX] if query.since else held
        return [(item_id, "created") for item_id in held] if query.takes("created") else []
    assert isinstance(position, int)
    news = [
        (max(entry.changed, entry.left), item_id, kind)
        for item_id, entry in folder.entries.items()
        if (kind := _news(entry, position)) is not None and query.takes(kind)
    ]
    return [
        (item_id, kind)
        for _, item_id, kind in sorted(news)
        if kind == "deleted" or _fits(call, query, item_id)
    ]


def _news(entry: FolderEntry, position: int) -> News | None:
    if entry.left:
        return "deleted" if entry.left > position >= entry.entered else None
    if entry.entered > position:
        return "created"
    if entry.changed_more > position:
        return "updated"
    return "read" if entry.changed > position else None


def _fits(call: Call, query: MessageQuery, item_id: str) -> bool:
    message = call.box.messages.get(item_id)
    if message is None or query.since is None:
        return message is not None
    received = message.received_at
    return received > query.since if query.is_after else received >= query.since


def _draw(call: Call, reader: MessageReader, query: MessageQuery, item_id: str, news: News) -> Json:
    """Draw an item as it is now: a message that was only read shows just that, a gone one its id."""
    entry = call.box.folders[query.folder_id].entries[item_id]
    message = call.box.messages.get(item_id)
    if message is None or entry.left:
        shown = item_id if call.preferences.is_immutable else entry.regular_id
        return {"@odata.type": "#microsoft.graph.message", "id": shown, "@removed": {"reason": "deleted"}}
    drawn = {"@odata.type": "#microsoft.graph.message", **reader.draw(message)}
    if news != "read":
        return drawn
    return {
        name: value
        for name, value in drawn.items()
        if name in ("@odata.type", "@odata.etag", "id", *_PARTIAL)
    }
