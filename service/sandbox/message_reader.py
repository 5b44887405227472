"""Messages as query options want them: what may be filtered and sorted by, selected and expanded."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from service.sandbox.event_rendering import render_event
from service.sandbox.filters import Field
from service.sandbox.items import Json, Message
from service.sandbox.message_rendering import event_of, render_message, render_on_demand
from service.sandbox.odata import parse_expand, parse_property_filter, parse_select
from service.sandbox.rendering import View, render_properties, select_members

CASTS: Final = ("eventMessage", "eventMessageRequest", "eventMessageResponse")
_EXPANDABLE: Final = ("singleValueExtendedProperties", *(f"{cast}/event" for cast in CASTS))
FIELDS: Final[dict[str, Field[Message]]] = {
    "isRead": Field("bool", lambda message: message.is_read),
    "isDraft": Field("bool", lambda _message: False),
    "hasAttachments": Field("bool", lambda _message: False),
    "subject": Field("text", lambda message: message.subject),
    "importance": Field("text", lambda message: message.importance),
    "receivedDateTime": Field("instant", lambda message: message.received_at),
    "sentDateTime": Field("instant", lambda message: message.sent_at),
    "createdDateTime": Field("instant", lambda message: message.created_at),
    "lastModifiedDateTime": Field("instant", lambda message: message.modified_at),
    "conversationId": Field("exact", lambda message: message.conversation_id),
    "internetMessageId": Field("exact", lambda message: message.internet_message_id),
    "parentFolderId": Field("exact", lambda message: message.folder_id),
    "from/emailAddress/address": Field("text", lambda message: message.from_ and message.from_.address),
    "from/emailAddress/name": Field("text", lambda message: message.from_ and message.from_.name),
    "sender/emailAddress/address": Field("text", lambda message: message.sender and message.sender.address),
    "categories": Field("texts", lambda message: message.categories),
    "singleValueExtendedProperties": Field("properties", lambda message: list(message.extended.items())),
}
SORTABLE: Final = tuple(name for name, field in FIELDS.items() if field.kind not in ("texts", "properties"))


class MessageReader:
    """Draws messages as `$select` and `$expand` want them."""

    def __init__(self, view: View, *, select: str | None, expand: str | None, cast: str = "") -> None:
        """Read the options.

        Args:
            cast: the derived type to which the path casts; its members may be selected as they are.
        """
        self._view = view
        self.select = parse_select(select, cast or "message")
        named = [one for one in CASTS if f"graph.{one}/" in (select or "")]
        self._cast = cast or (named[-1] if named else "")
        self._expand = parse_expand(expand, _EXPANDABLE, "message")
        wanted = self._expand.get("singleValueExtendedProperties")
        self._properties = parse_property_filter(wanted) if wanted else ()
        inner = self._expand.get("event")
        self._event_select = parse_select(inner.options.get("$select"), "event") if inner else None

    def draw(self, message: Message) -> Json:
        """Give the message with what was expanded."""
        entity = render_message(self._view, message, cast=self._cast)
        if self.select is not None:
            entity |= render_on_demand(self._view, message)
        drawn = select_members(entity, self.select)
        if self._properties and (found := render_properties(message.extended, self._properties)):
            drawn |= self._context(message, "singleValueExtendedProperties")
            drawn["singleValueExtendedProperties"] = found
        if "event" in self._expand and message.meeting is not None:
            event = event_of(self._view, message)
            drawn |= self._context(message, "event", "microsoft.graph.eventMessage/event/$entity")
            drawn["event"] = None
            if event is not None:
                entity = render_event(self._view, event, owner_id=self._view.box.user.id)
                drawn["event"] = select_members(entity, self._event_select)
        return drawn

    def _context(self, message: Message, name: str, path: str = "") -> Json:
        """Give the annotation that says what an expanded member is."""
        if not self._view.context:
            return {}
        item = quote(self._view.id(message.id), safe="")
        return {f"{name}@odata.context": f"{self._view.context}messages('{item}')/{path or name}"}
