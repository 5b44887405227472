"""From the bytes of a POST to entries of the intake stream, each item judged alone. Pure.

Must never take a mailbox, a path or a URL from a notification: the mailbox comes from the client state,
which we made, and the item's id from `resourceData.id`. `resource` and `@odata.id` are not even read.

Of rich notifications the ciphertext goes into the entry, and the digests of the POST's validation tokens; the
tokens themselves are stored once, beside the stream. The worker judges them, so that a sender learns nothing.

Source: https://learn.microsoft.com/graph/api/resources/changenotificationcollection
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from service.entries import IntakeEntry, Kind, Origin, parse_entry
from service.errors import NotificationError
from service.intake.carried import ABSENT, CarriedLimits, bytes_of, describe_content, read_tokens
from service.intake.client_state import (
    ClientStateFault,
    ClientStateKeys,
    ResourceKind,
    WatchedResource,
    judge_client_state,
)
from service.intake.json_outline import (
    MeasuredText,
    count_parts,
    is_deeper,
    measure_text,
    opens_deeper,
    strip_strings,
)
from service.tracing.spans import TRACEPARENT

LABEL_CHARS_MAX: Final = 1024
"""Longest id or etag. Immutable ids have about 150 characters."""


class BodyFault(StrEnum):
    """Why a whole body is refused; the reason of the `NotificationError`."""

    NOT_JSON = "not JSON"
    NO_COLLECTION = "no collection of notifications"
    TOO_DEEP = "nested too deeply"
    TOO_MANY = "too many items"


class ItemFault(StrEnum):
    """Why one item is refused. Closed: each is a label of a metric."""

    MALFORMED = "malformed item"
    MISSING_CLIENT_STATE = "missing client state"
    WRONG_CLIENT_STATE = "wrong client state"
    FOREIGN_TENANT = "foreign tenant"
    OTHER_RESOURCE = "other resource type"
    MISSING_ID = "missing id"
    UNKNOWN_LIFECYCLE = "unknown lifecycle event"
    BAD_TOKENS = "validation tokens out of bounds"


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An item that passed every check.

    Attributes:
        fields: of the entry to be stored, flat as the stream holds it; built without the detour over an
            `IntakeEntry`, which would cost as much as all checks together.
        tokens: the validation tokens of the POST by their digests, for all its items the same.
    """

    fields: Mapping[str, str]
    tokens: Mapping[str, str] = {}

    @property
    def entry(self) -> IntakeEntry:
        return parse_entry(self.fields)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is dropped and counted; nothing of it is kept."""

    fault: ItemFault


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRules:
    """What notifications are judged by.

    Attributes:
        tenant: tenant id in lower case, to which every item must belong; empty where TENANT_ID is no GUID,
            then the client state alone decides.
        items_max: items in one POST.
        depth_max: levels of nesting in the JSON text.
        carried: what may be stored of resource data and of validation tokens.
    """

    keys: ClientStateKeys
    tenant: str = ""
    items_max: int = 1000
    depth_max: int = 32
    carried: CarriedLimits = field(default_factory=CarriedLimits)

    @property
    def marks_max(self) -> int:
        """How many commas, colons, quotes and brackets a body may have; of backslashes as many."""
        return self.items_max * _MARKS_PER_ITEM


def build_rules(
    keys: ClientStateKeys,
    *,
    tenant_id: str,
    items_max: int = 1000,
    depth_max: int = 32,
    carried: CarriedLimits | None = None,
) -> NotificationRules:
    """Put the rules together; TENANT_ID may also be a domain name, which notifications do not carry."""
    tenant = tenant_id.lower() if _GUID.fullmatch(tenant_id) else ""
    return NotificationRules(
        keys=keys,
        tenant=tenant,
        items_max=items_max,
        depth_max=depth_max,
        carried=carried or CarriedLimits(),
    )


def parse_notifications(
    body: bytes, rules: NotificationRules, *, arrived_at: str, traceparent: str = ""
) -> tuple[Accepted | Refused, ...]:
    """Judge a body in one go, as `judge_in_slices` does; one verdict per item, may be empty."""
    measured = measure_text(body, marks_max=rules.marks_max)
    slices = judge_in_slices(measured, rules, arrived_at=arrived_at, traceparent=traceparent)
    return tuple(verdict for verdicts in slices for verdict in verdicts)


def judge_in_slices(
    body: MeasuredText, rules: NotificationRules, *, arrived_at: str, traceparent: str = ""
) -> Iterator[list[Accepted | Refused]]:
    """Judge the items of a body, some at a time, so that a caller can do something else in between.

    One verdict per item, in the order of the items. Where a member is given twice, the last one counts, for
    the checks and for what is stored alike.

    Args:
        arrived_at: RFC 3339 UTC.
        traceparent: of the request, as it came; one that is not well formed is left out.

    Raises:
        NotificationError: the body as a whole is refused, before any verdict; the reason is a `BodyFault`.

    Source: https://learn.microsoft.com/graph/api/resources/changenotification
    """
    _check_shape(body, rules)
    items, raw_tokens = _decode(body.text)
    if len(items) > rules.items_max:
        raise NotificationError(BodyFault.TOO_MANY.value)
    trace = traceparent if traceparent and TRACEPARENT.fullmatch(traceparent) else ""
    tokens = _NO_TOKENS if raw_tokens is ABSENT else read_tokens(raw_tokens, rules.carried)
    post = _Post(rules, arrived_at, trace, tokens)
    for begin in range(0, len(items), _ITEMS_PER_SLICE):
        yield [_judge(_decode_item(item), post) for item in items[begin : begin + _ITEMS_PER_SLICE]]


# --- The body as a whole ---


class _ResourceData(msgspec.Struct, rename={"odata_type": "@odata.type", "odata_etag": "@odata.etag"}):
    id: str | None = None
    odata_type: str | None = None
    odata_etag: str | None = None


class _Item(msgspec.Struct, rename="camel"):
    client_state: str | None = None
    tenant_id: str | None = None
    subscription_id: str | None = None
    change_type: str | None = None
    lifecycle_event: str | None = None
    resource_data: _ResourceData | None = None
    encrypted_content: msgspec.Raw = ABSENT


class _Collection(msgspec.Struct, rename="camel"):
    value: list[_Item]
    validation_tokens: msgspec.Raw = ABSENT


class _RawCollection(msgspec.Struct, rename="camel"):
    value: list[msgspec.Raw]
    validation_tokens: msgspec.Raw = ABSENT


_ITEM: Final = msgspec.json.Decoder(_Item)
_COLLECTION: Final = msgspec.json.Decoder(_Collection)
_RAW_COLLECTION: Final = msgspec.json.Decoder(_RawCollection)
_MARKS_PER_ITEM: Final = 128
"""A notification has about 60 commas, colons, quotes and brackets, a rich one 90; with more than this on
average the body holds too many of something. It bounds the work that a body can cause, whatever it holds."""


_PARTS_PER_ITEM: Final = 8
"""An item is an object that holds two others at the most. Lists and objects are the dearest to decode, and
so is what lists hold."""
_PARTS_BESIDE: Final = 64
_DECODED_AT_ONCE_BYTES: Final = 65_536
_ITEMS_PER_SLICE: Final = 16
"""Judged in one go: some tenths of a millisecond."""


def _check_shape(body: MeasuredText, rules: NotificationRules) -> None:
    """Refuse what holds too much, or goes too deep, before anything is decoded; the cheapest look first."""
    if body.is_plain(rules.depth_max):
        return
    if body.has_too_many_marks:
        raise NotificationError(BodyFault.TOO_MANY.value)
    if not body.is_utf8:
        raise NotificationError(BodyFault.NOT_JSON.value)
    outside = strip_strings(body.outline)
    if opens_deeper(outside, rules.depth_max):
        raise NotificationError(BodyFault.TOO_DEEP.value)
    if count_parts(outside) > _PARTS_PER_ITEM * rules.items_max + _PARTS_BESIDE:
        raise NotificationError(BodyFault.TOO_MANY.value)
    if is_deeper(outside, rules.depth_max):
        raise NotificationError(BodyFault.TOO_DEEP.value)


def _decode(body: bytearray) -> tuple[Sequence[_Item | msgspec.Raw], msgspec.Raw]:
    """Decode a small body in one go; only find the items of a large one, or of one with odd items."""
    if len(body) <= _DECODED_AT_ONCE_BYTES:
        try:
            whole = _COLLECTION.decode(body)
        except msgspec.ValidationError:
            pass
        except ValueError as error:
            raise NotificationError(BodyFault.NOT_JSON.value) from error
        else:
            return whole.value, whole.validation_tokens
    raw = _decode_raw(body)
    return raw.value, raw.validation_tokens


def _decode_raw(body: bytearray) -> _RawCollection:
    try:
        return _RAW_COLLECTION.decode(body)
    except msgspec.ValidationError as error:
        raise NotificationError(BodyFault.NO_COLLECTION.value) from error
    except ValueError as error:
        raise NotificationError(BodyFault.NOT_JSON.value) from error


def _decode_item(item: _Item | msgspec.Raw) -> _Item | None:
    """Give an item; None for one that is malformed."""
    if isinstance(item, _Item):
        return item
    try:
        return _ITEM.decode(item)
    except ValueError:
        return None


# --- One item ---

_GUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_KINDS: Final = {
    ResourceKind.INBOX: (Kind.MESSAGE, Kind.MESSAGE.value),
    ResourceKind.MAILBOX_MESSAGES: (Kind.MESSAGE, Kind.MESSAGE.value),
    ResourceKind.CALENDAR: (Kind.EVENT, Kind.EVENT.value),
}
_KIND_OF_TYPE: Final = {"#microsoft.graph.message": Kind.MESSAGE, "#microsoft.graph.event": Kind.EVENT}
_NOTIFICATION: Final = Origin.NOTIFICATION.value
_CHANGES: Final = frozenset({"created", "updated", "deleted"})
_LIFECYCLE: Final = {
    name.lower(): name for name in ("missed", "subscriptionRemoved", "reauthorizationRequired")
}
_FAULTS: Final = {
    ClientStateFault.MISSING: Refused(fault=ItemFault.MISSING_CLIENT_STATE),
    ClientStateFault.WRONG: Refused(fault=ItemFault.WRONG_CLIENT_STATE),
}


_NO_TOKENS: Final[Mapping[str, str]] = {}


class _Post(NamedTuple):
    """What is the same for all items of a body.

    Attributes:
        tokens: validation tokens by their digests; None where they are out of bounds.
    """

    rules: NotificationRules
    arrived_at: str
    traceparent: str
    tokens: Mapping[str, str] | None


def _judge(item: _Item | None, post: _Post) -> Accepted | Refused:
    """Judge one item: its client state first, so that nothing is said about a forged one."""
    if item is None:
        return Refused(fault=ItemFault.MALFORMED)
    rules = post.rules
    watched = judge_client_state(item.client_state, rules.keys)
    if isinstance(watched, ClientStateFault):
        return _FAULTS[watched]
    if rules.tenant and item.tenant_id and item.tenant_id.lower() != rules.tenant:
        return Refused(fault=ItemFault.FOREIGN_TENANT)
    build = _build_change if item.lifecycle_event is None else _build_lifecycle
    return build(item, watched, post)


def _build_change(item: _Item, watched: WatchedResource, post: _Post) -> Accepted | Refused:
    """Build the entry of a change. `changeType` is a hint only: Graph itself mixes created and updated."""
    data = item.resource_data
    if data is None or not data.id:
        return Refused(fault=ItemFault.MISSING_ID)
    if not _is_item_id(data.id):
        return Refused(fault=ItemFault.MALFORMED)
    kind, word = _KINDS[watched.kind]
    if data.odata_type and _kind_of_type(data.odata_type) is not kind:
        return Refused(fault=ItemFault.OTHER_RESOURCE)
    flat = {
        "kind": word,
        "origin": _NOTIFICATION,
        "mailbox": watched.mailbox,
        "item": data.id,
        "change": item.change_type if item.change_type in _CHANGES else "",
        "subscription": _label_or_nothing(item.subscription_id),
        "etag": _label_or_nothing(data.odata_etag),
        "arrived_at": post.arrived_at,
    }
    _add_trace(flat, post)
    if post.tokens == _NO_TOKENS and not bytes_of(item.encrypted_content):
        return Accepted(fields=flat)
    return _build_rich(flat, item, post)


def _build_rich(flat: dict[str, str], item: _Item, post: _Post) -> Accepted | Refused:
    """Add what a rich notification carries; without tokens in order nothing of the POST is taken."""
    if post.tokens is None:
        return Refused(fault=ItemFault.BAD_TOKENS)
    flat |= describe_content(item.encrypted_content, post.rules.carried)
    flat["tenant"] = _label_or_nothing((item.tenant_id or post.rules.tenant).lower())
    if post.tokens:
        flat["tokens"] = " ".join(post.tokens)
    return Accepted(fields=flat, tokens=post.tokens)


def _build_lifecycle(item: _Item, watched: WatchedResource, post: _Post) -> Accepted | Refused:
    """Build the entry of a lifecycle notification.

    Source: https://learn.microsoft.com/graph/change-notifications-lifecycle-events
    """
    name = _LIFECYCLE.get((item.lifecycle_event or "").lower())
    if name is None:
        return Refused(fault=ItemFault.UNKNOWN_LIFECYCLE)
    flat = {
        "kind": Kind.LIFECYCLE.value,
        "origin": _NOTIFICATION,
        "mailbox": watched.mailbox,
        "lifecycle": name,
        "resource": watched.kind.value,
        "subscription": _label_or_nothing(item.subscription_id),
        "arrived_at": post.arrived_at,
    }
    _add_trace(flat, post)
    return Accepted(fields=flat)


def _add_trace(flat: dict[str, str], post: _Post) -> None:
    if post.traceparent:
        flat["traceparent"] = post.traceparent


def _kind_of_type(odata_type: str) -> Kind | None:
    """Tell what a type such as `#Microsoft.Graph.Message` is; the case is not reliable."""
    name = odata_type.lower()
    kind = _KIND_OF_TYPE.get(name)
    return Kind.MESSAGE if kind is None and name.startswith("#microsoft.graph.eventmessage") else kind


def _is_item_id(text: str) -> bool:
    """Tell whether a text may be put into a path: whoever stands between us and Graph may follow dots in one,
    even where they are percent-encoded."""
    return _is_label(text) and not ("." in text and {".", ".."} & set(re.split(r"[/\\]", text)))


def _is_label(text: str) -> bool:
    """Tell whether a text is fit to be an id of Graph's: not too long, nothing that cannot be printed."""
    return 0 < len(text) <= LABEL_CHARS_MAX and text.isprintable()


def _label_or_nothing(text: str | None) -> str:
    return text if text and _is_label(text) else ""
