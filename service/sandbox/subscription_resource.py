"""The `resource` of a subscription: which items of which mailbox it watches. Pure.

Must never take a path or option that Graph does not support for Outlook's resources.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

from service.sandbox.wire import GraphFault

_KEYED: Final = re.compile(r"^([A-Za-z]+)\('((?:[^']|'')+)'\)$")
_OPTIONS: Final = ("$filter", "$select", "$expand")
_EXPANDABLE: Final = re.compile(r"^(single|multi)ValueExtendedProperties\b", re.IGNORECASE)
_UNSELECTABLE: Final = frozenset({"body", "uniquebody"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcePath:
    """A resource as it was spelt, taken apart.

    Attributes:
        user: object id or address; None for `me`.
        folder: id or well-known name; None for the whole mailbox, and for events.
        options: `$filter`, `$select`, `$expand` as far as given.
    """

    user: str | None
    kind: Literal["message", "event"]
    folder: str | None
    options: Mapping[str, str]

    @property
    def select(self) -> tuple[str, ...]:
        """Give the selected names, in order; may be empty."""
        return tuple(name.strip() for name in self.options.get("$select", "").split(",") if name.strip())


def refuse_operation(operation: str, status: int, reason: str) -> GraphFault:
    """Give a refusal of Outlook as the subscription service wraps it: the inner status is in the text."""
    names = {400: "BadRequest", 403: "Forbidden", 404: "NotFound"}
    return GraphFault(
        status,
        "ExtensionError",
        f"Operation: {operation}; Exception: [Status Code: {names[status]}; Reason: {reason}]",
    )


def parse_resource(text: str) -> ResourcePath:
    """Take a resource apart; a leading slash, the case and the form of keys do not matter.

    Raises:
        GraphFault: 400 for what no Outlook subscription may watch.

    Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
    """
    path, _, query = text.partition("?")
    options = _parse_options(query)
    match _split(path):
        case [me, *rest] if me.lower() == "me":
            user = None
        case [users, user, *rest] if users.lower() == "users":
            pass
        case _:
            raise _refuse(text)
    match [part.lower() for part in rest]:
        case ["messages"]:
            return ResourcePath(user=user, kind="message", folder=None, options=options)
        case ["events"]:
            return ResourcePath(user=user, kind="event", folder=None, options=options)
        case ["mailfolders", _, "messages"]:
            return ResourcePath(user=user, kind="message", folder=rest[1], options=options)
        case _:
            raise _refuse(text)


def check_rich(path: ResourcePath) -> None:
    """Check what resource data asks of the resource.

    Raises:
        GraphFault: 400: no `$select`, or one that names a body.

    Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
    """
    if not path.select:
        raise refuse_operation("Create", 400, "The $select query option is required with resource data.")
    if named := [name for name in path.select if name.lower() in _UNSELECTABLE]:
        raise refuse_operation("Create", 400, f"The property '{named[0]}' may not be selected.")


def _split(path: str) -> list[str]:
    segments: list[str] = []
    for segment in path.strip().strip("/").split("/"):
        keyed = _KEYED.match(unquote(segment))
        if keyed:
            segments += [keyed[1], keyed[2].replace("''", "'")]
        else:
            segments.append(unquote(segment))
    return [] if not all(segments) else segments


def _parse_options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = unquote(part).partition("=")
        name = name.strip().lower()
        if name not in _OPTIONS or name in options or not value.strip():
            raise refuse_operation(
                "Create", 400, f"The query option '{name}' is not supported for subscriptions."
            )
        options[name] = value.strip()
    expand = options.get("$expand")
    if expand is not None and not _EXPANDABLE.match(expand):
        raise refuse_operation("Create", 400, "Only extended properties may be expanded.")
    return options


def _refuse(text: str) -> GraphFault:
    return refuse_operation("Create", 400, f"The resource '{text[:200]}' is not supported.")
