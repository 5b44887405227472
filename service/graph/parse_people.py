"""People, permissions and the delivery option as values. No I/O.

Source: https://learn.microsoft.com/graph/api/resources/user,
https://learn.microsoft.com/graph/api/resources/calendarpermission and
https://learn.microsoft.com/graph/api/resources/mailboxsettings
"""

from __future__ import annotations

from typing import Final

from service.graph.node import Node, page_items, require_object
from service.ports import DeliveryOption, DirectoryPerson
from service.reconcile.matching import normalize_address
from service.reconcile.model import Address, MailboxKey

_OPTIONS: Final = {option.value.lower(): option for option in DeliveryOption}
_OPTION_MEMBERS: Final = ("value", "delegateMeetingMessageDeliveryOptions")
# X500 addresses are former Exchange names: old mails and calendars still show them.
_ALIAS_KINDS: Final = ("smtp:", "x500:")


def parse_person(node: Node) -> DirectoryPerson:
    """Read a `user`.

    Raises:
        PayloadError: it has no id, or no address of any kind.
    """
    key = node["id"].require_text()
    principal = node["userPrincipalName"].text()
    address = node["mail"].text() or principal
    if address is None:
        raise node["mail"].fail("an address")
    aliases = {normalize_address(one) for one in (address, principal) if one is not None}
    aliases |= _read_aliases(node["proxyAddresses"])
    return DirectoryPerson(
        key=MailboxKey(key),
        address=address.strip(),
        name=node["displayName"].text() or "",
        aliases=tuple(sorted(aliases)),
    )


def parse_people(payload: object, notes: list[str] | None = None) -> tuple[DirectoryPerson, ...]:
    """Read a page of users.

    Raises:
        PayloadError: there is no list, or one of them has no id.
    """
    return tuple(parse_person(node) for node in page_items(payload, notes))


def parse_delegates(payload: object, notes: list[str] | None = None) -> tuple[Address, ...]:
    """Read from a page of calendar permissions who has a delegate role.

    "My Organization" has no address, and no such role.

    Raises:
        PayloadError: there is no list.
    """
    delegates = []
    for node in page_items(payload, notes):
        if node["role"].word().startswith("delegate"):
            address = node["emailAddress"]["address"].text()
            if address is None:
                node["emailAddress"].note("a delegate without address")
            else:
                delegates.append(normalize_address(address))
    return tuple(delegates)


def parse_delivery_option(body: object, notes: list[str] | None = None) -> DeliveryOption:
    """Read the option: a bare text, `{"value": ..}`, or whole mailbox settings.

    Null means that nobody has chosen, and Exchange's default holds.

    Raises:
        PayloadError: it is none that we know.
    """
    node = Node(body, "", notes)
    if not isinstance(body, str):
        node = require_object(body, notes).first(*_OPTION_MEMBERS)
    if node.is_absent:
        node.note("expected a delivery option")
        return DeliveryOption.DELEGATE_ONLY
    option = _OPTIONS.get(node.word().strip('"'))
    if option is None:
        raise node.fail("a delivery option that we know")
    return option


def _read_aliases(proxies: Node) -> set[Address]:
    texts = (node.text() or "" for node in proxies.items())
    return {
        normalize_address(text[5:]) for text in texts if text[:5].lower() in _ALIAS_KINDS and text[5:].strip()
    }
