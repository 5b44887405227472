"""How people, calendars, folders and permissions look to a client, and the view through which all is seen.

Draws what is there; must never change it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.sandbox.extended import Properties, PropertyId
from service.sandbox.ids import quote_etag
from service.sandbox.items import DELEGATE_ROLES, WRITER_ROLES, Calendar, Folder, Json, Permission
from service.sandbox.mailbox import ROOT, Mailbox
from service.sandbox.people import User

if TYPE_CHECKING:
    from service.sandbox.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Who looks, and how.

    Attributes:
        box: the mailbox whose ids are shown.
        zone: name of the time zone for start and end.
        is_immutable: which kind of ids to show.
        is_text: whether bodies are to come as text.
        context: start of the context URLs of this mailbox; empty where there are none, as in notifications.
    """

    world: World
    box: Mailbox
    zone: str = "UTC"
    is_immutable: bool = False
    is_text: bool = False
    context: str = ""

    def id(self, item_id: str) -> str:
        """Give the id that a client sees."""
        return item_id if self.is_immutable else self.box.regular_id(item_id)

    def body(self, body: Json, preview: str) -> Json:
        """Give an itemBody in the form that was asked for."""
        if self.is_text and body["contentType"] == "html":
            return {"contentType": "text", "content": preview}
        return dict(body)


def select_members(entity: Json, select: tuple[str, ...] | None) -> Json:
    """Keep what was selected; the id and all annotations of an Outlook item always come along."""
    if select is None:
        return entity
    return {
        name: value
        for name, value in entity.items()
        if name in select or name == "id" or name.startswith("@")
    }


def render_properties(held: Properties, wanted: Iterable[PropertyId]) -> list[Json]:
    """Give those of the wanted extended properties that are there; absent ones do not appear."""
    return [{"id": one.render(), "value": held[one]} for one in wanted if one in held]


def render_user(user: User) -> Json:
    """Give every property of a user that the sandbox knows."""
    given, _, surname = user.name.partition(" ")
    return {
        "id": user.id,
        "accountEnabled": True,
        "businessPhones": [],
        "displayName": user.name,
        "givenName": given,
        "jobTitle": None,
        "mail": user.address,
        "mailNickname": user.address.split("@", maxsplit=1)[0],
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "proxyAddresses": [f"SMTP:{user.address}", *(f"smtp:{alias}" for alias in user.aliases)],
        "surname": surname or None,
        "userPrincipalName": user.address,
        "userType": "Member",
    }


USER_DEFAULTS = (
    *("businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation"),
    *("preferredLanguage", "surname", "userPrincipalName", "id"),
)


def render_calendar(view: View, calendar: Calendar) -> Json:
    """Give a calendar as it shows in the list of the mailbox that looks."""
    owner = view.world.mailbox(calendar.owner_id).user
    is_own = owner.id == view.box.user.id
    role = "" if is_own else view.world.role_on(owner.id, view.box.user.id)
    return {
        "id": calendar.id,
        "name": calendar.name,
        "color": calendar.color,
        "hexColor": "",
        "isDefaultCalendar": is_own and calendar.is_primary,
        "changeKey": calendar.change_key,
        "canShare": is_own,
        "canViewPrivateItems": is_own or role == "delegateWithPrivateEventAccess",
        "canEdit": is_own or role in WRITER_ROLES,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": calendar.is_primary,
        "isRemovable": not (is_own and calendar.is_primary),
        "owner": {"name": owner.name, "address": owner.address},
    }


def render_permission(view: View, row: Permission) -> Json:
    """Give a row of calendarPermissions."""
    roles = ["freeBusyRead", "limitedRead", "read", "write"]
    address: Json = {"name": "My Organization"}
    inside = True
    if row.grantee is None:
        roles = ["none", *roles]
    else:
        user = view.world.directory.look_up(row.grantee)
        address = {"name": user.name, "address": user.address} if user else {"name": "", "address": ""}
        inside = user is None or not view.world.directory.is_external(user.address)
        roles += DELEGATE_ROLES if inside else ()
    return {
        "id": row.id,
        "isRemovable": row.grantee is not None,
        "isInsideOrganization": inside,
        "role": row.role,
        "allowedRoles": roles,
        "emailAddress": address,
    }


def render_folder(view: View, folder: Folder) -> Json:
    """Give a mail folder with its counts."""
    box = view.box
    held = [message for message in box.messages.values() if message.folder_id == folder.id]
    return {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": folder.parent_id or None,
        "childFolderCount": sum(one.parent_id == folder.id for one in box.folders.values()),
        "unreadItemCount": sum(not message.is_read for message in held),
        "totalItemCount": len(held),
        "isHidden": False,
    }


def render_settings(view: View) -> Json:
    """Give mailboxSettings."""
    return {
        **view.box.settings,
        "delegateMeetingMessageDeliveryOptions": view.box.user.delivery,
    }


def is_root(folder: Folder) -> bool:
    """Tell whether this is the root, which no list shows."""
    return folder.well_known == ROOT


def etag(change_key: str) -> dict[str, Any]:
    """Give the annotation that stands before an item's members."""
    return {"@odata.etag": quote_etag(change_key)}
