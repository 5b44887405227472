"""The client state of a subscription: it says what it was made for, and proves that we said so. Pure.

A notification is judged from its client state alone, without a look-up, so one that arrives before
`POST /subscriptions` has returned is judged like any other. The keeper builds client states, resource
paths and notification URLs here, the public side reads them here; that is how the two agree.
Must never learn anything from the `resource` or the URL of a notification.

Layout of a client state, base64url without padding, at most 128 characters (Graph's limit):
    1 byte    version in the high four bits, then the kind of resource, then one bit: the key is a GUID
    n bytes   mailbox key: 16 bytes of a GUID, or an address in UTF-8
    16 bytes  HMAC-SHA256 over all bytes before, cut to 128 bits; its key holds the deployment tag

Source: https://learn.microsoft.com/graph/api/resources/subscription
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import UUID

from service.errors import ConfigError, ServiceError
from service.reconcile.model import MailboxKey

CLIENT_STATE_CHARS_MAX: Final = 128
SECRET_BYTES_MIN: Final = 32
NOTIFICATIONS_PATH: Final = "/graph/notifications"
LIFECYCLE_PATH: Final = "/graph/lifecycle"
DEPLOYMENT_PARAMETER: Final = "deployment"
KEY_PARAMETER: Final = "key"

_MAC_BYTES: Final = 16
_VERSION: Final = 1
_PROVEN_MAX: Final = 50_000
_TAG_BYTES: Final = 3
_TAG_CONTEXT: Final = b"tag of this key"
_KEY_CONTEXT: Final = b"graph-response-sync client state v1\0"
_ADDRESS_BYTES_MAX: Final = CLIENT_STATE_CHARS_MAX * 6 // 8 - _MAC_BYTES - 1
_TO_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE: Final = bytes.maketrans(b"-_+/", b"+/!!")


class ResourceKind(StrEnum):
    """What a subscription watches."""

    INBOX = "inbox"
    MAILBOX_MESSAGES = "mailbox-messages"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedResource:
    """One thing that can be watched: a kind of items in one mailbox.

    Attributes:
        mailbox: object id, or address in normal form; an owner's calendar has the owner's.
    """

    kind: ResourceKind
    mailbox: MailboxKey


class ClientStateFault(StrEnum):
    """Why a client state is not ours."""

    MISSING = "missing client state"
    WRONG = "wrong client state"


class MailboxKeyError(ServiceError):
    """The mailbox key does not fit into a client state; the message holds the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStateKeys:
    """What client states are made with.

    Attributes:
        current: 32 bytes; new client states are made with it.
        accepted: every key that is honoured, the current one among them; never empty.
        proven: client states that were found to be ours. Forged ones never get in, and to be found here a
            text must be equal to one that we made: nothing can be learnt from how long that takes.
    """

    current: bytes = field(repr=False)
    accepted: tuple[bytes, ...] = field(repr=False)
    proven: dict[str, WatchedResource] = field(default_factory=dict, repr=False, compare=False)


def derive_client_state_keys(secrets: Sequence[str | bytes], deployment: str) -> ClientStateKeys:
    """Derive the keys from SECRET_KEY, so that the secret itself signs nothing.

    Args:
        secrets: the current SECRET_KEY first, then former ones that are still honoured (rotation).
        deployment: the tag; it is part of the keys, so a client state of another deployment is not ours.

    Raises:
        ConfigError: there is no secret, or one has less than 32 bytes.
    """
    raw = [secret.encode() if isinstance(secret, str) else secret for secret in secrets]
    if not raw or min(map(len, raw)) < SECRET_BYTES_MIN:
        raise ConfigError([f"SECRET_KEY must have at least {SECRET_BYTES_MIN} bytes"])
    context = _KEY_CONTEXT + deployment.encode()
    derived = tuple(hmac.digest(secret, context, "sha256") for secret in raw)
    return ClientStateKeys(current=derived[0], accepted=derived)


