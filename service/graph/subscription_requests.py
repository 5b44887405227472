"""What is asked of Graph about subscriptions, as values. No I/O.

One that was made in a person's name can be renewed and ended only so.

Source: https://learn.microsoft.com/graph/api/resources/subscription
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from service.graph.requests import IMMUTABLE, GraphRequest, RequestKind, spell_segment, utc_text
from service.ports import SubscriptionSpec


def build_subscription_list(person: str = "") -> GraphRequest:
    """Ask for all subscriptions of this application; Graph takes no query options here.

    Args:
        person: only for those that were made in this person's name.

    Source: https://learn.microsoft.com/graph/api/subscription-list
    """
    return GraphRequest(
        kind=RequestKind.SUBSCRIPTIONS,
        path="/subscriptions",
        headers={"Prefer": IMMUTABLE},
        is_joinable=False,
        person=person,
    )


def build_subscription_creation(spec: SubscriptionSpec) -> GraphRequest:
    """Ask for a new subscription; its notifications will carry immutable ids for good.

    Source: https://learn.microsoft.com/graph/api/subscription-post-subscriptions
    """
    body: dict[str, Any] = {
        "changeType": spec.change_type,
        "notificationUrl": spec.notification_url,
        "lifecycleNotificationUrl": spec.lifecycle_url,
        "resource": spec.resource,
        "expirationDateTime": utc_text(spec.expires_at),
        "clientState": spec.client_state,
    }
    if spec.certificate:
        body |= {"includeResourceData": True} | _certificate(spec.certificate, spec.certificate_id)
    return replace(_send(RequestKind.SUBSCRIBE, "POST", "/subscriptions", body), person=spec.mailbox)


def build_renewal(
    subscription_id: str,
    expires_at: datetime,
    *,
    certificate: str = "",
    certificate_id: str = "",
    person: str = "",
) -> GraphRequest:
    """Ask for a later end, and with a certificate for a change of keys; reauthorizes too.

    Args:
        person: in whose name it was made.

    Source: https://learn.microsoft.com/graph/api/subscription-update
    """
    body: dict[str, Any] = {"expirationDateTime": utc_text(expires_at)}
    if certificate:
        body |= _certificate(certificate, certificate_id)
    request = _send(RequestKind.RENEW, "PATCH", f"/subscriptions/{spell_segment(subscription_id)}", body)
    return replace(request, person=person)


def build_subscription_deletion(subscription_id: str, *, person: str = "") -> GraphRequest:
    """Ask for the end of a subscription.

    Args:
        person: in whose name it was made.

    Source: https://learn.microsoft.com/graph/api/subscription-delete
    """
    request = _send(
        RequestKind.UNSUBSCRIBE, "DELETE", f"/subscriptions/{spell_segment(subscription_id)}", None
    )
    return replace(request, person=person)


def _send(kind: RequestKind, method: str, path: str, body: Mapping[str, Any] | None) -> GraphRequest:
    return GraphRequest(kind=kind, method=method, path=path, headers={"Prefer": IMMUTABLE}, body=body)


def _certificate(certificate: str, certificate_id: str) -> dict[str, Any]:
    return {"encryptionCertificate": certificate, "encryptionCertificateId": certificate_id}
