"""Events as query options want them: what may be filtered and sorted by, selected and expanded."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from service.sandbox.beliefs import Beliefs
from service.sandbox.event_rendering import event_properties, render_event, shown_ical_uid
from service.sandbox.filters import Field
from service.sandbox.items import Event, Json
from service.sandbox.odata import parse_expand, parse_property_filter, parse_select
from service.sandbox.rendering import View, render_properties, select_members

_EXPANDABLE: Final = ("singleValueExtendedProperties", "exceptionOccurrences")
FIELDS: Final[dict[str, Field[Event]]] = {
    "iCalUId": Field("text", lambda event: event.uid.ical_uid(event.day)),
    "subject": Field("text", lambda event: event.content["subject"]),
    "start/dateTime": Field("wall", lambda event: event.slot.start),
    "end/dateTime": Field("wall", lambda event: event.slot.end),
    "createdDateTime": Field("instant", lambda event: event.created_at),
    "lastModifiedDateTime": Field("instant", lambda event: event.modified_at),
    "isAllDay": Field("bool", lambda event: event.slot.is_all_day),
    "isCancelled": Field("bool", lambda event: event.is_cancelled),
    "isOrganizer": Field("bool", lambda event: event.is_organizer),
    "type": Field("text", lambda event: event.type),
    "showAs": Field("text", lambda event: event.content["showAs"]),
    "importance": Field("text", lambda event: event.content["importance"]),
    "sensitivity": Field("text", lambda event: event.content["sensitivity"]),
    "organizer/emailAddress/address": Field("text", lambda event: event.organizer.address),
    "organizer/emailAddress/name": Field("text", lambda event: event.organizer.name),
    "categories": Field("texts", lambda event: event.content["categories"]),
    "singleValueExtendedProperties": Field("properties", lambda event: list(event_properties(event).items())),
}
SORTABLE: Final = tuple(name for name, field in FIELDS.items() if field.kind not in ("texts", "properties"))


def list_fields(beliefs: Beliefs) -> dict[str, Field[Event]]:
    """Give what events may be filtered and sorted by, with the iCalUId that they are believed to show."""
    return {**FIELDS, "iCalUId": Field("text", lambda event: shown_ical_uid(event, beliefs))}


class EventReader:
    """Draws events as `$select` and `$expand` want them."""

    def __init__(self, view: View, *, select: str | None, expand: str | None) -> None:
        """Read the options.

        Raises:
            GraphFault: 400 for what the type does not have.
        """
        self._view = view
        self.select = parse_select(select, "event")
        self._expand = parse_expand(expand, _EXPANDABLE, "event")
        wanted = self._expand.get("singleValueExtendedProperties")
        self._properties = parse_property_filter(wanted) if wanted else ()

    def draw(self, event: Event, *, owner_id: str, sees_private: bool = True) -> Json:
        """Give the event with what was expanded.

        Args:
            owner_id: whose calendar it lies in.
            sees_private: whether the one who looks may see what private events are about.
        """
        drawn = self._draw(event, self.select, owner_id, sees_private=sees_private)
        if self._properties and (sees_private or not event.is_private):
            found = render_properties(event_properties(event), self._properties)
            if found and self._view.context:
                item = quote(drawn["id"], safe="")
                context = f"{self._view.context}events('{item}')/singleValueExtendedProperties"
                drawn["singleValueExtendedProperties@odata.context"] = context
            if found:
                drawn["singleValueExtendedProperties"] = found
        if wanted := self._expand.get("exceptionOccurrences"):
            select = parse_select(wanted.options.get("$select"), "event")
            drawn["exceptionOccurrences"] = [
                self._draw(exception, select, owner_id, sees_private=sees_private)
                for _, exception in sorted(event.exceptions.items())
            ]
        return drawn

    def _draw(
        self, event: Event, select: tuple[str, ...] | None, owner_id: str, *, sees_private: bool
    ) -> Json:
        entity = render_event(self._view, event, owner_id=owner_id, sees_private=sees_private)
        if select and "cancelledOccurrences" in select:
            entity["cancelledOccurrences"] = [
                f"OID.{entity['id']}.{day.isoformat()}" for day in sorted(event.cancelled)
            ]
        return select_members(entity, select)
