"""Bodies of POST and PATCH on subscriptions: every member is judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.subscription_request import read_amendment, read_creation
from service.sandbox.wire import GraphFault

GOOD: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.subscription",
    "changeType": "updated,created",
    "notificationUrl": "https://example.org:8443/graph?tag=x",
    "lifecycleNotificationUrl": "https://example.org/lifecycle",
    "resource": "users/a@b.org/messages",
    "expirationDateTime": "2026-03-02T12:00:00.1234567Z",
    "clientState": "x" * 128,
    "latestSupportedTlsVersion": "v1_3",
    "id": None,
    "includeResourceData": None,
    "webPushEncryptionSecret": None,
}


def test_a_good_body_is_read() -> None:
    creation = read_creation(GOOD)
    assert creation.change_types == ("created", "updated")
    assert creation.expires_at == datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
    assert (creation.tls_version, creation.encryption, creation.audience) == ("v1_3", None, None)


def test_another_offset_than_utc_is_understood() -> None:
    body = GOOD | {"expirationDateTime": "2026-03-02T17:30:00+05:30"}
    assert read_creation(body).expires_at == datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"changeType": None}, "changeType is a required property"),
        ({"resource": ""}, "resource is a required property"),
        ({"expirationDateTime": None}, "expirationDateTime is a required property"),
        ({"notificationUrl": None}, "notificationUrl is a required property"),
        ({"changeType": "created,renamed"}, "The changeType 'renamed' is not supported"),
        ({"changeType": ""}, "changeType is a required property"),
        ({"changeType": ["created"]}, "expected type 'Edm.String'"),
        ({"includeResourceData": "true"}, "expected type 'Edm.Boolean'"),
        ({"includeResourceData": True}, "are required with resource data"),
        ({"encryptionCertificateId": "x"}, "belong together"),
        ({"clientState": "x" * 129}, "at most 128 characters"),
        ({"latestSupportedTlsVersion": "v1_4"}, "must be one of"),
        ({"expirationDateTime": "2026-03-02T12:00:00"}, "Could not process subscription creation payload"),
        ({"expirationDateTime": "soon"}, "Could not process subscription creation payload"),
        ({"notificationUrl": "http://example.org/graph"}, "must use the https scheme"),
        ({"notificationUrl": "http://127.0.0.1.example.org/"}, "must use the https scheme"),
        ({"notificationUrl": "ftp://localhost/"}, "must use the https scheme"),
        ({"notificationUrl": "/graph"}, "not a valid absolute URL"),
        ({"notificationUrl": "https://user@example.org/"}, "not a valid absolute URL"),
        ({"notificationUrl": "https://example.org/#x"}, "not a valid absolute URL"),
        ({"notificationUrl": "https://example.org:99999/"}, "not a valid URL"),
        ({"lifecycleNotificationUrl": "http://example.org/"}, "lifecycleNotificationUrl must use the https"),
        ({"id": "mine"}, "The property 'id' cannot be set"),
        ({"vapidPublicKey": "x"}, "The property 'vapidPublicKey' cannot be set"),
        (
            {"notificationurl": "https://example.org/"},
            "does not exist on type 'microsoft.graph.subscription'",
        ),
    ],
)
def test_every_fault_is_named(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(GraphFault) as caught:
        read_creation(GOOD | change)
    assert caught.value.status == 400
    assert complaint in caught.value.message


def test_annotations_say_nothing_new() -> None:
    annotated = {"@odata.type": "#microsoft.graph.subscription", "resource@odata.type": "#String"}
    assert read_creation(GOOD | annotated | {"@odata.context": "x"}) == read_creation(GOOD)


@pytest.mark.parametrize("url", ["http://localhost:80/x", "http://127.0.0.1/", "http://[::1]:8080/"])
def test_plain_http_is_for_loopback(url: str) -> None:
    assert read_creation(GOOD | {"notificationUrl": url}).notification_url == url


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({}, "expirationDateTime is a required property"),
        ({"expirationDateTime": None}, "expirationDateTime is a required property"),
        (
            {"notificationUrl": "https://example.org/"},
            "'notificationUrl' of a subscription cannot be updated",
        ),
        ({"expirationDateTime": "2026-03-02T12:00:00Z", "changeType": "created"}, "'changeType'"),
        ({"expiry": "2026-03-02T12:00:00Z"}, "does not exist on type"),
        (None, "must have a JSON body"),
        ([], "must have a JSON body"),
    ],
)
def test_a_renewal_changes_the_expiry_and_the_certificate_alone(body: Any, complaint: str) -> None:
    with pytest.raises(GraphFault) as caught:
        read_amendment(body)
    assert complaint in caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(GOOD)) | st.text(), JSON))
def test_no_body_is_too_odd_to_be_judged(change: dict[str, Any]) -> None:
    for read in (read_creation, read_amendment):
        try:
            read(GOOD | change)
        except GraphFault as fault:
            assert fault.status == 400
