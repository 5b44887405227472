"""Bodies and items: what each becomes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from service.entries import IntakeEntry, Kind, Origin
from service.errors import NotificationError
from service.intake.client_state import ResourceKind, WatchedResource, derive_client_state_keys
from service.intake.notification import (
    Accepted,
    BodyFault,
    ItemFault,
    NotificationRules,
    build_rules,
    parse_notifications,
)
from service.reconcile.model import MailboxKey
from tests.unit.intake.graph_items import (
    ADELE,
    ARRIVED,
    CALENDAR,
    ETAG,
    INBOX,
    ITEM,
    KEYS,
    RULES,
    SUBSCRIPTION,
    build_body,
    build_item,
    build_lifecycle,
)

MESSAGE_ENTRY = IntakeEntry(
    kind=Kind.MESSAGE,
    origin=Origin.NOTIFICATION,
    mailbox=ADELE,
    item=ITEM,
    change="created",
    subscription=SUBSCRIPTION,
    etag=ETAG,
    arrived_at=ARRIVED,
)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def judge(body: bytes, rules: NotificationRules = RULES, trace: str = "") -> list[IntakeEntry | ItemFault]:
    verdicts = parse_notifications(body, rules, arrived_at=ARRIVED, traceparent=trace)
    return [one.entry if isinstance(one, Accepted) else one.fault for one in verdicts]


def judge_one(item: Any, rules: NotificationRules = RULES) -> IntakeEntry | ItemFault:
    (verdict,) = judge(build_body(item), rules)
    return verdict


# --- what is accepted ---


def test_a_message_becomes_an_entry_with_the_mailbox_of_the_client_state() -> None:
    assert judge_one(build_item()) == MESSAGE_ENTRY


def test_an_event_becomes_an_entry_of_the_owners_calendar() -> None:
    entry = judge_one(build_item(CALENDAR, changeType="deleted"))
    assert isinstance(entry, IntakeEntry)
    assert (entry.kind, entry.change, entry.mailbox) == (Kind.EVENT, "deleted", ADELE)


@pytest.mark.parametrize("event", ["missed", "subscriptionRemoved", "reauthorizationRequired"])
def test_a_lifecycle_notification_names_its_event_and_what_is_watched(event: str) -> None:
    assert judge_one(build_lifecycle(event, CALENDAR)) == IntakeEntry(
        kind=Kind.LIFECYCLE,
        origin=Origin.NOTIFICATION,
        mailbox=ADELE,
        lifecycle=event,
        resource="calendar",
        subscription=SUBSCRIPTION,
        arrived_at=ARRIVED,
    )


def test_neither_resource_nor_odata_id_is_believed() -> None:
    item = build_item(resource="Users/somebody-else/Messages/another")
    item["resourceData"]["@odata.id"] = "Users/somebody-else/Messages/another"
    assert judge_one(item) == MESSAGE_ENTRY


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "lsgTZMr9KwAAA"},
        {"id": 5, "newMember": {"deep": [1, None]}},
        {"lifecycleEvent": None},
        {"subscriptionExpirationDateTime": None},
        {"resource": None},
        {"encryptedContent": None},
        {"tenantId": RULES.tenant.upper()},
        {"tenantId": None},
    ],
    ids=str,
)
def test_members_that_are_not_needed_may_be_anything(changes: dict[str, Any]) -> None:
    assert judge_one(build_item() | changes) == MESSAGE_ENTRY


@pytest.mark.parametrize(
    ("odata_type", "is_message"),
    [
        ("#Microsoft.Graph.Message", True),
        ("#microsoft.graph.message", True),
        ("microsoft.graph.eventMessageResponse", False),
        ("#microsoft.graph.eventMessageResponse", True),
        ("#Microsoft.Graph.EventMessage", True),
        ("#Microsoft.Graph.Event", False),
        ("#Microsoft.Graph.Contact", False),
        (None, True),
    ],
)
def test_the_type_must_be_of_what_is_watched_where_it_is_given(
    odata_type: str | None, is_message: bool
) -> None:
    item = build_item()
    item["resourceData"]["@odata.type"] = odata_type
    assert judge_one(item) == (MESSAGE_ENTRY if is_message else ItemFault.OTHER_RESOURCE)


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"changeType": "created,updated"}, "change"),
        ({"changeType": None}, "change"),
        ({"subscriptionId": None}, "subscription"),
        ({"subscriptionId": "a\nb"}, "subscription"),
        ({"subscriptionId": "x" * 2000}, "subscription"),
    ],
)
def test_what_is_only_a_hint_is_left_out_when_it_is_odd(changes: dict[str, Any], member: str) -> None:
    entry = judge_one(build_item(**changes))
    assert isinstance(entry, IntakeEntry)
    assert getattr(entry, member) == ""


def test_an_etag_is_kept_whatever_it_looks_like_unless_it_cannot_be_printed() -> None:
    item = build_item()
    item["resourceData"]["@odata.etag"] = "odd"
    entry = judge_one(item)
    assert isinstance(entry, IntakeEntry)
    assert entry.etag == "odd"
    del item["resourceData"]["@odata.etag"]
    entry = judge_one(item)
    assert isinstance(entry, IntakeEntry)
    assert entry.etag == ""


def test_a_mailbox_outside_ascii_is_carried() -> None:
    watched = WatchedResource(kind=ResourceKind.INBOX, mailbox=MailboxKey("jürgen@contoso.com"))
    entry = judge_one(build_item(watched))
    assert isinstance(entry, IntakeEntry)
    assert entry.mailbox == "jürgen@contoso.com"


@pytest.mark.parametrize(
    ("trace", "kept"),
    [(TRACE, TRACE), ("", ""), (TRACE + "\n", ""), (TRACE.upper(), ""), ("00-" + "0" * 32 + TRACE[35:], "")],
)
def test_the_trace_context_is_carried_where_it_is_well_formed(trace: str, kept: str) -> None:
    for item in (build_item(), build_lifecycle("missed")):
        (entry,) = judge(build_body(item), trace=trace)
        assert isinstance(entry, IntakeEntry)
        assert entry.traceparent == kept


# --- what is refused ---


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        (None, ItemFault.MALFORMED),
        (7, ItemFault.MALFORMED),
        ([], ItemFault.MALFORMED),
        ("x", ItemFault.MALFORMED),
        ({}, ItemFault.MISSING_CLIENT_STATE),
        (build_item(clientState=None), ItemFault.MISSING_CLIENT_STATE),
        (build_item(clientState=""), ItemFault.MISSING_CLIENT_STATE),
        (build_item(clientState="secretClientValue"), ItemFault.WRONG_CLIENT_STATE),
        (build_item(clientState=5), ItemFault.MALFORMED),
        (build_item(keys=derive_client_state_keys(["x" * 32], "default")), ItemFault.WRONG_CLIENT_STATE),
        (build_item(tenantId="bbbbcccc-1111-dddd-2222-eeee3333ffff"), ItemFault.FOREIGN_TENANT),
        (build_item(resourceData=None), ItemFault.MISSING_ID),
        (build_item(resourceData={}), ItemFault.MISSING_ID),
        (build_item(resourceData={"id": ""}), ItemFault.MISSING_ID),
        (build_item(resourceData={"id": 5}), ItemFault.MALFORMED),
        (build_item(resourceData="x"), ItemFault.MALFORMED),
        (build_item(item_id="a\x00b"), ItemFault.MALFORMED),
        (build_item(item_id="a\r\nb"), ItemFault.MALFORMED),
        (build_item(item_id="x" * 1025), ItemFault.MALFORMED),
        (build_item(item_id="../../users/other"), ItemFault.MALFORMED),
        (build_item(item_id="a/./b"), ItemFault.MALFORMED),
        (build_item(item_id="a\\..\\b"), ItemFault.MALFORMED),
        (build_item(item_id=".."), ItemFault.MALFORMED),
        (build_lifecycle("retired"), ItemFault.UNKNOWN_LIFECYCLE),
        (build_lifecycle(""), ItemFault.UNKNOWN_LIFECYCLE),
        (build_lifecycle("missed", clientState="guess"), ItemFault.WRONG_CLIENT_STATE),
        (
            build_lifecycle("missed", tenantId="bbbbcccc-1111-dddd-2222-eeee3333ffff"),
            ItemFault.FOREIGN_TENANT,
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_item_is_refused_for_its_reason(item: Any, fault: ItemFault) -> None:
    assert judge_one(item) is fault


def test_a_forged_item_is_not_told_what_else_is_wrong_with_it() -> None:
    item = build_item(clientState="guess", tenantId="bbbbcccc-1111-dddd-2222-eeee3333ffff", resourceData={})
    assert judge_one(item) is ItemFault.WRONG_CLIENT_STATE


def test_a_bad_item_never_spoils_its_neighbours_and_order_is_kept() -> None:
    verdicts = judge(build_body(build_item(), None, build_item(CALENDAR), {"clientState": []}, build_item()))
    assert [getattr(one, "kind", one) for one in verdicts] == [
        Kind.MESSAGE,
        ItemFault.MALFORMED,
        Kind.EVENT,
        ItemFault.MALFORMED,
        Kind.MESSAGE,
    ]


def test_the_tenant_is_not_judged_where_the_setting_is_a_domain() -> None:
    rules = build_rules(KEYS, tenant_id="contoso.onmicrosoft.com")
    assert judge_one(build_item(tenantId="bbbbcccc-1111-dddd-2222-eeee3333ffff"), rules) == MESSAGE_ENTRY


def test_a_member_given_twice_counts_as_given_last_for_check_and_store_alike() -> None:
    text = json.dumps(build_item())
    twice = text[:-1] + ', "clientState": "forged"}'
    assert judge(b'{"value":[' + twice.encode() + b"]}") == [ItemFault.WRONG_CLIENT_STATE]
    first = '{"clientState": "forged", ' + text[1:]
    assert judge(b'{"value":[' + first.encode() + b"]}") == [MESSAGE_ENTRY]


# --- whole bodies ---


@pytest.mark.parametrize(
    "body", [b'{"value": []}', b'{"value":[],"validationTokens":["x"]}', b' {"value":[\n]} ']
)
def test_a_body_without_items_is_fine(body: bytes) -> None:
    assert judge(body) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", BodyFault.NOT_JSON),
        (b"hello", BodyFault.NOT_JSON),
        (b'{"value": [}', BodyFault.NOT_JSON),
        (b'{"value": []} x', BodyFault.NOT_JSON),
        (b'{"value": [NaN]}', BodyFault.NOT_JSON),
        (b'{"value": [], "x": Infinity}', BodyFault.NOT_JSON),
        (b'{"value": [], "x": "\xff"}', BodyFault.NOT_JSON),
        (b'{"value": [{"clientState": "\xc3\x28"}]}', BodyFault.NOT_JSON),
        ('{"value": []}'.encode("utf-16"), BodyFault.NOT_JSON),
        (b"\x00", BodyFault.NOT_JSON),
        (b"[]", BodyFault.NO_COLLECTION),
        (b"null", BodyFault.NO_COLLECTION),
        (b"5", BodyFault.NO_COLLECTION),
        (b"{}", BodyFault.NO_COLLECTION),
        (b'{"value": null}', BodyFault.NO_COLLECTION),
        (b'{"value": {}}', BodyFault.NO_COLLECTION),
        (b'{"value": "x"}', BodyFault.NO_COLLECTION),
        (b'{"Value": []}', BodyFault.NO_COLLECTION),
        (b'{"value": [], "x": ' + b"[" * 40 + b"]" * 40 + b"}", BodyFault.TOO_DEEP),
        (b"[" * 100_000, BodyFault.TOO_DEEP),
        (b'{"value":' * 5_000, BodyFault.TOO_DEEP),
        (b'{"value":[' + b",".join([b"0"] * 1001) + b"]}", BodyFault.TOO_MANY),
        (b'{"value":[' + b"0," * 300_000, BodyFault.TOO_MANY),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_body_that_is_no_collection_is_refused_as_a_whole(body: bytes, fault: BodyFault) -> None:
    with pytest.raises(NotificationError) as refused:
        judge(body)
    assert refused.value.reason == fault


def test_huge_numbers_where_nothing_is_expected_do_no_harm() -> None:
    assert judge(b'{"value": [' + b"9" * 100_000 + b'], "x": -' + b"9" * 100_000 + b"}") == [
        ItemFault.MALFORMED
    ]


@pytest.mark.parametrize("noise", ['"[[[["', '"\\"[[[[\\\\"', '"{{{{}"'])
def test_brackets_within_texts_are_no_nesting(noise: str) -> None:
    texts = ",".join([noise] * 40)
    assert judge(f'{{"value": [], "x": [{texts}]}}'.encode()) == []


def test_depth_is_counted_exactly() -> None:
    rules = build_rules(KEYS, tenant_id="", depth_max=10)
    inner = b"[" * 9 + b"]" * 9
    assert judge(b'{"value": [], "x": ' + inner + b"}", rules) == []
    with pytest.raises(NotificationError, match="deeply"):
        judge(b'{"value": [], "x": [' + inner + b"]}", rules)


def test_as_many_items_as_allowed_pass_and_one_more_does_not() -> None:
    rules = build_rules(KEYS, tenant_id="", items_max=3)
    assert len(judge(build_body(*[build_item()] * 3), rules)) == 3
    with pytest.raises(NotificationError, match="many"):
        judge(build_body(*[build_item()] * 4), rules)


def test_the_inbox_and_the_whole_mailbox_both_carry_messages() -> None:
    whole = WatchedResource(kind=ResourceKind.MAILBOX_MESSAGES, mailbox=INBOX.mailbox)
    assert judge_one(build_item(whole)) == MESSAGE_ENTRY


@pytest.mark.parametrize("piece", [b"1", b'""', b"[]", b"{}", b"null"])
def test_no_more_values_are_looked_at_than_items_may_come(piece: bytes) -> None:
    """Thirty times as many cost hardly more; looking at each would cost thirty times as much."""

    def measure(count: int) -> float:
        body = b'{"value":[0,' + b",".join([piece] * count) + b"]}"
        began = time.thread_time()
        with pytest.raises(NotificationError, match="many"):
            judge(body)
        return time.thread_time() - began

    few, many = (min(measure(count) for _ in range(3)) for count in (1000, 30_000))
    assert many < 8 * few + 0.005
