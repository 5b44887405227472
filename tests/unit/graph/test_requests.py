"""What is asked of Graph, to the letter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import RefusedError
from service.graph import requests, subscription_requests
from service.graph.requests import GraphRequest, RequestKind
from service.ports import SubscriptionSpec
from service.reconcile.model import EventId, MailboxKey, MessageId, OwnerKey

START = datetime(2019, 12, 1, 1, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
SPEC = SubscriptionSpec(
    resource="users/alex/events",
    change_type="created,updated,deleted",
    notification_url="https://sync.example/graph/notifications?d=default",
    lifecycle_url="https://sync.example/graph/lifecycle?d=default",
    client_state="sealed",
    expires_at=START,
)
ALL = {
    "message": requests.build_message_request(MailboxKey("adele"), MessageId("m")),
    "bare message": requests.build_message_request(MailboxKey("adele"), MessageId("m"), has_subtype=False),
    "event": requests.build_event_request(OwnerKey("alex"), EventId("e")),
    "meeting": requests.build_meeting_search(OwnerKey("alex"), "0400"),
    "instances": requests.build_instances_request(OwnerKey("alex"), EventId("e"), start=START, end=START),
    "brief": requests.build_instances_request(
        OwnerKey("alex"), EventId("e"), start=START, end=START, is_brief=True
    ),
    "inbox delta": requests.build_inbox_delta(MailboxKey("adele"), received_since=START, page_size=50),
    "calendar delta": requests.build_calendar_delta(OwnerKey("alex"), start=START, end=START, page_size=50),
    "link": requests.build_link_request(RequestKind.DELTA, "https://graph.example/v1.0/x", page_size=50),
    "person": requests.build_person_request("alex@contoso.example"),
    "person search": requests.build_person_search("o'neil@contoso.example"),
    "permissions": requests.build_permissions_request(MailboxKey("alex")),
    "delivery": requests.build_delivery_request(MailboxKey("alex")),
    "settings": requests.build_delivery_request(MailboxKey("alex"), is_whole=True),
    "list": subscription_requests.build_subscription_list(),
    "create": subscription_requests.build_subscription_creation(SPEC),
    "renew": subscription_requests.build_renewal("s-1", START),
    "delete": subscription_requests.build_subscription_deletion("s-1"),
}


@pytest.mark.parametrize("name", ALL)
def test_immutable_ids_are_asked_for_in_every_request(name: str) -> None:
    assert 'IdType="ImmutableId"' in ALL[name].headers["Prefer"]


@pytest.mark.parametrize("name", ALL)
def test_the_body_of_a_message_or_event_is_never_asked_for(name: str) -> None:
    asked = dict(ALL[name].query).get("$select", "").split(",")
    assert {"body", "uniqueBody", "*"}.isdisjoint(asked)
    if "/messages" in ALL[name].path or "/events" in ALL[name].path:
        assert asked != [""]


@pytest.mark.parametrize("name", ALL)
def test_only_reads_and_calls_of_subscriptions_may_share_a_batch(name: str) -> None:
    alone = {"inbox delta", "calendar delta", "link", "list"}
    assert ALL[name].is_joinable is (name not in alone)


def test_members_of_the_subtype_are_cast_in_the_select_of_a_message() -> None:
    select = dict(ALL["message"].query)["$select"].split(",")
    assert "microsoft.graph.eventMessage/meetingMessageType" in select
    assert "microsoft.graph.eventMessageResponse/responseType" in select
    assert "meetingMessageType" not in select
    assert not [name for name in dict(ALL["bare message"].query)["$select"].split(",") if "/" in name]


def test_a_message_is_asked_for_with_its_identity_its_time_and_its_class() -> None:
    expand = dict(ALL["message"].query)["$expand"]
    for wanted in (
        "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x3",
        "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x23",
        "SystemTime {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x1",
        "Integer {00062002-0000-0000-C000-000000000046} Id 0x8201",
        "String 0x001A",
    ):
        assert f"id eq '{wanted}'" in expand


def test_an_event_is_asked_for_in_exactly_these_words() -> None:
    assert ALL["event"].target == (
        "/users/alex/events/e?$select=id,iCalUId,seriesMasterId,type,originalStart,originalStartTimeZone,"
        "lastModifiedDateTime,changeKey,subject,start,end,isAllDay,isCancelled,isOrganizer,sensitivity,recurrence,"
        "attendees,organizer,webLink,cancelledOccurrences&$expand=singleValueExtendedProperties($filter%3Did%20eq%20'Integer%20"
        "%7B00062002-0000-0000-C000-000000000046%7D%20Id%200x8201'%20or%20id%20eq%20'Binary%20"
        "%7B6ED8DA90-450B-101B-98DA-00AA003F1305%7D%20Id%200x3')"
    )


def test_instants_go_out_in_utc_and_whole_seconds() -> None:
    assert ALL["calendar delta"].target == (
        "/users/alex/calendarView/delta?startDateTime=2019-12-01T00:00:00Z&endDateTime=2019-12-01T00:00:00Z"
    )
    assert requests.utc_text(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00Z"


def test_the_page_size_goes_with_each_page_of_a_delta_query() -> None:
    for name in ("inbox delta", "calendar delta", "link"):
        assert ALL[name].headers["Prefer"] == 'IdType="ImmutableId", odata.maxpagesize=50'


def test_a_quote_in_a_literal_is_doubled() -> None:
    condition = dict(ALL["person search"].query)["$filter"]
    assert condition == "proxyAddresses/any(p:p eq 'smtp:o''neil@contoso.example')"


@given(ids=st.lists(st.text(min_size=1), min_size=2, max_size=2))
def test_an_id_stays_one_segment_of_the_path_whatever_it_holds(ids: list[str]) -> None:
    owner, event = ids
    try:
        request = requests.build_event_request(OwnerKey(owner), EventId(event))
    except RefusedError:
        assert not owner.strip(".") or not event.strip(".")
        return
    segments = urlsplit("https://graph.example/v1.0" + request.target).path.split("/")
    assert [unquote(segment) for segment in segments] == ["", "v1.0", "users", owner, "events", event]
    assert not {".", ".."} & set(segments)


@pytest.mark.parametrize("bad", ["", ".", ".."])
def test_an_id_that_would_name_another_path_is_refused(bad: str) -> None:
    with pytest.raises(RefusedError):
        requests.build_event_request(OwnerKey("alex"), EventId(bad))


@given(value=st.text())
def test_a_query_value_arrives_as_it_was(value: str) -> None:
    request = GraphRequest(kind=RequestKind.EVENT, path="/x", query=(("$filter", value), ("$top", "1")))
    query = urlsplit(request.target).query
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [
        ("$filter", value),
        ("$top", "1"),
    ]
    assert "+" not in query


def test_a_subscription_is_asked_for_with_both_urls_and_no_resource_data() -> None:
    assert ALL["create"].body == {
        "changeType": "created,updated,deleted",
        "notificationUrl": "https://sync.example/graph/notifications?d=default",
        "lifecycleNotificationUrl": "https://sync.example/graph/lifecycle?d=default",
        "resource": "users/alex/events",
        "expirationDateTime": "2019-12-01T00:00:00Z",
        "clientState": "sealed",
    }


def test_a_certificate_asks_for_rich_notifications_and_a_renewal_may_change_it() -> None:
    key = {"encryptionCertificate": "MII", "encryptionCertificateId": "k2"}
    rich = SubscriptionSpec(
        **{
            **{name: getattr(SPEC, name) for name in SPEC.__slots__},
            "certificate": "MII",
            "certificate_id": "k2",
        }
    )
    created = subscription_requests.build_subscription_creation(rich).body
    renewed = subscription_requests.build_renewal("s-1", START, certificate="MII", certificate_id="k2").body
    assert created is not None
    assert {**created, "includeResourceData": True, **key} == created
    assert renewed == {"expirationDateTime": "2019-12-01T00:00:00Z", **key}