def build_client_state(keys: ClientStateKeys, resource: WatchedResource) -> str:
    """Give the client state for a subscription to this resource; always the same for the same input.

    Raises:
        MailboxKeyError: the mailbox key is empty, or an address too long to fit.
    """
    head = _pack(resource)
    return _encode(head + _sign(keys.current, head))


def judge_client_state(text: str | None, keys: ClientStateKeys) -> WatchedResource | ClientStateFault:
    """Give the resource that a client state was made for, or why it is not ours.

    Every accepted key is tried, and compared in constant time.

    Args:
        text: as it came; None where the notification had none.
    """
    if not text:
        return ClientStateFault.MISSING
    if (known := keys.proven.get(text)) is not None:
        return known
    watched = _prove(text, keys)
    if isinstance(watched, WatchedResource):
        if len(keys.proven) >= _PROVEN_MAX:
            keys.proven.clear()
        keys.proven[text] = watched
    return watched


def _prove(text: str, keys: ClientStateKeys) -> WatchedResource | ClientStateFault:
    """Check the HMAC against every accepted key, in constant time."""
    raw = _decode(text)
    if raw is None:
        return ClientStateFault.WRONG
    head, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    is_ours = False
    for key in keys.accepted:
        is_ours |= hmac.compare_digest(_sign(key, head), mac)
    return _unpack(head) if is_ours else ClientStateFault.WRONG


def _sign(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, head, "sha256")[:_MAC_BYTES]


_KINDS: Final = tuple(ResourceKind)


def _pack(resource: WatchedResource) -> bytes:
    guid = _as_guid(resource.mailbox)
    key = guid.bytes if guid else resource.mailbox.encode()
    if not key or len(key) > _ADDRESS_BYTES_MAX:
        raise MailboxKeyError(
            f"mailbox key of {len(key)} bytes: a client state holds 1 to {_ADDRESS_BYTES_MAX}; "
            "let the application read the directory (User.Read.All), so that the mailbox is known "
            "by its object id, or name the mailbox by a shorter address"
        )
    first = _VERSION << 4 | _KINDS.index(resource.kind) << 1 | (guid is not None)
    return bytes((first,)) + key


def _unpack(head: bytes) -> WatchedResource | ClientStateFault:
    """Read back what `_pack` wrote and `_sign` vouches for; another version is not ours."""
    first, key = head[0], head[1:]
    if first >> 4 != _VERSION:
        return ClientStateFault.WRONG
    mailbox = _spell_guid(key.hex()) if first & 1 else key.decode()
    return WatchedResource(kind=_KINDS[first >> 1 & 0b111], mailbox=MailboxKey(mailbox))


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_TO_URL_SAFE).rstrip(b"=").decode()


def _decode(text: str) -> bytes | None:
    """Decode base64url strictly: one text per value, so a changed character never passes."""
    if len(text) > CLIENT_STATE_CHARS_MAX or not text.isascii():
        return None
    padded = text.encode().translate(_FROM_URL_SAFE) + b"=" * (-len(text) % 4)
    try:
        raw = binascii.a2b_base64(padded, strict_mode=True)
    except binascii.Error:
        return None
    return raw if len(raw) > _MAC_BYTES + 1 and _encode(raw) == text else None


def _as_guid(key: str) -> UUID | None:
    """Give the GUID where the key is one in its usual spelling, so that it comes back letter for letter."""
    try:
        guid = UUID(key)
    except ValueError:
        return None
    return guid if str(guid) == key else None


