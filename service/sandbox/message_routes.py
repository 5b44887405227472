"""Routes of messages: lists, one message, its derived type and its event, changing, moving, deleting."""

from __future__ import annotations

from typing import Final

from service.sandbox.call import Call, Routes
from service.sandbox.event_rendering import render_event
from service.sandbox.filters import parse_filter
from service.sandbox.ids import quote_etag
from service.sandbox.items import Message
from service.sandbox.mailbox import not_found
from service.sandbox.message_reader import CASTS, FIELDS, SORTABLE, MessageReader
from service.sandbox.message_rendering import event_of, message_type
from service.sandbox.odata import PAGE, Options, parse_cast, parse_order, parse_select
from service.sandbox.permissions import READ_MAIL, WRITE_MAIL
from service.sandbox.rendering import select_members
from service.sandbox.schema import read_body, read_parameters
from service.sandbox.wire import GraphFault, GraphResponse

_LIST_OPTIONS: Final = ("$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count")
_WRITABLE: Final = ("isRead", "categories", "importance", "flag")


def add_message_routes(routes: Routes) -> None:
    """Serve everything about messages, whatever folder they are reached through."""
    folder = "mailFolders/{folder}/messages"
    for prefix in ("messages", folder):
        item = f"{prefix}/{{message}}"
        routes.add("GET", prefix, list_messages, READ_MAIL, "own")
        routes.add("GET", item, get_message, READ_MAIL, "own")
        routes.add("PATCH", item, patch_message, WRITE_MAIL, "own")
        routes.add("DELETE", item, delete_message, WRITE_MAIL, "own")
        routes.add("POST", [f"{item}/move", f"{item}/microsoft.graph.move"], move_message, WRITE_MAIL, "own")
        for cast in CASTS:
            for spelled in (f"microsoft.graph.{cast}", f"graph.{cast}"):
                routes.add("GET", f"{item}/{spelled}", get_message, READ_MAIL, "own")
                routes.add("GET", f"{item}/{spelled}/event", get_event_of_message, READ_MAIL, "own")


def _held(call: Call) -> list[Message]:
    if "folder" in call.keys:
        return call.box.folder_messages(call.box.find_folder(call.keys["folder"]))
    return call.box.all_messages()


def _locate(call: Call) -> Message:
    message = call.box.find_message(call.keys["message"])
    if "folder" in call.keys and call.box.find_folder(call.keys["folder"]).id != message.folder_id:
        raise not_found()
    return message


def _cast_of(call: Call, message: Message) -> str:
    """Give the type that the path casts to.

    Raises:
        GraphFault: 404 where the message is of another type.
    """
    casts = [cast for segment in call.request.segments[3:] if (cast := parse_cast(segment)) in CASTS]
    if not casts:
        return ""
    meeting = message.meeting
    actual = ["eventMessage"] if meeting else []
    if meeting and meeting.kind == "meetingRequest":
        actual.append("eventMessageRequest")
    if meeting and meeting.response:
        actual.append("eventMessageResponse")
    if casts[0] not in actual:
        raise not_found()
    return str(casts[0])


def list_messages(call: Call) -> GraphResponse:
    """List messages, the latest first."""
    options = call.options(*_LIST_OPTIONS)
    reader = MessageReader(call.view, select=options.text("$select"), expand=options.text("$expand"))
    held = _held(call)
    names: tuple[str, ...] = ()
    if (text := options.text("$filter")) is not None:
        chosen = parse_filter(text, FIELDS, type_name="message")
        held, names = [message for message in held if chosen.matches(message)], chosen.names
    for name, descending in reversed(parse_order(options.text("$orderby"), SORTABLE, names)):
        held = sorted(held, key=FIELDS[name].get, reverse=descending)
    page, next_link = options.page(held, size=call.preferences.page or PAGE)
    return call.collection(
        call.context("messages", reader.select),
        [reader.draw(message) for message in page],
        next_link=next_link,
        count=len(held) if options.wants_count else None,
    )


def get_message(call: Call) -> GraphResponse:
    """Give one message, seen as its derived type where the path casts."""
    message = _locate(call)
    cast = _cast_of(call, message)
    return _answer(call, message, call.options("$select", "$expand"), cast=cast)


def _answer(
    call: Call, message: Message, options: Options, *, cast: str = "", status: int = 200
) -> GraphResponse:
    reader = MessageReader(
        call.view, select=options.text("$select"), expand=options.text("$expand"), cast=cast
    )
    context = {"@odata.context": call.context("messages", reader.select) + "/$entity"}
    headers = {"ETag": quote_etag(message.change_key)}
    return call.answer({**context, **reader.draw(message)}, status=status, headers=headers)


def get_event_of_message(call: Call) -> GraphResponse:
    """Give the event of a meeting message, if it lies in the same mailbox."""
    message = _locate(call)
    _cast_of(call, message)
    options = call.options("$select")
    select = parse_select(options.text("$select"), "event")
    event = event_of(call.view, message)
    if event is None:
        raise not_found()
    drawn = select_members(render_event(call.view, event, owner_id=call.box.user.id), select)
    return call.answer({"@odata.context": call.context("events", select) + "/$entity", **drawn})


def patch_message(call: Call) -> GraphResponse:
    """Change what may be changed of a received message.

    Raises:
        GraphFault: 400 for a property of a message that was sent.
    """
    message = _locate(call)
    options = call.options("$select", "$expand")
    call.check_match(quote_etag(message.change_key))
    given = read_body(call.request.body, message_type(message))
    for name in given:
        if name not in _WRITABLE:
            raise GraphFault(
                400,
                "ErrorInvalidPropertySet",
                f"Set action is invalid for property '{name}' of a sent message.",
            )
    if given.get("isRead") is not None:
        message.is_read = given["isRead"]
    message.importance = given.get("importance") or message.importance
    message.categories = given.get("categories", message.categories) or []
    message.flag = message.flag | (given.get("flag") or {})
    call.box.touch_message(message, only_read=set(given) == {"isRead"})
    return _answer(call, message, options)


def delete_message(call: Call) -> GraphResponse:
    """Move a message to Deleted Items; from there, delete it for good."""
    message = _locate(call)
    call.options()
    call.check_match(quote_etag(message.change_key))
    bin_ = call.box.find_folder("deleteditems")
    if message.folder_id == bin_.id:
        call.box.delete_message(message)
    else:
        call.box.move_message(message, bin_)
    return GraphResponse(status=204)


def move_message(call: Call) -> GraphResponse:
    """Move a message; without immutable ids it has another id afterwards."""
    message = _locate(call)
    options = call.options()
    given = read_parameters(call.request.body, {"destinationId": "String"})
    if not given.get("destinationId"):
        raise GraphFault(400, "ErrorInvalidArgument", "The parameter 'DestinationId' is required.")
    call.box.move_message(message, call.box.find_folder(given["destinationId"]))
    return _answer(call, message, options, status=201)
