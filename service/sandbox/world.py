"""The tenant in memory: people, mailboxes, who may see whose calendar. The one object that all parts share.

What meeting messages do is decided in `meetings.py` and `responses.py`; how things look in `rendering.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final, Literal, TypeVar
from uuid import UUID

from service.sandbox.beliefs import SKEW_MAX_S, Beliefs
from service.sandbox.delta_tokens import DeltaTokens
from service.sandbox.event_reader import EventReader
from service.sandbox.ids import Ids
from service.sandbox.items import (
    DELEGATE_ROLES,
    READER_ROLES,
    Event,
    Json,
    Message,
    Permission,
)
from service.sandbox.mail import deliver
from service.sandbox.mailbox import Mailbox, not_found
from service.sandbox.message_reader import MessageReader
from service.sandbox.moments import need_zone
from service.sandbox.occurrences import find_event
from service.sandbox.people import AutoAnswer, Delivery, Directory, Person, Purpose, User
from service.sandbox.rendering import View
from service.sandbox.wire import Change, GraphFault, Observer, SandboxClock

T = TypeVar("T")


class World:
    """Everything that Graph would know of the tenant.

    Attributes:
        beliefs: may be replaced at any time.
        directory: who there is.
        delta_tokens: handed out and not yet expired.
    """

    def __init__(
        self, clock: SandboxClock, beliefs: Beliefs | None = None, *, seed: int | None = None
    ) -> None:
        self.clock = clock
        self.beliefs = beliefs or Beliefs()
        self.random = Random(seed)  # noqa: S311 - ids need no secrecy; a seed plays a history again
        self.ids = Ids(self.random)
        self.directory = Directory()
        self.delta_tokens = DeltaTokens(self.random)
        self._mailboxes: dict[str, Mailbox] = {}
        self._observers: list[Observer] = []

    # --- observers ---

    def observe(self, observer: Observer) -> None:
        """Have someone told of every change, in order, as it happens."""
        self._observers.append(observer)

    def _tell(self, change: Change) -> None:
        for observer in self._observers:
            observer(change)

    # --- people ---

    def add_user(
        self,
        name: str,
        address: str,
        *,
        aliases: Sequence[str] = (),
        delegates: Sequence[str] = (),
        delivery: str = "sendToDelegateOnly",
        user_id: str | None = None,
        delegate_role: str = "delegateWithoutPrivateEventAccess",
        purpose: Purpose = "user",
        members: Sequence[str] = (),
        auto_answer: AutoAnswer = None,
        has_mailbox: bool = True,
        keeps_deleted_copy: bool = False,
        answers_folder: str = "",
        processes_updates: bool = True,
        time_zone: str = "Pacific Standard Time",
    ) -> User:
        """Make a person, room or list.

        Args:
            delegates: ids or addresses of people who are there already.
            user_id: object id; a new one unless given.
            members: addresses of a distribution list (`purpose="list"`).
            auto_answer: what a room answers by itself; rooms accept unless told otherwise.

        Raises:
            GraphFault: 400 where an address is taken, an option unknown, or there is no calendar to delegate;
                404 for an unknown delegate.
        """
        option: Delivery = _choose(delivery, _DELIVERIES)
        _choose(delegate_role, (*READER_ROLES, "none", "freeBusyRead", "limitedRead"))
        need_zone(time_zone)
        if delegates and (not has_mailbox or purpose == "list"):
            raise GraphFault(
                400, "ErrorInvalidArgument", "Without a mailbox there is no calendar to delegate."
            )
        people = [self._need_delegate(delegate) for delegate in delegates]
        user = User(
            id=str(UUID(user_id)) if user_id else self.ids.guid(),
            name=name,
            address=address,
            aliases=list(aliases),
            delivery=option,
            purpose=_choose(purpose, _PURPOSES),
            members=tuple(members),
            auto_answer=_choose(auto_answer, _ANSWERS) or ("accepted" if purpose in _THINGS else None),
            has_mailbox=has_mailbox and purpose != "list",
            keeps_deleted_copy=keeps_deleted_copy,
            answers_folder=answers_folder,
            processes_updates=processes_updates,
        )
        self.directory.add(user)
        if user.has_mailbox:
            box = Mailbox(user, ids=self.ids, now=self.clock.now, tell=self._tell)
            box.settings |= {"timeZone": time_zone, "userPurpose": purpose}
            self._mailboxes[user.id] = box
        for person in people:
            self.grant(user, person, delegate_role)
        return user

    def _need_delegate(self, id_or_address: str) -> User:
        """Find somebody who is to be a delegate: whose domain becomes one of the tenant's."""
        user = self.directory.look_up(id_or_address)
        return user if user is not None and user.purpose != "list" else self.find_user(id_or_address)

    def find_user(self, id_or_address: str) -> User:
        """Find somebody of the tenant by object id or any address, in any case.

        Raises:
            GraphFault: 404: unknown, outside the tenant, or a distribution list.
        """
        user = self.directory.look_up(id_or_address)
        if user is None or user.purpose == "list" or self.directory.is_external(user.address):
            raise GraphFault(
                404,
                "Request_ResourceNotFound",
                f"Resource '{id_or_address}' does not exist or one of its queried reference-property objects "
                "are not present.",
            )
        return user

    def mailbox(self, user_id: str) -> Mailbox:
        """Give the mailbox of a user by object id.

        Raises:
            GraphFault: 404 where the user has none.
        """
        box = self._mailboxes.get(user_id)
        if box is None:
            raise GraphFault(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            )
        return box

    def find_mailbox(self, address: str) -> Mailbox | None:
        """Give the mailbox behind an address, in the tenant or outside; None where nobody here has it."""
        user = self.directory.look_up(address)
        return self._mailboxes.get(user.id) if user else None

    def remove_user(self, user: User) -> None:
        """Let somebody leave: no mailbox, no permissions, not in the directory."""
        self.directory.remove(user)
        self._mailboxes.pop(user.id, None)
        for box in self._mailboxes.values():
            box.unlink_calendar(user.id)
            box.permissions = [row for row in box.permissions if row.grantee != user.id]

    # --- calendars of others ---

    def grant(self, owner: User, grantee: User, role: str) -> Permission:
        """Give somebody a role on an owner's primary calendar; replaces the role there was."""
        box = self.mailbox(owner.id)
        row = next((row for row in box.permissions if row.grantee == grantee.id), None)
        if row is None:
            row = Permission(id=self.ids.conversation()[5:33], grantee=grantee.id, role=role)
            box.permissions.insert(len(box.permissions) - 1, row)
        row.role = role
        if role in DELEGATE_ROLES:
            self.directory.domains |= {owner.domain, grantee.domain}
        listed = self._mailboxes.get(grantee.id)
        if listed is not None:
            if role in READER_ROLES:
                listed.link_calendar(owner)
            else:
                listed.unlink_calendar(owner.id)
        return row

    def revoke(self, owner: User, row: Permission) -> None:
        """Take a permission away; the calendar leaves the other's list."""
        self.mailbox(owner.id).permissions.remove(row)
        listed = self._mailboxes.get(row.grantee or "")
        if listed is not None:
            listed.unlink_calendar(owner.id)

    def role_on(self, owner_id: str, user_id: str) -> str:
        """Give the role that somebody has on an owner's primary calendar; `none` where there is no row."""
        rows = self._mailboxes[owner_id].permissions if owner_id in self._mailboxes else []
        return next((row.role for row in rows if row.grantee == user_id), "none")

    def delegates_of(self, owner: User) -> list[User]:
        """Give the delegates of an owner in the order in which they were named."""
        rows = self._mailboxes[owner.id].permissions if owner.id in self._mailboxes else []
        found = (self.directory.look_up(row.grantee or "") for row in rows if row.role in DELEGATE_ROLES)
        return [user for user in found if user is not None]

    # --- mail ---

    def send_mail(self, to: str, from_: str, subject: str, body: str = "") -> Message:
        """Deliver ordinary mail into the inbox of `to`.

        Args:
            from_: an address; it need not belong to anybody here.

        Raises:
            GraphFault: 404 where nobody has the address `to`, or no mailbox.
        """
        box = self.mailbox(self.find_user(to).id)
        known = self.directory.look_up(from_)
        sender = known.person if known else Person(from_.split("@", maxsplit=1)[0], from_)
        return deliver(
            self,
            box,
            sender=sender,
            from_=sender,
            to=[box.user.person],
            subject=subject,
            content=body,
            kind="text",
        )

    # --- for subscriptions and their deliveries ---

    def public_id(self, user_id: str, item_id: str, *, immutable: bool) -> str:
        """Give an item's id as a client knows it who did or did not ask for immutable ids."""
        return item_id if immutable else self.mailbox(user_id).regular_id(item_id)

    def render_item(
        self,
        user_id: str,
        kind: Literal["message", "event"],
        item_id: str,
        *,
        select: str | None,
        expand: str | None,
        immutable: bool = True,
    ) -> Json:
        """Give the resource data of a rich notification.

        Args:
            select, expand: as in the resource of the subscription.

        Raises:
            GraphFault: 404 where the item is gone, 400 where an option cannot be read.
        """
        box = self.mailbox(user_id)
        view = View(world=self, box=box, is_immutable=immutable)
        if kind == "message":
            return MessageReader(view, select=select, expand=expand).draw(box.find_message(item_id))
        event = find_event(box, item_id)
        if event is None:
            raise not_found()
        return EventReader(view, select=select, expand=expand).draw(event, owner_id=user_id)

    def expire_delta_tokens(self, count: int) -> int:
        """Let the newest delta tokens be unknown from now on; gives how many there were."""
        return self.delta_tokens.expire(count)

    # --- events by any id ---

    def organizer_box(self, event: Event) -> Mailbox | None:
        """Give the mailbox of the organizer of an event."""
        return self.find_mailbox(event.organizer.address)

    def replace_beliefs(self, **positions: Any) -> None:
        """Turn some switches; the others stay.

        Raises:
            GraphFault: 400 for a switch that there is not, or a position of the wrong kind.
        """
        for name, position in positions.items():
            held = getattr(self.beliefs, name, None)
            number = isinstance(position, int | float) and abs(position) <= SKEW_MAX_S
            if (
                held is None
                or (isinstance(held, bool) != isinstance(position, bool))
                or not (isinstance(position, bool) or number)
            ):
                raise GraphFault(400, "BadRequest", f"'{name}' has no position {position!r}.")
        self.beliefs = replace(self.beliefs, **positions)


_THINGS: Final = ("room", "equipment")
_PURPOSES: Final[tuple[Purpose, ...]] = ("user", "room", "equipment", "list")
_ANSWERS: Final[tuple[AutoAnswer, ...]] = (None, "accepted", "tentativelyAccepted", "declined")
_DELIVERIES: Final[tuple[Delivery, ...]] = (
    "sendToDelegateAndInformationToPrincipal",
    "sendToDelegateAndPrincipal",
    "sendToDelegateOnly",
)


def _choose(value: object, known: tuple[T, ...]) -> T:
    """Give the one of the known values that this is.

    Raises:
        GraphFault: 400 where it is none of them.
    """
    for one in known:
        if one == value:
            return one
    raise GraphFault(400, "ErrorInvalidArgument", f"'{value}' is none of {', '.join(map(str, known))}.")