def _spell_guid(digits: str) -> str:
    """Spell a GUID as `str(UUID)` does, at a fifth of its cost: this runs for every notification."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


# --- Graph's name of a resource ---

_SUFFIXES: Final = {
    ResourceKind.INBOX: "mailFolders('inbox')/messages",
    ResourceKind.MAILBOX_MESSAGES: "messages",
    ResourceKind.CALENDAR: "events",
}
_KIND_BY_SUFFIX: Final = {
    "mailfolders('inbox')/messages": ResourceKind.INBOX,
    "mailfolders/inbox/messages": ResourceKind.INBOX,
    "messages": ResourceKind.MAILBOX_MESSAGES,
    "events": ResourceKind.CALENDAR,
}
_RESOURCE: Final = re.compile(r"/?users(?:/(?P<plain>[^/]+)|\('(?P<quoted>[^/]+)'\))/(?P<suffix>.+)", re.I)


def resource_path(resource: WatchedResource) -> str:
    """Give the `resource` of the subscription, such as `users/{id}/mailFolders('inbox')/messages`.

    The mailbox key is percent-encoded (an apostrophe as well); only `@` stays, as Graph itself writes it.

    Source: https://learn.microsoft.com/graph/outlook-change-notifications-overview
    """
    return f"users/{quote(resource.mailbox, safe='@')}/{_SUFFIXES[resource.kind]}"


def parse_resource_path(text: str) -> WatchedResource | None:
    """Read a `resource` of a subscription that Graph lists; None where it is nothing that we watch.

    Graph may change case, add a leading slash and spell keys in brackets; `$select` and the like are
    left aside. An address comes back in lower case, as keys are.
    """
    found = _RESOURCE.fullmatch(text.partition("?")[0])
    if found is None:
        return None
    kind = _KIND_BY_SUFFIX.get(unquote(found["suffix"]).lower())
    key = found["plain"] or found["quoted"].replace("''", "'")
    return None if kind is None else WatchedResource(kind=kind, mailbox=MailboxKey(unquote(key).lower()))


# --- Where Graph delivers ---


def notification_url(public_url: str, deployment: str, *, key_tag: str = "") -> str:
    """Give the `notificationUrl` of our subscriptions, with the deployment tag in its query.

    Args:
        key_tag: as `tag_keys` gives it. Graph never gives a client state back; this tells which SECRET_KEY it
            was made with, also when our records are lost.
    """
    tagged = _tagged(public_url, NOTIFICATIONS_PATH, deployment)
    return f"{tagged}&{KEY_PARAMETER}={key_tag}" if key_tag else tagged


def tag_keys(keys: ClientStateKeys) -> str:
    """Give a short mark of the present key: enough to tell two apart, too little to find one by trying."""
    return hmac.digest(keys.current, _TAG_CONTEXT, "sha256")[:_TAG_BYTES].hex()


def lifecycle_url(public_url: str, deployment: str) -> str:
    """Give the `lifecycleNotificationUrl` of our subscriptions, with the deployment tag in its query."""
    return _tagged(public_url, LIFECYCLE_PATH, deployment)


def _tagged(public_url: str, path: str, deployment: str) -> str:
    return f"{public_url.rstrip('/')}{path}?{DEPLOYMENT_PARAMETER}={quote(deployment, safe='')}"


def is_ours(url: str, deployment: str, *, public_url: str | None = None) -> bool:
    """Tell whether a subscription with this notification URL was made by this deployment.

    Args:
        url: as Graph gives it back.
        public_url: where given, the URL must be the one we would use now; otherwise the tag decides,
            so that a subscription is still known as ours after PUBLIC_URL has changed.
    """
    try:
        parts = urlsplit(url)
        tags = parse_qs(parts.query, max_num_fields=20).get(DEPLOYMENT_PARAMETER, [])
    except ValueError:
        return False
    if tags != [deployment] or not parts.path.endswith((NOTIFICATIONS_PATH, LIFECYCLE_PATH)):
        return False
    return public_url is None or _base(url) in (
        _base(notification_url(public_url, deployment)),
        _base(lifecycle_url(public_url, deployment)),
    )


def _base(url: str) -> tuple[str, str, int | None, str]:
    """Give what makes two URLs the same place: scheme, host, port (the usual one filled in) and path."""
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or usual, parts.path
