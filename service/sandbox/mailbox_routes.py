"""Routes of people, settings, folders and the translation of ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from service.sandbox.call import Call, Routes
from service.sandbox.filters import Field, parse_filter
from service.sandbox.items import Folder, Json
from service.sandbox.moments import need_zone
from service.sandbox.occurrences import find_event
from service.sandbox.odata import PAGE, Options, parse_order, parse_select
from service.sandbox.people import User
from service.sandbox.permissions import READ_MAIL, READ_SETTINGS, READ_USER, WRITE_MAIL, WRITE_SETTINGS, Need
from service.sandbox.rendering import (
    USER_DEFAULTS,
    is_root,
    render_folder,
    render_settings,
    render_user,
    select_members,
)
from service.sandbox.schema import members_of, read_body, read_parameters
from service.sandbox.wire import GraphFault, GraphRequest, GraphResponse
from service.sandbox.world import World

_USERS_PAGE: Final = 100
_IDS_MAX: Final = 1000
_SETTING: Final = "delegateMeetingMessageDeliveryOptions"
_USER_FIELDS: Final[dict[str, Field[User]]] = {
    "id": Field("text", lambda user: user.id),
    "mail": Field("text", lambda user: user.address),
    "userPrincipalName": Field("text", lambda user: user.address),
    "displayName": Field("text", lambda user: user.name),
    "proxyAddresses": Field(
        "texts", lambda user: [f"smtp:{address}" for address in (user.address, *user.aliases)]
    ),
}
_FOLDER_FIELDS: Final[dict[str, Field[Folder]]] = {
    "id": Field("exact", lambda folder: folder.id),
    "displayName": Field("text", lambda folder: folder.name),
}


def add_mailbox_routes(routes: Routes) -> None:
    """Serve people, settings, folders and ids."""
    users = _UserRoutes(routes.world)
    add = routes.router.add
    delegated = READ_USER.own | READ_USER.shared
    add("GET", "users", users.list_users, application=READ_USER.application, delegated=READ_USER.shared)
    add("GET", "users/{user}", users.get_user, application=READ_USER.application, delegated=delegated)
    routes.add("GET", "mailboxSettings", get_settings, READ_SETTINGS, "own")
    routes.add("PATCH", "mailboxSettings", patch_settings, WRITE_SETTINGS, "own")
    routes.add("GET", "mailboxSettings/{setting}", get_setting, READ_SETTINGS, "own")
    routes.add("GET", "mailFolders", list_folders, READ_MAIL, "own")
    routes.add("POST", "mailFolders", post_folder, WRITE_MAIL, "own")
    routes.add("GET", "mailFolders/{folder}", get_folder, READ_MAIL, "own")
    routes.add("GET", "mailFolders/{folder}/childFolders", list_folders, READ_MAIL, "own")
    routes.add("POST", "mailFolders/{folder}/childFolders", post_folder, WRITE_MAIL, "own")
    anything = Need(
        READ_MAIL.application | {"Calendars.Read", "Calendars.ReadWrite"} | READ_USER.application,
        READ_MAIL.own | {"Calendars.Read", "Calendars.ReadWrite", "User.Read"},
    )
    for name in ("translateExchangeIds", "microsoft.graph.translateExchangeIds"):
        routes.add("POST", name, translate_ids, anything, "own")


# --- people ---


@dataclass(frozen=True, slots=True)
class _UserRoutes:
    world: World

    async def get_user(self, request: GraphRequest) -> GraphResponse:
        """Give one person of the directory."""
        options = Options(request, ("$select",))
        caller = request.caller.user_id
        user = self.world.directory.look_up(caller) if caller else None
        named = request.segments[1]
        if user is None or named.casefold() != user.id:
            user = self.world.find_user(named)
        if caller is not None and user.id != caller and not READ_USER.shared & request.caller.permissions:
            raise GraphFault(
                403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."
            )
        select = parse_select(options.text("$select"), "user")
        context = f"{request.base_url}/$metadata#users{_chosen(select)}/$entity"
        return GraphResponse(body={"@odata.context": context, **_draw_user(user, select)})

    async def list_users(self, request: GraphRequest) -> GraphResponse:
        """List the directory."""
        options = Options(request, ("$select", "$filter", "$top", "$orderby", "$count"))
        select = parse_select(options.text("$select"), "user")
        domain = self.world.directory
        held = [user for user in domain if user.purpose != "list" and not domain.is_external(user.address)]
        names: tuple[str, ...] = ()
        if (text := options.text("$filter")) is not None:
            chosen = parse_filter(text, _USER_FIELDS, type_name="user")
            held, names = [user for user in held if chosen.matches(user)], chosen.names
        for name, descending in reversed(parse_order(options.text("$orderby"), ("displayName",), names)):
            held = sorted(held, key=_USER_FIELDS[name].get, reverse=descending)
        page, next_link = options.page(held, size=_USERS_PAGE)
        body: Json = {"@odata.context": f"{request.base_url}/$metadata#users{_chosen(select)}"}
        if options.wants_count:
            body["@odata.count"] = len(held)
        if next_link:
            body["@odata.nextLink"] = next_link
        return GraphResponse(body={**body, "value": [_draw_user(user, select) for user in page]})


def _chosen(select: tuple[str, ...] | None) -> str:
    return f"({','.join(select)})" if select else ""


def _draw_user(user: User, select: tuple[str, ...] | None) -> Json:
    entity = render_user(user)
    return {name: entity[name] for name in select or USER_DEFAULTS}


# --- settings ---


def get_settings(call: Call) -> GraphResponse:
    """Give all settings."""
    options = call.options("$select")
    select = parse_select(options.text("$select"), "mailboxSettings")
    drawn = select_members(render_settings(call.view), select)
    return call.answer({"@odata.context": call.context("mailboxSettings", select), **drawn})


def get_setting(call: Call) -> GraphResponse:
    """Give one setting: a plain value in an envelope, a structured one as it is."""
    call.options()
    names = {name.lower(): name for name in members_of("mailboxSettings")}
    name = names.get(call.keys["setting"].lower())
    if name is None:
        raise GraphFault(400, "BadRequest", f"Resource not found for the segment '{call.keys['setting']}'.")
    value = render_settings(call.view)[name]
    context = {"@odata.context": call.context(f"mailboxSettings/{name}")}
    return call.answer({**context, **value} if isinstance(value, dict) else {**context, "value": value})


def patch_settings(call: Call) -> GraphResponse:
    """Change settings.

    Raises:
        GraphFault: 400 for one that cannot be written.
    """
    call.options()
    given = read_body(call.request.body, "mailboxSettings")
    for name, value in given.items():
        if value is None or name in ("userPurpose", "archiveFolder"):
            raise GraphFault(
                400, "ErrorInvalidArgument", f"The property '{name}' cannot be set to this value."
            )
    if "timeZone" in given:
        need_zone(given["timeZone"])
    call.box.user.delivery = given.pop(_SETTING, call.box.user.delivery)
    for name, value in given.items():
        held: Any = call.box.settings[name]
        call.box.settings[name] = held | value if isinstance(held, dict) else value
    drawn = render_settings(call.view)
    return call.answer({"@odata.context": call.context("mailboxSettings"), **drawn})


# --- folders ---


def list_folders(call: Call) -> GraphResponse:
    """List the folders below the root, or below a folder."""
    options = call.options("$select", "$filter", "$top", "$skip", "$count")
    select = parse_select(options.text("$select"), "mailFolder")
    parent = call.box.find_folder(call.keys["folder"]) if "folder" in call.keys else call.box.root
    held = [one for one in call.box.folders.values() if one.parent_id == parent.id and not is_root(one)]
    if (text := options.text("$filter")) is not None:
        held = list(filter(parse_filter(text, _FOLDER_FIELDS, type_name="mailFolder").matches, held))
    page, next_link = options.page(held, size=call.preferences.page or PAGE)
    return call.collection(
        call.context("mailFolders", select),
        [select_members(render_folder(call.view, one), select) for one in page],
        next_link=next_link,
        count=len(held) if options.wants_count else None,
    )


def get_folder(call: Call) -> GraphResponse:
    """Give one folder."""
    options = call.options("$select")
    select = parse_select(options.text("$select"), "mailFolder")
    folder = call.box.find_folder(call.keys["folder"])
    drawn = select_members(render_folder(call.view, folder), select)
    return call.answer({"@odata.context": call.context("mailFolders", select) + "/$entity", **drawn})


def post_folder(call: Call) -> GraphResponse:
    """Make a folder.

    Raises:
        GraphFault: 400 without a name, 409 where the name is taken.
    """
    call.options()
    given = read_body(call.request.body, "mailFolder")
    name = given.get("displayName")
    if not name or set(given) - {"displayName", "isHidden"} or given.get("isHidden"):
        raise GraphFault(400, "ErrorInvalidRequest", "A folder needs a displayName, and takes nothing else.")
    parent = call.box.find_folder(call.keys["folder"]) if "folder" in call.keys else call.box.root
    taken = {one.name.casefold() for one in call.box.folders.values() if one.parent_id == parent.id}
    if name.casefold() in taken:
        raise GraphFault(409, "ErrorFolderExists", "A folder with the specified name already exists.")
    folder = call.box.add_folder(name, parent_id=parent.id)
    drawn = render_folder(call.view, folder)
    return call.answer({"@odata.context": call.context("mailFolders") + "/$entity", **drawn}, status=201)


# --- ids ---


def translate_ids(call: Call) -> GraphResponse:
    """Translate between the default and the immutable ids of REST.

    Raises:
        GraphFault: 400 for other formats, which are of no use to clients of Graph, and for too many ids.
    """
    call.options()
    types = {"inputIds": "String*", "sourceIdType": "exchangeIdFormat", "targetIdType": "exchangeIdFormat"}
    given = read_parameters(call.request.body, types)
    ids, target = given.get("inputIds") or [], given.get("targetIdType")
    known = ("restId", "restImmutableEntryId")
    if given.get("sourceIdType") not in known or target not in known or not 0 < len(ids) <= _IDS_MAX:
        raise GraphFault(
            400,
            "ErrorInvalidArgument",
            "Give 1 to 1000 inputIds, with restId or restImmutableEntryId as types.",
        )
    return call.collection(
        f"{call.request.base_url}/$metadata#Collection(microsoft.graph.convertIdResult)",
        [_translate(call, one, target) for one in ids],
    )


def _translate(call: Call, given: str, target: str) -> Json:
    box = call.box
    item_id = box.item_id(given)
    is_event = find_event(box, item_id) is not None or box.resolve_shared(item_id) is not None
    if item_id not in box.messages and not is_event:
        details = {"code": "ErrorInvalidIdMalformed", "message": "Id is malformed."}
        return {"sourceId": given, "errorDetails": details}
    return {
        "sourceId": given,
        "targetId": item_id if target == "restImmutableEntryId" else box.regular_id(item_id),
    }
